//! `GET /projects/{project}/entries`: rows in ledger order, one a line, the last of which says that
//! nothing was cut off.

use std::borrow::Cow;
use std::io::BufReader;
use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Entry, Kind};
use quark_trace_core::record::RECORD_LIMIT;
use serde_json::{Map, Value};
use ureq::Error as CallError;

use super::connection::{Call, Connection};
use super::fault::{Effect, malformed, unanswered};
use super::lines;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Place, Plan, Row, Select};

const READ: &str = "read the log";
/// The largest record with each byte as an escape of JSON, and what stands round it.
const LINE_LIMIT: usize = RECORD_LIMIT * 6 + 64 * 1024;

/// Reads the rows that a plan asks for.
pub(super) fn scan(
    connection: &Connection,
    project: &ProjectId,
    plan: &Plan<'_>,
    sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<()> {
    let path = ["projects", project.as_str(), "entries"];
    let (from, until) = (plan.from.to_string(), plan.until.map(|until| until.to_string()));
    let filter = plan.filter.map(ToString::to_string);
    let mut query = vec![("from", from.as_str()), ("select", word(plan.select))];
    query.extend(until.as_deref().map(|until| ("until", until)));
    query.extend(filter.as_deref().map(|filter| ("filter", filter)));
    let accept = "application/x-ndjson";
    let call = Call { query: &query, accept, streamed: true, ..Call::read(READ, &path) };
    let answer = match connection.open(&call) {
        // The server has nothing of the project.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
    let mut reader = BufReader::with_capacity(64 * 1024, body);
    let mut rows = Rows { plan, next: plan.from, line: Vec::new() };
    let on_url = |error: Error| error.on(connection.url());
    loop {
        let more = lines::next(&mut reader, &mut rows.line, LINE_LIMIT).map_err(|error| {
            on_url(match error.kind() {
                std::io::ErrorKind::InvalidData => malformed(READ, error),
                _ => unanswered(READ, Effect::Read, CallError::from(error)),
            })
        })?;
        if !more {
            return Err(on_url(cut_off()));
        }
        match rows.take().map_err(on_url)? {
            None => return Ok(()),
            Some(row) => {
                if row.pass(sink).is_break() {
                    return Ok(());
                }
            }
        }
    }
}

fn word(select: Select) -> &'static str {
    match select {
        // The server sends the objects too, which are left out here.
        Select::All | Select::Entries => "all",
        Select::Records => "records",
        Select::Sheets => "sheets",
        Select::Schemas => "schemas",
    }
}

/// Not an answer that contradicts anything: the same call again may get all of it.
fn cut_off() -> Error {
    let message = "the answer was cut off before its end; what came of it may not be all";
    Error::new(ErrorKind::Unavailable, READ, message)
}

/// The rows of an answer, each held to the plan.
struct Rows<'p> {
    plan: &'p Plan<'p>,
    /// The least index that may come now.
    next: u64,
    line: Vec<u8>,
}

/// A row that was taken out of its line.
struct Taken {
    index: u64,
    entry: String,
    object: Option<Vec<u8>>,
}

impl Taken {
    fn pass(self, sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let Self { index, entry, object } = self;
        let (line, object) = (entry.as_bytes(), object.map(Cow::Owned));
        let (digest, place, displaced) = (None, Place::default(), false);
        sink(Row::Entry { index, line, object, digest, place, displaced })
    }
}

impl Rows<'_> {
    /// The row of the line; `None` for the line that ends the answer.
    fn take(&mut self) -> Result<Option<Taken>> {
        let row = serde_json::from_slice(&self.line);
        let mut row: Map<String, Value> =
            row.map_err(|_| malformed(READ, "a line is no object"))?;
        if row.get("end") == Some(&Value::Bool(true)) {
            return Ok(None);
        }
        let index = row.get("index").and_then(Value::as_u64);
        let index = index.ok_or_else(|| malformed(READ, "a row names no index"))?;
        let Some(Value::String(entry)) = row.remove("entry") else {
            return Err(malformed(READ, format!("row {index} has no entry")));
        };
        self.check(index, &entry)?;
        self.next = index + 1;
        let object = match self.plan.select {
            Select::Entries => None,
            _ => object(index, &mut row)?,
        };
        Ok(Some(Taken { index, entry, object }))
    }

    fn check(&self, index: u64, entry: &str) -> Result<()> {
        let plan = self.plan;
        let dense = matches!(plan.select, Select::All | Select::Entries);
        if index < self.next || (dense && index != self.next) || plan.ends_before(index) {
            let next = self.next;
            let what = format!("row {index} came where row {next} or what follows was to come");
            return Err(malformed(READ, what));
        }
        let Ok(parsed) = Entry::parse(entry.as_bytes()) else {
            // Whoever verifies says what is wrong with it.
            return if dense { Ok(()) } else { Err(malformed(READ, "an entry is none")) };
        };
        let wanted = match plan.select {
            Select::All | Select::Entries => true,
            Select::Records => parsed.kind.is_record(),
            Select::Sheets => parsed.kind.is_sheet(),
            Select::Schemas => parsed.kind == Kind::Schema,
        };
        if wanted { Ok(()) } else { Err(malformed(READ, "an entry of another kind was sent")) }
    }
}

fn object(index: u64, row: &mut Map<String, Value>) -> Result<Option<Vec<u8>>> {
    match (row.remove("object"), row.remove("object64")) {
        (Some(Value::String(text)), None) => Ok(Some(text.into_bytes())),
        (None, Some(Value::String(text))) => {
            let wrong = |_| malformed(READ, format!("the object of row {index} is no base64"));
            STANDARD.decode(text).map(Some).map_err(wrong)
        }
        (None, None) => Ok(None),
        _ => Err(malformed(READ, format!("the object of row {index} is no text"))),
    }
}
