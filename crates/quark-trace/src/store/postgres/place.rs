//! The database as the handles of a store have it in common.

use std::sync::atomic::{AtomicBool, Ordering};

use super::address::Address;
use super::connection::{Connection, Connections};
use super::fault::Fault;
use super::migrations::{self, Schema};
use crate::error::{ErrorKind, Outcome};
use crate::store::unsigned::Refusals;

/// The database, whether its schema was found to be ours, and which logs were refused a signature.
#[derive(Debug)]
pub(super) struct Place {
    pub connections: Connections,
    ready: AtomicBool,
    pub refusals: Refusals,
}

impl Place {
    pub fn new(address: Address) -> Self {
        Self {
            connections: Connections::new(address),
            ready: AtomicBool::new(false),
            refusals: Refusals::default(),
        }
    }

    /// A connection to a database with our tables, which are made where they are missing.
    pub fn writer(&self) -> Result<Connection, Fault> {
        let mut connection = self.connections.take()?;
        if self.ready.load(Ordering::Relaxed) {
            return Ok(connection);
        }
        if matches!(migrations::look(&mut connection)?, Schema::Absent | Schema::Older) {
            migrations::migrate(&mut connection)?;
        }
        if let Schema::Known { differs: Some(what) } = migrations::look(&mut connection)? {
            let message = format!("{what}; nothing is written to a schema of unknown making");
            return Err(Fault::new(ErrorKind::Corrupted, message, Outcome::NotWritten));
        }
        self.ready.store(true, Ordering::Relaxed);
        Ok(connection)
    }

    /// As [`Place::reader`], where the schema is not looked at again once it was found good.
    pub fn known_reader(&self) -> Result<Option<Connection>, Fault> {
        if self.ready.load(Ordering::Relaxed) {
            return self.connections.take().map(Some);
        }
        Ok(self.reader()?.map(|(connection, _)| connection))
    }

    /// A connection to a database with our tables, and what is said of them; `None` when there are
    /// none.
    pub fn reader(&self) -> Result<Option<(Connection, Schema)>, Fault> {
        let mut connection = self.connections.take()?;
        let schema = migrations::look(&mut connection)?;
        if schema == Schema::Absent {
            self.connections.give_back(connection);
            return Ok(None);
        }
        if schema == Schema::Older {
            let message = "qt_migration names the tables of an older version; the first who writes \
                           with this one brings them up to date";
            return Err(Fault::new(ErrorKind::Unsupported, message, Outcome::NotWritten));
        }
        if schema == (Schema::Known { differs: None }) {
            self.ready.store(true, Ordering::Relaxed);
        }
        Ok(Some((connection, schema)))
    }
}
