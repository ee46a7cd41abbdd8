//! One project's log as this process holds it: the writer, and waiting for the disk together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::files::sync_both;
use super::scan;
use super::state::State;
use super::writer::{APPEND, Writer};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::process;
use crate::store::{Appended, Beside, Commit, Durability, Head, NewEntry, Schemas};

#[derive(Debug)]
pub(super) struct OpenLog {
    inner: Mutex<Inner>,
    /// Wakes the background thread.
    pub wake: Condvar,
    /// Wakes those who wait for the disk.
    flushed: Condvar,
    pub thread: Mutex<Option<JoinHandle<()>>>,
    /// The process that opened it. A child made by `fork` has a copy without the thread, with locks
    /// in whatever state they were.
    process: u32,
    /// Set at the moment in which a flush fails.
    flush_failed: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub writer: Writer,
    /// Entries that are on the medium, by their count.
    durable: u64,
    /// Since when entries wait for a checkpoint.
    pub unsealed_since: Option<Instant>,
    pub appended_since_tick: bool,
    pub thread_sleeps: bool,
    pub thread_runs: bool,
    pub stop: bool,
}

impl OpenLog {
    pub fn new(writer: Writer) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                writer,
                durable: 0,
                unsealed_since: None,
                appended_since_tick: false,
                thread_sleeps: false,
                thread_runs: false,
                stop: false,
            }),
            wake: Condvar::new(),
            flushed: Condvar::new(),
            thread: Mutex::new(None),
            process: process::id(),
            flush_failed: AtomicBool::new(false),
        })
    }

    pub fn append(self: &Arc<Self>, commit: &Commit<'_>) -> Result<Appended> {
        commit.check()?;
        self.check_process()?;
        let mut inner = self.lock();
        self.take_note_of_failed_flush(&mut inner);
        let plain = commit.expected.is_none() && commit.entries.iter().all(is_plain);
        let appended = if commit.durability == Durability::Buffered && plain {
            inner.writer.buffer(commit.entries)
        } else {
            inner.append(commit, plain)
        };
        if appended.is_ok() {
            inner.note_appended();
        }
        // Also after a refusal: the lock may be held now, and the thread is who lets go of it.
        self.wake_thread(&mut inner);
        let appended = appended?;
        if commit.durability == Durability::Sync {
            let size = appended.size;
            self.wait_durable(inner, size).map_err(|error| error.with_outcome(Outcome::Unknown))?;
        }
        Ok(appended)
    }

    /// Appends plain records if that takes no waiting: nobody else is writing, the lock is held, the
    /// log is read. `None` when it would; nothing was done then.
    pub fn append_if_quick(self: &Arc<Self>, commit: &Commit<'_>) -> Option<Result<Appended>> {
        let plain = commit.expected.is_none() && commit.entries.iter().all(is_plain);
        if commit.durability == Durability::Sync || !plain || self.is_forked() {
            return None;
        }
        if let Err(refusal) = commit.check() {
            return Some(Err(refusal));
        }
        let mut inner = self.inner.try_lock().ok()?;
        self.take_note_of_failed_flush(&mut inner);
        if !inner.writer.is_quick() {
            return None;
        }
        let appended = match commit.durability {
            Durability::Buffered => inner.writer.buffer(commit.entries),
            _ => inner.append(commit, plain),
        };
        if appended.is_ok() {
            inner.note_appended();
        }
        self.wake_thread(&mut inner);
        Some(appended)
    }

    fn take_note_of_failed_flush(&self, inner: &mut Inner) {
        if self.flush_failed.load(Ordering::Acquire) && inner.writer.broken.is_none() {
            inner.writer.break_off(&std::io::Error::other("the last flush failed"));
        }
    }

    fn is_forked(&self) -> bool {
        self.process != process::id()
    }

    fn check_process(&self) -> Result<()> {
        if !self.is_forked() {
            return Ok(());
        }
        let message = "the store was opened before this process was forked; open it again here";
        Err(Error::new(ErrorKind::Unsupported, APPEND, message).with_outcome(Outcome::NotWritten))
    }

    /// Returns when the first `size` entries are on the medium. The first to come flushes for all
    /// that wait behind it; appends go on meanwhile.
    fn wait_durable<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, size: u64) -> Result<()> {
        while inner.durable < size {
            inner.check_flushed()?;
            inner = if inner.writer.flushing {
                self.flushed.wait(inner).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.flush_to_medium(inner)?.0
            };
        }
        inner.check_flushed()
    }

    /// Flushes both files with the log unlocked; gives the tree that is durable now.
    ///
    /// One flush runs at a time: the system tells of a failure once, and a second flush beside the
    /// one that is told would seem to succeed.
    pub fn flush_to_medium<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
    ) -> Result<(MutexGuard<'a, Inner>, State)> {
        while inner.writer.flushing {
            inner = self.flushed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.check_flushed()?;
        inner.writer.flush()?;
        if inner.writer.files.is_none() {
            // Closed after a failure or before a fork; what was written has still to be flushed.
            inner.writer.hold()?;
            inner.writer.give_way();
        }
        let at = inner.writer.at.clone();
        let Some(files) = &inner.writer.files else { return Err(inner.writer.closed()) };
        let (records, ledger) = (Arc::clone(&files.records), Arc::clone(&files.ledger));
        inner.writer.flushing = true;
        inner.writer.dirty_since = None;
        drop(inner);
        let result = sync_both(&records, &ledger);
        if result.is_err() {
            // Known to those who append before this thread gets the log back.
            self.flush_failed.store(true, Ordering::Release);
        }
        let mut inner = self.lock();
        inner.writer.flushing = false;
        match &result {
            Ok(()) => inner.durable = inner.durable.max(at.range.size()),
            Err(error) => inner.writer.break_off(error),
        }
        self.flushed.notify_all();
        match result {
            Ok(()) => Ok((inner, at)),
            Err(error) => Err(inner.writer.io(error)),
        }
    }

    /// As [`OpenLog::seal`], unless nothing was appended since.
    pub fn seal_if_needed(&self) -> Result<()> {
        let needed = !self.is_forked() && self.lock().needs_closing();
        if needed { self.seal().map(drop) } else { Ok(()) }
    }

    /// Makes all durable and signs a checkpoint over it.
    pub fn seal(&self) -> Result<Head> {
        self.check_process()?;
        let mut inner = self.lock();
        // Adopts what has no entry and takes note of what others wrote.
        inner.writer.hold()?;
        let flushed = self.flush_to_medium(inner);
        let (mut inner, durable) = flushed.inspect_err(|_| self.lock().writer.let_go())?;
        let sealed = inner.writer.hold().and_then(|()| inner.writer.seal(&durable));
        inner.writer.let_go();
        sealed?;
        inner.note_sealed(&durable);
        let beside = scan::beside(&inner.writer.names)?;
        Ok(Head { range: inner.writer.at.range.clone(), beside })
    }

    /// Why the last checkpoint could not be signed.
    pub fn refused(&self) -> Option<String> {
        self.lock().writer.seal.refused.clone()
    }

    /// See [`crate::store::Store::vouch`].
    pub fn vouch(&self, beside: &Beside) -> Result<()> {
        self.check_process()?;
        let mut inner = self.lock();
        let vouched = inner.writer.hold().and_then(|()| inner.writer.vouch(beside));
        inner.writer.let_go();
        vouched
    }

    /// The schemas in force, for whoever is about to append.
    pub fn schemas(&self) -> Result<Schemas> {
        self.check_process()?;
        let mut inner = self.lock();
        let held = inner.writer.hold();
        let schemas = held.and_then(|()| inner.writer.at.schemas.read(&inner.writer.names));
        inner.writer.let_go();
        schemas.map_err(|error| error.or_outcome(Outcome::NotWritten))
    }

    /// Hands what is buffered to the operating system.
    pub fn flush(&self) -> Result<()> {
        // What the parent buffered is the parent's to write.
        if self.is_forked() { Ok(()) } else { self.lock().writer.flush() }
    }

    /// Hands over what is buffered, lets go of the lock and the files, and stops the background
    /// thread, so that a forked child inherits none of them. The next append starts it again.
    pub fn release(&self) -> Result<()> {
        self.check_process()?;
        let mut inner = self.lock();
        let flushed = inner.writer.flush();
        inner.writer.close_files();
        drop(inner);
        self.stop_thread();
        flushed
    }

    /// Lets go of what another thread took since [`OpenLog::release`], and has the background thread
    /// do what is left to do.
    pub fn resume(self: &Arc<Self>) -> Result<()> {
        self.check_process()?;
        let mut inner = self.lock();
        let flushed = inner.writer.flush();
        inner.writer.close_files();
        if !inner.is_idle() {
            self.wake_thread(&mut inner);
        }
        flushed
    }

    /// Flushes, seals what this process appended, and stops the background thread.
    pub fn close(&self) -> Result<()> {
        if self.is_forked() {
            return Ok(());
        }
        let result = if self.lock().needs_closing() { self.seal().map(drop) } else { Ok(()) };
        self.lock().writer.close_files();
        self.stop_thread();
        result
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn append(&mut self, commit: &Commit<'_>, plain: bool) -> Result<Appended> {
        let owed = match commit.entries {
            [record] if plain && self.writer.may_owe() => {
                self.writer.check_schemas(commit.entries)?;
                self.writer.append_line(record)
            }
            _ => None,
        };
        owed.unwrap_or_else(|| self.writer.append(commit))
    }

    fn note_appended(&mut self) {
        self.appended_since_tick = true;
        if self.writer.dirty_since.is_none() || self.unsealed_since.is_none() {
            let now = Instant::now();
            self.writer.dirty_since.get_or_insert(now);
            self.unsealed_since.get_or_insert(now);
        }
    }

    pub fn note_sealed(&mut self, durable: &State) {
        let all = durable.range.size() == self.writer.size();
        self.unsealed_since = if all { None } else { Some(Instant::now()) };
    }

    /// Tries again what failed in the background after another while.
    pub fn put_off(&mut self) {
        let now = Instant::now();
        self.writer.dirty_since = self.writer.dirty_since.map(|_| now);
        self.unsealed_since = self.unsealed_since.map(|_| now);
    }

    pub fn needs_closing(&self) -> bool {
        self.writer.has_pending()
            || self.unsealed_since.is_some()
            || self.writer.dirty_since.is_some()
    }

    fn check_flushed(&self) -> Result<()> {
        match &self.writer.broken {
            None => Ok(()),
            Some(reason) => Err(Error::new(
                ErrorKind::Io,
                "flush the log to the disk",
                format!("{reason}; check the disk, then open the project again"),
            )),
        }
    }
}

/// Whether it is a record whose id nobody else can have.
fn is_plain(entry: &NewEntry<'_>) -> bool {
    entry.kind.is_record() && entry.record_id.is_none()
}
