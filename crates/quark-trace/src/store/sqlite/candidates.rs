//! The entries that a filter could select, found by the indexes of `qt_record`, `qt_number` and
//! `qt_id`.
//!
//! A statement for each kind of lookup, with its values bound; what they find is combined here and
//! not by SQLite, which has no statistics to choose by.

use std::ops::Range;

use quark_trace_core::ledger::Digest;
use quark_trace_core::query::Filter;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Params};

use super::columns::short;
use super::edge::WIDTH;
use super::fault::Fault;
use super::filter::{Lookup, narrowed};
use super::head::Found;
use super::ids::each_kept;
use super::{migrations, statements as sql};
use crate::store::narrow::Search;
use crate::store::spans::Spans;

/// The entries of `within` that a filter could select, in order.
pub(super) fn find(
    connection: &Connection,
    log: &Found,
    filter: &Filter,
    within: Range<u64>,
) -> Result<Spans, Fault> {
    let indexed = u64::try_from(log.indexed).unwrap_or_default();
    let (start, end) = (within.start, within.end);
    let mut look_up = |lookup: &Lookup, limit: u64| {
        let (found, known) = match lookup {
            Lookup::Key(key) => with_key(connection, log.log_id, key, indexed)?,
            _ => (look_up(connection, log.log_id, lookup, limit)?, indexed),
        };
        // Of entries behind this one nothing is known.
        let unknown = Spans::span(known.max(start)..end);
        let found = found.filter(|found| found.len() as u64 <= limit);
        Ok(found.map(|found| Spans::union([Spans::of(found), unknown])))
    };
    Search::new(within, &mut look_up).run(&narrowed(filter))
}

/// The records that could have the id of this key, and before which entry that are all.
fn with_key(
    connection: &Connection,
    log_id: i64,
    key: &Digest,
    indexed: u64,
) -> Result<(Option<Vec<u64>>, u64), Fault> {
    let (mut found, short) = (Vec::new(), short(key));
    let in_rows = identified(connection, log_id)?.unwrap_or_default() / WIDTH * WIDTH;
    if in_rows > 0 {
        each_kept(connection, log_id, 0..in_rows, &mut |index, key| {
            found.extend((key == short).then_some(index));
            Ok(())
        })?;
    }
    if in_rows < indexed {
        found.extend(indexes(connection, sql::BY_KEY, (log_id, in_rows as i64, &key.0[..]))?);
    }
    Ok((Some(found), in_rows.max(indexed)))
}

/// How many entries have their ids in rows; `None` in tables of an older version, which have none.
pub(super) fn identified(connection: &Connection, log_id: i64) -> Result<Option<u64>, Fault> {
    if !migrations::has_ids(connection)? {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(sql::IDENTIFIED_TO)?;
    let found: Option<i64> = statement.query_row([log_id], |row| row.get(0)).optional()?;
    Ok(Some(found.and_then(|found| u64::try_from(found).ok()).unwrap_or_default()))
}

/// The entries of a lookup, `None` if they are more than `limit`.
fn look_up(
    connection: &Connection,
    log_id: i64,
    lookup: &Lookup,
    limit: u64,
) -> Result<Option<Vec<u64>>, Fault> {
    let log: &dyn ToSql = &log_id;
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let more: &dyn ToSql = &more;
    let mut found = match lookup {
        // Not by an index.
        Lookup::Key(_) => return Ok(None),
        Lookup::Stage(stage) => indexes(connection, sql::BY_STAGE, [log, stage, more])?,
        Lookup::NoStage => indexes(connection, sql::UNSTAGED, [log, more])?,
        Lookup::Time(times) => {
            indexes(connection, sql::BY_TIME, [log, times.start(), times.end(), more])?
        }
        Lookup::Number(path, least, most) => {
            indexes(connection, sql::BY_NUMBER, [log, path, least, most, more])?
        }
    };
    if matches!(lookup, Lookup::Number(..)) && found.len() as u64 <= limit {
        found.extend(indexes(connection, sql::UNNUMBERED, [log, more])?);
    }
    Ok((found.len() as u64 <= limit).then_some(found))
}

fn indexes(
    connection: &Connection,
    text: &'static str,
    values: impl Params,
) -> Result<Vec<u64>, Fault> {
    let mut statement = connection.prepare_cached(text)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(u64::try_from(row.get::<_, i64>(0)?));
    }
    Ok(found)
}
