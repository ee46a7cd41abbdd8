//! Callers that wait at the same time share a commit: the first of them writes for all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::pending::Pending;
use crate::error::{ErrorKind, Outcome};
use crate::store::Appended;

/// What goes into one commit, at most.
const ENTRIES: usize = 5000;
const BYTES: usize = 16 * 1024 * 1024;
/// How long the leader of several waits for those of the last commit to come again: a small part of
/// what a commit takes.
const GATHER: Duration = Duration::from_micros(60);

/// Callers of one log.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    callers: VecDeque<Arc<Caller>>,
    led: bool,
    /// How many shared the last commit.
    last: usize,
}

/// One caller and what it is told.
#[derive(Debug)]
pub(super) struct Caller {
    pub pending: Pending,
    thread: Thread,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
enum Slot {
    Waiting,
    Leads,
    Told(Result<Appended, Fault>),
}

impl Queue {
    /// Waits until `pending` is written by this caller, who then writes for those who wait too, or
    /// by another. `write` answers each of the callers it is given.
    pub fn append(
        &self,
        pending: Pending,
        write: impl FnOnce(&[Arc<Caller>]) -> Vec<Result<Appended, Fault>>,
    ) -> Result<Appended, Fault> {
        let caller = Arc::new(Caller {
            pending,
            thread: std::thread::current(),
            slot: Mutex::new(Slot::Waiting),
        });
        if !self.join(&caller)
            && let Some(told) = caller.wait()
        {
            return told;
        }
        let leading = Leading { queue: self, group: self.group() };
        let answers = write(&leading.group);
        for (caller, answer) in leading.group.iter().zip(answers) {
            caller.tell(Slot::Told(answer));
        }
        drop(leading);
        caller.wait().unwrap_or_else(|| Err(deserted()))
    }

    /// Stands in line; whether nobody leads yet, so that this caller does.
    fn join(&self, caller: &Arc<Caller>) -> bool {
        let mut waiting = self.lock();
        waiting.callers.push_back(Arc::clone(caller));
        !std::mem::replace(&mut waiting.led, true)
    }

    /// Those who are written for together; at least the first in line, who leads.
    fn group(&self) -> Vec<Arc<Caller>> {
        let mut waiting = self.lock();
        if waiting.last > 1 {
            let begun = Instant::now();
            while waiting.callers.len() < waiting.last && begun.elapsed() < GATHER {
                drop(waiting);
                std::thread::yield_now();
                waiting = self.lock();
            }
        }
        let (mut entries, mut bytes, mut group) = (0, 0, Vec::new());
        while let Some(next) = waiting.callers.front() {
            entries += next.pending.entries.len();
            bytes += next.pending.bytes();
            if !group.is_empty() && (entries > ENTRIES || bytes > BYTES) {
                break;
            }
            group.extend(waiting.callers.pop_front());
        }
        // Those who came meanwhile will come again, too.
        waiting.last = group.len() + waiting.callers.len();
        group
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands the lead on, also when writing panics.
struct Leading<'a> {
    queue: &'a Queue,
    group: Vec<Arc<Caller>>,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        for caller in &self.group {
            caller.tell(Slot::Told(Err(deserted())));
        }
        let mut waiting = self.queue.lock();
        match waiting.callers.front() {
            Some(next) => next.tell(Slot::Leads),
            None => waiting.led = false,
        }
    }
}

impl Caller {
    /// Waits for a word: what it is told, or `None` when it is to lead.
    fn wait(&self) -> Option<Result<Appended, Fault>> {
        loop {
            // In a statement of its own, so that the slot is free again while this thread sleeps.
            let word = std::mem::replace(&mut *self.slot(), Slot::Waiting);
            match word {
                Slot::Told(answer) => return Some(answer),
                Slot::Leads => return None,
                Slot::Waiting => std::thread::park(),
            }
        }
    }

    /// The first answer counts.
    fn tell(&self, word: Slot) {
        let mut slot = self.slot();
        if matches!(*slot, Slot::Waiting) {
            *slot = word;
            drop(slot);
            self.thread.unpark();
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deserted() -> Fault {
    let message = "the thread that wrote for this one ended in the middle";
    Fault::new(ErrorKind::Io, message, Outcome::Unknown)
}
