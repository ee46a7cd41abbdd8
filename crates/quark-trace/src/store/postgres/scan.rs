//! Reading the rows of a log, page by page, all of one moment.

use std::ops::ControlFlow;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Entry;

use super::check::Check;
use super::columns::log_id;
use super::connection::{Connection, Value};
use super::edge::digests;
use super::fault::{Fault, Moment};
use super::migrations::Schema;
use super::page::{self, Page};
use super::row::value;
use super::{Place as Database, candidates, head, statements as sql};
use crate::store::spans::Spans;
use crate::store::{Place, Plan, Row, Select};

/// Entries alone that are asked for at once: those of a tile at first.
const FIRST_LINES: i64 = 256;
const MOST_LINES: i64 = 16_384;

type Sink<'a> = &'a mut dyn FnMut(Row<'_>) -> ControlFlow<()>;

/// A row of the ledger with its object, as the database has it.
#[derive(Debug)]
pub(super) struct StoredEntry<'a> {
    pub index: u64,
    pub line: &'a [u8],
    pub leaf_hash: &'a [u8],
    pub object_digest: &'a [u8],
    pub kind: &'a str,
    pub record_key: Option<&'a [u8]>,
    pub stage: Option<&'a str>,
    pub at_us: Option<i64>,
    pub object: Option<&'a [u8]>,
    pub erased_by: Option<i64>,
}

/// Passes the rows of a plan to a sink. One that reads everything is told of every column and row
/// that says otherwise than the log, too.
pub(super) fn scan(
    database: &Database,
    project: &ProjectId,
    plan: &Plan<'_>,
    sink: Sink<'_>,
) -> Result<(), Fault> {
    let Some((mut connection, schema)) = database.reader()? else { return Ok(()) };
    connection.begin(sql::BEGIN_SNAPSHOT)?;
    let done = match (plan.select, plan.from, plan.until) {
        (Select::All, 0, None) => scan_all(&mut connection, project, schema, sink),
        (Select::Entries, ..) => scan_lines(&mut connection, project, plan, sink),
        _ => scan_part(&mut connection, project, plan, sink),
    };
    connection.roll_back();
    database.connections.give_back(connection);
    done
}

fn scan_part(
    connection: &mut Connection,
    project: &ProjectId,
    plan: &Plan<'_>,
    sink: Sink<'_>,
) -> Result<(), Fault> {
    let mut each = |index: i64, line: &[u8], object: Option<&[u8]>| {
        let index = index as u64;
        if plan.ends_before(index) {
            return ControlFlow::Break(());
        }
        let wanted = plan.select != Select::Records
            || Entry::parse(line).is_ok_and(|entry| entry.kind.is_record());
        if wanted { sink(row_of(index, line, object)) } else { ControlFlow::Continue(()) }
    };
    let log_id = log_id(project);
    if let Some(filter) = plan.filter.filter(|_| plan.select == Select::Records)
        && let Some(log) = head::read(connection, project)?.and_then(|log| log.found)
        && log.log_id == log_id
    {
        let size = u64::try_from(log.size).unwrap_or_default();
        let until = plan.until.map_or(size, |until| until.min(size));
        let spans = candidates::find(connection, &log, filter, plan.from..until)?;
        return each_of(connection, log_id, &spans, &mut each);
    }
    let from = i64::try_from(plan.from).unwrap_or(i64::MAX);
    match plan.select {
        Select::Sheets => each_joined(connection, sql::SHEETS_PAGE, log_id, from, &mut each),
        Select::Schemas => each_joined(connection, sql::SCHEMAS_PAGE, log_id, from, &mut each),
        Select::All | Select::Records | Select::Entries => {
            // Who knows where it ends wants all of it.
            let until = plan.until.and_then(|until| i64::try_from(until).ok());
            let page = until.map(|until| Page::new((from, until), page::LARGEST));
            let page = page.unwrap_or_else(|| Page::first(from));
            each_page(connection, log_id, page, &mut each).map(drop)
        }
    }
}

/// Entries alone, their objects not read.
fn scan_lines(
    connection: &mut Connection,
    project: &ProjectId,
    plan: &Plan<'_>,
    sink: Sink<'_>,
) -> Result<(), Fault> {
    let log_id = log_id(project);
    let Ok(mut next) = i64::try_from(plan.from) else { return Ok(()) };
    let until = plan.until.and_then(|until| i64::try_from(until).ok()).unwrap_or(i64::MAX);
    let mut limit = FIRST_LINES;
    while next < until {
        let values: [Value<'_>; 4] = [
            (&log_id, Type::INT8),
            (&next, Type::INT8),
            (&until, Type::INT8),
            (&limit, Type::INT8),
        ];
        let mut rows = connection.stream(sql::LINES_PAGE, &values).map_err(before)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(before)? {
            let index = value::<i64>(&row, 0)?;
            if sink(Row::line(index as u64, value(&row, 1)?)).is_break() {
                return Ok(());
            }
            count += 1;
            next = index.saturating_add(1);
        }
        if count < limit {
            return Ok(());
        }
        limit = (limit * 4).min(MOST_LINES);
    }
    Ok(())
}

type Each<'e> = &'e mut dyn FnMut(i64, &[u8], Option<&[u8]>) -> ControlFlow<()>;

/// Passes entries of one kind, of which there are few, to `each`, until it breaks off.
fn each_joined(
    connection: &mut Connection,
    text: &'static str,
    log_id: i64,
    mut next: i64,
    each: Each<'_>,
) -> Result<(), Fault> {
    loop {
        let limit = page::FIRST;
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&next, Type::INT8), (&limit, Type::INT8)];
        let mut rows = connection.stream(text, &values).map_err(before)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(before)? {
            let index: i64 = value(&row, 0)?;
            if each(index, value(&row, 1)?, value(&row, 2)?).is_break() {
                return Ok(());
            }
            count += 1;
            next = index.saturating_add(1);
        }
        if count < limit {
            return Ok(());
        }
    }
}

/// Passes entries page by page to `each`, until it breaks off.
fn each_page(
    connection: &mut Connection,
    log_id: i64,
    mut page: Page,
    each: Each<'_>,
) -> Result<ControlFlow<()>, Fault> {
    while !page.is_last {
        let flow = page.read(connection, sql::PAGE, log_id, |entry, object| {
            let bytes = object.map_or(Ok(None), |object| value(object, 1))?;
            Ok(each(value(entry, 0)?, value(entry, 1)?, bytes))
        })?;
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Passes the entries of these spans to `each`, until it breaks off: long ones page by page, of the
/// others each on its own.
fn each_of(
    connection: &mut Connection,
    log_id: i64,
    spans: &Spans,
    each: Each<'_>,
) -> Result<(), Fault> {
    let (mut some, mut limit) = (Vec::new(), page::FIRST);
    for span in spans.iter() {
        let span = (span.start as i64, span.end as i64);
        if span.1 - span.0 < page::FIRST {
            some.extend(span.0..span.1);
            if (some.len() as i64) < limit {
                continue;
            }
            limit = (limit * 2).min(page::LARGEST);
        }
        if each_some(connection, log_id, &mut some, each)?.is_break() {
            return Ok(());
        }
        if span.1 - span.0 >= page::FIRST {
            // Where entries are missing a page has some behind the span.
            let mut within = |index, line: &[u8], object: Option<&[u8]>| {
                if index < span.1 { each(index, line, object) } else { ControlFlow::Continue(()) }
            };
            let page = Page::new(span, page::FIRST);
            if each_page(connection, log_id, page, &mut within)?.is_break() {
                return Ok(());
            }
        }
    }
    each_some(connection, log_id, &mut some, each).map(drop)
}

/// Passes these entries to `each`, until it breaks off, and leaves none of them.
fn each_some(
    connection: &mut Connection,
    log_id: i64,
    some: &mut Vec<i64>,
    each: Each<'_>,
) -> Result<ControlFlow<()>, Fault> {
    let some = std::mem::take(some);
    if some.is_empty() {
        return Ok(ControlFlow::Continue(()));
    }
    let values: [Value<'_>; 2] = [(&log_id, Type::INT8), (&some, Type::INT8_ARRAY)];
    let mut rows = connection.stream(sql::SOME, &values).map_err(before)?;
    while let Some(row) = rows.next().map_err(before)? {
        if each(value(&row, 0)?, value(&row, 1)?, value(&row, 2)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn scan_all(
    connection: &mut Connection,
    project: &ProjectId,
    schema: Schema,
    sink: Sink<'_>,
) -> Result<(), Fault> {
    let Some(log) = head::read(connection, project)? else { return Ok(()) };
    let log_id = log_id(project);
    let mut check = Check::new(project, log, schema);
    check.load_checkpoints(connection, log_id)?;
    let mut page = Page::first(0);
    while !page.is_last {
        let mut flow = page.read(connection, sql::ENTRIES_PAGE, log_id, |entry, object| {
            let stored = StoredEntry::of(entry, object)?;
            let flow = check.entry(&stored, sink);
            Ok(if flow.is_break() { flow } else { sink(stored.row()) })
        })?;
        // Behind the last entry there should be no row of numbers or ids either.
        let end = if page.is_last { i64::MAX } else { page.next };
        if flow.is_continue() {
            flow = check.blocks(connection, log_id, end, sink)?;
        }
        if flow.is_break() {
            return Ok(());
        }
    }
    check.finish(connection, log_id, sink)
}

impl<'a> StoredEntry<'a> {
    fn of(entry: &'a postgres::Row, object: Option<&'a postgres::Row>) -> Result<Self, Fault> {
        Ok(Self {
            index: value::<i64>(entry, 0)? as u64,
            line: value(entry, 1)?,
            leaf_hash: value(entry, 2)?,
            object_digest: value(entry, 3)?,
            kind: value(entry, 4)?,
            record_key: value(entry, 5)?,
            stage: value(entry, 6)?,
            at_us: value(entry, 7)?,
            object: object.map_or(Ok(None), |object| value(object, 1))?,
            erased_by: object.map_or(Ok(None), |object| value(object, 2))?,
        })
    }

    fn row(&self) -> Row<'a> {
        row_of(self.index, self.line, self.object)
    }

    /// Whether a column holds this hash.
    pub fn holds(column: &[u8], hash: &quark_trace_core::ledger::Digest) -> bool {
        digests(column).is_some_and(|found| found == [*hash])
    }
}

fn row_of<'a>(index: u64, line: &'a [u8], object: Option<&'a [u8]>) -> Row<'a> {
    let object = object.map(Into::into);
    Row::Entry { index, line, object, digest: None, place: Place::default(), displaced: false }
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
