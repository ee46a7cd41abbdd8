//! What goes on beside the appends: flushing, sealing, deriving, and moving the write-ahead log
//! (`mover.rs`).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use quark_trace_core::ids::ProjectId;

use super::fault::Fault;
use super::seal::{self, Sealed, seal};
use super::shared::{Shared, Work};
use super::{SqliteStore, columns, index};
use crate::error::ErrorKind;
use crate::store::Beside;

/// How often the thread looks round while there is something to do.
const TICK: Duration = Duration::from_millis(5);
/// A commit with `os` is flushed after this time; the contract is 50 ms.
const FLUSH_AFTER: Duration = Duration::from_millis(20);
/// How long entries may lie without a checkpoint while others come.
const SEAL_AFTER: Duration = Duration::from_secs(1);
/// How long nothing is derived after somebody appended.
const CALM: Duration = Duration::from_millis(50);
/// Entries of which columns are derived in one transaction: beside appends, and when all are.
const A_FEW: i64 = 128;
const AT_ONCE: i64 = 8192;
/// The same when all are and others may write: at first, and when nobody does.
const FIRST: i64 = 2048;
const MOST: i64 = 65_536;
/// Less is derived at once when it took longer: others may have begun to wait.
const LONG_TURN: Duration = Duration::from_millis(250);
/// How long the lock is free between two such transactions; whoever waits looks every 2 ms.
const TURN: Duration = Duration::from_millis(3);
/// How long whoever seals, flushes or closes derives; the rest is left to the next.
const LONGEST: Duration = Duration::from_secs(2);

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

    /// Lets go of connections; what is written is flushed first.
    pub(super) fn let_go(&self) -> Result<(), Fault> {
        self.stop_thread();
        let shared = &self.shared;
        let flushed = shared.flush_buffered().and_then(|()| shared.disk.flush(&shared.place.path));
        shared.disk.close();
        shared.close_mover();
        shared.place.close();
        shared.writer().close();
        flushed
    }
}

/// The thread of a store, from the first append until the store is closed.
fn look_after(shared: &Arc<Shared>) {
    let mut looked_at = Instant::now();
    let mut interrupted_at = None;
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
            let begun = Instant::now();
            if shared.seal(&project).is_err() {
                // Tried again later, and the later the longer it took: what is refused stays refused
                // until somebody acts. `unsigned` tells, and closing the store does.
                let again = Instant::now() + begun.elapsed() * 9;
                shared.writer().unsealed.insert(project, again);
            }
        }
        if interrupted_at.is_none_or(|at: Instant| at.elapsed() >= CALM) {
            let done = shared.derive_while_idle().unwrap_or_default();
            interrupted_at = (!done).then(Instant::now);
        }
        if looked_at.elapsed() >= FLUSH_AFTER {
            looked_at = Instant::now();
            // Tried again at the next look.
            let _ = shared.move_if_long();
        }
    }
}

fn is_over(since: Option<Instant>, limit: Duration) -> bool {
    since.is_some_and(|at| at.elapsed() >= limit)
}

impl Shared {
    /// As [`Shared::seal`], and derives what is missing, as far as that takes no long time: nobody
    /// who closes a store waits for what a reader can do without.
    pub fn seal_and_derive(&self, project: &ProjectId) -> Result<(), Fault> {
        self.seal(project)?;
        let (log_id, begun) = (columns::log_id(project), Instant::now());
        while begun.elapsed() < LONGEST {
            let mut writer = self.writer();
            let left = index::catch_up(writer.connection(&self.place)?, log_id, AT_ONCE)?;
            self.disk.note_written();
            if left.is_none() {
                writer.underived.remove(project);
                break;
            }
        }
        Ok(())
    }

    /// Derives all that is missing by now. While nobody else writes more is derived at once, since
    /// most numbers change a page of their own; whoever does comes in between.
    pub fn derive(&self, project: &ProjectId) -> Result<(), Fault> {
        let log_id = columns::log_id(project);
        let (mut limit, mut goal, mut before) = (FIRST, None, None);
        loop {
            let mut writer = self.writer();
            let connection = writer.connection(&self.place)?;
            let begun = Instant::now();
            let left = index::catch_up(connection, log_id, limit)?;
            let took = begun.elapsed();
            let (size, indexed) = index::progress(connection, log_id)?;
            self.disk.note_written();
            if left.is_none() {
                writer.underived.remove(project);
            }
            drop(writer);
            // Tried again after the next ones.
            let _ = self.move_if_long();
            if left.is_none() || indexed >= *goal.get_or_insert(size) {
                return Ok(());
            }
            limit = match before.replace(size) {
                Some(before) if before != size => FIRST,
                _ if took < LONG_TURN => (limit * 2).min(MOST),
                _ => (limit / 2).max(FIRST),
            };
            std::thread::sleep(TURN);
        }
    }

    /// Derives a little at a time, until somebody appends, here or elsewhere; whether all is done.
    /// While many records come none is derived: it costs as much as appending them.
    fn derive_while_idle(&self) -> Result<bool, Fault> {
        let mut sizes = HashMap::new();
        loop {
            let mut writer = self.writer();
            if std::mem::take(&mut writer.appended) || self.work().stop {
                return Ok(false);
            }
            let Some(project) = writer.underived.iter().next().cloned() else { return Ok(true) };
            let connection = writer.connection(&self.place)?;
            let left = index::catch_up(connection, columns::log_id(&project), A_FEW)?;
            self.disk.note_written();
            match left {
                None => drop(writer.underived.remove(&project)),
                Some(size) => {
                    if sizes.insert(project, size).is_some_and(|before| before != size) {
                        return Ok(false);
                    }
                }
            }
            drop(writer);
            // Whoever waits for the lock gets it.
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Seals and derives what is left of what was appended here; what fails is left.
    pub fn finish(&self) -> Result<(), Fault> {
        let unfinished = self.writer().unfinished();
        let finished = unfinished.iter().map(|project| {
            self.seal_and_derive(project).inspect_err(|_| {
                self.writer().unsealed.insert(project.clone(), Instant::now());
            })
        });
        finished.fold(Ok(()), Result::and)
    }

    /// Signs a checkpoint over what is in the log by now, which is flushed first.
    fn seal(&self, project: &ProjectId) -> Result<(), Fault> {
        let sealed = self.sign(project);
        let refused = sealed.as_ref().err().filter(|fault| fault.kind != ErrorKind::Busy);
        self.refusals.note(project, refused.map(|fault| fault.message.as_str()));
        sealed
    }

    fn sign(&self, project: &ProjectId) -> Result<(), Fault> {
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
            if seal(connection, keys, project, log_id, &range, proven)? {
                writer.prove(project, &range);
            }
            self.disk.note_written();
        }
        Ok(())
    }

    /// See [`crate::store::Store::vouch`].
    pub fn vouch(&self, project: &ProjectId, beside: &Beside) -> Result<(), Fault> {
        if self.keys.is_some() {
            return Ok(());
        }
        let mut writer = self.writer();
        seal::vouch(writer.connection(&self.place)?, columns::log_id(project), beside)?;
        let written = self.disk.note_written();
        drop(writer);
        self.disk.wait(&self.place.path, written)
    }
}
