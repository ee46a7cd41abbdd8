//! `GET /projects/{project}/head`: size, edge and checkpoint of a log.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{CompactRange, Digest};
use serde_json::Value;

use super::connection::{Call, Connection};
use super::fault::malformed;
use super::pin::is_checkpoint;
use crate::error::{ErrorKind, Result};
use crate::store::{Beside, Head};

const READ: &str = "read the log";

/// The head of a log as the server tells it; `None` when it knows no such project.
pub(super) fn read(connection: &Connection, project: &ProjectId) -> Result<Option<Head>> {
    let path = ["projects", project.as_str(), "head"];
    match connection.call(&Call::read(READ, &path)) {
        Ok(answer) => parse(READ, &answer).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A head out of an answer.
pub(super) fn parse(operation: &'static str, answer: &[u8]) -> Result<Head> {
    let wrong = |what: &str| malformed(operation, what);
    let answer: Value = serde_json::from_slice(answer).map_err(|_| wrong("it is no JSON"))?;
    let size = answer["size"].as_u64().ok_or_else(|| wrong("it names no size"))?;
    let hashes = hashes(&answer["hashes"]).ok_or_else(|| wrong("its hashes are none"))?;
    let range = CompactRange::from_parts(size, hashes);
    let range = range.ok_or_else(|| wrong("its hashes do not fit its size"))?;
    let text = |name: &str| match &answer[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(wrong("its checkpoint or keys are no text")),
    };
    let beside = Beside { checkpoint: text("checkpoint")?, keys: text("keys")? };
    if beside.checkpoint.as_deref().is_some_and(|note| !is_checkpoint(note)) {
        return Err(wrong("its checkpoint is none"));
    }
    Ok(Head { range, beside })
}

/// The path of a consistency proof.
pub(super) fn consistency(
    connection: &Connection,
    project: &ProjectId,
    from: u64,
    to: u64,
) -> Result<Vec<Digest>> {
    let path = ["projects", project.as_str(), "consistency"];
    let (from, to) = (from.to_string(), to.to_string());
    let query = [("from", from.as_str()), ("to", to.as_str())];
    let answer = connection.call(&Call { query: &query, ..Call::read(READ, &path) })?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    hashes(&answer["path"]).ok_or_else(|| malformed(READ, "it is no consistency proof"))
}

fn hashes(list: &Value) -> Option<Vec<Digest>> {
    let list = list.as_array().filter(|list| list.len() <= 128)?;
    list.iter().map(|hash| Digest::from_base64(hash.as_str()?)).collect()
}
