//! The PostgreSQL store: the tables of FORMAT.md in a database that many processes and machines
//! share.
//!
//! | file | what it holds | who reads it |
//! |---|---|---|
//! | `address`, `tls` | which server, as whom, how protected | connection |
//! | `connection`, `place` | open connections, kept for the next caller; the database | everyone here |
//! | `fault` | what the server said, as an error with an outcome | everyone here |
//! | `statements`, `row`, `migrations` | the SQL, what it answers, and how the tables come to be | everyone here |
//! | `pending`, `columns` | encoded entries and the columns derived from them | write, check |
//! | `queue`, `open_log` | callers that share a commit; one log as it is written | this file |
//! | `admit`, `ids`, `edge`, `write` | what is new, where the log ends, one transaction | open_log |
//! | `trust`, `seal` | what is believed of a log; checkpoints | open_log |
//! | `numbers`, `blocks` | the index of numbers | open_log, candidates, check |
//! | `filter`, `candidates` | what a filter asks of the columns; the entries that they find | scan |
//! | `page` | entries with their objects | scan, blocks |
//! | `head`, `scan`, `check`, `check_blocks`, `check_columns` | reading; comparing what is derived with the bytes | this file |
//!
//! What it relies on: transactions, row locks, and that a commit which was reported is durable. It
//! uses no extension, no sequence and no function of its own.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use postgres::types::Type;
use quark_trace_core::ids::ProjectId;

use super::sheets::SheetRow;
use super::{Appended, Beside, Commit, Head, Plan, Row, Store, StoreInfo, StoredSheet, Unsigned};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::keys::Keyring;

mod address;
mod admit;
mod blocks;
mod candidates;
mod check;
mod check_blocks;
mod check_columns;
mod columns;
mod connection;
mod edge;
mod fault;
mod filter;
mod head;
mod ids;
mod migrations;
mod numbers;
mod open_log;
mod page;
mod pending;
mod place;
mod queue;
mod row;
mod scan;
mod seal;
mod statements;
mod tls;
mod trust;
mod write;

use address::Address;
use connection::Connection;
use fault::{Fault, Moment};
use open_log::OpenLog;
use pending::Pending;
use place::Place;
use row::value;

const APPEND: &str = "append to the log";
const READ: &str = "read the log";
const SEAL: &str = "sign a checkpoint";
const INDEX: &str = "index the log";

/// Keeps projects in a PostgreSQL database.
///
/// A commit is as durable as the server makes it, whichever [`super::Durability`] is asked for:
/// PostgreSQL has nothing between that and forgetting on its own crash.
///
/// ```no_run
/// use quark_trace::store::{PostgresStore, Store};
///
/// let store = PostgresStore::new("postgres://quark@db.example.org/traces?sslmode=verify-full&sslrootcert=root.crt")?;
/// println!("{:?}", store.projects()?);
/// # Ok::<(), quark_trace::Error>(())
/// ```
#[derive(Debug)]
pub struct PostgresStore {
    place: Place,
    keys: Option<Keyring>,
    read_only: bool,
    logs: Mutex<HashMap<ProjectId, Arc<OpenLog>>>,
    /// The process that opened it; a forked child has a copy that is not its own.
    process: u32,
}

impl PostgresStore {
    /// A store in the database of a URL. Nothing is connected to before the first call; tables are
    /// made by the first append. It signs no checkpoints.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self::at(Address::parse(url)?))
    }

    /// As [`PostgresStore::new`], with a password for a URL that names none.
    pub fn with_password(url: &str, password: &str) -> Result<Self> {
        let mut address = Address::parse(url)?;
        address.set_password(password);
        Ok(Self::at(address))
    }

    fn at(address: Address) -> Self {
        let place = Place::new(address);
        let (logs, process) = (Mutex::default(), std::process::id());
        Self { place, keys: None, read_only: false, logs, process }
    }

    /// Signs checkpoints with this key.
    #[must_use]
    pub fn with_keys(mut self, keys: Keyring) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Refuses every write.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The SQL that this store sends, but for the making of its tables: for those who review it,
    /// and for the test that prepares each statement.
    pub fn statements() -> &'static [&'static str] {
        statements::ALL
    }

    fn check_writable(&self, operation: &'static str) -> Result<()> {
        if self.read_only {
            let message = "the store was opened for reading only";
            let refused = Error::new(ErrorKind::ReadOnly, operation, message);
            return Err(refused.with_outcome(Outcome::NotWritten));
        }
        Ok(())
    }

    fn log(&self, project: &ProjectId) -> Result<Arc<OpenLog>> {
        self.check_writable(APPEND)?;
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get(project) {
            return Ok(Arc::clone(log));
        }
        let log = Arc::new(OpenLog::new(project)?);
        Ok(Arc::clone(logs.entry(project.clone()).or_insert(log)))
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>> {
        let found = self.place.known_reader().and_then(|reader| {
            let Some(mut connection) = reader else { return Ok(None) };
            let found = read(&mut connection);
            self.place.connections.give_back(connection);
            found
        });
        found.map_err(|fault| fault.of_read(READ, self.place.connections.url()))
    }

    fn last_sheet_row(&self, project: &ProjectId) -> Result<Option<SheetRow>> {
        let log_id = columns::log_id(project);
        self.read(|connection| {
            let rows = connection.rows(statements::LAST_SHEET, &[(&log_id, Type::INT8)]);
            let rows = rows.map_err(|error| Fault::of(&error, Moment::Before))?;
            let Some(row) = rows.first() else { return Ok(None) };
            let index = value::<i64>(row, 0)? as u64;
            Ok(Some(SheetRow { index, line: value(row, 1)?, object: value(row, 2)? }))
        })
    }
}

impl Store for PostgresStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            kind: "postgres",
            url: self.place.connections.url().to_owned(),
            persistent: true,
            shared: true,
            signs: self.keys.is_some(),
        }
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        let names = self.read(|connection| {
            let rows = connection.rows(statements::PROJECTS, &[]);
            let rows = rows.map_err(|error| Fault::of(&error, Moment::Before))?;
            let names: Result<Vec<String>, Fault> = rows.iter().map(|row| value(row, 0)).collect();
            names.map(Some)
        })?;
        // A name that is none cannot be asked for.
        let names = names.unwrap_or_default();
        let mut projects: Vec<ProjectId> =
            names.iter().filter_map(|name| name.parse().ok()).collect();
        projects.sort();
        Ok(projects)
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.read(|connection| head::read(connection, project)?.map(|log| log.head()).transpose())
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.read(|connection| Ok(head::read(connection, project)?.map(|log| log.beside())))
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        let log = self.log(project)?;
        let pending = Pending::of(commit)?;
        log.append(&self.place, self.keys.as_ref(), pending)
            .map_err(|fault| fault.of_write(APPEND, self.place.connections.url()))
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        if self.beside(project)?.is_none() {
            return Ok(None);
        }
        self.log(project)?
            .seal(&self.place, self.keys.as_ref())
            .map_err(|fault| fault.of_write(SEAL, self.place.connections.url()))?;
        self.head(project)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        scan::scan(&self.place, project, plan, sink)
            .map_err(|fault| fault.of_read(READ, self.place.connections.url()))
    }

    fn last_sheet(&self, project: &ProjectId) -> Result<Option<StoredSheet>> {
        self.last_sheet_row(project)?.map(SheetRow::checked).transpose()
    }

    fn sheet(&self, project: &ProjectId) -> Result<Option<Vec<u8>>> {
        Ok(self.last_sheet_row(project)?.and_then(|row| row.object))
    }

    fn vouch(&self, project: &ProjectId, beside: &Beside) -> Result<()> {
        self.check_writable(SEAL)?;
        if self.keys.is_some() {
            return Ok(());
        }
        let vouched = self.place.writer().and_then(|mut connection| {
            seal::vouch(&mut connection, columns::log_id(project), beside)?;
            self.place.connections.give_back(connection);
            Ok(())
        });
        vouched.map_err(|fault| fault.of_write(SEAL, self.place.connections.url()))
    }

    /// But for the last entries, of which 256 make a row.
    fn index(&self, project: &ProjectId) -> Result<()> {
        self.check_writable(INDEX)?;
        if self.beside(project)?.is_none() {
            return Ok(());
        }
        let log_id = columns::log_id(project);
        let done = self.place.writer().and_then(|mut connection| {
            blocks::catch_up(&mut connection, log_id, None)?;
            self.place.connections.give_back(connection);
            Ok(())
        });
        done.map_err(|fault| fault.of_write(INDEX, self.place.connections.url()))
    }

    fn flush(&self) -> Result<()> {
        let logs: Vec<_> =
            self.logs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let flushed = logs.iter().map(|log| log.flush(&self.place, self.keys.as_ref()));
        flushed
            .fold(Ok(()), Result::and)
            .map_err(|fault| fault.of_write(SEAL, self.place.connections.url()))
    }

    fn unsigned(&self) -> Vec<Unsigned> {
        self.place.refusals.all()
    }

    fn close(&self) -> Result<()> {
        let flushed = self.flush();
        self.place.connections.close();
        flushed
    }

    fn before_fork(&self) -> Result<()> {
        self.place.connections.close();
        Ok(())
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // Nobody is left to tell; `close` is for those who want to know.
        if self.process == std::process::id() {
            let _ = self.flush();
        }
    }
}
