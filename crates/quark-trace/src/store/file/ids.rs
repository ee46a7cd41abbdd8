//! Which record ids a log has, for records whose id the caller chose.
//!
//! Read from the files only when the first such record comes, and from then on only what was added
//! since; ids made here are random and need no look-up.

use std::collections::HashMap;

use quark_trace_core::ledger::Digest;
use quark_trace_core::record::View;

use super::folder::Names;
use super::pairs::Pairs;
use super::state::State;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::store::NewEntry;

/// Index and digest of a record, by the digest of its id.
type Known = HashMap<Digest, (u64, Digest)>;

/// The record ids of a log up to some entry.
#[derive(Debug, Default)]
pub(super) struct RecordIds {
    known: Known,
    /// How far into the files they were read.
    size: u64,
    ledger_end: u64,
    records_end: u64,
}

/// What a commit means for the ids of the log; nothing is known of it before it is written.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Records that are there already: place in the commit, index in the log.
    pub existing: Vec<(usize, u64)>,
    fresh: Known,
    /// Whether every record of the commit named its id.
    complete: bool,
}

impl RecordIds {
    /// Reads the ids of the entries that came since.
    pub fn read_on(&mut self, names: &Names, at: &State) -> Result<()> {
        if self.size == at.range.size() {
            return Ok(());
        }
        let mut pairs = Pairs::open_at(names, self.size, self.ledger_end, self.records_end)?;
        while let Some(pair) = pairs.next_pair()? {
            if pair.index >= at.range.size() {
                break;
            }
            if let Some(line) = pair.record
                && let Ok(view) = View::parse(line.bytes)
            {
                let id = Digest::of(view.record_id.to_str().as_bytes());
                self.known.entry(id).or_insert((pair.index, Digest::of(line.bytes)));
            }
        }
        self.note_end(at);
        Ok(())
    }

    /// Answers which records of a commit are there with the same bytes; refuses it when an id is
    /// there with others. `next` is the index of its first new entry.
    pub fn admit(&self, entries: &[NewEntry<'_>], next: u64) -> Result<Admission> {
        let mut admission = Admission { complete: true, ..Admission::default() };
        for (place, entry) in entries.iter().enumerate() {
            let Some(record_id) = entry.record_id else {
                admission.complete &= !entry.kind.is_record();
                continue;
            };
            let id = Digest::of(record_id.as_bytes());
            match self.known.get(&id).or_else(|| admission.fresh.get(&id)) {
                None => {
                    let index = next + (place - admission.existing.len()) as u64;
                    admission.fresh.insert(id, (index, entry.digest));
                }
                Some(&(index, known)) if known == entry.digest => {
                    admission.existing.push((place, index));
                }
                Some(&(index, _)) => return Err(taken(record_id, index)),
            }
        }
        Ok(admission)
    }

    /// Takes note of a commit that was written. `at` is the state behind it.
    pub fn note(&mut self, admission: Admission, at: &State) {
        if admission.complete {
            self.known.extend(admission.fresh);
            self.note_end(at);
        }
    }

    fn note_end(&mut self, at: &State) {
        self.size = at.range.size();
        self.ledger_end = at.ledger_end;
        self.records_end = at.records_end;
    }
}

fn taken(record_id: &str, index: u64) -> Error {
    let message = format!(
        "entry {index} has the record id {record_id:?} with other content; give the new record \
         its own id"
    );
    Error::new(ErrorKind::RecordConflict, "append a record", message)
        .with_outcome(Outcome::NotWritten)
}
