//! The SQLite store: the tables of FORMAT.md in one file that many processes of a machine share.
//!
//! | file | what it holds | who reads it |
//! |---|---|---|
//! | `paths`, `connection` | the files; connections, and that none is used across `fork` | everyone here |
//! | `fault` | what SQLite said, as an error with an outcome | everyone here |
//! | `statements`, `migrations` | the SQL, and how the tables come to be | everyone here |
//! | `pending`, `columns` | encoded entries; what is derived from records | write, index, check |
//! | `writer`, `write`, `ids`, `edge` | the append path | this file |
//! | `disk` | flushing together | this file |
//! | `shared`, `background` | what a store and its thread share; the thread that flushes, seals and derives | this file |
//! | `seal`, `index` | checkpoints; columns and numbers for queries | background |
//! | `head`, `scan`, `filter`, `candidates` | reading; what a filter asks the columns | this file |
//! | `check`, `check_log`, `check_records`, `check_numbers`, `check_ids` | comparing what is derived with the bytes | scan |
//!
//! What it relies on: the locks of a local file system, and that a write-ahead log which was flushed
//! stays.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use quark_trace_core::ids::ProjectId;
use rusqlite::Connection;

use super::sheets::SheetRow;
use super::{
    Appended, Beside, Commit, Durability, Head, Plan, Row, Store, StoreInfo, StoredSheet, Unsigned,
};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::keys::Keyring;

mod background;
mod candidates;
mod check;
mod check_ids;
mod check_log;
mod check_numbers;
mod check_records;
mod columns;
mod connection;
mod disk;
mod edge;
mod fault;
mod filter;
mod head;
mod ids;
mod index;
mod migrations;
mod mover;
mod paths;
mod pending;
mod scan;
mod seal;
mod shared;
mod statements;
mod write;
mod writer;

use connection::Place;
use fault::Fault;
use pending::PendingEntry;
use shared::Shared;

const APPEND: &str = "append to the log";
const READ: &str = "read the log";
const SEAL: &str = "sign a checkpoint";
const INDEX: &str = "index the log";
/// How long a writer waits for others, unless it was told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps projects in an SQLite database.
///
/// - `sync` returns when the write-ahead log was flushed; threads that wait share a flush.
/// - `os` returns when SQLite has handed the commit to the operating system. It outlives the process
///   at once; a thread flushes the write-ahead log 20 ms later, so that it outlives a power cut.
/// - `buffered` keeps records in memory for about 5 ms and writes them in one transaction.
///
/// ```
/// # fn main() -> quark_trace::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("quark-{}", uuid::Uuid::new_v4()));
/// # std::fs::create_dir(&folder).unwrap();
/// use quark_trace::store::{Commit, NewEntry, SqliteStore, Store};
/// use quark_trace::core::ledger::Kind;
///
/// let store = SqliteStore::new(folder.join("trace.db"))?;
/// let project = "demo".parse()?;
/// let entries = [NewEntry::new(Kind::Record, br#"{"record_id": "1"}"#)];
/// let commit = Commit { entries: &entries, expected: None, durability: Default::default() };
/// assert_eq!(store.append(&project, &commit)?.size, 2); // the header entry and the record
/// # drop(store);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// A store in the file at `path`, which is made by the first append, readable by this user
    /// alone; its folder must be there. It signs no checkpoints.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self> {
        let path: PathBuf = path.into();
        let refuse = |message: &str| {
            Err(Error::new(ErrorKind::InvalidInput, "open the store", message)
                .on(format!("sqlite:{}", path.display())))
        };
        if path.as_os_str().is_empty() {
            return refuse("the path is empty; give a file such as traces/trace.db");
        }
        if path.as_os_str() == ":memory:" {
            return refuse(
                "a database in memory is lost with the process; give the path of a file",
            );
        }
        let url = format!("sqlite:{}", path.display());
        let absolute = std::path::absolute(&path)
            .map_err(|error| Error::io("open the store", url.clone(), error))?;
        Ok(Self::of(Place::new(absolute, url, PATIENCE), None, false))
    }

    fn of(place: Place, keys: Option<Keyring>, read_only: bool) -> Self {
        let shared = Shared::new(place, keys, read_only);
        Self { shared: Arc::new(shared), thread: Mutex::default() }
    }

    /// Signs checkpoints with this key.
    #[must_use]
    pub fn with_keys(self, keys: Keyring) -> Self {
        Self::of(self.place(self.shared.place.patience), Some(keys), self.shared.read_only)
    }

    /// Refuses every write.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self::of(self.place(self.shared.place.patience), self.shared.keys.clone(), true)
    }

    /// Waits this long for other processes, 10 seconds unless given.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self::of(self.place(patience), self.shared.keys.clone(), self.shared.read_only)
    }

    fn place(&self, patience: Duration) -> Place {
        let place = &self.shared.place;
        Place::new(place.path.clone(), place.url.clone(), patience)
    }

    /// The SQL that this store sends, but for the making of its tables: for those who review it,
    /// and for the test that prepares each statement.
    pub fn statements() -> &'static [&'static str] {
        statements::ALL
    }

    fn check_writable(&self, operation: &'static str) -> Result<()> {
        if self.shared.read_only {
            let message = "the store was opened for reading only";
            let refused = Error::new(ErrorKind::ReadOnly, operation, message);
            return Err(refused.with_outcome(Outcome::NotWritten));
        }
        Ok(())
    }

    fn append_pending(
        &self,
        project: &ProjectId,
        entries: Vec<PendingEntry<'_>>,
        commit: &Commit<'_>,
    ) -> Result<Appended, Fault> {
        let shared = &self.shared;
        shared.place.check_process()?;
        shared.disk.check()?;
        let mut writer = shared.writer();
        let plain = commit.expected.is_none() && entries.iter().all(PendingEntry::is_plain);
        if commit.durability == Durability::Buffered
            && plain
            && let Some(appended) = writer.buffer(project, &entries)
        {
            drop(writer);
            self.wake_thread();
            return Ok(appended);
        }
        let appended = writer.append(&shared.place, project, &entries, commit.expected)?;
        let written = shared.disk.note_written();
        drop(writer);
        self.wake_thread();
        if commit.durability == Durability::Sync {
            shared.disk.wait(&shared.place.path, written).map_err(Fault::unknown)?;
        }
        Ok(appended)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>> {
        let place = &self.shared.place;
        let found = place.reader().and_then(|reader| {
            let Some(connection) = reader else { return Ok(None) };
            let found = read(&connection);
            place.give_back(connection);
            found
        });
        found.map_err(|fault| fault.of_read(READ, &place.url))
    }

    /// What this handle buffered is part of what it reads.
    fn flush_buffered(&self) -> Result<()> {
        if self.shared.place.is_forked() {
            return Ok(());
        }
        self.shared.flush_buffered().map_err(|fault| self.of_write(APPEND, fault))
    }

    fn of_write(&self, operation: &'static str, fault: Fault) -> Error {
        fault.of_write(operation, &self.shared.place.url)
    }
}

impl Store for SqliteStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            kind: "sqlite",
            url: self.shared.place.url.clone(),
            persistent: true,
            shared: true,
            signs: self.shared.keys.is_some(),
        }
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        self.flush_buffered()?;
        let names: Option<Vec<String>> = self.read(|connection| {
            let mut statement = connection.prepare_cached(statements::PROJECTS)?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(Some(names.collect::<Result<_, _>>()?))
        })?;
        // A name that is none cannot be asked for.
        let names = names.iter().flatten();
        let mut projects: Vec<ProjectId> = names.filter_map(|name| name.parse().ok()).collect();
        projects.sort();
        Ok(projects)
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.flush_buffered()?;
        self.read(|connection| head::read(connection, project)?.map(|log| log.head()).transpose())
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.flush_buffered()?;
        self.read(|connection| Ok(head::read(connection, project)?.map(|log| log.beside())))
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        self.check_writable(APPEND)?;
        let entries = PendingEntry::of_all(commit)?;
        self.append_pending(project, entries, commit).map_err(|fault| self.of_write(APPEND, fault))
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.check_writable(SEAL)?;
        if self.beside(project)?.is_none() {
            return Ok(None);
        }
        let shared = &self.shared;
        shared
            .seal_and_derive(project)
            .and_then(|()| shared.disk.flush(&shared.place.path))
            .map_err(|fault| self.of_write(SEAL, fault))?;
        self.head(project)
    }

    fn vouch(&self, project: &ProjectId, beside: &Beside) -> Result<()> {
        self.check_writable(SEAL)?;
        self.shared.vouch(project, beside).map_err(|fault| self.of_write(SEAL, fault))
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.flush_buffered()?;
        scan::scan(&self.shared.place, project, plan, sink)
            .map_err(|fault| fault.of_read(READ, &self.shared.place.url))
    }

    fn last_sheet(&self, project: &ProjectId) -> Result<Option<StoredSheet>> {
        self.read(|open| scan::last_sheet(open, project))?.map(SheetRow::checked).transpose()
    }

    fn sheet(&self, project: &ProjectId) -> Result<Option<Vec<u8>>> {
        Ok(self.read(|open| scan::last_sheet(open, project))?.and_then(|row| row.object))
    }

    fn index(&self, project: &ProjectId) -> Result<()> {
        self.check_writable(INDEX)?;
        if self.beside(project)?.is_none() {
            return Ok(());
        }
        self.shared.derive(project).map_err(|fault| self.of_write(INDEX, fault))
    }

    fn flush(&self) -> Result<()> {
        let shared = &self.shared;
        if shared.place.is_forked() {
            return Ok(());
        }
        let flushed = shared.flush_buffered();
        let finished = shared.finish();
        flushed
            .and(finished)
            .and_then(|()| shared.disk.flush(&shared.place.path))
            .map_err(|fault| self.of_write(SEAL, fault))
    }

    fn unsigned(&self) -> Vec<Unsigned> {
        self.shared.refusals.all()
    }

    fn close(&self) -> Result<()> {
        if self.shared.place.is_forked() {
            return Ok(());
        }
        let flushed = self.flush();
        let closed = self.let_go().map_err(|fault| self.of_write(APPEND, fault));
        flushed.and(closed)
    }

    fn before_fork(&self) -> Result<()> {
        let checked = self.shared.place.check_process().and_then(|()| self.let_go());
        checked.map_err(|fault| self.of_write(APPEND, fault))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Nobody is left to tell; `close` is for those who want to know.
        let _ = self.close();
    }
}
