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
use super::row::value;
use super::{Place as Database, candidates, head, statements as sql};
use crate::store::spans::Spans;
use crate::store::{Place, Plan, Row, Select};

/// Rows that are asked for at once: few at first, for those who break off soon.
const FIRST_PAGE: i64 = 64;
const LARGEST_PAGE: i64 = 2048;
/// The same of entries alone: those of a tile at first.
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
    let mut each = |stored: &StoredEntry<'_>| {
        if plan.ends_before(stored.index) {
            return ControlFlow::Break(());
        }
        let wanted = plan.select != Select::Records
            || Entry::parse(stored.line).is_ok_and(|entry| entry.kind.is_record());
        if wanted { sink(stored.row()) } else { ControlFlow::Continue(()) }
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
    let text = match plan.select {
        Select::Sheets => sql::SHEETS_PAGE,
        Select::Schemas => sql::SCHEMAS_PAGE,
        Select::All | Select::Records | Select::Entries => sql::PAGE,
    };
    let mut page = Page::first(plan.from);
    if let Some(until) = plan.until {
        let wanted = i64::try_from(until.saturating_sub(plan.from)).unwrap_or(LARGEST_PAGE);
        page.limit = wanted.clamp(1, LARGEST_PAGE);
    }
    loop {
        let flow = page.read(connection, text, log_id, &mut each)?;
        if flow.is_break() || page.is_last {
            return Ok(());
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

/// Passes the entries of these spans to `each`, until it breaks off.
fn each_of(
    connection: &mut Connection,
    log_id: i64,
    spans: &Spans,
    each: &mut dyn FnMut(&StoredEntry<'_>) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let mut indexes = spans.iter().flatten().map(|index| index as i64);
    let mut limit = FIRST_PAGE;
    loop {
        let some: Vec<i64> = indexes.by_ref().take(limit as usize).collect();
        if some.is_empty() {
            return Ok(());
        }
        let values: [Value<'_>; 2] = [(&log_id, Type::INT8), (&some, Type::INT8_ARRAY)];
        let mut rows = connection.stream(sql::SOME, &values).map_err(before)?;
        while let Some(row) = rows.next().map_err(before)? {
            if each(&StoredEntry::of(&row)?).is_break() {
                return Ok(());
            }
        }
        limit = (limit * 2).min(LARGEST_PAGE);
    }
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
        let mut flow = page.read(connection, sql::PAGE, log_id, |stored| {
            check.entry(stored, sink)?;
            sink(stored.row())
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

/// Entries that are asked for together.
struct Page {
    next: i64,
    limit: i64,
    is_last: bool,
}

impl Page {
    fn first(from: u64) -> Self {
        Self { next: i64::try_from(from).unwrap_or(i64::MAX), limit: FIRST_PAGE, is_last: false }
    }

    /// Passes the entries of this page to `each`, until it breaks off.
    fn read(
        &mut self,
        connection: &mut Connection,
        text: &'static str,
        log_id: i64,
        mut each: impl FnMut(&StoredEntry<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Fault> {
        let (from, limit) = (self.next, self.limit);
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&limit, Type::INT8)];
        let mut rows = connection.stream(text, &values).map_err(before)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(before)? {
            if each(&StoredEntry::of(&row)?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            count += 1;
            self.next = value::<i64>(&row, 0)?.saturating_add(1);
        }
        self.is_last = count < limit;
        self.limit = (limit * 2).min(LARGEST_PAGE);
        Ok(ControlFlow::Continue(()))
    }
}

impl<'a> StoredEntry<'a> {
    fn of(row: &'a postgres::Row) -> Result<Self, Fault> {
        Ok(Self {
            index: value::<i64>(row, 0)? as u64,
            line: value(row, 1)?,
            leaf_hash: value(row, 2)?,
            object_digest: value(row, 3)?,
            kind: value(row, 4)?,
            record_key: value(row, 5)?,
            stage: value(row, 6)?,
            at_us: value(row, 7)?,
            object: value(row, 8)?,
            erased_by: value(row, 9)?,
        })
    }

    fn row(&self) -> Row<'a> {
        Row::Entry {
            index: self.index,
            line: self.line,
            object: self.object.map(Into::into),
            digest: None,
            place: Place::default(),
            displaced: false,
        }
    }

    /// Whether a column holds this hash.
    pub fn holds(column: &[u8], hash: &quark_trace_core::ledger::Digest) -> bool {
        digests(column).is_some_and(|found| found == [*hash])
    }
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
