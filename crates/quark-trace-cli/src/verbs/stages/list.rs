//! The vocabulary and what is in force, a line each.

use std::collections::BTreeMap;

use quark_trace::core::stages::{InForce, SchemaBook, VOCABULARY, builtin};
use quark_trace::{TraceLog, project};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{Output, WARNING, fixed, shown, table};

/// What a project has of stages.
struct Found {
    book: SchemaBook,
    records: BTreeMap<String, u64>,
}

pub fn run(log: Option<&TraceLog>, output: &Output) -> Result<(), Failure> {
    let found = match log {
        None => Found { book: SchemaBook::default(), records: BTreeMap::new() },
        Some(log) => Found {
            book: log.stages().in_force()?,
            records: project::summary(log)?
                .stages
                .into_iter()
                .map(|stage| (stage.stage, stage.records))
                .collect(),
        },
    };
    if output.json {
        return output.json(&found.document());
    }
    let header: &[&str] = match log {
        None => &["stage", "what its records tell"],
        Some(_) => &["stage", "mode", "records", "what its records tell"],
    };
    let mut rows = table(header);
    for (stage, about) in found.rows() {
        let stage_shown = shown(&stage, 200);
        match log {
            None => rows.add_row([stage_shown, about]),
            Some(_) => {
                let records = found.records.get(&stage).map(u64::to_string).unwrap_or_default();
                rows.add_row([stage_shown, found.mode(&stage), records, about])
            }
        };
    }
    fixed(&mut rows, &[0]);
    output.line(rows.trim_fmt())?;
    for (stage, InForce { index, schema }) in found.book.in_force() {
        if let Err(fault) = schema {
            let stage = shown(stage, 200);
            let why = shown(&fault.to_string(), 400);
            output.line(format!(
                "{WARNING}nothing is checked with the schema of {stage}, entry {index}: {why}{WARNING:#}"
            ))?;
        }
    }
    Ok(())
}

impl Found {
    /// The vocabulary, under the names that are used, and then what it does not know.
    fn rows(&self) -> Vec<(String, String)> {
        let own = self.records.keys().map(String::as_str);
        let named = self.book.in_force().map(|(stage, _)| stage);
        let mut others: Vec<&str> = own.chain(named).collect();
        others.sort_unstable();
        others.dedup();
        let mut rows = Vec::new();
        for known in &VOCABULARY {
            let used =
                others.iter().filter(|name| builtin(name).is_some_and(|it| it.name == known.name));
            let mut names: Vec<String> = used.map(|name| (*name).to_owned()).collect();
            if names.is_empty() {
                names.push(known.name.to_owned());
            }
            rows.extend(names.into_iter().map(|name| (name, known.description().to_owned())));
        }
        for name in others.into_iter().filter(|name| builtin(name).is_none()) {
            let about = match name {
                "*" => "every stage without a schema of its own",
                _ => "not in the vocabulary",
            };
            rows.push((name.to_owned(), about.to_owned()));
        }
        rows
    }

    /// What is in force for a stage: its mode, and the entry.
    fn mode(&self, stage: &str) -> String {
        match self.book.of_stage(stage) {
            None => String::new(),
            Some(InForce { index, schema: Ok(schema) }) => {
                format!("{} (entry {index})", schema.mode())
            }
            Some(InForce { index, schema: Err(_) }) => format!("unusable (entry {index})"),
        }
    }

    fn document(&self) -> Value {
        let vocabulary: Vec<_> = VOCABULARY
            .iter()
            .map(|known| {
                json!({
                    "stage": known.name,
                    "aliases": known.aliases,
                    "id": known.id(),
                    "title": known.title(),
                    "description": known.description(),
                })
            })
            .collect();
        let in_force: Vec<_> = self
            .book
            .in_force()
            .map(|(stage, InForce { index, schema })| {
                let mode = schema.as_ref().ok().map(|schema| schema.mode().as_str());
                let reason = schema.as_ref().err().map(ToString::to_string);
                json!({"stage": stage, "entry": index, "mode": mode, "unusable": reason})
            })
            .collect();
        json!({"vocabulary": vocabulary, "in_force": in_force, "records": self.records})
    }
}
