//! Entries on their way: written and hashed before any lock is taken, kept by whoever commits them.

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Digest, Kind, entry};

use super::columns::{Columns, record_key};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::store::{Commit, NewEntry};

/// What one caller wants to append.
#[derive(Debug)]
pub(super) struct Pending {
    pub entries: Vec<PendingEntry>,
    pub expected: Option<u64>,
}

/// An entry and the columns of its row.
#[derive(Debug)]
pub(super) struct PendingEntry {
    pub kind: String,
    pub line: Vec<u8>,
    pub leaf: Digest,
    pub digest: Digest,
    pub object: Vec<u8>,
    pub columns: Columns,
    /// Whether the caller chose the id of the record, so that it is appended once.
    pub once: bool,
    /// The schemas that it was checked with.
    pub schemas: Option<u64>,
}

impl Pending {
    /// Encodes a commit; one that no ledger could hold is refused.
    pub fn of(commit: &Commit<'_>) -> Result<Self> {
        commit.check()?;
        let entries = commit.entries.iter().map(PendingEntry::of).collect::<Result<_>>()?;
        Ok(Self { entries, expected: commit.expected })
    }

    /// Whether anything in it was checked with schemas.
    pub fn is_checked(&self) -> bool {
        self.entries.iter().any(|entry| entry.schemas.is_some())
    }

    /// Bytes that go to the server, about.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.object.len() + 300).sum()
    }
}

impl PendingEntry {
    /// The entry of an object.
    pub fn of(new: &NewEntry<'_>) -> Result<Self> {
        let mut line = Vec::with_capacity(96);
        entry::write(&mut line, new.kind, new.digest);
        line.extend_from_slice(new.attributes.as_bytes());
        let mut columns = Columns::default();
        if new.kind.is_record() {
            columns = Columns::of_record(new.object);
        }
        if let Some(id) = new.record_id {
            let key = record_key(id);
            // The column must follow from the bytes, so that `verify` can tell when it was changed.
            if columns.record_key != Some(key) {
                return Err(other_id());
            }
        }
        Ok(Self {
            kind: new.kind.as_str().to_owned(),
            leaf: leaf_hash(&line),
            line,
            digest: new.digest,
            object: new.object.to_vec(),
            columns,
            once: new.record_id.is_some(),
            schemas: new.schemas,
        })
    }

    /// The header of a log.
    pub fn header(object: &[u8]) -> Result<Self> {
        Self::of(&NewEntry::new(Kind::Log, object))
    }
}

fn other_id() -> Error {
    let message = "the id that the caller names is not the one in the record";
    Error::new(ErrorKind::InvalidInput, "append to the log", message)
        .with_outcome(Outcome::NotWritten)
}
