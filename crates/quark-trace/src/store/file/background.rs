//! The background thread of one log: it flushes, signs, and gives the lock away in time.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::open_log::{Inner, OpenLog};
use super::writer::FLUSH_AFTER;
use crate::error::ErrorKind;

/// How often the background thread looks round while there is something to do.
const TICK: Duration = Duration::from_millis(5);
/// How long entries may lie without a checkpoint while others come.
const SEAL_AFTER: Duration = Duration::from_secs(1);
/// How long a seal that was refused is left alone: it stays refused until somebody acts, and finding
/// out may take reading the whole log.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

impl OpenLog {
    pub fn stop_thread(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Only who took the thread stops it; a second `close` at the same time finds none.
        let Some(thread) = thread else { return };
        self.lock().stop = true;
        self.wake.notify_all();
        // The thread panics in no path of its own; a panic there would have no one to tell.
        let _ = thread.join();
        let mut inner = self.lock();
        inner.stop = false;
        inner.thread_runs = false;
    }

    /// Starts the background thread on the first append and wakes it when it sleeps.
    pub fn wake_thread(self: &Arc<Self>, inner: &mut Inner) {
        if inner.thread_sleeps {
            inner.thread_sleeps = false;
            self.wake.notify_one();
        } else if !inner.thread_runs {
            let log = Arc::clone(self);
            let spawned = std::thread::Builder::new()
                .name("quark-trace".to_owned())
                .spawn(move || log.look_after());
            if let Ok(handle) = spawned {
                inner.thread_runs = true;
                *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
            }
        }
    }

    fn look_after(&self) {
        let mut inner = self.lock();
        while !inner.stop {
            if inner.is_idle() {
                inner.thread_sleeps = true;
                inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
                inner.thread_sleeps = false;
                continue;
            }
            let waited = self.wake.wait_timeout(inner, TICK);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            if !inner.stop {
                inner = self.tick(inner);
            }
        }
    }

    fn tick<'a>(&'a self, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        inner.tick_lease();
        let passed = |since: Option<Instant>, limit| since.is_some_and(|at| at.elapsed() >= limit);
        let seal = passed(inner.unsealed_since, SEAL_AFTER);
        if !seal && !passed(inner.writer.dirty_since, FLUSH_AFTER) || inner.writer.flushing {
            return inner;
        }
        let durable = match self.flush_to_medium(inner) {
            Ok((guard, durable)) => {
                inner = guard;
                durable
            }
            // Told to the next caller by `broken`, or tried again when it was no flush.
            Err(_) => {
                let mut inner = self.lock();
                inner.put_off();
                return inner;
            }
        };
        if seal {
            let sealed = inner.writer.hold().and_then(|()| inner.writer.seal(&durable));
            // A seal that fails is tried again; closing the log tells the caller why.
            inner.note_sealed(&durable);
            if let Err(error) = sealed {
                let refused = matches!(error.kind(), ErrorKind::Integrity(_));
                let pause = if refused { REFUSED_PAUSE } else { Duration::ZERO };
                inner.unsealed_since = Some(Instant::now() + pause);
            }
            inner.writer.give_way();
        }
        inner
    }
}

impl Inner {
    pub fn is_idle(&self) -> bool {
        let held = self.writer.files.as_ref().is_some_and(|files| files.lease.is_held());
        !held && (self.writer.broken.is_some() || !self.needs_closing())
    }

    /// Gives the lock to whoever waits, and lets go of it when nothing was appended lately.
    fn tick_lease(&mut self) {
        if self.writer.has_pending() && self.writer.broken.is_none() {
            // Stays buffered when it fails, and the next caller is told.
            let _ = self.writer.flush();
        }
        let busy = std::mem::take(&mut self.appended_since_tick);
        let Some(files) = &mut self.writer.files else { return };
        let result = if busy { files.lease.look_round() } else { files.lease.free() };
        if result.is_err() {
            self.writer.close_files();
        }
    }
}
