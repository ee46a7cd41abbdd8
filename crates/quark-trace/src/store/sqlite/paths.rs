//! The files of a database: made private, found, and flushed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use crate::error::ErrorKind;

/// Whether there is a file; a folder is refused.
pub(super) fn is_there(path: &Path) -> Result<bool, Fault> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let message = "it is a folder; give the path of a file, such as traces/trace.db";
            Err(Fault::new(ErrorKind::AlreadyExists, message))
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::io(&error)),
    }
}

/// Makes an empty file that only this user can read.
///
/// It is made under another name first: closing a file takes all locks of the process from it, those
/// of SQLite too.
pub(super) fn create_if_missing(path: &Path) -> Result<(), Fault> {
    if is_there(path)? {
        return Ok(());
    }
    let folder = folder(path);
    if !folder.is_dir() {
        let message = format!("the folder {} is not there; make it first", folder.display());
        return Err(Fault::new(ErrorKind::NotFound, message));
    }
    let staged = folder.join(format!(".quark-{}", uuid::Uuid::new_v4()));
    let wrap = |error| Fault::io(&error);
    create_private(&staged).map_err(wrap)?;
    let linked = fs::hard_link(&staged, path);
    fs::remove_file(&staged).map_err(wrap)?;
    match linked {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links.
        Err(_) => match create_private(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(wrap(error)),
            _ => Ok(()),
        },
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Whether this user could write the file.
pub(super) fn is_writable(path: &Path) -> bool {
    let folder = folder(path);
    let rights = rustix::fs::Access::WRITE_OK;
    rustix::fs::access(path, rights).is_ok() && rustix::fs::access(folder, rights).is_ok()
}

fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Makes the names of new files in the folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// The write-ahead log beside a database, the real one where the path is a link.
pub(super) fn wal(path: &Path) -> PathBuf {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut name = path.into_os_string();
    name.push("-wal");
    name.into()
}

/// A URL that tells SQLite that the file never changes; `None` for a path that is no text.
pub(super) fn unchanging_url(path: &Path) -> Option<String> {
    let mut url = "file:".to_owned();
    for byte in path.to_str()?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push_str("?immutable=1");
    Some(url)
}
