//! Whether the row of a log and its checkpoints are those of its entries.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Checkpoint, CompactRange, Note, Origin, VerifierKey};
use rusqlite::Connection;

use super::check::Told;
use super::columns::log_id;
use super::edge::frontier;
use super::fault::Fault;
use super::head::{Found, LogRow};
use super::statements as sql;

/// A checkpoint as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    size: i64,
    checkpoint: Option<Checkpoint>,
    note: String,
    root_differs: bool,
}

/// Reads the checkpoints of a log.
pub(super) fn checkpoints(connection: &Connection, log_id: i64) -> Result<Vec<Stored>, Fault> {
    let mut statement = connection.prepare_cached(sql::CHECKPOINTS)?;
    let stored = statement.query_map([log_id], |row| {
        let note: String = row.get(1)?;
        let read = Note::parse(&note).and_then(|note| Checkpoint::parse(note.text()));
        Ok(Stored { size: row.get(0)?, checkpoint: read.ok(), note, root_differs: false })
    })?;
    Ok(stored.collect::<Result<_, _>>()?)
}

/// Compares the root that was signed at this size, if one was.
pub(super) fn compare_roots(checkpoints: &mut [Stored], range: &CompactRange) {
    for stored in checkpoints {
        if let Some(known) = stored.checkpoint.as_ref().filter(|known| known.size == range.size()) {
            stored.root_differs = known.root != range.root();
        }
    }
}

/// Compares the row of a log with the tree of its entries.
pub(super) fn judge_row(
    project: &ProjectId,
    log: &LogRow,
    range: &CompactRange,
    told: &mut Told<'_, '_>,
) {
    let Some(found) = &log.found else {
        told.log("the row of the log in qt_log is missing");
        return;
    };
    if log.rows > 1 {
        told.log("several rows of qt_log are of this project");
    }
    if found.log_id != log_id(project) {
        told.log("the column log_id in qt_log is not the number of the project");
    }
    if found.project != project.as_str() {
        told.log("the column project_id in qt_log is that of another project");
    }
    let size = range.size();
    if u64::try_from(found.size).ok() != Some(size) {
        told.log(format!(
            "the column size in qt_log is {}, the log has {size} entries",
            found.size
        ));
    } else if found.frontier != frontier(range) {
        told.log("the column frontier in qt_log is not the edge of the log");
    }
    if !(0..=found.size.max(0)).contains(&found.indexed) {
        told.log("the column indexed in qt_log is outside the log");
    }
    judge_binding(project, log, found, told);
}

/// Origin and keys come with the first checkpoint, and stay.
fn judge_binding(project: &ProjectId, log: &LogRow, found: &Found, told: &mut Told<'_, '_>) {
    let sealed = log.checkpoint.is_some();
    if !sealed && (found.origin.is_some() || found.verifier_keys.is_some()) {
        told.log("the rows of the log in qt_checkpoint are missing");
    }
    let keys = found.verifier_keys.as_deref().unwrap_or_default();
    let lines = keys.lines().count();
    let names = parse_keys(keys);
    if sealed && names.is_empty() {
        told.log("the column verifier_keys in qt_log holds no key");
    }
    let ours = |key: &VerifierKey| {
        let local = Origin::local(key.public_key(), project);
        Some(key.name()) == found.origin.as_deref()
            && (!key.name().starts_with("l-") || key.name() == local.as_str())
    };
    if names.len() != lines || !names.iter().all(ours) {
        told.log("the columns origin and verifier_keys in qt_log do not fit");
    } else if sealed && found.origin.is_none() {
        told.log("the column origin in qt_log is empty");
    }
}

/// Compares checkpoints with the columns of their rows and the keys of the log.
pub(super) fn judge_checkpoints(checkpoints: &[Stored], log: &LogRow, told: &mut Told<'_, '_>) {
    let keys = log.found.as_ref().and_then(|found| found.verifier_keys.as_deref());
    let keys = parse_keys(keys.unwrap_or_default());
    for stored in checkpoints {
        let size = stored.size;
        let Some(checkpoint) = &stored.checkpoint else {
            told.log(format!("the note of size {size} in qt_checkpoint is no checkpoint"));
            continue;
        };
        if i64::try_from(checkpoint.size) != Ok(size) {
            told.log(format!(
                "the column size {size} in qt_checkpoint says otherwise than its note"
            ));
        }
        if stored.root_differs {
            told.log(format!("the checkpoint of size {size} signs another root"));
        }
        // The last one is judged with the keys that the reader trusts.
        let opens = |key| Checkpoint::open(&stored.note, key).is_ok();
        if !keys.is_empty() && !keys.iter().any(opens) {
            told.log(format!(
                "the note of size {size} in qt_checkpoint is not signed by the key of the log"
            ));
        }
    }
}

fn parse_keys(text: &str) -> Vec<VerifierKey> {
    text.lines().filter_map(|key| VerifierKey::parse(key).ok()).collect()
}
