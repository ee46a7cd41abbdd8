//! The schemas of stages, as a store hands them out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Digest, Entry};
use quark_trace_core::stages::{SchemaBook, stage_of};

use super::{NewEntry, Plan, Row, Select, Store};
use crate::error::Result;

/// The schemas that are in force at the end of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schemas {
    /// Index behind the last `schema` entry; 0 when there is none.
    pub until: u64,
    /// For each stage its last entry, by stage.
    pub in_force: Vec<SchemaEntry>,
}

/// A `schema` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaEntry {
    /// Its index.
    pub index: u64,
    /// The stage that it is about.
    pub stage: String,
    /// The schema; `None` when it is missing, or is not what the entry names.
    pub object: Option<Vec<u8>>,
}

impl Schemas {
    /// The schemas, ready to be used. One that cannot be is in the book with the reason.
    pub fn book(self) -> SchemaBook {
        let mut book = SchemaBook::default();
        for entry in self.in_force {
            match entry.object {
                Some(object) => drop(book.take(entry.index, &entry.stage, &object)),
                None => book.take_missing(entry.index, &entry.stage),
            }
        }
        book
    }

    /// Reads them off the log.
    pub fn read<S: Store + ?Sized>(store: &S, project: &ProjectId) -> Result<Self> {
        let mut until = 0;
        let mut last: BTreeMap<String, SchemaEntry> = BTreeMap::new();
        let plan = Plan { select: Select::Schemas, ..Plan::default() };
        store.scan(project, &plan, &mut |row| {
            if let Row::Entry { index, line, object, .. } = row
                && let Ok(entry) = Entry::parse(line)
            {
                until = index + 1;
                if let Some(stage) = stage_of(&entry) {
                    let object = object.filter(|object| Digest::of(object) == entry.object);
                    let object = object.map(std::borrow::Cow::into_owned);
                    last.insert(stage.clone(), SchemaEntry { index, stage, object });
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self { until, in_force: last.into_values().collect() })
    }
}

impl NewEntry<'_> {
    /// Whether the record was checked with other schemas than those until `until`.
    pub(super) fn is_outdated(&self, until: u64) -> bool {
        self.schemas.is_some_and(|known| known != until)
    }
}

/// Why a record is refused whose schemas are out of date.
pub(super) const OUTDATED: &str =
    "the schemas of its stages changed meanwhile; check it with those and retry";
