//! Which process has a segment of the spool: a lock that ends with the process, however it ends.
//!
//! On Unix it is a lock of the process, not of the open file: a forked child inherits the file but
//! not the lock, so that it keeps nothing from being taken over when its parent dies. Such locks do
//! not tell the parts of one process apart; the list does.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process;
use crate::store::file::folder;

/// What this process has: its id, since a forked child has a copy of the list, and the path.
static OURS: Mutex<Vec<(u32, PathBuf)>> = Mutex::new(Vec::new());

fn ours() -> MutexGuard<'static, Vec<(u32, PathBuf)>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock file that this process holds.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    file: Option<File>,
}

impl Claim {
    /// Makes the lock file and holds it.
    pub fn make(path: &Path) -> io::Result<Self> {
        let mut list = ours();
        let file = folder::create_new(path)?;
        // Somebody may have seen it before it was locked, taken it for that of a dead process, and
        // removed it.
        if !lock(&file)? || is_removed(&file)? {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process was faster"));
        }
        list.push((process::id(), path.to_owned()));
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }

    /// Holds a lock file that is there; `None` when somebody has it, or it is gone.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut list = ours();
        // Opening and closing it would let go of it.
        if list.iter().any(|(process, known)| *process == process::id() && known == path) {
            return Ok(None);
        }
        let file = match folder::open_there(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if !lock(&file)? {
            return Ok(None);
        }
        list.push((process::id(), path.to_owned()));
        Ok(Some(Self { path: path.to_owned(), file: Some(file) }))
    }
}

impl Claim {
    /// As [`Claim::take`]; where the lock file is gone and what it was for is there, it is made anew.
    pub fn take_for(path: &Path, needed: &Path) -> io::Result<Option<Self>> {
        if let Some(claim) = Self::take(path)? {
            return Ok(Some(claim));
        }
        if path.try_exists()? || !needed.try_exists()? {
            return Ok(None);
        }
        match Self::make(path) {
            Err(error) if is_taken(&error) => Ok(None),
            made => made.map(Some),
        }
    }
}

/// Whether somebody else was faster.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::WouldBlock)
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut list = ours();
        // Before it is off the list: closing it would let go of what was taken in between.
        drop(self.file.take());
        list.retain(|(process, path)| *process != process::id() || *path != self.path);
    }
}

/// Whether a file has no name any more.
#[cfg(unix)]
fn is_removed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.nlink() == 0)
}

/// An open file cannot be removed there.
#[cfg(not(unix))]
fn is_removed(_file: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    use rustix::io::Errno;
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}
