//! Entries that the ledger is owed: their lines are in the records already.
//!
//! A record is acknowledged when its line is with the operating system. Its entry may follow a few
//! milliseconds later, together with those of other records, as long as this process holds the lock
//! and nobody else can write an entry: that halves what an append costs. Whoever is killed in
//! between leaves lines without an entry, which the next writer adopts in the same order; they are
//! then `record-adopted`, since nobody is left to say that they were logged live.
//!
//! Who reads the ledger meanwhile waits for those entries: a lock on the file `owed` says that there
//! are some.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use quark_trace_core::ledger::Digest;

use super::folder::{self, Names};
use super::pending::Pending;
use super::span::Span;
use super::writer::{Writer, not_written};
use crate::error::{Outcome, Result};
use crate::store::{Appended, NewEntry};

/// So many are written together. More would save little, and be adopted after a kill.
const LIMIT: usize = 16;
/// How long a reader waits for a writer that does not come to write them (one that was stopped,
/// say); their lines are loose to it then.
const PATIENCE: Duration = Duration::from_millis(200);

/// The lock that says that entries are owed.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    set: bool,
}

impl Mark {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: folder::open_append(path)?, set: false })
    }

    /// `false` when it cannot be set now: a reader is just looking at it.
    fn set(&mut self) -> bool {
        self.set = self.set || self.file.try_lock().is_ok();
        self.set
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.set) {
            // It cannot fail on a lock that is held; a reader would lose patience.
            let _ = self.file.unlock();
        }
    }
}

impl Drop for Mark {
    /// Closing the file would not do: a forked child may have inherited it, and with it the lock.
    fn drop(&mut self) {
        self.clear();
    }
}

/// Returns when the entries of all records that are acknowledged by now are in the ledger.
pub(super) fn wait_for_entries(names: &Names) {
    let Ok(mark) = folder::open_read(&names.owed()) else { return };
    let length = || std::fs::metadata(names.ledger()).map_or(0, |found| found.len());
    let before = length();
    let deadline = Instant::now() + PATIENCE;
    // They are written together, so that a ledger that grew has all of them.
    while matches!(mark.try_lock_shared(), Err(TryLockError::WouldBlock))
        && length() == before
        && Instant::now() < deadline
    {
        std::thread::sleep(Duration::from_micros(200));
    }
}

impl Writer {
    /// Whether an entry may follow its record: the log has begun, is read up to its end and is
    /// locked, nobody waits for the lock, and nothing is buffered that comes first.
    pub fn may_owe(&self) -> bool {
        self.owes
            && self.broken.is_none()
            && self.is_quick()
            && !self.has_buffered()
            && self.at.range.size() > 0
    }

    /// Writes the line of a plain record, and owes its entry to the ledger; `None`, with nothing
    /// done, when the records are not as this process left them.
    pub fn append_line(&mut self, entry: &NewEntry<'_>) -> Option<Result<Appended>> {
        let files = self.files.as_mut()?;
        let start = self.at.records_end + self.owed.records_written;
        let same = (&*files.records).seek(SeekFrom::End(0)).is_ok_and(|end| end == start);
        (same && files.owed.set()).then(|| self.append_line_at(start, entry))
    }

    fn append_line_at(&mut self, start: u64, entry: &NewEntry<'_>) -> Result<Appended> {
        let Some(files) = &self.files else { return Err(not_written(self.closed())) };
        self.line.clear();
        self.line.extend_from_slice(entry.object);
        self.line.push(b'\n');
        let mut span = Span::write(&files.records, start, &self.line, false);
        if let Some(error) = span.failed.take() {
            let undone = span.undo(&files.records);
            let outcome = if undone.is_ok() { Outcome::NotWritten } else { Outcome::Unknown };
            // What is owed is adopted when this fails too.
            let _ = self.settle();
            self.close_files();
            return Err(self.io(error).with_outcome(outcome));
        }
        self.owed.push_entry(entry);
        self.owed.records_written += self.line.len() as u64;
        self.owed.lines += 1;
        let size = self.size();
        if self.owed.leaves.len() >= LIMIT {
            // The lines are adopted when it fails.
            let _ = self.settle();
        }
        Ok(Appended { size, existing: Vec::new() })
    }

    /// Writes the entries that are owed. When it fails, the lines wait to be adopted.
    pub fn settle(&mut self) -> Result<()> {
        let mut owed = std::mem::take(&mut self.owed);
        let settled = if owed.is_empty() { Ok(()) } else { self.settle_with(&mut owed) };
        owed.clear();
        self.owed = owed;
        if let Some(files) = &mut self.files {
            files.owed.clear();
        }
        settled
    }

    fn settle_with(&mut self, owed: &mut Pending) -> Result<()> {
        if self.is_displaced(owed).map_err(|error| self.io(error))? {
            return self.take_up_displaced(owed);
        }
        // Also when the records have become shorter: the entries say then what is missing.
        self.write(owed)
    }

    /// Whether a program that does not know the lock wrote in front of our lines or among them.
    fn is_displaced(&self, owed: &Pending) -> io::Result<bool> {
        let Some(files) = &self.files else { return Ok(false) };
        let end = self.at.records_end + owed.records_written;
        if (&*files.records).seek(SeekFrom::End(0))? <= end {
            return Ok(false);
        }
        let mut lines = vec![0; owed.records_written as usize];
        let mut file = folder::open_read(&self.names.records)?;
        file.seek(SeekFrom::Start(self.at.records_end))?;
        file.read_exact(&mut lines)?;
        let digests = lines
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| Digest::of(line.strip_suffix(b"\n").unwrap_or(line)));
        Ok(!digests.eq(owed.record_objects()))
    }
}
