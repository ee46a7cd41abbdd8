//! The append path of one project's files.
//!
//! A record goes to the records first and to the ledger second, so that a crash in between leaves
//! a line without an entry, which is adopted, and never an entry without its line.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Digest, Kind, entry};
use quark_trace_core::record::RECORD_LIMIT;
use quark_trace_core::verify::header_object;

use super::folder::{self, Names};
use super::ids::RecordIds;
use super::lease::Lease;
use super::seal::Seal;
use super::state::State;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::keys::Keyring;
use crate::store::{Appended, Commit, NewEntry};

/// Buffered appends are handed on when they reach this size.
const BUFFER_LIMIT: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Writer {
    pub project: ProjectId,
    pub names: Names,
    pub keys: Option<Keyring>,
    /// The tree and how far into the files it reaches, as this process knows it.
    pub at: State,
    pub files: Option<Files>,
    pub seal: Seal,
    pub ids: Option<RecordIds>,
    pending: Pending,
    /// Set when the system could not flush what was acknowledged: nothing is acknowledged after.
    pub broken: Option<String>,
}

#[derive(Debug)]
pub(super) struct Files {
    pub records: Arc<File>,
    pub ledger: Arc<File>,
    pub lease: Lease,
    process: u32,
    /// Whether the files were read up to their end once.
    pub loaded: bool,
}

/// Bytes that are encoded but not yet written.
#[derive(Debug, Default)]
struct Pending {
    records: Vec<u8>,
    ledger: Vec<u8>,
    leaves: Vec<Digest>,
    lines: u64,
    sheet: Option<Digest>,
}

impl Writer {
    pub fn new(project: ProjectId, names: Names, keys: Option<Keyring>) -> Self {
        Self {
            project,
            names,
            keys,
            at: State::default(),
            files: None,
            seal: Seal::default(),
            ids: None,
            pending: Pending::default(),
            broken: None,
        }
    }

    /// The number of entries, buffered ones included.
    pub fn size(&self) -> u64 {
        self.at.range.size() + self.pending.leaves.len() as u64
    }

    pub fn has_pending(&self) -> bool {
        !self.pending.leaves.is_empty()
    }

    /// Encodes records and leaves them in memory.
    pub fn buffer(&mut self, entries: &[NewEntry<'_>]) -> Result<Appended> {
        check_sizes(entries)?;
        self.check_usable().map_err(|error| error.with_outcome(Outcome::NotWritten))?;
        if self.pending.records.len() >= BUFFER_LIMIT {
            self.flush().map_err(|error| error.with_outcome(Outcome::NotWritten))?;
        }
        entries.iter().for_each(|entry| self.pending.push(entry));
        Ok(Appended { size: self.size(), existing: Vec::new() })
    }

    /// Appends and hands everything to the operating system.
    pub fn append(&mut self, commit: &Commit<'_>) -> Result<Appended> {
        check_sizes(commit.entries)?;
        let ready = self.flush().and_then(|()| self.hold());
        ready.map_err(|error| error.with_outcome(Outcome::NotWritten))?;
        let appended = self.append_held(commit);
        self.give_way();
        appended
    }

    fn append_held(&mut self, commit: &Commit<'_>) -> Result<Appended> {
        let not_written = |error: Error| error.with_outcome(Outcome::NotWritten);
        let actual = self.at.range.size();
        if commit.expected.is_some_and(|expected| expected != actual) {
            let message = format!("the log has {actual} entries by now; look again and retry");
            return Err(not_written(Error::new(ErrorKind::Conflict { actual }, APPEND, message)));
        }
        let mut existing = Vec::new();
        self.begin_log().map_err(not_written)?;
        for (place, entry) in commit.entries.iter().enumerate() {
            if let Some(index) = self.known(entry).inspect_err(|_| self.pending.clear())? {
                existing.push((place, index));
                continue;
            }
            if !entry.kind.is_record() {
                let stored = self.store_object(entry);
                stored.inspect_err(|_| self.pending.clear()).map_err(not_written)?;
            }
            self.pending.push(entry);
        }
        let written = self.write_pending();
        if written.is_err() {
            // The caller is told; keeping the bytes would write them behind its back.
            self.pending.clear();
            self.ids = None;
        }
        written?;
        self.show_sheet(commit.entries)?;
        Ok(Appended { size: self.at.range.size(), existing })
    }

    /// The index of a record that is there already.
    fn known(&mut self, entry: &NewEntry<'_>) -> Result<Option<u64>> {
        let Some(record_id) = entry.record_id else { return Ok(None) };
        if self.ids.is_none() {
            self.ids = Some(RecordIds::read(&self.names, self.at.range.size())?);
        }
        let next = self.size();
        let ids = self.ids.as_mut().expect("read above");
        ids.admit(record_id, entry.digest, next)
    }

    /// Writes what is buffered. After a failure it stays buffered, to be tried again.
    pub fn flush(&mut self) -> Result<()> {
        if !self.has_pending() {
            return Ok(());
        }
        self.hold()?;
        self.begin_log()?;
        self.write_pending()?;
        self.give_way();
        Ok(())
    }

    /// Takes the lock and takes note of what others wrote meanwhile.
    pub fn hold(&mut self) -> Result<()> {
        self.check_usable()?;
        if self.files.is_none() {
            self.files = Some(Files::open(&self.names).map_err(|error| self.io(error))?);
        }
        let files = self.files.as_mut().expect("opened above");
        let fresh = files.lease.take().map_err(|error| busy_or_io(error, &self.names))?;
        if !files.loaded {
            let loaded = self.load();
            if loaded.is_err() {
                self.close_files();
            }
            return loaded;
        }
        let moved = files
            .moved(&self.at, fresh)
            .map_err(|error| Error::io(APPEND, path(&self.names), error))?;
        if !moved {
            return Ok(());
        }
        let followed = self.catch_up();
        if followed.is_err() {
            self.close_files();
        }
        followed
    }

    /// Whether the next append of plain records neither waits nor reads.
    pub fn is_quick(&self) -> bool {
        self.files.as_ref().is_some_and(|files| files.loaded && files.lease.is_ours_alone())
    }

    /// Frees the lock if another process waits for it.
    pub fn give_way(&mut self) {
        if let Some(files) = &mut self.files
            && files.lease.give_way().is_err()
        {
            self.close_files();
        }
    }

    /// Forgets the handles and with them the lock; the next write opens and reads anew.
    pub fn close_files(&mut self) {
        self.files = None;
        self.ids = None;
    }

    fn check_usable(&self) -> Result<()> {
        if let Some(reason) = &self.broken {
            let message = format!(
                "the system could not flush earlier records to the disk ({reason}); check the \
                 disk, then open the project again"
            );
            return Err(Error::new(ErrorKind::Io, APPEND, message).on(path(&self.names)));
        }
        if self.files.as_ref().is_some_and(|files| files.process != std::process::id()) {
            let message = "the store was opened before this process was forked; open it again here";
            return Err(Error::new(ErrorKind::Unsupported, APPEND, message));
        }
        Ok(())
    }

    /// Writes the header entry when the log has none yet; buffered entries stay buffered.
    fn begin_log(&mut self) -> Result<()> {
        if self.at.range.size() > 0 {
            return Ok(());
        }
        let buffered = std::mem::take(&mut self.pending);
        let written = self.write_header();
        self.pending = buffered;
        written
    }

    pub fn write_header(&mut self) -> Result<()> {
        let header = header_object(&self.project);
        let header = NewEntry::new(Kind::Log, &header);
        self.store_object(&header)?;
        self.pending.push(&header);
        self.write_pending()
    }

    /// Keeps an object that is no record under its digest, durably.
    pub fn store_object(&self, entry: &NewEntry<'_>) -> Result<()> {
        let target = self.names.object(entry.digest);
        let write = || {
            let folder = target.parent().unwrap_or(&self.names.log);
            folder::create_private_folder(folder)?;
            if folder::read_if_there(&target)?.is_some_and(|bytes| bytes == entry.object) {
                return Ok(());
            }
            folder::replace(&target, entry.object, true)?;
            folder::sync_folder(&self.names.log.join("objects"))
        };
        write().map_err(|error| Error::io("keep an object", target.display().to_string(), error))
    }

    /// Shows the last sheet of a commit under the name that the original uses.
    fn show_sheet(&self, entries: &[NewEntry<'_>]) -> Result<()> {
        let Some(sheet) = entries.iter().rfind(|entry| entry.kind.is_sheet()) else {
            return Ok(());
        };
        folder::replace(&self.names.sheet, sheet.object, true).map_err(|error| {
            Error::io("show the fact sheet", self.names.sheet.display().to_string(), error)
                .with_outcome(Outcome::Unknown)
        })
    }

    /// Writes the pending bytes: records, then ledger; on failure both files get their old length.
    pub fn write_pending(&mut self) -> Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        let records = Span::write(&files.records, self.at.records_end, &self.pending.records, true);
        if records.failed.is_none() && records.displaced {
            return self.write_displaced();
        }
        let ledger = match records.failed {
            None => Span::write(&files.ledger, self.at.ledger_end, &self.pending.ledger, false),
            Some(_) => Span::default(),
        };
        let Some(error) = records.failed.as_ref().or(ledger.failed.as_ref()) else {
            self.note_written();
            return Ok(());
        };
        let undone = ledger.undo(&files.ledger).and_then(|()| records.undo(&files.records));
        let outcome = if undone.is_ok() { Outcome::NotWritten } else { Outcome::Unknown };
        let error = io::Error::new(error.kind(), error.to_string());
        // Whatever state the files are in, the next append finds it out from the files.
        self.close_files();
        Err(self.io(error).with_outcome(outcome))
    }

    fn note_written(&mut self) {
        let pending = &mut self.pending;
        pending.leaves.drain(..).for_each(|leaf| self.at.range.push(leaf));
        self.at.records_end += pending.records.len() as u64;
        self.at.ledger_end += pending.ledger.len() as u64;
        self.at.lines += pending.lines;
        self.at.sheet = pending.sheet.take().or(self.at.sheet);
        pending.clear();
    }

    /// A program that does not know the lock (quark-trace 0.1.0) wrote in front of our lines at the
    /// same moment. All lines are in the file, so they get their entries in the order of the file.
    fn write_displaced(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.catch_up()?;
        self.pending = pending.without_records();
        self.write_pending()
    }

    /// Queues one entry whose object is in its place already.
    pub fn queue(&mut self, entry: &NewEntry<'_>) {
        self.pending.push_entry(entry);
    }

    /// Queues the entry of a record line that is in the file already.
    pub fn queue_adopted(&mut self, digest: Digest) {
        let object: &[u8] = &[];
        let (kind, attributes, record_id) = (Kind::RecordAdopted, "", None);
        self.pending.push_entry(&NewEntry { kind, object, digest, attributes, record_id });
    }

    pub fn io(&self, error: io::Error) -> Error {
        Error::io(APPEND, path(&self.names), error)
    }
}

pub(super) const APPEND: &str = "append to the log";

impl Files {
    fn open(names: &Names) -> io::Result<Self> {
        folder::create_private_folder(names.log.parent().unwrap_or(&names.log))?;
        folder::create_private_folder(&names.log)?;
        if std::fs::symlink_metadata(&names.log)?.is_symlink() {
            let message = "the .qtlog folder is a symbolic link, and links are not followed";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let lease = Lease::open(&names.log)?;
        let records = Arc::new(folder::open_append(&names.records)?);
        let ledger = Arc::new(folder::open_append(&names.ledger())?);
        folder::sync_folder(&names.log)?;
        folder::sync_folder(names.log.parent().unwrap_or(&names.log))?;
        Ok(Self { records, ledger, lease, process: std::process::id(), loaded: false })
    }

    /// Whether somebody wrote since. The ledger has no writers but ours, so that it cannot have
    /// moved while the lock was held; the records may have been written by 0.1.0 at any time.
    fn moved(&self, at: &State, fresh: bool) -> io::Result<bool> {
        let end = |mut file: &File| file.seek(SeekFrom::End(0));
        Ok(end(&self.records)? != at.records_end || fresh && end(&self.ledger)? != at.ledger_end)
    }
}

impl Pending {
    fn push(&mut self, entry: &NewEntry<'_>) {
        if entry.kind.is_record() {
            self.records.extend_from_slice(entry.object);
            self.records.push(b'\n');
            self.lines += 1;
        }
        self.push_entry(entry);
    }

    fn push_entry(&mut self, new: &NewEntry<'_>) {
        let start = self.ledger.len();
        entry::write(&mut self.ledger, new.kind, new.digest);
        self.ledger.extend_from_slice(new.attributes.as_bytes());
        self.leaves.push(leaf_hash(&self.ledger[start..]));
        self.ledger.push(b'\n');
        if new.kind.is_sheet() {
            self.sheet = Some(new.digest);
        }
    }

    /// The entries that are not about records.
    fn without_records(self) -> Self {
        let mut kept = Self { sheet: self.sheet, ..Self::default() };
        for line in self.ledger.split_inclusive(|&byte| byte == b'\n') {
            if !line.starts_with(b"record") {
                kept.leaves.push(leaf_hash(&line[..line.len() - 1]));
                kept.ledger.extend_from_slice(line);
            }
        }
        kept
    }

    fn clear(&mut self) {
        self.records.clear();
        self.ledger.clear();
        self.leaves.clear();
        self.lines = 0;
        self.sheet = None;
    }
}

fn check_sizes(entries: &[NewEntry<'_>]) -> Result<()> {
    let Some(large) = entries.iter().find(|entry| entry.object.len() > RECORD_LIMIT) else {
        return Ok(());
    };
    let message = format!(
        "it is {} bytes, the limit is {RECORD_LIMIT}; log a digest or a path instead",
        large.object.len()
    );
    Err(Error::new(ErrorKind::TooLarge, APPEND, message).with_outcome(Outcome::NotWritten))
}

/// What became of bytes that were to be written at the end of a file.
#[derive(Debug, Default)]
struct Span {
    start: u64,
    written: u64,
    /// Whether another program's bytes lie between `start` and ours.
    displaced: bool,
    failed: Option<io::Error>,
}

impl Span {
    /// `shared`: programs that do not know the lock may write to the file too.
    fn write(mut file: &File, start: u64, bytes: &[u8], shared: bool) -> Self {
        let mut span = Self { start, ..Self::default() };
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => span.failed = Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    span.written += count as u64;
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => span.failed = Some(error),
            }
            if span.failed.is_some() {
                return span;
            }
        }
        if shared && !bytes.is_empty() {
            match file.stream_position() {
                Ok(end) => span.displaced = end != start + span.written,
                Err(error) => span.failed = Some(error),
            }
        }
        span
    }

    /// Gives the file its old length back; refused when somebody else's bytes are behind it.
    fn undo(&self, file: &File) -> io::Result<()> {
        if self.written == 0 {
            return Ok(());
        }
        if file.metadata()?.len() != self.start + self.written {
            return Err(io::Error::other("another program wrote to the file at the same moment"));
        }
        file.set_len(self.start)
    }
}

fn busy_or_io(error: io::Error, names: &Names) -> Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        return Error::new(ErrorKind::Busy, APPEND, error.to_string()).on(path(names));
    }
    Error::io(APPEND, path(names), error)
}

fn path(names: &Names) -> String {
    names.records.display().to_string()
}
