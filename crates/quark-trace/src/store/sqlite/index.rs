//! Deriving `qt_record`, `qt_number` and `qt_id` from records, some time after these were appended.
//!
//! `qt_log.indexed` says up to which entry that was done. Who reads takes the index for entries
//! before it and reads the others, so that nothing depends on when it was done.

use quark_trace_core::ledger::Entry;
use rusqlite::{Connection, OptionalExtension};

use super::columns::{Columns, short};
use super::connection::{commit, roll_back};
use super::fault::Fault;
use super::statements as sql;

/// Derives up to `limit` entries in a transaction; gives the size of the log while there is more to
/// do.
pub(super) fn catch_up(
    connection: &Connection,
    log_id: i64,
    limit: i64,
) -> Result<Option<i64>, Fault> {
    connection.prepare_cached(sql::BEGIN)?.execute([])?;
    match step(connection, log_id, limit).and_then(|more| {
        commit(connection)?;
        Ok(more)
    }) {
        Ok(more) => Ok(more),
        Err(fault) => {
            roll_back(connection);
            Err(fault)
        }
    }
}

/// As [`catch_up`], within a transaction.
fn step(connection: &Connection, log_id: i64, limit: i64) -> Result<Option<i64>, Fault> {
    let end: Option<(i64, i64, i64)> = connection
        .prepare_cached(sql::END)?
        .query_row([log_id], |row| Ok((row.get::<_, i64>(1)?, row.get(3)?, row.get(4)?)))
        .optional()?;
    let Some((size, indexed, identified)) = end.filter(|(size, indexed, _)| indexed < size) else {
        return Ok(None);
    };
    let to = size.min(indexed.saturating_add(limit));
    let mut entries = connection.prepare_cached(sql::SPAN)?;
    let mut insert_record = connection.prepare_cached(sql::INSERT_RECORD)?;
    let mut insert_number = connection.prepare_cached(sql::INSERT_NUMBER)?;
    let mut insert_id = connection.prepare_cached(sql::INSERT_ID)?;
    let mut rows = entries.query((log_id, indexed, to))?;
    while let Some(row) = rows.next()? {
        let index: i64 = row.get(0)?;
        let is_record = |line| Entry::parse(line).is_ok_and(|entry| entry.kind.is_record());
        if !row.get_ref(1)?.as_blob().is_ok_and(is_record) {
            continue;
        }
        let columns = Columns::of_record(row.get_ref(6)?.as_blob().unwrap_or_default());
        insert_record.execute((
            log_id,
            index,
            columns.record_key.as_ref().map(|key| &key.0[..]),
            &columns.stage,
            columns.at_us,
            columns.numbers.as_ref().map(|numbers| numbers.len() as i64),
        ))?;
        if let Some(key) = columns.record_key.as_ref().filter(|_| index >= identified) {
            insert_id.execute((log_id, &short(key)[..], index))?;
        }
        for (path, value) in columns.numbers.iter().flatten() {
            insert_number.execute((log_id, path, value, index))?;
        }
    }
    connection.prepare_cached(sql::INDEXED)?.execute((log_id, to))?;
    Ok((to < size).then_some(size))
}
