//! `stages`: the vocabulary, what is in force in a project, and what its records make of it.

use std::path::{Path, PathBuf};

use quark_trace::core::stages::{Broken, Fault, Mode, builtin};
use quark_trace::{Stages, TraceLog};
use serde_json::{Value, json};

use crate::environment;
use crate::failure::Failure;
use crate::input;
use crate::output::{FAINT, GOOD, Output, shown};
use crate::target::{Access, Target};

mod coverage;
mod list;
mod show;

/// What was asked for.
pub enum Asked {
    List,
    Show(String),
    Use { stage: String, schema: Option<PathBuf>, mode: Option<Mode> },
    Infer(String),
    Coverage,
}

pub fn run(words: &[String], asked: &Asked, output: &Output) -> Result<u8, Failure> {
    match asked {
        Asked::List => list::run(log_if_named(words, output)?.as_ref(), output),
        Asked::Show(stage) => show::run(stage, log_if_named(words, output)?.as_ref(), output),
        Asked::Use { stage, schema, mode } => adopt(words, stage, schema.as_deref(), *mode, output),
        Asked::Infer(stage) => infer(words, stage, output),
        Asked::Coverage => {
            let target = Target::open(words, Access::Read, output)?;
            coverage::run(&target.existing_log()?.stages().coverage()?, output)
        }
    }
    .map(|()| 0)
}

/// The vocabulary can be looked at without a project.
fn log_if_named(words: &[String], output: &Output) -> Result<Option<TraceLog>, Failure> {
    let named = !words.is_empty()
        || environment::text(environment::STORE).is_some()
            && environment::text(environment::PROJECT).is_some();
    if !named {
        return Ok(None);
    }
    Target::open(words, Access::Read, output)?.existing_log().map(Some)
}

fn adopt(
    words: &[String],
    stage: &str,
    schema: Option<&Path>,
    mode: Option<Mode>,
    output: &Output,
) -> Result<(), Failure> {
    let text = schema.map(schema_text).transpose()?;
    let target = Target::open(words, Access::Write, output)?;
    let log = target.existing_log()?;
    let stages = log.stages();
    let index = match text {
        Some(text) => stages.adopt_text(stage, &text, mode)?,
        None => stages.set_mode(stage, mode.unwrap_or_default())?,
    };
    target.store.seal(&target.project).map_err(|error| {
        let help = format!("the schema is in force all the same, entry {index}, but not signed");
        Failure::from(error).with_help(help)
    })?;
    let mode = mode_of(&stages, stage)?;
    if output.json {
        let mode = mode.as_str();
        return output.json(&json!({"stage": stage, "mode": mode, "entry": index}));
    }
    let stage = shown(stage, 200);
    output.talk(format!("{GOOD}in force{GOOD:#}  {stage}: {mode}  {FAINT}entry {index}{FAINT:#}"))
}

fn mode_of(stages: &Stages<'_>, stage: &str) -> Result<Mode, Failure> {
    let book = stages.in_force()?;
    let schema = book.of_stage(stage).and_then(|in_force| in_force.schema.as_ref().ok());
    Ok(schema.map_or(Mode::Off, |schema| schema.mode()))
}

/// The schema in a file, or that of the vocabulary with this id.
fn schema_text(file: &Path) -> Result<Vec<u8>, Failure> {
    let id = file.to_str().unwrap_or_default();
    if let Some(name) = id.strip_prefix("quark:stage/") {
        let known = builtin(name.split('/').next().unwrap_or_default());
        return match known.filter(|known| known.id() == id) {
            Some(known) => Ok(known.text.as_bytes().to_vec()),
            None => Err(Failure::usage(format!("the vocabulary has no schema {id}"))
                .with_help("`quark-trace stages` lists them")),
        };
    }
    input::read(file).map_err(|error| {
        Failure::failed(format!("could not read the schema {}: {error}", file.display()))
    })
}

fn infer(words: &[String], stage: &str, output: &Output) -> Result<(), Failure> {
    let target = Target::open(words, Access::Read, output)?;
    let draft = target.existing_log()?.stages().infer(stage)?;
    if draft.payloads() == 0 {
        return Err(Failure::failed(format!("there are no records of stage {stage:?}"))
            .with_help("`quark-trace summary` lists the stages"));
    }
    document(&draft.schema(stage), output)
}

/// A schema: on one line for programs, else as people write it.
fn document(schema: &Value, output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.json(schema);
    }
    let text = serde_json::to_string_pretty(schema).unwrap_or_default();
    output.stored(text.as_bytes())
}

/// Records that break a schema, in one sentence.
pub fn broken(broken: &Broken) -> String {
    let fault = broken.faults.first().map(|fault| format!(": {fault}")).unwrap_or_default();
    let sentence = format!(
        "{} record(s) of stage {} break the schema of entry {}, the first is entry {}{fault}",
        broken.records,
        shown(&broken.stage, 60),
        broken.schema,
        broken.first
    );
    shown(&sentence, 600)
}

/// The same for programs.
pub fn broken_json(broken: &Broken) -> Value {
    let faults: Vec<_> = broken.faults.iter().map(fault_json).collect();
    json!({
        "stage": broken.stage,
        "schema": broken.schema,
        "mode": broken.mode.as_str(),
        "records": broken.records,
        "first": broken.first,
        "faults": faults,
    })
}

fn fault_json(fault: &Fault) -> Value {
    json!({"path": fault.path, "expected": fault.expected, "came": fault.came})
}
