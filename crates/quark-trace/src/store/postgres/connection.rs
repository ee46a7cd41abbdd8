//! Connections to the server, kept for the next caller.
//!
//! One that lay idle is asked whether it is still there before anything is sent over it, so that a
//! server that was restarted meanwhile is met by a new connection and not by a failed write. A
//! connection belongs to the process that opened it: a forked child forgets it without a word to
//! the server.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::error::{DbError, Severity};
use postgres::types::{ToSql, Type};
use postgres::{Client, Error, Row, RowIter, Statement};

use super::address::Address;
use super::fault::{Fault, Moment, is_doubt};
use super::statements as sql;

/// How many connections are kept while nobody needs them.
const IDLE: usize = 4;
/// After this time a connection is asked whether it is still there.
const TRUSTED_FOR: Duration = Duration::from_millis(100);
/// How long that answer may take before another connection is opened.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A value for a statement, with its type, so that nobody need ask the server for it.
pub(super) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// An open connection.
pub(super) struct Connection {
    /// `None` only while it is dropped.
    client: Option<Client>,
    statements: HashMap<&'static str, Statement>,
    prepares: bool,
    process: u32,
    used: Instant,
    doubt: Arc<AtomicBool>,
    /// Whether a transaction may be open, or the connection broken, so that nobody else may use it.
    spoilt: bool,
}

impl Connection {
    fn open(address: &Address) -> Result<Self, Fault> {
        let doubt = Arc::new(AtomicBool::new(false));
        let noticed = Arc::clone(&doubt);
        let client = address.connect(move |notice| {
            if is_doubt(&notice) {
                noticed.store(true, Ordering::SeqCst);
            }
        })?;
        let mut connection = Self {
            client: Some(client),
            statements: HashMap::new(),
            prepares: address.prepares(),
            process: std::process::id(),
            used: Instant::now(),
            doubt,
            spoilt: false,
        };
        if connection.prepares {
            connection
                .client()
                .simple_query(sql::SETTINGS)
                .map_err(|error| Fault::of(&error, Moment::Before))?;
        }
        Ok(connection)
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("a connection has its client until it is dropped")
    }

    /// The rows that a statement answers.
    pub fn rows(&mut self, text: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let answer = self.statement(text, values).and_then(|statement| {
            let client = self.client();
            let Some(statement) = statement else { return client.query_typed(text, values) };
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|(value, _)| *value).collect();
            client.query(&statement, &values)
        });
        answer.inspect_err(|error| self.note(error))
    }

    /// The rows one by one, as they come.
    pub fn stream(
        &mut self,
        text: &'static str,
        values: &[Value<'_>],
    ) -> Result<RowIter<'_>, Error> {
        let statement = self.statement(text, values)?;
        let client = self.client();
        match statement {
            Some(statement) => client.query_raw(&statement, values.iter().map(|(value, _)| *value)),
            None => {
                let values = values.iter().map(|(value, kind)| (*value, kind.clone()));
                client.query_typed_raw(text, values)
            }
        }
    }

    /// The prepared form of a statement, where statements are prepared.
    fn statement(
        &mut self,
        text: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Statement>, Error> {
        if !self.prepares {
            return Ok(None);
        }
        if let Some(known) = self.statements.get(text) {
            return Ok(Some(known.clone()));
        }
        let types: Vec<Type> = values.iter().map(|(_, kind)| kind.clone()).collect();
        let prepared = self.client().prepare_typed(text, &types);
        let statement = prepared.inspect_err(|error| self.note(error))?;
        self.statements.insert(text, statement.clone());
        Ok(Some(statement))
    }

    /// Statements without values.
    pub fn batch(&mut self, text: &str) -> Result<(), Error> {
        self.client().batch_execute(text).inspect_err(|error| self.note(error))
    }

    /// Begins a transaction. Until it is committed or rolled back nobody else gets the connection.
    pub fn begin(&mut self, text: &str) -> Result<(), Fault> {
        self.spoilt = true;
        self.batch(text).map_err(|error| Fault::of(&error, Moment::Before))
    }

    /// Commits; what went wrong then may have happened all the same.
    pub fn commit(&mut self) -> Result<(), Fault> {
        self.doubt.store(false, Ordering::SeqCst);
        self.batch(sql::COMMIT).map_err(|error| Fault::of(&error, Moment::Commit))?;
        self.spoilt = false;
        self.check_doubt()
    }

    /// Runs a statement that is a transaction of its own.
    pub fn commit_rows(
        &mut self,
        text: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        self.statement(text, values).map_err(|error| Fault::of(&error, Moment::Before))?;
        self.doubt.store(false, Ordering::SeqCst);
        let rows = self.rows(text, values).map_err(|error| Fault::of(&error, Moment::Commit))?;
        self.check_doubt().map(|()| rows)
    }

    fn check_doubt(&self) -> Result<(), Fault> {
        if self.doubt.swap(false, Ordering::SeqCst) { Err(Fault::cut_short()) } else { Ok(()) }
    }

    /// Gives a transaction up. When that fails the connection is not used again.
    pub fn roll_back(&mut self) {
        self.spoilt = self.client().batch_execute(sql::ROLLBACK).is_err();
    }

    /// After anything but a refusal of the server nobody knows what the connection is in.
    fn note(&mut self, error: &Error) {
        let severity = error.as_db_error().and_then(DbError::parsed_severity);
        self.spoilt |= severity != Some(Severity::Error);
    }

    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// Whether the server still answers over it.
    fn answers(&mut self) -> bool {
        self.used.elapsed() < TRUSTED_FOR || self.client().is_valid(ANSWER_WITHIN).is_ok()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_ours() {
            // Saying good-bye would end the connection of the parent.
            std::mem::forget(self.client.take());
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("process", &self.process).finish_non_exhaustive()
    }
}

/// The idle connections of a store.
#[derive(Debug)]
pub(super) struct Connections {
    address: Address,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    pub fn new(address: Address) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// The URL without secrets.
    pub fn url(&self) -> &str {
        self.address.url()
    }

    /// A connection that answers, used before or new.
    pub fn take(&self) -> Result<Connection, Fault> {
        while let Some(mut connection) = self.pop() {
            if connection.is_ours() && connection.answers() {
                return Ok(connection);
            }
        }
        Connection::open(&self.address)
    }

    fn pop(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps a connection for the next caller, unless it is broken or in a transaction.
    pub fn give_back(&self, mut connection: Connection) {
        if connection.spoilt || connection.client().is_closed() {
            return;
        }
        connection.used = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    /// Closes what is idle.
    pub fn close(&self) {
        while let Some(connection) = self.pop() {
            drop(connection);
        }
    }
}
