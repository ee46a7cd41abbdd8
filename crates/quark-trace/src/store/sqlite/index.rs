//! Deriving `qt_record`, `qt_number` and `qt_id` from records, some time after these were appended.
//! An append to which ids matter writes `qt_id` itself.
//!
//! `qt_log.indexed` says up to which entry that was done. Who reads takes the index for entries
//! before it and reads the others, so that nothing depends on when it was done.

use quark_trace_core::ledger::Entry;
use rusqlite::{Connection, OptionalExtension};

use super::columns::Columns;
use super::connection::{commit, roll_back};
use super::edge::WIDTH;
use super::fault::Fault;
use super::ids::each_key;
use super::statements as sql;

/// Numbers that are in memory before they are written.
const NUMBERS_AT_ONCE: usize = 256 * 1024;
/// Entries whose ids are read in one transaction, at most.
const IDS_AT_ONCE: u64 = 4096;

/// Derives up to `limit` entries in a transaction; gives the size of the log while there is more to
/// do. Ids, which take little time, come first.
pub(super) fn catch_up(
    connection: &Connection,
    log_id: i64,
    limit: i64,
) -> Result<Option<i64>, Fault> {
    connection.prepare_cached(sql::BEGIN)?.execute([])?;
    let done = identify(connection, log_id, limit).and_then(|more| match more {
        Some(size) => Ok(Some(size)),
        None => step(connection, log_id, limit),
    });
    let done = done.and_then(|more| {
        commit(connection)?;
        Ok(more)
    });
    if done.is_err() {
        roll_back(connection);
    }
    done
}

/// The size of a log, and how many of its entries were derived from.
pub(super) fn progress(connection: &Connection, log_id: i64) -> Result<(i64, i64), Fault> {
    let mut statement = connection.prepare_cached(sql::END)?;
    let found = statement.query_row([log_id], |row| Ok((row.get(1)?, row.get(3)?))).optional()?;
    Ok(found.unwrap_or_default())
}

/// Writes rows of ids; gives the size of the log while there is more to do.
fn identify(connection: &Connection, log_id: i64, limit: i64) -> Result<Option<i64>, Fault> {
    let end: Option<(i64, i64)> = connection
        .prepare_cached(sql::END)?
        .query_row([log_id], |row| Ok((row.get(1)?, row.get(4)?)))
        .optional()?;
    let Some((size, identified)) = end else { return Ok(None) };
    let first = |number: i64| number / WIDTH as i64 * WIDTH as i64;
    let most = limit.max(WIDTH as i64).min(IDS_AT_ONCE as i64);
    let to = first(size).min(first(identified.saturating_add(most)));
    if identified < 0 || first(identified) != identified || to <= identified {
        return Ok(None);
    }
    let mut keys = Vec::with_capacity((to - identified) as usize);
    each_key(connection, log_id, (identified, to), &mut |key| {
        keys.push(key);
        Ok(())
    })?;
    let mut insert = connection.prepare_cached(sql::INSERT_IDS)?;
    for (keys, n) in keys.chunks_exact(WIDTH as usize).zip(identified / WIDTH as i64..) {
        insert.execute((log_id, n, keys.as_flattened()))?;
    }
    connection.prepare_cached(sql::IDENTIFIED)?.execute((log_id, to))?;
    Ok(Some(size))
}

/// As [`catch_up`], within a transaction.
fn step(connection: &Connection, log_id: i64, limit: i64) -> Result<Option<i64>, Fault> {
    let end: Option<(i64, i64)> = connection
        .prepare_cached(sql::END)?
        .query_row([log_id], |row| Ok((row.get::<_, i64>(1)?, row.get(3)?)))
        .optional()?;
    let Some((size, indexed)) = end.filter(|(size, indexed)| indexed < size) else {
        return Ok(None);
    };
    let to = size.min(indexed.saturating_add(limit));
    let mut entries = connection.prepare_cached(sql::SPAN)?;
    let mut insert_record = connection.prepare_cached(sql::INSERT_RECORD)?;
    let mut numbers = Vec::new();
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
        let found = columns.numbers.into_iter().flatten();
        numbers.extend(found.map(|(path, value)| (path, value, index)));
        if numbers.len() >= NUMBERS_AT_ONCE {
            insert(connection, log_id, &mut numbers)?;
        }
    }
    insert(connection, log_id, &mut numbers)?;
    connection.prepare_cached(sql::INDEXED)?.execute((log_id, to))?;
    Ok((to < size).then_some(size))
}

/// Writes numbers in the order of their index, so that those of one page come together.
fn insert(
    connection: &Connection,
    log_id: i64,
    numbers: &mut Vec<(String, f64, i64)>,
) -> Result<(), Fault> {
    numbers.sort_unstable_by(|(path, value, _), (other, more, _)| {
        path.cmp(other).then(value.total_cmp(more))
    });
    let mut statement = connection.prepare_cached(sql::INSERT_NUMBER)?;
    for (path, value, index) in numbers.drain(..) {
        statement.execute((log_id, path, value, index))?;
    }
    Ok(())
}
