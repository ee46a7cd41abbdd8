//! Records that a filter may select, each with its entry: the ledger beside a [`Sieve`].

use std::ops::ControlFlow;
use std::ops::Range;

use quark_trace_core::query::Filter;

use super::folder::Names;
use super::loose::loose_row;
use super::pairs::Pairs;
use super::scan::Sink;
use super::sieve::{Kept, Sieve};
use crate::error::{Error, Result};
use crate::store::{Place, Plan, Row};

/// Below this many bytes threads cost more than they save.
const FROM: u64 = 2 * 1024 * 1024;

/// The part of the records that is worth reading on several threads; `None` when it is too short.
pub(super) fn span(names: &Names, offset: u64) -> Option<Range<u64>> {
    let length = std::fs::metadata(&names.records).ok()?.len();
    (length >= offset.saturating_add(FROM)).then_some(offset..length)
}

/// Passes the records in `span` which the filter may select to a sink, those without an entry behind
/// the others. `ledger` stands at the entry of the first of them, and `lines` lines come before it.
pub(super) fn scan(
    names: &Names,
    plan: &Plan<'_>,
    filter: &Filter,
    ledger: Pairs,
    (span, lines): (Range<u64>, u64),
    sink: Sink<'_>,
) -> Result<ControlFlow<()>> {
    std::thread::scope(|scope| {
        let mut sieve = Sieve::start(scope, &names.records, span, filter);
        let mut rows = Rows { plan, ledger, lines, sink };
        let wrap = |error| Error::io("read the log", names.records.display().to_string(), error);
        while let Some(piece) = sieve.next_piece().map_err(wrap)? {
            for kept in &piece.kept {
                if rows.pass(kept, &piece.text[kept.bytes.clone()])?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if rows.ledger.pass_over_records(piece.passed_over)?
                && plan.ends_before(rows.ledger.index())
            {
                return Ok(ControlFlow::Break(()));
            }
            rows.lines += piece.lines;
        }
        Ok(ControlFlow::Continue(()))
    })
}

struct Rows<'a> {
    plan: &'a Plan<'a>,
    ledger: Pairs,
    /// How many lines come before the piece.
    lines: u64,
    sink: Sink<'a>,
}

impl Rows<'_> {
    fn pass(&mut self, kept: &Kept, object: &[u8]) -> Result<ControlFlow<()>> {
        self.ledger.pass_over_records(kept.passed_over)?;
        let place = Place { line: self.lines + kept.number, offset: kept.offset };
        let Some((index, line)) = self.ledger.next_record()? else {
            if self.plan.until.is_some() {
                return Ok(ControlFlow::Break(()));
            }
            return Ok((self.sink)(loose_row(object, place, kept.whole, self.plan)));
        };
        if self.plan.ends_before(index) {
            return Ok(ControlFlow::Break(()));
        }
        if index < self.plan.from {
            return Ok(ControlFlow::Continue(()));
        }
        let (object, digest, displaced) = (Some(object.into()), None, false);
        Ok((self.sink)(Row::Entry { index, line, object, digest, place, displaced }))
    }
}
