//! One schema: what its fields are for people, the document for programs.

use quark_trace::TraceLog;
use quark_trace::core::stages::{InForce, builtin, suggestion};
use serde_json::Value;

use super::document;
use crate::failure::Failure;
use crate::output::{FAINT, Output, STRONG, ascii, fixed, shown, table};

pub fn run(stage: &str, log: Option<&TraceLog>, output: &Output) -> Result<(), Failure> {
    if let Some(log) = log {
        let book = log.stages().in_force()?;
        if let Some((_, InForce { index, schema })) =
            book.in_force().find(|(known, _)| *known == stage)
        {
            return match schema {
                Ok(schema) if output.json => output.stored(schema.object()),
                Ok(schema) => {
                    let mode = format!("{}, entry {index}", schema.mode());
                    people(stage, schema.document(), &mode, output)
                }
                Err(fault) => Err(Failure::failed(format!(
                    "the schema of stage {stage:?}, entry {index}, cannot be used: {fault}"
                ))),
            };
        }
    }
    let Some(known) = builtin(stage) else {
        let failure = Failure::failed(format!("stage {stage:?} has no schema"));
        return Err(match suggestion(stage) {
            Some(meant) => failure.with_help(format!("did you mean {meant}?")),
            None => failure.with_help("`quark-trace stages` lists those that have one"),
        });
    };
    if output.json {
        return document(known.document(), output);
    }
    people(stage, known.document(), &known.id(), output)
}

fn people(stage: &str, schema: &Value, whence: &str, output: &Output) -> Result<(), Failure> {
    let text = |name: &str| shown(schema[name].as_str().unwrap_or_default(), 500);
    output.line(format!(
        "{STRONG}{}{STRONG:#}  {FAINT}{}{FAINT:#}",
        shown(stage, 200),
        shown(whence, 200)
    ))?;
    if !text("description").is_empty() {
        output.line(text("description"))?;
    }
    if let Some(properties) = schema["properties"].as_object() {
        output.line("")?;
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut fields = table(&["field", "type", "", "what it is"]);
        for (name, field) in properties {
            let needed = required.iter().any(|known| known.as_str() == Some(name));
            fields.add_row([
                shown(name, 200),
                shown(&kind(field), 60),
                if needed { "required".to_owned() } else { String::new() },
                shown(field["description"].as_str().unwrap_or_default(), 300),
            ]);
        }
        fixed(&mut fields, &[0, 1, 2]);
        output.line(fields.trim_fmt())?;
    }
    if let Some(example) = schema["examples"].get(0) {
        output.line(format!("\n{FAINT}example:{FAINT:#} {}", ascii(example)))?;
    }
    Ok(())
}

fn kind(field: &Value) -> String {
    let kind = match &field["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    };
    let bound = |name: &str| field.get(name).map(Value::to_string);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!("{kind} {least} to {most}"),
        (Some(least), None) => format!("{kind} >= {least}"),
        (None, Some(most)) => format!("{kind} <= {most}"),
        (None, None) => kind,
    }
}
