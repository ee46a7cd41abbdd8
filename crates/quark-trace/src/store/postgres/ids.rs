//! Which record ids a log has, for records whose id the caller chose.
//!
//! `qt_id` has a row for each 256 entries, with the first eight bytes of a digest of each record's
//! id, in the order of the log. A handle reads all rows once and keeps a sieve of the keys, which
//! says of nearly every new id that it is new; what it wrote itself it need not read. Whether anybody
//! else wrote meanwhile shows when the row of the log is moved.

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use quark_trace_core::ledger::Digest;

use super::columns::{NO_KEY, short};
use super::connection::{Connection, Value};
use super::edge::WIDTH;
use super::fault::{Fault, Moment};
use super::pending::PendingEntry;
use super::row::value;
use super::statements as sql;
use crate::store::sieve::{ShortKey, Sieve};

/// Entries of which rows are made in one statement.
const AT_ONCE: i64 = 256 * WIDTH as i64;

/// The ids of the records of a log, as far as this handle has read them.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// The keys of the entries before `to`.
    sieve: Sieve,
    /// The keys of the entries between `from` and `to`, which have no row yet.
    rest: Vec<ShortKey>,
    from: u64,
    to: u64,
}

/// Rows of ids that become full.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub places: Vec<i64>,
    pub keys: Vec<Vec<u8>>,
    /// How many entries have rows then; 0 where this handle cannot tell.
    pub identified: i64,
}

impl Ids {
    /// Whether all ids of a log of this size were read.
    pub fn are_of(&self, size: u64) -> bool {
        self.to == size
    }

    /// Whether the log may have one of these ids.
    pub fn may_have(&self, id: &Digest) -> bool {
        self.sieve.may_have(&short(id))
    }

    /// The rows that become full when entries are appended behind `size`.
    pub fn rows_with(&self, size: u64, entries: &[&PendingEntry]) -> Rows {
        if !self.are_of(size) {
            return Rows::default();
        }
        let mut keys = self.rest.clone();
        keys.extend(entries.iter().map(|entry| key_of(entry)));
        let full: Vec<Vec<u8>> =
            keys.chunks_exact(WIDTH as usize).map(|keys| keys.as_flattened().to_vec()).collect();
        let first = (self.from / WIDTH) as i64;
        let end = first + full.len() as i64;
        Rows { places: (first..end).collect(), keys: full, identified: end * WIDTH as i64 }
    }

    /// Takes note of entries that were appended behind `size`, with the rows that became full.
    pub fn note(&mut self, size: u64, entries: &[&PendingEntry]) {
        if self.are_of(size) {
            entries.iter().for_each(|entry| self.push(key_of(entry)));
            let full = self.rest.len() / WIDTH as usize * WIDTH as usize;
            self.rest.drain(..full);
            self.from += full as u64;
        }
    }

    /// Reads the ids that came since, up to this size. For whoever holds the lock of the log.
    pub fn read_on(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        size: u64,
    ) -> Result<(), Fault> {
        if self.are_of(size) {
            return Ok(());
        }
        let identified = identified(connection, log_id)?;
        if identified > size || !identified.is_multiple_of(WIDTH) {
            return Err(Fault::corrupted("the column identified in qt_log is outside the log"));
        }
        if self.to > size || self.from > identified {
            *self = Self::default();
        }
        if self.to < identified {
            let span = (self.from, identified);
            (self.rest, self.to) = (Vec::new(), identified);
            each_kept(connection, log_id, span, &mut |_, key| {
                if key != NO_KEY {
                    self.sieve.put(&key);
                }
            })?;
        } else {
            self.rest.drain(..(identified - self.from) as usize);
        }
        self.from = identified;
        let span = (self.to, size);
        each_key(connection, log_id, span, &mut |_, key| self.push(key))?;
        if self.to == size { Ok(()) } else { Err(Fault::corrupted("entries are missing")) }
    }

    /// The entries that could have one of these ids.
    pub fn find(
        &self,
        connection: &mut Connection,
        log_id: i64,
        ids: &[Digest],
    ) -> Result<Vec<i64>, Fault> {
        let wanted: std::collections::HashSet<ShortKey> = ids.iter().map(short).collect();
        let mut found = Vec::new();
        each_kept(connection, log_id, (0, self.from), &mut |index, key| {
            found.extend(wanted.contains(&key).then_some(index as i64));
        })?;
        let rest = self.rest.iter().zip(self.from..).filter(|(key, _)| wanted.contains(*key));
        found.extend(rest.map(|(_, index)| index as i64));
        Ok(found)
    }

    fn push(&mut self, key: ShortKey) {
        if key != NO_KEY {
            self.sieve.put(&key);
        }
        self.rest.push(key);
        self.to += 1;
    }
}

fn key_of(entry: &PendingEntry) -> ShortKey {
    entry.columns.record_key.as_ref().map_or(NO_KEY, short)
}

/// How many entries have their ids in rows.
pub(super) fn identified(connection: &mut Connection, log_id: i64) -> Result<u64, Fault> {
    let rows = connection.rows(sql::IDENTIFIED, &[(&log_id, Type::INT8)]).map_err(before)?;
    let found: i64 = rows.first().map_or(Ok(0), |row| value(row, 0))?;
    Ok(u64::try_from(found).unwrap_or(u64::MAX))
}

/// Passes the keys of entries that should have rows to `each`, with their indexes: those of the
/// entries themselves, at the end, where a row is missing or cannot be one.
pub(super) fn each_kept(
    connection: &mut Connection,
    log_id: i64,
    (start, end): (u64, u64),
    each: &mut dyn FnMut(u64, ShortKey),
) -> Result<(), Fault> {
    let (first, last) = ((start / WIDTH) as i64, (end / WIDTH) as i64);
    let values: [Value<'_>; 3] = [(&log_id, Type::INT8), (&first, Type::INT8), (&last, Type::INT8)];
    let (mut at, mut missing) = (start, Vec::new());
    let mut rows = connection.stream(sql::IDS, &values).map_err(before)?;
    while let Some(row) = rows.next().map_err(before)? {
        let begin = value::<i64>(&row, 0)? as u64 * WIDTH;
        let (keys, rest) = value::<&[u8]>(&row, 1)?.as_chunks::<8>();
        if begin < at || keys.len() as u64 != WIDTH || !rest.is_empty() {
            continue;
        }
        missing.extend((at < begin).then_some((at, begin)));
        keys.iter().zip(begin..).for_each(|(key, index)| each(index, *key));
        at = begin + WIDTH;
    }
    drop(rows);
    missing.extend((at < end).then_some((at, end)));
    missing.into_iter().try_for_each(|span| each_key(connection, log_id, span, each))
}

/// Passes the keys of entries to `each`.
fn each_key(
    connection: &mut Connection,
    log_id: i64,
    (from, to): (u64, u64),
    each: &mut dyn FnMut(u64, ShortKey),
) -> Result<(), Fault> {
    if from >= to {
        return Ok(());
    }
    let (from, to) = (from as i64, to as i64);
    let values: [Value<'_>; 3] = [(&log_id, Type::INT8), (&from, Type::INT8), (&to, Type::INT8)];
    let mut rows = connection.stream(sql::KEYS, &values).map_err(before)?;
    while let Some(row) = rows.next().map_err(before)? {
        let key = value::<Option<&[u8]>>(&row, 1)?.unwrap_or_default();
        each(value::<i64>(&row, 0)? as u64, key.first_chunk().copied().unwrap_or(NO_KEY));
    }
    Ok(())
}

/// Makes rows of the ids that have none, as far as they are full. Others may do so at the same time.
pub(super) fn catch_up(connection: &mut Connection, log_id: i64, size: i64) -> Result<(), Fault> {
    let width = WIDTH as i64;
    loop {
        let from = i64::try_from(identified(connection, log_id)?).unwrap_or(i64::MAX);
        let to = i64::min(from.saturating_add(AT_ONCE), size / width * width);
        if from >= to {
            return Ok(());
        }
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&to, Type::INT8)];
        connection.commit_rows(sql::IDENTIFY, &values)?;
    }
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
