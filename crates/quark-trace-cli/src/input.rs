//! Files that were named on the command line.

use std::io;
use std::path::Path;

/// Reads a whole file. A FIFO or a device is refused before it is opened: reading it may never end.
pub fn read(file: &Path) -> io::Result<Vec<u8>> {
    let found = std::fs::metadata(file)?;
    if found.is_file() {
        return std::fs::read(file);
    }
    let what = if found.is_dir() { "it is a folder" } else { "it is not a plain file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}
