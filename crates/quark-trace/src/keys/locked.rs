//! The lock on a file of notes: between processes, and between the stores of this one.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::store::file::folder;

/// The lock, as long as it lives.
#[derive(Debug)]
pub(super) struct Locked(File);

impl Locked {
    /// Takes the lock beside `notes`, whose folder is made where it is missing, and waits no longer
    /// than `patience` for others that have it.
    pub fn take(notes: &Path, patience: Duration) -> Result<Self> {
        if let Some(parent) = notes.parent() {
            folder::create_private_folder(parent)?;
        }
        let lock = folder::open_append(&notes.with_extension("lock"))?;
        let deadline = Instant::now() + patience;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self(lock)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    let message = "another process holds the notes of this key; is it stopped?";
                    return Err(Error::new(ErrorKind::WouldBlock, message));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Said aloud: a child that was forked meanwhile has the handle too, and closing ours alone
        // would leave it locked for as long as the child lives.
        let _ = self.0.unlock();
    }
}
