//! What a store and its thread have in common.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::Place;
use super::disk::Disk;
use super::fault::Fault;
use super::mover::Mover;
use super::writer::Writer;
use crate::keys::Keyring;
use crate::store::unsigned::Refusals;

/// What the store and its thread have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub place: Place,
    pub keys: Option<Keyring>,
    pub read_only: bool,
    pub writer: Mutex<Writer>,
    pub refusals: Refusals,
    pub disk: Disk,
    pub mover: Mutex<Mover>,
    pub work: Mutex<Work>,
    pub wake: Condvar,
}

/// Whether there is something to do for the thread.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub runs: bool,
    pub sleeps: bool,
    pub stop: bool,
}

impl Shared {
    pub fn new(place: Place, keys: Option<Keyring>, read_only: bool) -> Self {
        Self {
            place,
            keys,
            read_only,
            writer: Mutex::default(),
            refusals: Refusals::default(),
            disk: Disk::default(),
            mover: Mutex::default(),
            work: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    pub fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn flush_buffered(&self) -> Result<(), Fault> {
        let mut writer = self.writer();
        if writer.has_buffered() {
            writer.flush(&self.place)?;
            self.disk.note_written();
        }
        Ok(())
    }

    /// Waits for the next round of the thread; `false` when it is to end.
    pub fn wait_for_work(&self, tick: Duration) -> bool {
        let mut work = self.work();
        // Set before looking: who appends after the look finds it set, and wakes the thread.
        work.sleeps = true;
        if !work.stop {
            work = if self.is_idle() {
                self.wake.wait(work).unwrap_or_else(PoisonError::into_inner)
            } else {
                // Comes round by itself; no append has to wake it.
                work.sleeps = false;
                self.wake.wait_timeout(work, tick).unwrap_or_else(PoisonError::into_inner).0
            };
        }
        work.sleeps = false;
        !work.stop
    }

    fn is_idle(&self) -> bool {
        let writer = self.writer();
        let pending =
            writer.has_buffered() || !writer.unsealed.is_empty() || !writer.underived.is_empty();
        !pending && self.disk.dirty_since().is_none()
    }
}
