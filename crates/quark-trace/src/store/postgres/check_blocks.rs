//! Whether the rows of `qt_number` and `qt_id` are those that the records make.

use std::collections::BTreeMap;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;

use super::blocks::{self, Block, Blocks};
use super::connection::{Connection, Value};
use super::edge::WIDTH;
use super::fault::{Fault, Moment};
use super::row::value;
use super::scan::StoredEntry;
use super::statements as sql;
use crate::store::sieve::ShortKey;

/// The first entry of a block that differs, where it is known, and what differs.
pub(super) type Wrong = (Option<u64>, &'static str);

/// What the rows of the entries that came should be.
#[derive(Debug)]
pub(super) struct Expected {
    /// How many entries have rows of numbers, and of ids.
    indexed: i64,
    identified: i64,
    numbers: Blocks,
    /// By block; `None` where a record was changed, which is a finding of its own.
    ids: BTreeMap<i64, Vec<(usize, Option<ShortKey>)>>,
    /// The first block that was not compared yet.
    next: i64,
}

impl Expected {
    pub fn new(indexed: i64, identified: i64) -> Self {
        let (numbers, ids) = (Blocks::new(), BTreeMap::new());
        Self { indexed, identified, numbers, ids, next: i64::MIN }
    }

    /// Adds an entry, and what a row of ids has of it.
    pub fn take(&mut self, stored: &StoredEntry<'_>, key: Option<ShortKey>) {
        let index = stored.index as i64;
        if index < self.indexed {
            blocks::add(&mut self.numbers, index, stored.line, stored.object);
        }
        if index < self.identified {
            let place = (stored.index % WIDTH) as usize;
            self.ids.entry(index / WIDTH as i64).or_default().push((place, key));
        }
    }

    /// Compares the rows of the entries before `end`, all of which came.
    pub fn compare(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        end: i64,
    ) -> Result<Vec<Wrong>, Fault> {
        let end = if end == i64::MAX { end } else { end / WIDTH as i64 };
        let span = (self.next, end);
        let mut wrong = Vec::new();
        if self.next < end {
            self.compare_numbers(connection, log_id, span, &mut wrong)?;
            self.compare_ids(connection, log_id, span, &mut wrong)?;
            self.next = end;
        }
        Ok(wrong)
    }

    fn compare_numbers(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        (from, to): (i64, i64),
        wrong: &mut Vec<Wrong>,
    ) -> Result<(), Fault> {
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&to, Type::INT8)];
        let mut rows = connection.stream(sql::NUMBERS, &values).map_err(before)?;
        while let Some(row) = rows.next().map_err(before)? {
            let (n, path): (i64, String) = (value(&row, 0)?, value(&row, 1)?);
            let (least, most): (f64, f64) = (value(&row, 2)?, value(&row, 3)?);
            let numbers: &[u8] = value(&row, 4)?;
            let is_right = |known: &Block| {
                is_same(known.least, least) && is_same(known.most, most) && known.numbers == numbers
            };
            let known = self.numbers.remove(&(n, path));
            if !known.as_ref().is_some_and(is_right) {
                let what = "a row of qt_number says otherwise than the records from here on";
                wrong.push((self.first_of(n, self.indexed), what));
            }
        }
        let is_missing = |(n, _): &&(i64, String)| (from..to).contains(n);
        let missing: Vec<_> = self.numbers.keys().filter(is_missing).cloned().collect();
        for known in missing {
            let what = "a row of qt_number with numbers from here on is missing";
            wrong.push((self.first_of(known.0, self.indexed), what));
            self.numbers.remove(&known);
        }
        Ok(())
    }

    fn compare_ids(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        (from, to): (i64, i64),
        wrong: &mut Vec<Wrong>,
    ) -> Result<(), Fault> {
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&to, Type::INT8)];
        let mut rows = connection.stream(sql::IDS, &values).map_err(before)?;
        while let Some(row) = rows.next().map_err(before)? {
            let n: i64 = value(&row, 0)?;
            let (keys, rest) = value::<&[u8]>(&row, 1)?.as_chunks::<8>();
            let is_whole = keys.len() as u64 == WIDTH && rest.is_empty();
            let is_right = |(place, key): &(usize, Option<ShortKey>)| {
                key.is_none_or(|key| keys.get(*place) == Some(&key))
            };
            let known = self.ids.remove(&n);
            if !known.is_some_and(|known| is_whole && known.iter().all(is_right)) {
                let what = "the row of qt_id says otherwise than the records from here on";
                wrong.push((self.first_of(n, self.identified), what));
            }
        }
        let missing: Vec<i64> = self.ids.range(from..to).map(|(n, _)| *n).collect();
        for n in missing {
            let what = "the row of qt_id with the ids from here on is missing";
            wrong.push((self.first_of(n, self.identified), what));
            self.ids.remove(&n);
        }
        Ok(())
    }

    fn first_of(&self, n: i64, end: i64) -> Option<u64> {
        let first = n.checked_mul(WIDTH as i64).filter(|first| *first < end)?;
        u64::try_from(first).ok()
    }
}

fn is_same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
