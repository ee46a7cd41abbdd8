//! A segment of the spool: records that one process wrote and that are on their way.
//!
//! | file | what it holds |
//! |---|---|
//! | `N.records` | record lines, appended one write each |
//! | `N.shipped` | how many bytes of them the server acknowledged |
//! | `N.lock` | held by the process that writes or ships it |
//! | `N.refused` | lines that the server refused for good, each after its reason |
//! | `N.torn` | the beginning of a line that was never acknowledged |

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::claim::Claim;
use super::refused;
use crate::store::file::folder;

/// Size at which a segment is full: what was shipped is freed in pieces of this size.
const FULL: u64 = 4 * 1024 * 1024;

/// A segment that this process has.
#[derive(Debug)]
pub(super) struct Segment {
    /// Without an ending.
    path: PathBuf,
    /// `None` for one that was taken over: nothing is appended to it.
    records: Option<File>,
    /// Length of its whole lines.
    written: u64,
    /// How much of it the server has.
    shipped: u64,
    /// Lines that the server does not have.
    waiting: u64,
    dirty: bool,
    _claim: Claim,
}

impl Segment {
    /// Makes the next segment of a folder.
    pub fn make(lane: &Path) -> io::Result<Self> {
        let last = names(lane)?.last().and_then(|name| number_of(name)).unwrap_or_default();
        let path = lane.join(format!("{:012}-{}", last + 1, uuid::Uuid::new_v4()));
        let claim = Claim::make(&with(&path, "lock"))?;
        let records = folder::open_append(&with(&path, "records"));
        let records = Some(records.inspect_err(|_| remove_all(&path))?);
        let (written, shipped, waiting) = (0, 0, 0);
        Ok(Self { path, records, written, shipped, waiting, dirty: false, _claim: claim })
    }

    /// Takes over the segment of this name if no process has it. What was begun and not finished at
    /// its end is moved aside: nobody was told that it was written.
    pub fn take_over(lane: &Path, name: &str) -> io::Result<Option<Self>> {
        let path = lane.join(name);
        let (lock, needed) = (with(&path, "lock"), with(&path, "records"));
        let Some(claim) = Claim::take_for(&lock, &needed)? else { return Ok(None) };
        let mut records = match folder::open_there(&with(&path, "records")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It died while it was made or after it was shipped.
                remove_all(&path);
                return Ok(None);
            }
            opened => opened?,
        };
        let (noted, length) = (read_shipped(&path)?, records.metadata()?.len());
        if noted > length {
            forget_shipped(&path)?;
        }
        let shipped = if noted > length { 0 } else { noted };
        records.seek(SeekFrom::Start(shipped))?;
        let (waiting, whole) = count_lines(&records)?;
        let written = shipped + whole;
        set_torn_aside(&path, &mut records, written)?;
        let (records, dirty) = (None, false);
        Ok(Some(Self { path, records, written, shipped, waiting, dirty, _claim: claim }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lines that the server does not have.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Bytes that the server does not have.
    pub fn waiting_bytes(&self) -> u64 {
        self.written - self.shipped
    }

    pub fn is_full(&self) -> bool {
        self.written >= FULL
    }

    /// Appends lines, all or none: after an error they are not there.
    pub fn append(&mut self, lines: &[&[u8]]) -> io::Result<()> {
        let closed = || io::Error::other("the segment takes no more lines");
        let records = self.records.as_mut().ok_or_else(closed)?;
        let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in lines {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        if let Err(error) = records.write_all(&bytes) {
            // A part of it would be the beginning of the next line.
            if records.set_len(self.written).is_err() {
                self.records = None;
            }
            return Err(error);
        }
        self.written += bytes.len() as u64;
        self.waiting += lines.len() as u64;
        self.dirty = true;
        Ok(())
    }

    /// Frees the room of what the server has, where nothing else is in it.
    pub fn free(&mut self) -> io::Result<bool> {
        let Some(records) = self.records.as_ref() else { return Ok(false) };
        if self.waiting_bytes() > 0 || self.written == 0 {
            return Ok(false);
        }
        // In this order: a count that is larger than the file counts for nothing.
        records.set_len(0)?;
        (self.written, self.shipped) = (0, 0);
        forget_shipped(&self.path)?;
        Ok(true)
    }

    /// Whole lines that are to be shipped next: at most so many, and so many bytes unless the first
    /// alone is longer.
    pub fn next_lines(&self, most: usize, bytes: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut file = folder::open_read(&with(&self.path, "records"))?;
        file.seek(SeekFrom::Start(self.shipped))?;
        let mut reader = BufReader::new(file.take(self.waiting_bytes()));
        let (mut lines, mut total) = (Vec::new(), 0);
        while lines.len() < most {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line)? == 0 || line.pop() != Some(b'\n') {
                break;
            }
            total += line.len() + 1;
            if total > bytes && !lines.is_empty() {
                break;
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// Notes that the server has these lines, which were the next ones.
    pub fn note_shipped(&mut self, lines: &[Vec<u8>]) -> io::Result<()> {
        let bytes: u64 = lines.iter().map(|line| line.len() as u64 + 1).sum();
        self.shipped += bytes;
        self.waiting = self.waiting.saturating_sub(lines.len() as u64);
        // When it cannot be noted the lines are sent again after a crash, and the server knows them.
        let text = format!("{}\n", self.shipped);
        folder::replace(&with(&self.path, "shipped"), text.as_bytes(), false)
    }

    /// Keeps a line that the server refused for good.
    pub fn keep_refused(&self, line: &[u8], reason: &str) -> io::Result<()> {
        refused::keep(&with(&self.path, "refused"), line, reason)
    }

    /// The file, if something was appended since the last time.
    pub fn take_dirty(&mut self) -> Option<File> {
        let dirty = std::mem::take(&mut self.dirty);
        self.records.as_ref().filter(|_| dirty)?.try_clone().ok()
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether nothing in it has to be kept.
    pub fn is_done(&self) -> bool {
        self.waiting_bytes() == 0
    }

    /// Deletes it.
    pub fn remove(self) {
        remove_all(&self.path);
    }
}

/// The names of the segments in a folder, in order.
pub(super) fn names(lane: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(lane)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let stem = name.strip_suffix(".lock").or_else(|| name.strip_suffix(".records"));
        if let Some(stem) = stem.filter(|stem| number_of(stem).is_some()) {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn number_of(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

/// The path with an ending. The name holds no dot of its own.
pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    path.with_extension(ending)
}

/// How much the server has of a segment.
pub(super) fn read_shipped(path: &Path) -> io::Result<u64> {
    let text = folder::read_if_there(&with(path, "shipped"))?.unwrap_or_default();
    // One that cannot be read means that all is sent again, and the server knows it.
    Ok(String::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default())
}

fn forget_shipped(path: &Path) -> io::Result<()> {
    match fs::remove_file(with(path, "shipped")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whole lines from here on, and their bytes.
pub(super) fn count_lines(file: &File) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let (mut lines, mut whole, mut read) = (0, 0, 0);
    loop {
        let found = reader.fill_buf()?;
        if found.is_empty() {
            return Ok((lines, whole));
        }
        lines += memchr::memchr_iter(b'\n', found).count() as u64;
        if let Some(last) = memchr::memrchr(b'\n', found) {
            whole = read + last as u64 + 1;
        }
        let taken = found.len();
        read += taken as u64;
        reader.consume(taken);
    }
}

fn set_torn_aside(path: &Path, records: &mut File, written: u64) -> io::Result<()> {
    if records.metadata()?.len() == written {
        return Ok(());
    }
    let mut torn = Vec::new();
    records.seek(SeekFrom::Start(written))?;
    records.read_to_end(&mut torn)?;
    // On a full disk it is left out: nobody was told that it was written.
    let _ = folder::open_append(&with(path, "torn")).and_then(|mut file| file.write_all(&torn));
    records.set_len(written)
}

/// Removes all but what was refused or torn; the lock last, so that what stays is found again.
fn remove_all(path: &Path) {
    for ending in ["records", "shipped", "lock"] {
        let _ = fs::remove_file(with(path, ending));
    }
}
