//! Moving the write-ahead log into the database, so that it begins anew.
//!
//! Whoever moves it keeps writers waiting while it waits for readers, who may take long: it waits for
//! a moment, and not again soon. Meanwhile the log grows.

use std::sync::TryLockError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::connection::Open;
use super::fault::Fault;
use super::shared::Shared;

/// A log of so many pages is moved.
const LONG: u64 = 2048;
/// How long writers are kept waiting for readers.
pub(super) const PATIENCE: Duration = Duration::from_millis(5);
/// One that could not be moved is tried again after so long, and when it grew by [`LONG`].
const AGAIN: Duration = Duration::from_secs(1);

/// What moves the log of a store.
#[derive(Debug)]
pub(super) struct Mover {
    open: Option<Open>,
    /// Pages that the log has when it is next moved.
    due: u64,
    /// When it could not be moved, since the last time that it could.
    hindered_at: Option<Instant>,
}

impl Default for Mover {
    fn default() -> Self {
        Self { open: None, due: LONG, hindered_at: None }
    }
}

impl Mover {
    fn is_due(&mut self, length: u64) -> bool {
        // It may have begun anew: by a writer, or by another process.
        self.due = self.due.min(length + LONG);
        let waited = self.hindered_at.is_some_and(|at| at.elapsed() >= AGAIN);
        length >= self.due || length >= LONG && waited
    }
}

impl Shared {
    /// Moves the log when it is long, if nobody hinders it.
    pub fn move_if_long(&self) -> Result<(), Fault> {
        let mut mover = match self.mover.try_lock() {
            Ok(mover) => mover,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is at it.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let length = self.place.log_pages.load(Ordering::Relaxed);
        if !mover.is_due(length) {
            return Ok(());
        }
        if mover.open.is_none() {
            mover.open = Some(self.place.mover()?);
        }
        let Some(open) = &mover.open else { return Ok(()) };
        let is_hindered = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(0)? != 0);
        // Most of it while others append, the rest under the lock. The file keeps its length: to
        // write over it is cheaper than to make it longer.
        open.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], is_hindered)?;
        if open.query_row("PRAGMA wal_checkpoint(RESTART)", [], is_hindered)? {
            // By readers, another process that moves it, or a long transaction.
            (mover.due, mover.hindered_at) = (length + LONG, Some(Instant::now()));
        } else {
            (mover.due, mover.hindered_at) = (LONG, None);
            self.place.log_pages.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Lets go of the connection.
    pub fn close_mover(&self) {
        *self.mover.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Mover::default();
        self.place.log_pages.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use quark_trace_core::ids::ProjectId;
    use quark_trace_core::ledger::Kind;

    use super::*;
    use crate::store::{Commit, Durability, NewEntry, Plan, SqliteStore, Store};

    #[test]
    fn what_could_not_be_moved_is_tried_again_later() {
        let mut mover = Mover::default();
        assert!(!mover.is_due(LONG - 1) && mover.is_due(LONG));
        mover.due = 3 * LONG;
        mover.hindered_at = Some(Instant::now());
        assert!(!mover.is_due(2 * LONG) && mover.is_due(3 * LONG));
        mover.hindered_at = Instant::now().checked_sub(AGAIN);
        assert!(mover.is_due(2 * LONG) && mover.is_due(LONG) && !mover.is_due(LONG - 1));
        // It began anew, so that it is due as one that nobody ever hindered.
        mover.hindered_at = Some(Instant::now());
        assert!(!mover.is_due(0) && mover.is_due(LONG));
    }

    /// To move the log keeps writers waiting for as long as readers do: once, not again and again.
    #[test]
    fn readers_that_take_long_hinder_nobody_twice() {
        let folder = std::env::temp_dir().join(format!("quark-mover-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let store = SqliteStore::new(folder.join("trace.db")).unwrap();
        let shared = &store.shared;
        // No thread does what is tried here.
        shared.work().runs = true;
        let project: ProjectId = "p".parse().unwrap();
        let fill = || {
            for number in 0..100 {
                let object = format!("{{\"purpose\": \"{number} {}\"}}", "x".repeat(100_000));
                let entries = [NewEntry::new(Kind::Sheet, object.as_bytes())];
                let (expected, durability) = (None, Durability::Os);
                let commit = Commit { entries: &entries, expected, durability };
                store.append(&project, &commit).unwrap();
            }
        };
        let pages = || shared.place.log_pages.load(Ordering::Relaxed);
        let due = || shared.mover.lock().unwrap().due;
        fill();
        let scanned = store.scan(&project, &Plan::default(), &mut |_| {
            let long = pages();
            assert!(long >= LONG, "{long}");
            fill();
            shared.move_if_long().unwrap();
            let longer = pages();
            assert!(longer > long, "{longer}");
            assert_eq!(due(), longer + LONG);
            ControlFlow::Break(())
        });
        scanned.unwrap();
        // The reader is gone, but that is seen when it is due.
        let before = pages();
        shared.mover.lock().unwrap().hindered_at = Some(Instant::now());
        shared.move_if_long().unwrap();
        assert_eq!(pages(), before);
        shared.mover.lock().unwrap().hindered_at = Instant::now().checked_sub(AGAIN);
        shared.move_if_long().unwrap();
        assert_eq!((pages(), due()), (0, LONG));
        drop(store);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
