//! Lines that have no entry.

use std::ops::ControlFlow;

use quark_trace_core::record::View;

use super::folder::{self, Names};
use super::lines::Lines;
use super::pairs;
use super::scan::Sink;
use crate::error::{Error, Result};
use crate::store::{Place, Plan, Row, Select};

const OPERATION: &str = "read the log";

/// Files of quark-trace 0.1.0 alone: every line is loose.
pub(super) fn scan_legacy(names: &Names, plan: &Plan<'_>, sink: Sink<'_>) -> Result<()> {
    if plan.select == Select::Schemas {
        return Ok(());
    }
    if plan.select == Select::Sheets {
        let sheet = folder::read_if_there(&names.sheet)
            .map_err(|error| Error::io(OPERATION, names.sheet.display().to_string(), error))?;
        if let Some(object) = &sheet {
            let _ = sink(Row::Loose { object, place: Place::default(), inside: false });
        }
        return Ok(());
    }
    if plan.until.is_some() {
        return Ok(());
    }
    let Some(mut lines) = pairs::open_lines(&names.records, 0, false)? else { return Ok(()) };
    loose_rest(&mut lines, plan, sink).map(drop)
}

/// Passes on the lines that are left, which have no entries.
pub(super) fn loose_rest(
    lines: &mut Lines,
    plan: &Plan<'_>,
    sink: Sink<'_>,
) -> Result<ControlFlow<()>> {
    let wrap = |error| Error::io(OPERATION, "the records", error);
    while let Some(line) = lines.next_filled().map_err(wrap)? {
        let place = Place { line: line.number, offset: line.offset };
        let row = loose_row(line.bytes, place, line.whole, plan);
        if sink(row).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// A line that has no entry. The original reads a last line without a line feed like any other; half a
/// record is none.
pub(super) fn loose_row<'r>(
    object: &'r [u8],
    place: Place,
    whole: bool,
    plan: &Plan<'_>,
) -> Row<'r> {
    if whole || plan.select == Select::Records && View::parse(object).is_ok() {
        return Row::Loose { object, place, inside: false };
    }
    Row::Torn { what: "records", place, length: object.len() as u64, entered: false }
}
