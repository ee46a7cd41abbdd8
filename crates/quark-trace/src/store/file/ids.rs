//! Which record ids a log has, for records whose id the caller chose.
//!
//! Read from the files only when the first such record comes; ids made here are random and need no
//! look-up.

use std::collections::HashMap;

use quark_trace_core::ledger::Digest;
use quark_trace_core::record::View;

use super::folder::Names;
use super::pairs::Pairs;
use crate::error::{Error, ErrorKind, Outcome, Result};

/// Index and digest of each record, by its id.
#[derive(Debug, Default)]
pub(super) struct RecordIds {
    known: HashMap<Digest, (u64, Digest)>,
}

impl RecordIds {
    /// Reads the ids of the first `size` entries.
    pub fn read(names: &Names, size: u64) -> Result<Self> {
        let mut ids = Self::default();
        let mut pairs = Pairs::open(names)?;
        while let Some(pair) = pairs.next_pair()? {
            if pair.index >= size {
                break;
            }
            if let Some(line) = pair.record
                && let Ok(view) = View::parse(line.bytes)
            {
                let id = Digest::of(view.record_id.to_str().as_bytes());
                ids.known.entry(id).or_insert((pair.index, Digest::of(line.bytes)));
            }
        }
        Ok(ids)
    }

    /// Answers the index of a record that is there with the same bytes, refuses one whose id is
    /// there with others, and takes note of a new one.
    pub fn admit(&mut self, record_id: &str, digest: Digest, next: u64) -> Result<Option<u64>> {
        let id = Digest::of(record_id.as_bytes());
        match self.known.get(&id) {
            None => {
                self.known.insert(id, (next, digest));
                Ok(None)
            }
            Some(&(index, known)) if known == digest => Ok(Some(index)),
            Some(&(index, _)) => {
                let message = format!(
                    "entry {index} has the record id {record_id:?} with other content; give the \
                     new record its own id"
                );
                Err(Error::new(ErrorKind::RecordConflict, "append a record", message)
                    .with_outcome(Outcome::NotWritten))
            }
        }
    }
}
