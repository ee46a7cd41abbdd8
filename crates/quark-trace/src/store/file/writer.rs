//! The append path of one project's files.
//!
//! A record goes to the records first and to the ledger second, so that a crash in between leaves
//! a line without an entry, which is adopted, and never an entry without its line.

use std::io;
use std::time::{Duration, Instant};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Kind;
use quark_trace_core::ledger::entry::header_object;

use super::batch;
use super::files::{Files, sync_both};
use super::folder::{self, Names};
use super::ids::{Admission, RecordIds};
use super::pending::Pending;
use super::seal::Seal;
use super::state::State;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::keys::Keyring;
use crate::store::{Appended, Commit, NewEntry};

/// How long bytes may lie with the operating system alone before they are flushed: short enough
/// for the flush to end within the 50 ms that are promised, where the disk takes no longer than 20.
pub(super) const FLUSH_AFTER: Duration = Duration::from_millis(25);

#[derive(Debug)]
pub(super) struct Writer {
    pub project: ProjectId,
    pub names: Names,
    pub keys: Option<Keyring>,
    /// The tree and how far into the files it reaches, as this process knows it.
    pub at: State,
    pub files: Option<Files>,
    pub seal: Seal,
    pub ids: RecordIds,
    /// What is buffered.
    pub pending: Pending,
    /// Whether an entry may follow its record a little later.
    pub owes: bool,
    /// Entries whose lines are written.
    pub owed: Pending,
    /// Memory for one line.
    pub line: Vec<u8>,
    /// Where the log ended before a write of buffered records that could not be taken back: some of
    /// them may be there.
    pub doubt: Option<State>,
    /// Since when bytes wait for the medium.
    pub dirty_since: Option<Instant>,
    /// Whether a flush is under way, with the log unlocked.
    pub flushing: bool,
    /// Set when the system could not flush what was acknowledged: nothing is acknowledged after.
    pub broken: Option<String>,
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
            ids: RecordIds::default(),
            pending: Pending::default(),
            owes: true,
            owed: Pending::default(),
            line: Vec::new(),
            doubt: None,
            dirty_since: None,
            flushing: false,
            broken: None,
        }
    }

    /// Writes every entry together with its record.
    #[must_use]
    pub fn with_entries_at_once(mut self) -> Self {
        self.owes = false;
        self
    }

    /// The number of entries, buffered ones included.
    pub fn size(&self) -> u64 {
        self.at.range.size() + (self.owed.leaves.len() + self.pending.leaves.len()) as u64
    }

    pub fn has_buffered(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether something of what was acknowledged is still to be written.
    pub fn has_pending(&self) -> bool {
        self.has_buffered() || !self.owed.is_empty()
    }

    /// Appends and hands everything to the operating system.
    pub fn append(&mut self, commit: &Commit<'_>) -> Result<Appended> {
        self.flush().and_then(|()| self.hold()).map_err(not_written)?;
        let appended = self.append_held(commit);
        self.give_way();
        appended
    }

    fn append_held(&mut self, commit: &Commit<'_>) -> Result<Appended> {
        let actual = self.at.range.size();
        if commit.expected.is_some_and(|expected| expected != actual) {
            let message = format!("the log has {actual} entries by now; look again and retry");
            return Err(not_written(Error::new(ErrorKind::Conflict { actual }, APPEND, message)));
        }
        self.check_schemas(commit.entries)?;
        let mut admission = self.admit(commit.entries).map_err(not_written)?;
        for entry in commit.entries.iter().filter(|entry| !entry.kind.is_record()) {
            self.store_object(entry).map_err(not_written)?;
        }
        // Nothing is buffered now, so that its memory can be used.
        let mut batch = std::mem::take(&mut self.pending);
        let written = self.encode(commit, &admission, &mut batch).and_then(|()| {
            if batch.leaves.len() > 1 {
                self.plan(&batch)?;
            }
            self.write(&mut batch)
        });
        batch.clear();
        self.pending = batch;
        written?;
        let existing = std::mem::take(&mut admission.existing);
        self.ids.note(admission, &self.at);
        self.show_sheet(commit.entries)?;
        Ok(Appended { size: self.at.range.size(), existing })
    }

    /// Which records are there already.
    fn admit(&mut self, entries: &[NewEntry<'_>]) -> Result<Admission> {
        if entries.iter().all(|entry| entry.record_id.is_none()) {
            return Ok(Admission::default());
        }
        self.ids.read_on(&self.names, &self.at)?;
        self.ids.admit(entries, self.at.range.size().max(1))
    }

    fn encode(
        &mut self,
        commit: &Commit<'_>,
        admission: &Admission,
        batch: &mut Pending,
    ) -> Result<()> {
        if self.at.range.size() == 0 {
            self.encode_header(batch).map_err(not_written)?;
        }
        let mut existing = admission.existing.iter().map(|(place, _)| *place).peekable();
        for (place, entry) in commit.entries.iter().enumerate() {
            if existing.next_if_eq(&place).is_none() {
                batch.push(entry);
            }
        }
        Ok(())
    }

    fn plan(&self, batch: &Pending) -> Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        batch::plan(&files.batch, &self.at, batch).map_err(|error| not_written(self.io(error)))
    }

    /// Takes the lock and takes note of what others wrote meanwhile.
    pub fn hold(&mut self) -> Result<()> {
        self.check_usable()?;
        self.settle()?;
        if self.files.is_none() {
            self.files = Some(Files::open(&self.names).map_err(|error| self.io(error))?);
        }
        let fresh = self.take_lock()?;
        let files = self.files.as_mut().expect("opened above");
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
        let sheet = self.at.sheet;
        let followed = self.catch_up().and_then(|()| {
            // Whoever appended a sheet may have been killed before showing it.
            if self.at.sheet == sheet { Ok(()) } else { self.check_sheet() }
        });
        if followed.is_err() {
            self.close_files();
        }
        followed
    }

    /// Takes the lock between processes; `false` when it was held already.
    fn take_lock(&mut self) -> Result<bool> {
        let files = self.files.as_mut().expect("opened by the caller");
        let (dirty_since, flushing) = (&mut self.dirty_since, self.flushing);
        let (records, ledger) = (&files.records, &files.ledger);
        let mut failed = None;
        // The background thread cannot flush while this one waits with the log locked.
        let taken = files.lease.take(&mut || {
            if !flushing && dirty_since.take_if(|at| at.elapsed() >= FLUSH_AFTER).is_some() {
                failed = failed.take().or(sync_both(records, ledger).err());
            }
        });
        if let Some(error) = failed {
            self.break_off(&error);
            return Err(self.io(error));
        }
        taken.map_err(|error| busy_or_io(error, &self.names))
    }

    /// Whether the next append of plain records neither waits nor reads.
    pub fn is_quick(&self) -> bool {
        self.files.as_ref().is_some_and(|files| files.loaded && files.lease.is_ours_alone())
    }

    /// Frees the lock if another process waits for it.
    pub fn give_way(&mut self) {
        // The lines are adopted when it fails.
        let _ = self.settle();
        if let Some(files) = &mut self.files
            && files.lease.give_way().is_err()
        {
            self.close_files();
        }
    }

    /// Frees the lock.
    pub fn let_go(&mut self) {
        let _ = self.settle();
        if let Some(files) = &mut self.files
            && files.lease.free().is_err()
        {
            self.close_files();
        }
    }

    /// Forgets the handles and with them the lock; the next write opens and reads anew, and adopts
    /// the lines whose entries are owed.
    pub fn close_files(&mut self) {
        self.files = None;
        self.owed.clear();
        self.ids = RecordIds::default();
    }

    /// Ends all writing by this handle: the system could not flush what was acknowledged.
    pub fn break_off(&mut self, error: &io::Error) {
        self.broken = Some(error.to_string());
        self.close_files();
    }

    pub fn check_usable(&self) -> Result<()> {
        if let Some(reason) = &self.broken {
            let message = format!(
                "the system could not flush earlier records to the disk ({reason}); check the \
                 disk, then open the project again"
            );
            return Err(Error::new(ErrorKind::Io, APPEND, message).on(path(&self.names)));
        }
        Ok(())
    }

    /// Writes the header entry when the log has none yet.
    pub fn begin_log(&mut self) -> Result<()> {
        if self.at.range.size() > 0 {
            return Ok(());
        }
        let mut header = Pending::default();
        self.encode_header(&mut header)?;
        self.write(&mut header)
    }

    fn encode_header(&mut self, batch: &mut Pending) -> Result<()> {
        self.note_begin();
        let object = header_object(&self.project);
        let header = NewEntry::new(Kind::Log, &object);
        self.store_object(&header)?;
        batch.push(&header);
        Ok(())
    }

    /// Keeps an object that is no record under its digest, durably.
    pub fn store_object(&self, entry: &NewEntry<'_>) -> Result<()> {
        let target = self.names.object(entry.digest);
        let write = || {
            let folder = target.parent().unwrap_or(&self.names.log);
            folder::create_private_folder(folder)?;
            if folder::read_if_there(&target)?.is_some_and(|bytes| bytes == entry.object) {
                // An earlier attempt may have failed before its name was durable.
                return folder::sync_folder(folder);
            }
            folder::replace(&target, entry.object, true)
        };
        write().map_err(|error| Error::io("keep an object", target.display().to_string(), error))
    }

    /// Shows the last sheet of a commit under the name that the original uses.
    fn show_sheet(&mut self, entries: &[NewEntry<'_>]) -> Result<()> {
        let Some(sheet) = entries.iter().rfind(|entry| entry.kind.is_sheet()) else {
            return Ok(());
        };
        let shown = folder::replace(&self.names.sheet, sheet.object, true);
        shown.map_err(|error| {
            // The next append opens the log anew and shows it then.
            self.close_files();
            Error::io("show the fact sheet", self.names.sheet.display().to_string(), error)
                .with_outcome(Outcome::Unknown)
        })
    }

    pub fn closed(&self) -> Error {
        self.io(io::Error::other("the files were closed meanwhile"))
    }

    pub fn io(&self, error: io::Error) -> Error {
        Error::io(APPEND, path(&self.names), error)
    }
}

pub(super) const APPEND: &str = "append to the log";

pub(super) fn not_written(error: Error) -> Error {
    error.with_outcome(Outcome::NotWritten)
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
