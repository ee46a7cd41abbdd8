//! What is on the medium: flushing the write-ahead log, once for all who wait for it.
//!
//! A commit under `synchronous = NORMAL` is with the operating system when it returns. It is durable
//! when the write-ahead log was flushed after it: that is all that `synchronous = FULL` does in
//! addition, but it does so under the lock and once for each commit. If another connection moved the
//! commit into the database meanwhile, SQLite flushed both on the way.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::fault::Fault;
use super::paths;
use crate::error::ErrorKind;

/// Which of this handle's commits are on the medium.
#[derive(Debug, Default)]
pub(super) struct Disk {
    state: Mutex<State>,
    flushed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Commits, by their count.
    written: u64,
    durable: u64,
    dirty_since: Option<Instant>,
    flushing: bool,
    /// The system tells of a failure once; what was not flushed then is lost without a word later.
    failed: Option<String>,
    log: Option<File>,
}

impl Disk {
    /// Counts a commit.
    pub fn note_written(&self) -> u64 {
        let mut state = self.state();
        state.written += 1;
        state.dirty_since.get_or_insert_with(Instant::now);
        state.written
    }

    /// Since when something waits to be flushed.
    pub fn dirty_since(&self) -> Option<Instant> {
        let state = self.state();
        state.dirty_since.filter(|_| state.failed.is_none())
    }

    /// An error, once a flush has failed.
    pub fn check(&self) -> Result<(), Fault> {
        self.state().check()
    }

    /// Returns when the first `count` commits are on the medium. The first to come flushes for all
    /// that wait behind it; commits go on meanwhile.
    pub fn wait(&self, path: &Path, count: u64) -> Result<(), Fault> {
        let mut state = self.state();
        while state.durable < count {
            state.check()?;
            if state.flushing {
                state = self.flushed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.flushing = true;
            state.dirty_since = None;
            let (target, log) = (state.written, state.log.take());
            drop(state);
            let flushed = flush(path, log);
            state = self.state();
            state.flushing = false;
            match flushed {
                Ok(log) => {
                    state.durable = target;
                    state.log = Some(log);
                }
                Err(error) => state.failed = Some(error.to_string()),
            }
            self.flushed.notify_all();
        }
        Ok(())
    }

    /// Flushes everything so far.
    pub fn flush(&self, path: &Path) -> Result<(), Fault> {
        let written = self.state().written;
        self.wait(path, written)
    }

    /// Lets go of the file.
    pub fn close(&self) {
        self.state().log = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self) -> Result<(), Fault> {
        match &self.failed {
            None => Ok(()),
            Some(reason) => Err(Fault::new(
                ErrorKind::Io,
                format!(
                    "the last flush failed ({reason}); check the disk, then open the store again"
                ),
            )),
        }
    }
}

/// Flushes the write-ahead log of the database at `path`. SQLite keeps no lock on that file, so that
/// it may be opened and closed here.
fn flush(path: &Path, log: Option<File>) -> io::Result<File> {
    let path = paths::wal(path);
    let there = std::fs::metadata(&path)?;
    let same = |log: &File| {
        log.metadata().is_ok_and(|log| (log.dev(), log.ino()) == (there.dev(), there.ino()))
    };
    let log = match log.filter(same) {
        Some(log) => log,
        None => File::open(&path)?,
    };
    log.sync_data()?;
    Ok(log)
}
