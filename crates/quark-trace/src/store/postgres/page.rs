//! Entries with their objects, page by page.
//!
//! One statement reads the entries, another their objects, both in the order in which they lie, and
//! they meet here. A join would be planned from what the server knows of tables that grow: it looked
//! each object up on its own, or sorted all that are left.

use std::ops::ControlFlow;

use postgres::Row;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;

use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::row::value;
use super::statements as sql;

/// Entries that are asked for at once: few at first, for those who break off soon.
pub(super) const FIRST: i64 = 64;
pub(super) const LARGEST: i64 = 2048;

/// Entries that are asked for together.
#[derive(Debug)]
pub(super) struct Page {
    /// The first entry that was not read.
    pub next: i64,
    limit: i64,
    until: i64,
    /// Whether there was nothing behind it.
    pub is_last: bool,
}

impl Page {
    /// The first of the pages from one entry to another, with so many at most. Where entries are
    /// missing it may have some behind the other.
    pub fn new((from, until): (i64, i64), limit: i64) -> Self {
        let limit = until.saturating_sub(from).clamp(1, limit);
        Self { next: from, limit, until, is_last: from >= until }
    }

    /// The first of all pages from this entry on.
    pub fn first(from: i64) -> Self {
        Self::new((from, i64::MAX), FIRST)
    }

    /// Passes the rows of this page, and of their objects, to `each`, until it breaks off. `text` has
    /// the index of an entry as its first column, and takes the log, the first entry and their number.
    pub fn read(
        &mut self,
        connection: &mut Connection,
        text: &'static str,
        log_id: i64,
        mut each: impl FnMut(&Row, Option<&Row>) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<ControlFlow<()>, Fault> {
        let (from, limit) = (self.next, self.limit);
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&limit, Type::INT8)];
        // Not their objects, which may be large, and are read one by one.
        let entries = connection.rows(text, &values).map_err(before)?;
        let Some(last) = entries.last() else {
            self.is_last = true;
            return Ok(ControlFlow::Continue(()));
        };
        let last: i64 = value(last, 0)?;
        self.next = last.saturating_add(1);
        self.is_last = (entries.len() as i64) < limit || self.next >= self.until;
        self.limit = self.until.saturating_sub(self.next).clamp(1, (limit * 2).min(LARGEST));
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&last, Type::INT8)];
        let mut objects = connection.stream(sql::OBJECTS, &values).map_err(before)?;
        let mut object = objects.next().map_err(before)?;
        for entry in &entries {
            let index: i64 = value(entry, 0)?;
            while let Some(row) = &object
                && value::<i64>(row, 0)? < index
            {
                object = objects.next().map_err(before)?;
            }
            let own = match &object {
                Some(row) if value::<i64>(row, 0)? == index => Some(row),
                _ => None,
            };
            if each(entry, own)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
