//! What is known of a log without reading it.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::CompactRange;
use rusqlite::Connection;

use super::columns::log_id;
use super::edge::range_of;
use super::fault::Fault;
use super::statements as sql;
use crate::store::{Beside, Head};

/// The row of a log as it stands there.
#[derive(Debug, Clone, Default)]
pub(super) struct LogRow {
    /// `None` when the row is gone, but not what belongs to it.
    pub found: Option<Found>,
    pub checkpoint: Option<String>,
    /// How many rows are of this project or have the number of its log.
    pub rows: usize,
}

/// The columns of the row.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub log_id: i64,
    pub project: String,
    pub size: i64,
    pub frontier: Vec<u8>,
    pub origin: Option<String>,
    pub verifier_keys: Option<String>,
    pub indexed: i64,
}

/// Reads the row of a project's log; `None` when the database has nothing of the project.
pub(super) fn read(connection: &Connection, project: &ProjectId) -> Result<Option<LogRow>, Fault> {
    let log_id = log_id(project);
    let mut statement = connection.prepare_cached(sql::HEAD)?;
    let rows = statement.query_map((log_id, project.as_str()), |row| {
        let found = Found {
            log_id: row.get(0)?,
            project: row.get(1)?,
            size: row.get(2)?,
            frontier: row.get(3)?,
            origin: row.get(4)?,
            verifier_keys: row.get(5)?,
            indexed: row.get(6)?,
        };
        Ok((found, row.get(7)?))
    })?;
    let mut found: Vec<(Found, Option<String>)> = rows.collect::<Result<_, _>>()?;
    // Of several the one with the right number is the log.
    found.sort_by_key(|(row, _)| row.log_id != log_id);
    let rows = found.len();
    match found.into_iter().next() {
        Some((found, checkpoint)) => Ok(Some(LogRow { found: Some(found), checkpoint, rows })),
        None => remains(connection, log_id),
    }
}

fn remains(connection: &Connection, log_id: i64) -> Result<Option<LogRow>, Fault> {
    let mut statement = connection.prepare_cached(sql::REMAINS)?;
    let (content, checkpoint): (bool, Option<String>) =
        statement.query_row([log_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let left = content || checkpoint.is_some();
    Ok(left.then_some(LogRow { found: None, checkpoint, rows: 0 }))
}

impl LogRow {
    /// The end of the log; an error when the row does not give one.
    pub fn head(&self) -> Result<Head, Fault> {
        let range = match &self.found {
            None => Some(CompactRange::new()),
            Some(found) => range_of(found.size, &found.frontier),
        };
        let range = range
            .ok_or_else(|| Fault::corrupted("size and frontier in qt_log do not fit each other"))?;
        Ok(Head { range, beside: self.beside() })
    }

    /// What lies beside the log.
    pub fn beside(&self) -> Beside {
        let keys = self.found.as_ref().and_then(|found| found.verifier_keys.clone());
        Beside { checkpoint: self.checkpoint.clone(), keys }
    }
}
