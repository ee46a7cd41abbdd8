//! What is known of a log without reading it.

use postgres::Row;
use postgres::types::Type;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::CompactRange;

use super::columns::log_id;
use super::connection::{Connection, Value};
use super::edge::range_of;
use super::fault::{Fault, Moment};
use super::row::value;
use super::statements as sql;
use crate::error::{ErrorKind, Outcome};
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
    pub identified: i64,
}

/// Reads the row of a project's log; `None` when the database has nothing of the project.
pub(super) fn read(
    connection: &mut Connection,
    project: &ProjectId,
) -> Result<Option<LogRow>, Fault> {
    let log_id = log_id(project);
    let name = project.as_str();
    let values: [Value<'_>; 2] = [(&log_id, Type::INT8), (&name, Type::TEXT)];
    let rows = connection.rows(sql::HEAD, &values).map_err(before)?;
    if rows.is_empty() {
        return remains(connection, log_id);
    }
    // Of several the one with the right number is the log.
    let is_right = |row: &&Row| row.try_get::<_, i64>(0).is_ok_and(|number| number == log_id);
    let row = rows.iter().find(is_right).unwrap_or(&rows[0]);
    let found = Found {
        log_id: value(row, 0)?,
        project: value(row, 1)?,
        size: value(row, 2)?,
        frontier: value(row, 3)?,
        origin: value(row, 4)?,
        verifier_keys: value(row, 5)?,
        indexed: value(row, 6)?,
        identified: value(row, 7)?,
    };
    Ok(Some(LogRow { found: Some(found), checkpoint: value(row, 8)?, rows: rows.len() }))
}

fn remains(connection: &mut Connection, log_id: i64) -> Result<Option<LogRow>, Fault> {
    let rows = connection.rows(sql::REMAINS, &[(&log_id, Type::INT8)]).map_err(before)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (entries, objects): (bool, bool) = (value(row, 0)?, value(row, 1)?);
    let checkpoint: Option<String> = value(row, 2)?;
    let left = entries || objects || checkpoint.is_some();
    Ok(left.then_some(LogRow { found: None, checkpoint, rows: 0 }))
}

impl LogRow {
    /// The end of the log; an error when the row does not give one.
    pub fn head(&self) -> Result<Head, Fault> {
        let range = match &self.found {
            None => Some(CompactRange::new()),
            Some(found) => range_of(found.size, &found.frontier),
        };
        let range = range.ok_or_else(|| {
            let message =
                "size and frontier in qt_log do not fit each other; run `quark-trace verify`";
            Fault::new(ErrorKind::Corrupted, message, Outcome::NotWritten)
        })?;
        Ok(Head { range, beside: self.beside() })
    }

    /// What lies beside the log.
    pub fn beside(&self) -> Beside {
        let keys = self.found.as_ref().and_then(|found| found.verifier_keys.clone());
        Beside { checkpoint: self.checkpoint.clone(), keys }
    }
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
