//! The entries that a filter could select, found by the indexes of `qt_entry` and `qt_number`.
//!
//! A statement for each kind of lookup, with its values bound; what they find is combined here: a
//! plan of the server would depend on statistics that a log which was just filled does not have.

use std::ops::Range;

use postgres::types::{ToSql, Type};
use quark_trace_core::query::Filter;

use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::filter::{Lookup, narrowed};
use super::head::Found;
use super::row::value;
use super::statements as sql;
use crate::store::narrow::Search;
use crate::store::spans::Spans;

/// The entries of `within` that a filter could select, in order.
pub(super) fn find(
    connection: &mut Connection,
    log: &Found,
    filter: &Filter,
    within: Range<u64>,
) -> Result<Spans, Fault> {
    // Of the numbers of entries behind this one nothing is known.
    let indexed = u64::try_from(log.indexed).unwrap_or_default();
    let unknown = Spans::span(indexed.max(within.start)..within.end);
    let mut look_up = |lookup: &Lookup, limit: u64| {
        let found = look_up(connection, log.log_id, lookup, limit)?;
        let unknown =
            matches!(lookup, Lookup::Number(..) | Lookup::Numbers(..)).then_some(&unknown).cloned();
        Ok(found.map(|found| Spans::union(unknown.into_iter().chain([Spans::of(found)]))))
    };
    Search::new(within, &mut look_up).run(&narrowed(filter))
}

/// The entries of a lookup, `None` if they are more than `limit`.
fn look_up(
    connection: &mut Connection,
    log_id: i64,
    lookup: &Lookup,
    limit: u64,
) -> Result<Option<Vec<u64>>, Fault> {
    fn of(value: &(dyn ToSql + Sync), kind: Type) -> Value<'_> {
        (value, kind)
    }
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let (log, more) = (of(&log_id, Type::INT8), of(&more, Type::INT8));
    let mut found = Vec::new();
    let mut collect = |text: &'static str, values: &[Value<'_>]| {
        let rows = connection.rows(text, values);
        let rows = rows.map_err(|error| Fault::of(&error, Moment::Before))?;
        for row in &rows {
            found.extend(u64::try_from(value::<i64>(row, 0)?).ok());
        }
        Ok::<(), Fault>(())
    };
    match lookup {
        Lookup::Keys(keys) => collect(sql::BY_KEY, &[log, of(keys, Type::BYTEA_ARRAY), more])?,
        Lookup::Stages(stages) => {
            collect(sql::BY_STAGE, &[log, of(stages, Type::TEXT_ARRAY), more])?;
        }
        Lookup::NoStage => collect(sql::UNSTAGED, &[log, more])?,
        Lookup::Time(times) => {
            let (first, last) = (of(times.start(), Type::INT8), of(times.end(), Type::INT8));
            collect(sql::BY_TIME, &[log, first, last, more])?;
        }
        Lookup::Number(path, least, most) => {
            let (least, most) = (of(least, Type::FLOAT8), of(most, Type::FLOAT8));
            let path = of(path, Type::TEXT);
            collect(sql::BY_NUMBER, &[log.clone(), path, least, most, more.clone()])?;
            collect(sql::UNNUMBERED, &[log, more])?;
        }
        Lookup::Numbers(path, numbers) => {
            let (path, numbers) = (of(path, Type::TEXT), of(numbers, Type::FLOAT8_ARRAY));
            collect(sql::BY_NUMBERS, &[log.clone(), path, numbers, more.clone()])?;
            collect(sql::UNNUMBERED, &[log, more])?;
        }
    }
    Ok((found.len() as u64 <= limit).then_some(found))
}
