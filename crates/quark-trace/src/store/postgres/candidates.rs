//! The entries that a filter could select, found by the indexes of `qt_entry`, and in the rows of
//! `qt_number` and `qt_id`.
//!
//! A statement for each kind of lookup, with its values bound; what they find is combined here: a
//! plan of the server would depend on statistics that a log which was just filled does not have.

use std::collections::HashSet;
use std::ops::Range;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{ToSql, Type};
use quark_trace_core::query::Filter;

use super::blocks::{numbers_of, order};
use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::filter::{Lookup, narrowed};
use super::head::Found;
use super::row::value;
use super::{ids, statements as sql};
use crate::store::narrow::Search;
use crate::store::sieve::ShortKey;
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
        let found = look_up(connection, log.log_id, lookup, indexed, limit)?;
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
    indexed: u64,
    limit: u64,
) -> Result<Option<Vec<u64>>, Fault> {
    fn of(value: &(dyn ToSql + Sync), kind: Type) -> Value<'_> {
        (value, kind)
    }
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let (log, more) = (of(&log_id, Type::INT8), of(&more, Type::INT8));
    let mut collect = |text: &'static str, values: &[Value<'_>]| {
        let rows = connection.rows(text, values).map_err(before)?;
        let indexes = rows.iter().map(|row| value::<i64>(row, 0));
        let found = indexes.map(|index| Ok(u64::try_from(index?).ok()));
        Ok::<_, Fault>(found.collect::<Result<Vec<_>, Fault>>()?.into_iter().flatten().collect())
    };
    let found: Vec<u64> = match lookup {
        Lookup::Keys(keys) => with_keys(connection, log_id, keys)?,
        Lookup::Stages(stages) => {
            collect(sql::BY_STAGE, &[log, of(stages, Type::TEXT_ARRAY), more])?
        }
        Lookup::NoStage => collect(sql::UNSTAGED, &[log, more])?,
        Lookup::Time(times) => {
            let (first, last) = (of(times.start(), Type::INT8), of(times.end(), Type::INT8));
            collect(sql::BY_TIME, &[log, first, last, more])?
        }
        Lookup::Number(path, least, most) => {
            let is_within = |number| order(number, *least).is_ge() && order(number, *most).is_le();
            let asked = Asked { path, least: *least, most: *most, is_wanted: &is_within };
            asked.find(connection, log_id, indexed, limit)?
        }
        Lookup::Numbers(path, numbers) => {
            let mut sorted = numbers.clone();
            sorted.sort_by(|one, other| order(*one, *other));
            let is_one = |number| sorted.binary_search_by(|known| order(*known, number)).is_ok();
            match (sorted.first(), sorted.last()) {
                (Some(least), Some(most)) => {
                    let asked = Asked { path, least: *least, most: *most, is_wanted: &is_one };
                    asked.find(connection, log_id, indexed, limit)?
                }
                _ => Vec::new(),
            }
        }
    };
    Ok((found.len() as u64 <= limit).then_some(found))
}

/// The records that could have an id of these keys.
fn with_keys(
    connection: &mut Connection,
    log_id: i64,
    keys: &Vec<Vec<u8>>,
) -> Result<Vec<u64>, Fault> {
    let wanted: HashSet<ShortKey> =
        keys.iter().filter_map(|key| key.first_chunk().copied()).collect();
    let in_rows = ids::identified(connection, log_id)?;
    let mut found = Vec::new();
    ids::each_kept(connection, log_id, (0, in_rows), &mut |index, key| {
        found.extend(wanted.contains(&key).then_some(index));
    })?;
    let from = i64::try_from(in_rows).unwrap_or(i64::MAX);
    let values: [Value<'_>; 3] =
        [(&log_id, Type::INT8), (&from, Type::INT8), (keys, Type::BYTEA_ARRAY)];
    for row in &connection.rows(sql::BY_KEY, &values).map_err(before)? {
        found.extend(u64::try_from(value::<i64>(row, 0)?).ok());
    }
    Ok(found)
}

/// Numbers that are looked for at a path, between two of them.
struct Asked<'a> {
    path: &'a str,
    least: f64,
    most: f64,
    is_wanted: &'a dyn Fn(f64) -> bool,
}

impl Asked<'_> {
    /// The records that have such a number, and those with more numbers than are kept, which have to
    /// be read. Not all of them, if there are more than `limit`.
    fn find(
        &self,
        connection: &mut Connection,
        log_id: i64,
        indexed: u64,
        limit: u64,
    ) -> Result<Vec<u64>, Fault> {
        let mut found = Vec::new();
        for (path, least, most) in [(self.path, self.least, self.most), ("", 0.0, 0.0)] {
            let values: [Value<'_>; 4] = [
                (&log_id, Type::INT8),
                (&path, Type::TEXT),
                (&least, Type::FLOAT8),
                (&most, Type::FLOAT8),
            ];
            let mut rows = connection.stream(sql::BY_NUMBER, &values).map_err(before)?;
            while let Some(row) = rows.next().map_err(before)?
                && found.len() as u64 <= limit
            {
                let numbers = numbers_of(value(&row, 0)?, value(&row, 1)?);
                let is_wanted = |(index, number): &(u64, f64)| {
                    *index < indexed && (path.is_empty() || (self.is_wanted)(*number))
                };
                found.extend(numbers.filter(is_wanted).map(|(index, _)| index));
            }
        }
        Ok(found)
    }
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
