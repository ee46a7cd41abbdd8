//! Appending over HTTP: records, fact sheets and schemas, and what the server says it did.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Digest, Entry, Kind, entry};
use quark_trace_core::record::View;
use quark_trace_core::stages::stage_of;
use serde_json::Value;

use super::connection::{Call, Connection};
use super::{APPEND, fault, head};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::store::{Appended, Commit, NewEntry};

/// Most records that the server takes in one call.
pub(super) const MOST: usize = 1000;
const SHEET: &str = "application/vnd.quark-trace.sheet+json";
const LINES: &str = "application/x-ndjson";

/// Sends the entries of a commit, which the server appends all or none.
pub(super) fn append(
    connection: &Connection,
    project: &ProjectId,
    commit: &Commit<'_>,
) -> Result<Appended> {
    match commit.entries {
        [] => {
            let actual = size(connection, project)?.unwrap_or_default();
            match commit.expected.filter(|expected| *expected != actual) {
                Some(expected) => Err(moved(expected, actual)),
                None => Ok(Appended { size: actual, ..Appended::default() }),
            }
        }
        [one] if one.kind == Kind::Sheet => sheet(connection, project, commit, one),
        [one] if one.kind == Kind::Schema => schema(connection, project, commit, one),
        entries if entries.iter().all(|entry| entry.kind == Kind::Record) => {
            let answer = records(connection, project, commit)?;
            appended(commit.entries, &answer)
        }
        _ => Err(refused(
            "a server takes records, or one fact sheet, or one schema at a time; it makes all other \
             entries itself",
        )),
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, APPEND, message).with_outcome(Outcome::NotWritten)
}

/// What the server said, which does not fit what was sent: whether it wrote is unknown.
pub(super) fn unfit(what: impl std::fmt::Display) -> Error {
    fault::malformed(APPEND, what).with_outcome(Outcome::Unknown)
}

fn size(connection: &Connection, project: &ProjectId) -> Result<Option<u64>> {
    let head = head::read(connection, project);
    let head = head.map_err(|error| error.or_outcome(Outcome::NotWritten))?;
    Ok(head.map(|head| head.range.size()))
}

/// Posts record lines and gives the answer.
fn records(connection: &Connection, project: &ProjectId, commit: &Commit<'_>) -> Result<Value> {
    let entries = commit.entries;
    if entries.len() > MOST {
        let count = entries.len();
        return Err(refused(format!(
            "{count} records were to be appended at once, a server takes {MOST}"
        )));
    }
    if entries.iter().any(|entry| !entry.attributes.is_empty()) {
        return Err(refused(
            "a server notes itself who sent a record and when; entries are copied from it, not to it",
        ));
    }
    let expected = commit.expected.map(|size| size.to_string());
    // With which schemas they were checked here does not matter: the server checks them once more.
    let query: Vec<_> = expected.as_deref().map(|size| ("expected", size)).into_iter().collect();
    let lines: Vec<&[u8]> = entries.iter().map(|entry| entry.object).collect();
    post_records(connection, project, &lines, &query)
}

/// Posts one record, or several as lines.
pub(super) fn post_records(
    connection: &Connection,
    project: &ProjectId,
    lines: &[&[u8]],
    query: &[(&str, &str)],
) -> Result<Value> {
    let path = ["projects", project.as_str(), "records"];
    let call = Call { query, ..Call::write(APPEND, &path) };
    let answer = match lines {
        [line] => connection.call(&Call { body: Some(("application/json", line)), ..call })?,
        _ => {
            let mut body = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
            lines.iter().for_each(|line| {
                body.extend_from_slice(line);
                body.push(b'\n');
            });
            connection.call(&Call { body: Some((LINES, &body)), ..call })?
        }
    };
    serde_json::from_slice(&answer).map_err(|_| unfit("its receipt is no JSON"))
}

/// What was appended, out of a receipt that is held to what was sent.
fn appended(entries: &[NewEntry<'_>], answer: &Value) -> Result<Appended> {
    let receipts = receipts(entries.len(), answer)?;
    let size = answer["size"].as_u64().ok_or_else(|| unfit("its receipt names no size"))?;
    let (mut existing, mut last) = (Vec::new(), None);
    for (place, (entry, receipt)) in entries.iter().zip(receipts).enumerate() {
        let told = Told::of(entry.object, receipt)?;
        let index = told.index.ok_or_else(|| unfit("its receipt names no index"))?;
        if index >= size {
            return Err(unfit("its receipt names an index behind the end of the log"));
        }
        if told.existing {
            existing.push((place, index));
            continue;
        }
        if last.is_some_and(|last| index != last + 1) {
            return Err(unfit("the indexes of its receipt do not follow one another"));
        }
        last = Some(index);
    }
    // Others may have appended between the write and the answer, but nothing is missing.
    Ok(Appended { size: last.map_or(size, |last| last + 1), existing })
}

/// The receipt of each record.
pub(super) fn receipts(count: usize, answer: &Value) -> Result<Vec<&Value>> {
    let Some(list) = answer["records"].as_array() else {
        return if count == 1 { Ok(vec![answer]) } else { Err(unfit("it lists no records")) };
    };
    if list.len() != count {
        let told = list.len();
        return Err(unfit(format!("{count} records were sent, and it tells of {told}")));
    }
    Ok(list.iter().collect())
}

/// What a receipt says of a record; a server of 0.1.0 says less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub index: Option<u64>,
    pub existing: bool,
}

impl Told {
    /// Reads a receipt, and refuses one that is of another record.
    pub fn of(line: &[u8], receipt: &Value) -> Result<Self> {
        let view = View::parse(line);
        if let (Some(told), Ok(view)) = (receipt["record_id"].as_str(), &view)
            && told != view.record_id.to_str()
        {
            return Err(unfit("its receipt is for another record"));
        }
        if let (Some(told), Ok(view)) = (receipt["project_id"].as_str(), &view)
            && told != view.project_id.to_str()
        {
            return Err(unfit("its receipt is for another project"));
        }
        if let Some(entry) = receipt["entry"].as_str() {
            let parsed = Entry::parse(entry.as_bytes()).map_err(unfit)?;
            if !parsed.kind.is_record() || parsed.object != Digest::of(line) {
                return Err(unfit("its receipt is for other bytes"));
            }
            let leaf = receipt["leaf_hash"].as_str().map(str::as_bytes);
            if leaf.is_some_and(|hex| Digest::from_hex(hex) != Some(leaf_hash(entry.as_bytes()))) {
                return Err(unfit("the leaf hash of its receipt is not that of its entry"));
            }
        }
        let existing = receipt["existing"].as_bool().unwrap_or_default();
        Ok(Self { index: receipt["index"].as_u64(), existing })
    }
}

/// Begins a project with its sheet, or appends the next version.
fn sheet(
    connection: &Connection,
    project: &ProjectId,
    commit: &Commit<'_>,
    entry: &NewEntry<'_>,
) -> Result<Appended> {
    let Some(actual) = size(connection, project)? else {
        if let Some(expected) = commit.expected.filter(|expected| *expected > 0) {
            return Err(moved(expected, 0));
        }
        return begin(connection, project, commit, entry);
    };
    let expected = commit.expected.unwrap_or(actual).to_string();
    let path = ["projects", project.as_str(), "sheets"];
    let query = [("expected", expected.as_str())];
    let body = Some((SHEET, entry.object));
    let answer = connection.call(&Call { query: &query, body, ..Call::write(APPEND, &path) })?;
    placed(&answer)
}

fn begin(
    connection: &Connection,
    project: &ProjectId,
    commit: &Commit<'_>,
    entry: &NewEntry<'_>,
) -> Result<Appended> {
    let body = Some((SHEET, entry.object));
    let begun = connection.call(&Call { body, ..Call::write(APPEND, &["projects", ""]) });
    let answer = match begun {
        // Another caller was first, which is what `expected` asks about.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && commit.expected.is_some() => {
            let actual = size(connection, project)?.ok_or(error)?;
            return Err(moved(0, actual));
        }
        begun => begun?,
    };
    if answer != entry.object {
        return Err(unfit("it stored another fact sheet than the one that was sent"));
    }
    let size =
        head::read(connection, project).map_err(|error| error.or_outcome(Outcome::Unknown))?;
    let size = size.map(|head| head.range.size()).ok_or_else(|| unfit("it forgot the project"))?;
    Ok(Appended { size, existing: Vec::new() })
}

fn moved(expected: u64, actual: u64) -> Error {
    let message = format!("the log has {actual} entries, not {expected}; look again and retry");
    Error::new(ErrorKind::Conflict { actual }, APPEND, message).with_outcome(Outcome::NotWritten)
}

fn schema(
    connection: &Connection,
    project: &ProjectId,
    commit: &Commit<'_>,
    new: &NewEntry<'_>,
) -> Result<Appended> {
    let mut line = Vec::new();
    entry::write(&mut line, new.kind, new.digest);
    line.extend_from_slice(new.attributes.as_bytes());
    let stage = Entry::parse(&line).ok().and_then(|entry| stage_of(&entry));
    let stage = stage.ok_or_else(|| refused("the schema is of no stage"))?;
    let expected = commit.expected.map(|size| size.to_string());
    let mut query = vec![("stage", stage.as_str())];
    query.extend(expected.as_deref().map(|size| ("expected", size)));
    let path = ["projects", project.as_str(), "schemas"];
    let body = Some(("application/json", new.object));
    let answer = connection.call(&Call { query: &query, body, ..Call::write(APPEND, &path) })?;
    placed(&answer)
}

/// The answer `{"index", "size"}` about one entry.
fn placed(answer: &[u8]) -> Result<Appended> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match (answer["index"].as_u64(), answer["size"].as_u64()) {
        (Some(index), Some(size)) if index < size => {
            Ok(Appended { size: index + 1, existing: Vec::new() })
        }
        _ => Err(unfit("it names no index and size")),
    }
}
