//! Going through the rows that a store gives for a search, and asking each one.

use std::ops::ControlFlow;

use quark_trace_core::query::{Condition, Filter, Query, Reader, Values};

use super::cursor::{Cursor, Position, fingerprint};
use super::ranked::{First, Key, order};
use super::{Done, Hit, OPERATION, Search};
use crate::error::{Error, ErrorKind, Result};
use crate::log::TraceLog;
use crate::store::{Place, Plan, Row, Select};

/// A search, made ready.
pub(super) struct Rows<'a> {
    log: &'a TraceLog,
    query: &'a Query,
    filter: Option<Filter>,
    condition: Option<Condition>,
    pub reader: Reader,
    pub values: Values,
    after: Option<&'a Cursor>,
    end: Option<Position>,
    most_bytes: usize,
    now_us: i64,
    unreadable: u64,
}

/// A record that the filter selects.
pub(super) struct Selected<'r> {
    pub position: Position,
    pub place: Place,
    pub line: &'r [u8],
    pub values: &'r Values,
}

impl<'a> Rows<'a> {
    pub fn new(search: &'a Search<'_>) -> Result<Self> {
        let query = &search.query;
        let after = search.after.as_ref();
        if after.is_some_and(|cursor| cursor.query != fingerprint(query)) {
            let message = "the cursor is of another query; begin without it";
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, message));
        }
        let now_us = after.map_or(search.now_us, |cursor| cursor.now_us);
        let mut reader = Reader::new();
        let filter = query.filter.as_ref().map(|filter| filter.at(now_us));
        let condition = match &filter {
            Some(filter) => Some(Condition::new(filter, now_us, &mut reader)?),
            None => None,
        };
        let end = match &search.as_of {
            Some(as_of) => as_of.end(search.log)?,
            None => None,
        };
        let (values, unreadable) = (Values::default(), 0);
        Ok(Self {
            log: search.log,
            query,
            filter,
            condition,
            reader,
            values,
            after,
            end,
            most_bytes: search.most_bytes.unwrap_or(usize::MAX),
            now_us,
            unreadable,
        })
    }

    /// Passes the records that the filter selects from position `from` on, in the order of the log.
    pub fn each_selected(
        &mut self,
        from: u64,
        mut each: impl FnMut(Selected<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let until = match self.end {
            Some(Position::Entry(index)) => Some(index),
            _ => None,
        };
        let plan = Plan { from, until, select: Select::Records, filter: self.filter.as_ref() };
        let Self { reader, values, condition, end, unreadable, .. } = self;
        self.log.store().scan(self.log.project(), &plan, &mut |row| {
            let (position, place, line) = match &row {
                Row::Entry { index, object: Some(object), place, .. } => {
                    (Position::Entry(*index), *place, object.as_ref())
                }
                Row::Loose { object, place, .. } => (Position::Line(place.line), *place, *object),
                _ => return ControlFlow::Continue(()),
            };
            if end.is_some_and(|end| position >= end) {
                return ControlFlow::Break(());
            }
            let index = match position {
                Position::Entry(index) => Some(index),
                Position::Line(_) => None,
            };
            if reader.read(index, line, values).is_err() {
                *unreadable += 1;
                return ControlFlow::Continue(());
            }
            if condition.as_ref().is_some_and(|it| it.holds(values, line) != Some(true)) {
                return ControlFlow::Continue(());
            }
            each(Selected { position, place, line, values })
        })
    }

    pub fn in_log_order(
        &mut self,
        mut each: impl FnMut(Hit<'_>) -> ControlFlow<()>,
    ) -> Result<Done> {
        let after = self.after.map(|cursor| cursor.position);
        let from = match after {
            Some(Position::Entry(index)) => index.saturating_add(1),
            // What had no entry then may have one by now, and what follows it, too.
            Some(Position::Line(_)) | None => 0,
        };
        let limit = self.query.limit.unwrap_or(u64::MAX);
        let mut cursor = self.cursor();
        let (mut count, mut bytes, most_bytes) = (0, 0_usize, self.most_bytes);
        let mut is_full = false;
        if limit > 0 {
            self.each_selected(from, |selected| {
                if after.is_some_and(|after| beside(after, &selected) <= after) {
                    return ControlFlow::Continue(());
                }
                bytes = bytes.saturating_add(selected.line.len());
                is_full = count > 0 && bytes > most_bytes;
                if is_full {
                    return ControlFlow::Break(());
                }
                cursor.position = selected.position;
                count += 1;
                is_full = count == limit;
                let flow = each(hit(&cursor, selected.place, selected.line));
                if is_full { ControlFlow::Break(()) } else { flow }
            })?;
        }
        let next = is_full.then_some(cursor);
        Ok(Done { next, unreadable: self.unreadable })
    }

    pub fn in_order(&mut self, mut each: impl FnMut(Hit<'_>) -> ControlFlow<()>) -> Result<Done> {
        let by = self.query.order.clone();
        let slots: Vec<usize> = by.iter().map(|order| self.reader.slot(&order.field)).collect();
        let after = self.after.map(|cursor| {
            let keys = cursor.keys.iter().zip(&by);
            let key = |(key, by): (&_, &quark_trace_core::query::Order)| Key {
                key: Clone::clone(key),
                descending: by.descending,
            };
            (keys.map(key).collect::<Vec<_>>(), cursor.position)
        });
        let mut first = First::new(self.query.limit, self.most_bytes);
        let mut keys = Vec::with_capacity(by.len());
        self.each_selected(0, |selected| {
            keys.clear();
            keys.extend(by.iter().zip(&slots).map(|(order, slot)| {
                let key = order.key(&selected.values.datum(*slot, selected.line));
                Key { key, descending: order.descending }
            }));
            let is_behind = |after: &(Vec<Key>, Position)| {
                let here = (keys.as_slice(), beside(after.1, &selected));
                order(here, (&after.0, after.1)).is_gt()
            };
            if after.as_ref().is_none_or(is_behind) {
                first.offer(&keys, selected.position, selected.place, selected.line);
            }
            ControlFlow::Continue(())
        })?;
        let is_full = first.is_full;
        let mut cursor = self.cursor();
        let mut any = false;
        for ranked in first.into_sorted() {
            cursor.position = ranked.position;
            cursor.keys = ranked.keys.into_iter().map(|key| key.key).collect();
            any = true;
            if each(hit(&cursor, ranked.place, &ranked.line)).is_break() {
                break;
            }
        }
        Ok(Done { next: (is_full && any).then_some(cursor), unreadable: self.unreadable })
    }

    fn cursor(&self) -> Cursor {
        let query = fingerprint(self.query);
        Cursor { position: Position::Entry(0), keys: Vec::new(), now_us: self.now_us, query }
    }

    /// Lines that no view can read and that were come across so far.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

/// The place of a record, to be compared with where a cursor stands: with a line by its line, because
/// a record that had no entry then may have one by now.
fn beside(cursor: Position, selected: &Selected<'_>) -> Position {
    match cursor {
        Position::Line(_) => Position::Line(selected.place.line),
        Position::Entry(_) => selected.position,
    }
}

fn hit<'h>(cursor: &'h Cursor, place: Place, line: &'h [u8]) -> Hit<'h> {
    let index = match cursor.position {
        Position::Entry(index) => Some(index),
        Position::Line(_) => None,
    };
    Hit { index, line, place, cursor }
}
