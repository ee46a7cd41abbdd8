//! The right to write, held a little longer than one append.
//!
//! Taking and freeing a file lock costs as much as writing a record. A process that is alone keeps
//! it from append to append; one that waits shows itself by a shared lock on a second file, which
//! the holder looks for every few milliseconds and then gives way after each append.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::folder;

/// How long a process gives way after it saw another one wait.
const POLITE: Duration = Duration::from_millis(500);
/// How long a caller waits for a process that does not give way (one that was stopped, say).
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Lease {
    lock: File,
    waiting: File,
    held: bool,
    polite_until: Option<Instant>,
}

impl Lease {
    pub fn open(log: &Path) -> io::Result<Self> {
        let lock = folder::open_append(&log.join("lock"))?;
        let waiting = folder::open_append(&log.join("waiting"))?;
        Ok(Self { lock, waiting, held: false, polite_until: None })
    }

    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether it is held and nobody was seen waiting lately.
    pub fn is_ours_alone(&self) -> bool {
        self.held && self.polite_until.is_none()
    }

    /// Takes the lock; `false` when it was held already, so that nobody can have written since.
    /// `meanwhile` is called every few milliseconds while it has to wait.
    pub fn take(&mut self, meanwhile: &mut dyn FnMut()) -> io::Result<bool> {
        if self.held {
            return Ok(false);
        }
        if !try_lock(&self.lock)? {
            self.polite_until = Some(Instant::now() + POLITE);
            self.wait(meanwhile)?;
        }
        self.held = true;
        Ok(true)
    }

    fn wait(&mut self, meanwhile: &mut dyn FnMut()) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_micros(20);
        let mut marked = false;
        let result = loop {
            // The holder locks the second file for an instant when it looks, hence the repetition.
            marked = marked || self.waiting.try_lock_shared().is_ok();
            match try_lock(&self.lock) {
                Ok(true) => break Ok(()),
                Ok(false) if Instant::now() > deadline => {
                    break Err(io::Error::new(
                        io::ErrorKind::WouldBlock,
                        "another process holds the log and does not give way; is it stopped?",
                    ));
                }
                Ok(false) => std::thread::sleep(pause),
                Err(error) => break Err(error),
            }
            meanwhile();
            pause = (pause * 2).min(Duration::from_millis(2));
        };
        if marked {
            self.waiting.unlock()?;
        }
        result
    }

    /// Frees the lock after an append if others were seen waiting lately.
    pub fn give_way(&mut self) -> io::Result<()> {
        if self.polite_until.is_some() {
            self.polite_until = self.polite_until.filter(|until| Instant::now() < *until);
            self.free()?;
        }
        Ok(())
    }

    /// Looks whether somebody waits; then frees the lock.
    pub fn look_round(&mut self) -> io::Result<()> {
        if !self.held {
            return Ok(());
        }
        if try_lock(&self.waiting)? {
            return self.waiting.unlock();
        }
        self.polite_until = Some(Instant::now() + POLITE);
        self.free()
    }

    pub fn free(&mut self) -> io::Result<()> {
        if self.held {
            self.held = false;
            self.lock.unlock()?;
        }
        Ok(())
    }
}

impl Drop for Lease {
    /// Closing the file would not do: a forked child may have inherited it, and with it the lock.
    fn drop(&mut self) {
        // A lock that cannot be freed goes with the process.
        let _ = self.free();
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
