//! Asking the history: which records, in which order, as of when, page by page, or counted.
//!
//! The language is that of [`quark_trace_core::query`]; `docs/query.md` describes it. Every store
//! answers alike, because what a filter means is decided here, by the one evaluator, and a store only
//! leaves out what cannot match.
//!
//! ```
//! use std::sync::Arc;
//! use quark_trace::{TraceLog, core::payload::Payload, store::MemoryStore};
//!
//! let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse()?);
//! for (round, loss) in [(1, 0.9), (2, 0.4), (3, 0.2)] {
//!     log.log("client_round", &Payload::new().with("round", round).with("loss", loss))?;
//! }
//! let page = log.query("payload.loss < 0.5 ORDER BY payload.loss LIMIT 1")?.page()?;
//! assert_eq!(page.hits[0].record.payload_member("round"), Some(b"3".as_slice()));
//! let next = log.query("payload.loss < 0.5 ORDER BY payload.loss LIMIT 1")?;
//! let page = next.after(page.next.unwrap()).page()?;
//! assert_eq!(page.hits[0].record.payload_member("round"), Some(b"2".as_slice()));
//! # Ok::<(), quark_trace::Error>(())
//! ```

mod aggregate;
mod as_of;
mod columns;
mod cursor;
mod names;
mod ranked;
mod rows;

use std::ops::ControlFlow;

use quark_trace_core::query::{Field, Filter, Order, Query};

pub use aggregate::{Group, Groups, Statistics};
pub use as_of::AsOf;
pub use cursor::{Cursor, Position};

use crate::error::Result;
use crate::log::TraceLog;
use crate::record::Record;
use crate::store::Place;
use rows::Rows;

const OPERATION: &str = "answer the query";

/// A question about the records of a log, being put together.
#[derive(Debug, Clone)]
#[must_use]
pub struct Search<'a> {
    log: &'a TraceLog,
    query: Query,
    as_of: Option<AsOf>,
    after: Option<Cursor>,
    most_bytes: Option<usize>,
    now_us: i64,
}

/// A record that was found, while it is passed by.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    /// Index of its entry; `None` when the record has none.
    pub index: Option<u64>,
    /// Its line, exactly as stored.
    pub line: &'a [u8],
    /// Where it stands.
    pub place: Place,
    cursor: &'a Cursor,
}

impl Hit<'_> {
    /// Where a later search goes on behind this record.
    pub fn cursor(&self) -> &Cursor {
        self.cursor
    }
}

/// A record that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Index of its entry; `None` when the record has none.
    pub index: Option<u64>,
    /// The record.
    pub record: Record,
}

/// What a search gave.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The records.
    pub hits: Vec<Found>,
    /// Where the next page begins; `None` when the search was not ended by its limit or
    /// [`Search::most_bytes`], so that nothing more is there.
    pub next: Option<Cursor>,
    /// See [`Done::unreadable`].
    pub unreadable: u64,
}

/// How a search ended.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// As [`Page::next`].
    pub next: Option<Cursor>,
    /// Lines that no view can read and that were come across. They never match; a store may pass
    /// over them unread, so that there may be more ([`crate::project::summary`] counts all).
    pub unreadable: u64,
}

impl TraceLog {
    /// Begins a search with a query as text; see the [module](crate::query).
    pub fn query(&self, text: &str) -> Result<Search<'_>> {
        Ok(self.search(self.read_query(text)?))
    }

    /// Begins a search with a query that was built.
    pub fn search(&self, query: Query) -> Search<'_> {
        let now_us = self.now_us();
        Search { log: self, query, as_of: None, after: None, most_bytes: None, now_us }
    }
}

impl Search<'_> {
    /// Finds only what this selects, too.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.query.filter = Some(match self.query.filter.take() {
            Some(known) => known.and(filter),
            None => filter,
        });
        self
    }

    /// Orders by this behind what it is ordered by already.
    pub fn order(mut self, order: Order) -> Self {
        self.query.order.push(order);
        self
    }

    /// Ends after so many records, or earlier if it has a limit that is lower.
    pub fn limit(mut self, limit: u64) -> Self {
        self.query.limit = Some(self.query.limit.map_or(limit, |known| known.min(limit)));
        self
    }

    /// Ends before the record with which the lines would have more bytes than this, but not before
    /// the first; what is left comes behind [`Page::next`]. With an order no more than that is kept.
    pub fn most_bytes(mut self, bytes: usize) -> Self {
        self.most_bytes = Some(bytes);
        self
    }

    /// Asks the log as it was.
    pub fn as_of(mut self, as_of: AsOf) -> Self {
        self.as_of = Some(as_of);
        self
    }

    /// Goes on behind a record that the same query has found; `now()` means what it meant then.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// What `now()` means, in microseconds since 1970 UTC; the log's clock says it otherwise.
    pub fn now(mut self, now_us: i64) -> Self {
        self.now_us = now_us;
        self
    }

    /// The query as it is put together so far.
    pub fn asked(&self) -> &Query {
        &self.query
    }

    /// Passes the records to `each` until it breaks off or no more are left.
    ///
    /// In the order of the log nothing is kept. With an order and a limit of n the n first records
    /// are kept; with an order and no limit all that match.
    pub fn each(self, each: impl FnMut(Hit<'_>) -> ControlFlow<()>) -> Result<Done> {
        let mut rows = Rows::new(&self)?;
        if self.query.order.is_empty() { rows.in_log_order(each) } else { rows.in_order(each) }
    }

    /// All records at once.
    pub fn page(self) -> Result<Page> {
        let mut hits = Vec::new();
        let done = self.each(|hit| {
            let record = Record::drafted(hit.line.to_vec());
            hits.push(Found { index: hit.index, record });
            ControlFlow::Continue(())
        })?;
        Ok(Page { hits, next: done.next, unreadable: done.unreadable })
    }

    /// How many records match; limit and order count for nothing.
    pub fn count(self) -> Result<u64> {
        let groups = self.group(&[], &[])?;
        Ok(groups.groups.first().map_or(0, |group| group.records))
    }

    /// Counts the records and the numbers of `of` in groups that are alike in `by`, in the order in
    /// which the groups appear; limit and order count for nothing. Memory grows with the groups.
    pub fn group(self, by: &[Field], of: &[Field]) -> Result<Groups> {
        aggregate::group(Rows::new(&self)?, by, of)
    }
}
