//! The schemas in force as the append path keeps them: read once, compiled once, and read again when
//! the store says that others came.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quark_trace_core::ledger::Kind;
use quark_trace_core::record::View;
use quark_trace_core::stages::{Fault, Mode, Refusal, SchemaBook};

use crate::error::{Outcome, Result};
use crate::log::TraceLog;
use crate::store::{NewEntry, Schemas};

/// What records are held to.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    until: u64,
    book: SchemaBook,
}

impl Rules {
    /// The faults of a record that may be appended; an error when it may not.
    pub fn check(&self, stage: &str, payload: &[u8]) -> Result<Vec<Fault>> {
        let Some(check) = self.book.check(stage, payload) else { return Ok(Vec::new()) };
        if check.mode == Mode::Strict && !check.faults.is_empty() {
            let (stage, index, faults) = (stage.to_owned(), check.index, check.faults);
            return Err(Refusal { stage, index, faults }.into());
        }
        Ok(check.faults)
    }

    /// As [`Rules::check`], from the record's line; one that cannot be read is not for us to judge.
    pub fn check_line(&self, line: &[u8]) -> Result<Vec<Fault>> {
        if self.book.is_empty() {
            return Ok(Vec::new());
        }
        match View::parse(line) {
            Ok(view) => self.check(&view.stage.to_str(), view.payload),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// The faults of a record, whatever becomes of it.
    pub fn faults(&self, line: &[u8]) -> Vec<Fault> {
        let view = View::parse(line).ok();
        let check = view.and_then(|view| self.book.check(&view.stage.to_str(), view.payload));
        check.map(|check| check.faults).unwrap_or_default()
    }

    /// The entry of a record that was checked with them.
    pub fn entry<'a>(&self, line: &'a [u8]) -> NewEntry<'a> {
        NewEntry { schemas: Some(self.until), ..NewEntry::new(Kind::Record, line) }
    }

    /// Index behind the last `schema` entry.
    pub fn until(&self) -> u64 {
        self.until
    }
}

/// What this handle knows of them.
#[derive(Debug, Default)]
pub(crate) struct KnownRules(Mutex<Option<Arc<Rules>>>);

impl KnownRules {
    /// The rules, if that takes no reading.
    pub fn known(&self) -> Option<Arc<Rules>> {
        self.lock().clone()
    }

    /// The rules, read from the store the first time.
    pub fn read(&self, log: &TraceLog) -> Result<Arc<Rules>> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        Ok(self.take(in_force(log)?))
    }

    /// Looks whether others came into force; they are known then.
    pub fn renew(&self, log: &TraceLog, known: &Rules) -> Result<bool> {
        let schemas = in_force(log)?;
        let renewed = schemas.until != known.until;
        if renewed {
            self.take(schemas);
        }
        Ok(renewed)
    }

    fn take(&self, schemas: Schemas) -> Arc<Rules> {
        // One that cannot be used, or is gone, stops nobody from logging; `verify` tells of it.
        let rules = Arc::new(Rules { until: schemas.until, book: schemas.book() });
        *self.lock() = Some(Arc::clone(&rules));
        rules
    }

    /// Forgets rules that turned out to be out of date.
    pub fn forget(&self, outdated: &Arc<Rules>) {
        let mut known = self.lock();
        if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, outdated)) {
            *known = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Rules>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_force(log: &TraceLog) -> Result<Schemas> {
    let schemas = log.store().schemas(log.project());
    schemas.map_err(|error| error.or_outcome(Outcome::NotWritten))
}
