//! Entries that are encoded but not yet written.

use std::ops::Range;

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Digest, Entry, Kind, entry};

use crate::store::NewEntry;

/// Bytes for both files and what they mean for the tree.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub records: Vec<u8>,
    /// Bytes of record lines that are in the file already.
    pub records_written: u64,
    pub ledger: Vec<u8>,
    pub leaves: Vec<Digest>,
    pub lines: u64,
    pub sheet: Option<Digest>,
    /// Entries about schemas: their place among the leaves, and their lines in `ledger`.
    schemas: Vec<(u64, Range<usize>)>,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Encodes an entry and, for a record, its line.
    pub fn push(&mut self, entry: &NewEntry<'_>) {
        if entry.kind.is_record() {
            self.records.extend_from_slice(entry.object);
            self.records.push(b'\n');
            self.lines += 1;
        }
        self.push_entry(entry);
    }

    /// Encodes an entry whose object is in its place already.
    pub fn push_entry(&mut self, new: &NewEntry<'_>) {
        let start = self.ledger.len();
        entry::write(&mut self.ledger, new.kind, new.digest);
        self.ledger.extend_from_slice(new.attributes.as_bytes());
        if new.kind == Kind::Schema {
            self.schemas.push((self.leaves.len() as u64, start..self.ledger.len()));
        }
        self.leaves.push(leaf_hash(&self.ledger[start..]));
        self.ledger.push(b'\n');
        if new.kind.is_sheet() {
            self.sheet = Some(new.digest);
        }
    }

    /// The entry of a record line that is in the file already.
    pub fn push_adopted(&mut self, digest: Digest) {
        let object: &[u8] = &[];
        let (kind, attributes, record_id) = (Kind::RecordAdopted, "", None);
        self.push_entry(&NewEntry {
            kind,
            object,
            digest,
            attributes,
            record_id,
            is_own_id: false,
            schemas: None,
        });
    }

    /// The entries whose objects are files of their own.
    pub fn without_records(&self) -> Self {
        let mut kept = Self { sheet: self.sheet, ..Self::default() };
        for line in self.ledger.split_inclusive(|&byte| byte == b'\n') {
            if !line.starts_with(b"record") && !line.starts_with(b"log ") {
                if line.starts_with(b"schema ") {
                    let start = kept.ledger.len();
                    kept.schemas.push((kept.leaves.len() as u64, start..start + line.len() - 1));
                }
                kept.leaves.push(leaf_hash(&line[..line.len() - 1]));
                kept.ledger.extend_from_slice(line);
            }
        }
        kept
    }

    /// Buffered records but those that `written` says are in the log.
    pub fn without(&self, written: &dyn Fn(Digest) -> bool) -> Self {
        let mut kept = Self::default();
        let ledger = self.ledger.split_inclusive(|&byte| byte == b'\n');
        let records = self.records.split_inclusive(|&byte| byte == b'\n');
        for ((line, record), leaf) in ledger.zip(records).zip(&self.leaves) {
            let entry = Entry::parse(&line[..line.len() - 1]);
            if entry.is_ok_and(|entry| written(entry.object)) {
                continue;
            }
            kept.ledger.extend_from_slice(line);
            kept.records.extend_from_slice(record);
            kept.leaves.push(*leaf);
            kept.lines += 1;
        }
        kept
    }

    /// Its entries about schemas, with the indexes that they get when the first entry gets `base`.
    pub fn schemas(&self, base: u64) -> impl Iterator<Item = (u64, Entry<'_>)> {
        self.schemas.iter().filter_map(move |(place, line)| {
            Some((base + place, Entry::parse(&self.ledger[line.clone()]).ok()?))
        })
    }

    /// The objects of its entries about records.
    pub fn record_objects(&self) -> impl Iterator<Item = Digest> {
        let lines = self.ledger.split(|&byte| byte == b'\n');
        let entries = lines.filter_map(|line| Entry::parse(line).ok());
        entries.filter(|entry| entry.kind.is_record()).map(|entry| entry.object)
    }

    pub fn clear(&mut self) {
        self.records.clear();
        self.records_written = 0;
        self.ledger.clear();
        self.leaves.clear();
        self.lines = 0;
        self.sheet = None;
        self.schemas.clear();
    }
}
