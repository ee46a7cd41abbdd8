//! The log as it was: a beginning of it.

use std::ops::ControlFlow;
use std::str::FromStr;

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Checkpoint, CompactRange, Note};
use quark_trace_core::query::{Asked, Comparison, Field, Filter, Matcher, Time};
use quark_trace_core::time::typed;

use super::OPERATION;
use super::cursor::Position;
use crate::error::{Error, ErrorKind, Result};
use crate::log::TraceLog;
use crate::store::{Plan, Row, Select};

/// Which beginning of the log is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsOf {
    /// Up to this entry, and with it.
    Index(u64),
    /// The records before the first one in the log that has a later time, in microseconds since 1970
    /// UTC. Clocks may go back: a record behind that one is not asked whatever its time is.
    Time(i64),
    /// What this signed note is a checkpoint of. The log has to lead to its root, else it is an
    /// error; who signed it is for [`crate::verify`] to say.
    Checkpoint(String),
}

impl FromStr for AsOf {
    type Err = Error;

    /// Reads what people type: an index, a time (`2026-01-02`, `2026-01-02T03:04:05Z`), or the whole
    /// text of a checkpoint.
    fn from_str(text: &str) -> Result<Self> {
        if let Ok(index) = text.trim().parse() {
            return Ok(Self::Index(index));
        }
        if let Some(micros) = typed(text) {
            return Ok(Self::Time(micros));
        }
        if text.contains('\n') {
            return Ok(Self::Checkpoint(text.to_owned()));
        }
        let message = format!(
            "{text:?} is neither an index, nor a time such as 2026-01-02T03:04:05Z, nor the text of \
             a checkpoint"
        );
        Err(Error::new(ErrorKind::InvalidInput, OPERATION, message))
    }
}

/// Where the beginning ends: this position and what follows are left out.
pub(super) type End = Option<Position>;

impl AsOf {
    pub(super) fn end(&self, log: &TraceLog) -> Result<End> {
        match self {
            Self::Index(index) => Ok(index.checked_add(1).map(Position::Entry)),
            Self::Time(micros) => first_later(log, *micros),
            Self::Checkpoint(note) => covered(log, note).map(|size| Some(Position::Entry(size))),
        }
    }
}

fn first_later(log: &TraceLog, micros: i64) -> Result<End> {
    let later = Filter::compare(Field::Timestamp, Comparison::Greater, Time::At(micros));
    let mut matcher = Matcher::new(&later, 0)?;
    let plan = Plan { select: Select::Records, filter: Some(&later), ..Plan::default() };
    let mut first = None;
    log.store().scan(log.project(), &plan, &mut |row| {
        let (position, asked) = match &row {
            Row::Entry { index, object: Some(object), .. } => {
                (Position::Entry(*index), matcher.ask(Some(*index), object))
            }
            Row::Loose { object, place, .. } => {
                (Position::Line(place.line), matcher.ask(None, object))
            }
            _ => return ControlFlow::Continue(()),
        };
        if asked != Asked::Selected {
            return ControlFlow::Continue(());
        }
        first = Some(position);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

/// The size of a checkpoint that the log leads to.
fn covered(log: &TraceLog, note: &str) -> Result<u64> {
    let checkpoint = Note::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
    let Some(checkpoint) = checkpoint else {
        let message = "this is no checkpoint; give the whole note, as the file `checkpoint` has it";
        return Err(Error::new(ErrorKind::InvalidInput, OPERATION, message));
    };
    let mut range = CompactRange::new();
    let plan = Plan { until: Some(checkpoint.size), ..Plan::default() };
    log.store().scan(log.project(), &plan, &mut |row| {
        if let Row::Entry { line, .. } = row {
            range.push(leaf_hash(line));
        }
        ControlFlow::Continue(())
    })?;
    let size = checkpoint.size;
    if range.size() < size {
        let message = format!(
            "the checkpoint is of {size} entries and the log has {}; it is of another log, or the \
             end of this one is missing: verify it",
            range.size()
        );
        return Err(Error::new(ErrorKind::Integrity("E-TRUNC"), OPERATION, message));
    }
    if range.root() != checkpoint.root {
        let message = format!(
            "the first {size} entries do not lead to the root of the checkpoint; it is of another \
             log, or this one was changed: verify it"
        );
        return Err(Error::new(ErrorKind::Integrity("E-ROOT"), OPERATION, message));
    }
    Ok(size)
}
