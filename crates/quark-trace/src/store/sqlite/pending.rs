//! Entries on their way: written and hashed before any lock is taken.

use std::borrow::Cow;

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Digest, entry};

use super::columns::{key_of, record_key};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::store::{Commit, NewEntry};

/// An entry and what its row holds.
#[derive(Debug, Clone)]
pub(super) struct PendingEntry<'a> {
    pub kind: Cow<'a, str>,
    pub line: Vec<u8>,
    pub leaf: Digest,
    pub digest: Digest,
    pub object: Cow<'a, [u8]>,
    /// Key of the id that the caller chose for a record, which is appended once.
    pub once: Option<Digest>,
    pub is_record: bool,
    /// Whether the id that was chosen can be read in the record.
    pub names_its_id: bool,
    /// The schemas that it was checked with.
    pub schemas: Option<u64>,
}

impl<'a> PendingEntry<'a> {
    /// Encodes the entries of a commit; one that no ledger could hold is refused.
    pub fn of_all(commit: &Commit<'a>) -> Result<Vec<Self>> {
        commit.check()?;
        commit.entries.iter().map(Self::of).collect()
    }

    /// The entry of an object.
    pub fn of(new: &NewEntry<'a>) -> Result<Self> {
        let mut line = Vec::with_capacity(80 + new.attributes.len());
        entry::write(&mut line, new.kind, new.digest);
        line.extend_from_slice(new.attributes.as_bytes());
        let once = new.record_id.map(record_key);
        debug_assert!(!new.is_own_id || key_of(new.object) == once, "see `NewEntry::is_own_id`");
        let own = once.and_then(|key| if new.is_own_id { Some(key) } else { key_of(new.object) });
        if once.is_some() && (!new.kind.is_record() || own.is_some() && own != once) {
            let message = "the id that the caller names is not that of the record";
            return Err(Error::new(ErrorKind::InvalidInput, "append to the log", message)
                .with_outcome(Outcome::NotWritten));
        }
        Ok(Self {
            kind: Cow::Borrowed(new.kind.as_str()),
            leaf: leaf_hash(&line),
            line,
            digest: new.digest,
            object: Cow::Borrowed(new.object),
            once,
            is_record: new.kind.is_record(),
            names_its_id: own.is_some(),
            schemas: new.schemas,
        })
    }

    /// Whether it is a record whose id nobody else can have.
    pub fn is_plain(&self) -> bool {
        self.is_record && self.once.is_none()
    }

    /// The same, kept for later.
    pub fn kept(&self) -> PendingEntry<'static> {
        PendingEntry {
            kind: Cow::Owned(self.kind.clone().into_owned()),
            line: self.line.clone(),
            leaf: self.leaf,
            digest: self.digest,
            object: Cow::Owned(self.object.clone().into_owned()),
            once: self.once,
            is_record: self.is_record,
            names_its_id: self.names_its_id,
            // It was acknowledged.
            schemas: None,
        }
    }
}
