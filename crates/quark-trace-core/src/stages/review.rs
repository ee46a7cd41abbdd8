//! A history against the schemas of its time.

use std::collections::HashMap;

use super::book::{SchemaBook, stage_of};
use super::fault::Fault;
use super::mode::Mode;
use super::schema::SchemaFault;
use crate::ledger::{Entry, Kind};
use crate::record::View;

/// So many are told apart; what is beyond is counted.
const MOST: usize = 1000;

/// Records of one stage that break one schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The stage.
    pub stage: String,
    /// Index of the entry with the schema.
    pub schema: u64,
    /// How it was held to.
    pub mode: Mode,
    /// How many records break it.
    pub records: u64,
    /// Index of the first of them.
    pub first: u64,
    /// How that one does.
    pub faults: Vec<Fault>,
}

/// Looks at the entries of a log in their order. Memory grows with the schemas, not with the log.
#[derive(Debug, Clone, Default)]
pub struct Review {
    book: SchemaBook,
    checked: u64,
    broken: Vec<Broken>,
    places: HashMap<(u64, String), usize>,
    further: u64,
    unusable: Vec<(u64, String)>,
}

impl Review {
    /// Takes an entry with its object, which must be the one that the entry names.
    pub fn take(&mut self, index: u64, entry: &Entry<'_>, object: &[u8]) {
        if entry.kind == Kind::Schema {
            return self.schema(index, entry, object);
        }
        if self.book.is_empty() || !entry.kind.is_record() {
            return;
        }
        let Ok(view) = View::parse(object) else { return };
        let stage = view.stage.to_str();
        let Some(check) = self.book.check(&stage, view.payload) else { return };
        self.checked += 1;
        if check.faults.is_empty() {
            return;
        }
        let key = (check.index, stage.into_owned());
        if let Some(&place) = self.places.get(&key) {
            self.broken[place].records += 1;
        } else if self.broken.len() < MOST {
            self.broken.push(Broken {
                stage: key.1.clone(),
                schema: check.index,
                mode: check.mode,
                records: 1,
                first: index,
                faults: check.faults,
            });
            self.places.insert(key, self.broken.len() - 1);
        } else {
            self.further += 1;
        }
    }

    /// Takes an entry whose object is gone, or is not the one that it names. A schema that nobody
    /// can read replaces the one before all the same.
    pub fn take_missing(&mut self, index: u64, entry: &Entry<'_>) {
        if let Some(stage) = stage_of(entry) {
            self.book.take_missing(index, &stage);
        }
    }

    fn schema(&mut self, index: u64, entry: &Entry<'_>, object: &[u8]) {
        let why = match stage_of(entry) {
            None => "it names no stage".to_owned(),
            Some(stage) => match self.book.take(index, &stage, object) {
                Ok(()) => return,
                Err(fault) => SchemaFault::to_string(&fault),
            },
        };
        if self.unusable.len() < MOST {
            self.unusable.push((index, why));
        }
    }

    /// How many records were checked with a schema.
    pub fn checked(&self) -> u64 {
        self.checked
    }

    /// What was found, in the order of the log.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// Records that break a schema beyond those in [`Review::broken`].
    pub fn further(&self) -> u64 {
        self.further
    }

    /// Entries with a schema that cannot be used, and why: nothing was checked with it.
    pub fn unusable(&self) -> &[(u64, String)] {
        &self.unusable
    }

    /// The schemas in force behind the last entry that was taken.
    pub fn book(&self) -> &SchemaBook {
        &self.book
    }
}
