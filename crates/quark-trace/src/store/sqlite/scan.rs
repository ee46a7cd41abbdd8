//! Reading the rows of a log, one after the other, all of one moment.

use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::{Connection, Rows};

use super::check::Check;
use super::columns::log_id;
use super::connection::{Place as Database, roll_back};
use super::fault::Fault;
use super::{candidates, head, statements as sql};
use crate::store::sheets::SheetRow;
use crate::store::spans::Spans;
use crate::store::{Place, Plan, Row, Select};

pub(super) type Sink<'a> = &'a mut dyn FnMut(Row<'_>) -> ControlFlow<()>;

/// A row of the ledger with its object, as the database has it.
#[derive(Debug)]
pub(super) struct StoredEntry<'a> {
    pub index: u64,
    pub line: &'a [u8],
    pub leaf_hash: Option<&'a [u8]>,
    pub kind: &'a [u8],
    /// The log and the digest that the row of the object names; `None` when there is no row.
    pub object_log: Option<i64>,
    pub object_digest: Option<&'a [u8]>,
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
    let Some(connection) = database.reader()? else { return Ok(()) };
    connection.prepare_cached(sql::BEGIN_SNAPSHOT)?.execute([])?;
    let done = match (plan.select, plan.from, plan.until) {
        (Select::All, 0, None) => scan_all(&connection, project, sink),
        (Select::Entries, ..) => scan_lines(&connection, project, plan, sink),
        _ => scan_part(&connection, project, plan, sink),
    };
    roll_back(&connection);
    database.give_back(connection);
    done
}

fn scan_part(
    connection: &Connection,
    project: &ProjectId,
    plan: &Plan<'_>,
    sink: Sink<'_>,
) -> Result<(), Fault> {
    let text = match plan.select {
        Select::Sheets => sql::SHEETS,
        Select::Schemas => sql::SCHEMAS,
        Select::All | Select::Records | Select::Entries => sql::ENTRIES,
    };
    let mut each = |stored: &StoredEntry<'_>| {
        if plan.ends_before(stored.index) {
            return Ok(ControlFlow::Break(()));
        }
        let entry = Entry::parse(stored.line).ok();
        let is_record = entry.as_ref().is_some_and(|entry| entry.kind.is_record());
        if plan.select == Select::Records && !is_record {
            return Ok(ControlFlow::Continue(()));
        }
        Ok(sink(stored.row(entry.as_ref())))
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
    each_entry(connection, text, log_id, plan.from, &mut each).map(drop)
}

/// Entries alone, their objects not read.
fn scan_lines(
    connection: &Connection,
    project: &ProjectId,
    plan: &Plan<'_>,
    sink: Sink<'_>,
) -> Result<(), Fault> {
    let Ok(from) = i64::try_from(plan.from) else { return Ok(()) };
    let until = plan.until.and_then(|until| i64::try_from(until).ok()).unwrap_or(i64::MAX);
    let mut lines = connection.prepare_cached(sql::LINES)?;
    let mut rows = lines.query((log_id(project), from, until))?;
    while let Some(row) = rows.next()? {
        let index = row.get::<_, i64>(0)? as u64;
        let line = row.get_ref(1)?.as_blob().unwrap_or_default();
        if sink(Row::line(index, line)).is_break() {
            break;
        }
    }
    Ok(())
}

fn scan_all(connection: &Connection, project: &ProjectId, sink: Sink<'_>) -> Result<(), Fault> {
    let Some(log) = head::read(connection, project)? else { return Ok(()) };
    let mut check = Check::new(connection, project, log)?;
    let log_id = log_id(project);
    let mut records = connection.prepare_cached(sql::RECORDS)?;
    let mut records = records.query([log_id])?;
    let flow = each_entry(connection, sql::ENTRIES, log_id, 0, &mut |stored| {
        let entry = Entry::parse(stored.line).ok();
        let flow = check.entry(connection, stored, entry.as_ref(), &mut records, sink)?;
        Ok(if flow.is_break() { flow } else { sink(stored.row(entry.as_ref())) })
    })?;
    match flow {
        ControlFlow::Break(()) => Ok(()),
        ControlFlow::Continue(()) => check.finish(connection, &mut records, sink).map(drop),
    }
}

/// The last fact sheet.
pub(super) fn last_sheet(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Option<SheetRow>, Fault> {
    let mut last = None;
    each_entry(connection, sql::LAST_SHEET, log_id(project), 0, &mut |stored| {
        let object = stored.object.map(<[u8]>::to_vec);
        last = Some(SheetRow { index: stored.index, line: stored.line.to_vec(), object });
        Ok(ControlFlow::Break(()))
    })
    .map(|_| last)
}

type Each<'e> = &'e mut dyn FnMut(&StoredEntry<'_>) -> Result<ControlFlow<()>, Fault>;

/// Passes all entries from `from` on to `each`, until it breaks off.
pub(super) fn each_entry(
    connection: &Connection,
    text: &str,
    log_id: i64,
    from: u64,
    each: Each<'_>,
) -> Result<ControlFlow<()>, Fault> {
    let Ok(from) = i64::try_from(from) else { return Ok(ControlFlow::Continue(())) };
    let mut statement = connection.prepare_cached(text)?;
    each_row(statement.query((log_id, from))?, each)
}

/// Passes the entries of these spans to `each`, until it breaks off.
fn each_of(
    connection: &Connection,
    log_id: i64,
    spans: &Spans,
    each: Each<'_>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::SPAN)?;
    for span in spans.iter() {
        let (from, until) = (span.start as i64, span.end as i64);
        if each_row(statement.query((log_id, from, until))?, each)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn each_row(mut rows: Rows<'_>, each: Each<'_>) -> Result<ControlFlow<()>, Fault> {
    while let Some(row) = rows.next()? {
        let blob = |at| row.get_ref(at).and_then(|value| Ok(value.as_blob_or_null()?));
        let stored = StoredEntry {
            index: row.get::<_, i64>(0)? as u64,
            line: blob(1)?.unwrap_or_default(),
            leaf_hash: blob(2)?,
            kind: row.get_ref(3)?.as_bytes().unwrap_or_default(),
            object_log: row.get(4)?,
            object_digest: blob(5)?,
            object: blob(6)?,
            erased_by: row.get(7)?,
        };
        if each(&stored)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

impl<'a> StoredEntry<'a> {
    /// The object, if it is the one that the entry names: not that of another row.
    pub fn own_object(&self, entry: Option<&Entry<'_>>) -> Option<&'a [u8]> {
        let named = |entry: &Entry<'_>| self.object_digest == Some(&entry.object.0[..]);
        self.object.filter(|object| {
            entry.is_none_or(|entry| named(entry) || Digest::of(object) == entry.object)
        })
    }

    fn row(&self, entry: Option<&Entry<'_>>) -> Row<'a> {
        Row::Entry {
            index: self.index,
            line: self.line,
            object: self.own_object(entry).map(Into::into),
            digest: None,
            place: Place::default(),
            displaced: false,
        }
    }
}
