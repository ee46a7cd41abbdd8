//! Records that wait in memory, as `buffered` durability asks.

use std::collections::HashSet;

use quark_trace_core::ledger::Digest;

use super::pairs::Pairs;
use super::state::State;
use super::writer::{Writer, not_written};
use crate::error::{Outcome, Result};
use crate::store::{Appended, NewEntry};

/// Buffered appends are handed on when they reach this size.
const LIMIT: usize = 256 * 1024;

impl Writer {
    /// Encodes records and leaves them in memory.
    pub fn buffer(&mut self, entries: &[NewEntry<'_>]) -> Result<Appended> {
        self.check_usable().and_then(|()| self.settle()).map_err(not_written)?;
        if self.at.range.size() == 0 {
            // Finds out where the log ends, so that the size in the answer counts its header.
            self.hold().and_then(|()| self.begin_log()).map_err(not_written)?;
            self.give_way();
        }
        self.check_schemas(entries)?;
        if self.pending.records.len() >= LIMIT {
            self.flush().map_err(not_written)?;
        }
        entries.iter().for_each(|entry| self.pending.push(entry));
        Ok(Appended { size: self.size(), existing: Vec::new() })
    }

    /// Writes what is owed and what is buffered. After a failure the latter stays buffered, to be
    /// tried again.
    pub fn flush(&mut self) -> Result<()> {
        self.settle()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        self.hold()?;
        self.begin_log()?;
        self.drop_written()?;
        let before = self.at.clone();
        let mut buffered = std::mem::take(&mut self.pending);
        let written = self.write(&mut buffered);
        self.pending = buffered;
        match &written {
            Ok(()) => self.pending.clear(),
            Err(error) if error.outcome() != Some(Outcome::NotWritten) => self.doubt = Some(before),
            Err(_) => {}
        }
        self.give_way();
        written
    }

    /// Forgets buffered records that a write which seemed to fail has brought into the log.
    fn drop_written(&mut self) -> Result<()> {
        let Some(before) = self.doubt.take() else { return Ok(()) };
        let read = self.objects_after(&before);
        let written = read.inspect_err(|_| self.doubt = Some(before))?;
        self.pending = self.pending.without(&|digest| written.contains(&digest));
        Ok(())
    }

    pub fn objects_after(&self, before: &State) -> Result<HashSet<Digest>> {
        let size = before.range.size();
        let mut pairs = Pairs::open_at(&self.names, size, before.ledger_end, before.records_end)?;
        let mut found = HashSet::new();
        while let Some(pair) = pairs.next_pair()? {
            found.extend(pair.entry.map(|entry| entry.object));
        }
        Ok(found)
    }
}
