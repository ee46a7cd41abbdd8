//! The entries that a filter could select, found by the indexes of `qt_record` and `qt_number`.
//!
//! A statement for each kind of lookup, with its values bound; what they find is combined here and
//! not by SQLite, which has no statistics to choose by.

use std::ops::Range;

use quark_trace_core::query::Filter;
use rusqlite::types::ToSql;
use rusqlite::{Connection, Params};

use super::fault::Fault;
use super::filter::{Lookup, narrowed};
use super::head::Found;
use super::statements as sql;
use crate::store::narrow::Search;
use crate::store::spans::Spans;

/// The entries of `within` that a filter could select, in order.
pub(super) fn find(
    connection: &Connection,
    log: &Found,
    filter: &Filter,
    within: Range<u64>,
) -> Result<Spans, Fault> {
    // Of entries behind this one nothing is known.
    let indexed = u64::try_from(log.indexed).unwrap_or_default();
    let unknown = Spans::span(indexed.max(within.start)..within.end);
    let mut look_up = |lookup: &Lookup, limit: u64| {
        let found = look_up(connection, log.log_id, lookup, limit)?;
        Ok(found.map(|found| Spans::union([Spans::of(found), unknown.clone()])))
    };
    Search::new(within, &mut look_up).run(&narrowed(filter))
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
        Lookup::Key(key) => indexes(connection, sql::BY_KEY, [log, &&key.0[..], more])?,
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
