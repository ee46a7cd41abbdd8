//! What goes on beside the appends: flushing, sealing, deriving, and moving the write-ahead log into
//! the database.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use quark_trace_core::ids::ProjectId;

use super::connection::Open;
use super::fault::Fault;
use super::seal::{Sealed, seal};
use super::shared::{Shared, Work};
use super::{SqliteStore, columns, index, paths};

/// How often the thread looks round while there is something to do.
const TICK: Duration = Duration::from_millis(5);
/// A commit with `os` is flushed after this time; the contract is 50 ms.
const FLUSH_AFTER: Duration = Duration::from_millis(20);
/// How long entries may lie without a checkpoint while others come.
const SEAL_AFTER: Duration = Duration::from_secs(1);
/// A longer write-ahead log is moved into the database.
const LONG: u64 = 8 * 1024 * 1024;

impl SqliteStore {
    /// Starts the thread on the first append and wakes it when it sleeps.
    pub(super) fn wake_thread(&self) {
        let mut work = self.shared.work();
        if work.sleeps {
            work.sleeps = false;
            self.shared.wake.notify_one();
        } else if !work.runs {
            let shared = Arc::clone(&self.shared);
            let spawned = std::thread::Builder::new()
                .name("quark-trace".to_owned())
                .spawn(move || look_after(&shared));
            if let Ok(handle) = spawned {
                work.runs = true;
                *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
            }
        }
    }

    pub(super) fn stop_thread(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Only who took the thread stops it; a second `close` at the same time finds none.
        let Some(thread) = thread else { return };
        self.shared.work().stop = true;
        self.shared.wake.notify_all();
        // The thread panics in no path of its own; a panic there would have no one to tell.
        let _ = thread.join();
        *self.shared.work() = Work::default();
    }
}

/// The thread of a store, from the first append until the store is closed.
fn look_after(shared: &Arc<Shared>) {
    let mut mover = None;
    let mut looked_at = Instant::now();
    while shared.wait_for_work(TICK) {
        if shared.writer().has_buffered() {
            // Stays buffered when it fails, and the next caller is told.
            let _ = shared.flush_buffered();
        }
        if is_over(shared.disk.dirty_since(), FLUSH_AFTER) {
            // Told to the next caller.
            let _ = shared.disk.flush(&shared.place.path);
        }
        let due: Vec<ProjectId> = {
            let writer = shared.writer();
            let due = writer.unsealed.iter().filter(|(_, since)| since.elapsed() >= SEAL_AFTER);
            due.map(|(project, _)| project.clone()).collect()
        };
        for project in due {
            if shared.seal_and_derive(&project).is_err() {
                // Tried again later; closing the store tells the caller why.
                shared.writer().unsealed.insert(project, Instant::now());
            }
        }
        if looked_at.elapsed() >= FLUSH_AFTER {
            looked_at = Instant::now();
            // Tried again at the next look.
            let _ = shared.move_if_long(&mut mover);
        }
    }
}

fn is_over(since: Option<Instant>, limit: Duration) -> bool {
    since.is_some_and(|at| at.elapsed() >= limit)
}

impl Shared {
    /// Signs a checkpoint over what is in the log by now, which is flushed first, and derives what
    /// is missing.
    pub fn seal_and_derive(&self, project: &ProjectId) -> Result<(), Fault> {
        let log_id = columns::log_id(project);
        let sealed = {
            let mut writer = self.writer();
            writer.flush_log(&self.place, project)?;
            writer.unsealed.remove(project);
            let sealed = Sealed::read(writer.connection(&self.place)?, log_id)?;
            sealed.map(|sealed| (writer.is_proven(project, &sealed.range), sealed.range))
        };
        let Some((proven, range)) = sealed else { return Ok(()) };
        let written = self.disk.note_written();
        self.disk.wait(&self.place.path, written)?;
        if let Some(keys) = &self.keys {
            let mut writer = self.writer();
            let connection = writer.connection(&self.place)?;
            seal(connection, keys, project, log_id, &range, proven)?;
            writer.prove(project, &range);
            self.disk.note_written();
        }
        // In short steps, between which others append.
        while index::catch_up(self.writer().connection(&self.place)?, log_id)? {
            self.disk.note_written();
        }
        Ok(())
    }

    /// Moves a long write-ahead log into the database, so that it begins anew.
    fn move_if_long(&self, mover: &mut Option<Open>) -> Result<(), Fault> {
        let length = || std::fs::metadata(paths::wal(&self.place.path)).map_or(0, |log| log.len());
        if length() < LONG {
            return Ok(());
        }
        if mover.is_none() {
            *mover = Some(self.place.mover()?);
        }
        let Some(mover) = mover else { return Ok(()) };
        let busy = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        // Most of it while others append, the rest under the lock.
        mover.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], busy)?;
        mover.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], busy)?;
        Ok(())
    }
}
