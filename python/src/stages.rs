//! The stages of a log, as `Project.stages` uses them: JSON in and out.

use pyo3::prelude::*;
use quark_trace::core::stages::{
    Broken, Builtin, Fault, InForce, Mode, SchemaFault, StageSchema, VOCABULARY,
};
use quark_trace::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::errors::{Doing, raise};
use crate::log::Log;

/// The stages of the vocabulary as JSON: names, aliases, ids and schemas.
#[pyfunction]
pub fn stage_vocabulary() -> String {
    let document = |known: &Builtin| {
        json!({
            "stage": known.name,
            "aliases": known.aliases,
            "id": known.id(),
            "title": known.title(),
            "description": known.description(),
            "schema": known.document(),
        })
    };
    Value::Array(VOCABULARY.iter().map(document).collect()).to_string()
}

/// Puts a schema in force for a stage: the one in `schema` (JSON text), or with none the one that is
/// in force, or the vocabulary's. Gives the index of its entry.
#[pyfunction]
#[pyo3(signature = (log, stage, schema=None, mode=None))]
pub fn use_schema(
    py: Python<'_>,
    log: &Log,
    stage: &str,
    schema: Option<&[u8]>,
    mode: Option<&str>,
) -> PyResult<u64> {
    let refused = |message: &str| {
        raise(py, "schema", message, "writing", Some("not_written"), None, Some(stage))
    };
    let mode = mode.map(str::parse::<Mode>).transpose().map_err(|fault| refused(&fault))?;
    let schema = schema
        .map(|text| match mode {
            Some(mode) => StageSchema::read_with_mode(text, mode),
            None => StageSchema::read(text),
        })
        .transpose()
        .map_err(|fault: SchemaFault| refused(&fault.to_string()))?;
    let mut unknown = None;
    let used = log.run(py, Doing::Writing, |open| {
        let stages = open.trace_log().stages();
        match &schema {
            Some(schema) => stages.adopt(stage, schema),
            None => stages.set_mode(stage, mode.unwrap_or_default()),
        }
        .inspect_err(|error: &Error| {
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) {
                unknown = Some(error.to_string());
            }
        })
    });
    match unknown {
        Some(message) => Err(refused(&message)),
        None => used,
    }
}

/// The schemas in force as JSON, by stage.
#[pyfunction]
pub fn schemas_in_force(py: Python<'_>, log: &Log) -> PyResult<String> {
    let book = log.run(py, Doing::Reading, |open| open.trace_log().stages().in_force())?;
    let documents = book.in_force().map(|(stage, InForce { index, schema })| {
        let (mode, document, unusable) = match schema {
            Ok(schema) => (Some(schema.mode().as_str()), Some(schema.document()), None),
            Err(fault) => (None, None, Some(fault.to_string())),
        };
        let document = json!({
            "entry": index, "mode": mode, "schema": document, "unusable": unusable,
        });
        (stage.to_owned(), document)
    });
    Ok(Value::Object(documents.collect()).to_string())
}

/// The stages of the log beside those of the vocabulary, as JSON.
#[pyfunction]
pub fn stage_coverage(py: Python<'_>, log: &Log) -> PyResult<String> {
    let found = log.run(py, Doing::Reading, |open| open.trace_log().stages().coverage())?;
    let present: Vec<_> = found
        .present
        .iter()
        .map(|one| json!({"stage": one.stage, "canonical": one.canonical, "records": one.records}))
        .collect();
    let unknown: Vec<_> = found
        .unknown
        .iter()
        .map(
            |one| json!({"stage": one.stage, "records": one.records, "suggestion": one.suggestion}),
        )
        .collect();
    Ok(json!({"present": present, "lacking": found.lacking, "unknown": unknown}).to_string())
}

/// A draft of a schema from the records of a stage, as JSON.
#[pyfunction]
pub fn infer_schema(py: Python<'_>, log: &Log, stage: &str) -> PyResult<String> {
    let draft = log.run(py, Doing::Reading, |open| open.trace_log().stages().infer(stage))?;
    if draft.payloads() == 0 {
        let message = format!("there are no records of stage {stage:?} to draft a schema from");
        return Err(raise(py, "schema", &message, "reading", None, None, Some(stage)));
    }
    Ok(draft.schema(stage).to_string())
}

/// Records that break the schemas of their time, as JSON.
#[pyfunction]
pub fn broken_schemas(py: Python<'_>, log: &Log) -> PyResult<String> {
    let review = log.run(py, Doing::Reading, |open| open.trace_log().stages().review())?;
    Ok(broken_to_json(review.broken()))
}

pub fn broken_to_json(all: &[Broken]) -> String {
    Value::Array(all.iter().map(broken).collect()).to_string()
}

fn broken(broken: &Broken) -> Value {
    json!({
        "stage": broken.stage,
        "schema": broken.schema,
        "mode": broken.mode.as_str(),
        "records": broken.records,
        "first": broken.first,
        "faults": broken.faults.iter().map(fault).collect::<Vec<_>>(),
    })
}

fn fault(fault: &Fault) -> Value {
    json!({"path": fault.path, "expected": fault.expected, "came": fault.came})
}
