//! Writing encoded entries to both files, or to none.

use std::io;

use super::ids::RecordIds;
use super::pending::Pending;
use super::span::Span;
use super::writer::{Writer, not_written};
use crate::error::{Outcome, Result};

impl Writer {
    /// Writes encoded bytes: records, then ledger; on failure both files get their old length.
    /// An error always says whether they were written.
    pub fn write(&mut self, pending: &mut Pending) -> Result<()> {
        let Some(files) = &self.files else { return Err(not_written(self.closed())) };
        let records = Span::write(&files.records, self.at.records_end, &pending.records, true);
        if records.failed.is_none() && records.displaced {
            return self
                .take_up_displaced(pending)
                .map_err(|error| error.with_outcome(Outcome::Unknown));
        }
        let ledger = match records.failed {
            None => Span::write(&files.ledger, self.at.ledger_end, &pending.ledger, false),
            Some(_) => Span::default(),
        };
        let Some(error) = records.failed.as_ref().or(ledger.failed.as_ref()) else {
            self.note_written(pending);
            return Ok(());
        };
        let undone = ledger.undo(&files.ledger).and_then(|()| records.undo(&files.records));
        let outcome = if undone.is_ok() { Outcome::NotWritten } else { Outcome::Unknown };
        let error = match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        // Whatever state the files are in, the next append finds it out from the files.
        self.close_files();
        Err(self.io(error).with_outcome(outcome))
    }

    fn note_written(&mut self, pending: &Pending) {
        if self.at.range.size() == 0 {
            self.seal.begun = true;
        }
        for (index, entry) in pending.schemas(self.at.range.size()) {
            self.at.schemas.take(index, &entry);
        }
        pending.leaves.iter().for_each(|leaf| self.at.range.push(*leaf));
        self.at.records_end += pending.records_written + pending.records.len() as u64;
        self.at.ledger_end += pending.ledger.len() as u64;
        self.at.lines += pending.lines;
        self.at.sheet = pending.sheet.or(self.at.sheet);
    }

    /// A program that does not know the lock (quark-trace 0.1.0) wrote in front of our lines at the
    /// same moment. All lines are in the file, so they get their entries in the order of the file.
    pub fn take_up_displaced(&mut self, pending: &Pending) -> Result<()> {
        let before = self.at.clone();
        self.ids = RecordIds::default();
        let caught = self.catch_up().and_then(|()| self.objects_after(&before));
        let found = caught.inspect_err(|_| self.close_files())?;
        if !pending.record_objects().all(|digest| found.contains(&digest)) {
            self.close_files();
            return Err(self.io(io::Error::other("the system did not write what it said it wrote")));
        }
        let mut rest = pending.without_records();
        if rest.is_empty() { Ok(()) } else { self.write(&mut rest) }
    }
}
