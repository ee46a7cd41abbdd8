//! Stores that lose or change a row on its way, in every manner that a copy must notice.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Digest;
use quark_trace::store::StoreInfo;
use quark_trace::store::{Appended, Beside, Commit, Head, NewEntry, Place, Plan, Row, Store};
use quark_trace::{Error, ErrorKind, Outcome, Result};

/// What happens to one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is left out, and those behind it keep their indexes.
    Dropped,
    /// It is left out, and those behind it move up.
    Closed,
    /// Its object has one bit more.
    Object,
    /// Its entry names another digest.
    Line,
    /// Entry and object are those of another record, and fit each other.
    Exchanged,
    /// Its entry has one attribute more, so that the root alone tells.
    Attribute,
    /// Its object is gone.
    Missing,
    /// It comes twice, and those behind it move down.
    Twice,
    /// It changes places with the one before it.
    Swapped,
    /// The log ends before it.
    Cut,
}

impl Fault {
    pub const ALL: [Self; 10] = [
        Self::Dropped,
        Self::Closed,
        Self::Object,
        Self::Line,
        Self::Exchanged,
        Self::Attribute,
        Self::Missing,
        Self::Twice,
        Self::Swapped,
        Self::Cut,
    ];

    /// Does it to the row at `at` of all rows.
    fn happen(self, rows: &mut Vec<Found>, at: usize) {
        let renumber = |rows: &mut Vec<Found>| {
            (0..).zip(rows).for_each(|(index, row)| row.index = index);
        };
        match self {
            Self::Dropped => drop(rows.remove(at)),
            Self::Closed => {
                rows.remove(at);
                renumber(rows);
            }
            Self::Object => {
                if let Some(byte) = rows[at].object.iter_mut().flatten().last() {
                    *byte ^= 1;
                }
            }
            Self::Line => {
                let hex = rows[at].line.iter().position(|byte| *byte == b':').unwrap() + 1;
                rows[at].line[hex] = if rows[at].line[hex] == b'0' { b'1' } else { b'0' };
            }
            Self::Exchanged => {
                let object = br#"{"record_id": "0", "project_id": "demo", "payload": {}}"#;
                rows[at].line = format!("record sha256:{}", Digest::of(object)).into_bytes();
                rows[at].object = Some(object.to_vec());
            }
            Self::Attribute => rows[at].line.extend_from_slice(b" at=1"),
            Self::Missing => rows[at].object = None,
            Self::Twice => {
                rows.insert(at, rows[at].clone());
                renumber(rows);
            }
            Self::Swapped => {
                let other = if at == 0 { 1 } else { at - 1 };
                rows.swap(at, other);
                renumber(rows);
            }
            Self::Cut => rows.truncate(at),
        }
    }
}

#[derive(Clone)]
struct Found {
    index: u64,
    line: Vec<u8>,
    object: Option<Vec<u8>>,
    place: Place,
}

/// A source with a fault at one row, in some of the times that it is read (counted from 1).
#[derive(Debug)]
pub struct FaultySource {
    pub inner: Arc<dyn Store>,
    pub fault: Fault,
    pub at: usize,
    pub readings: std::ops::RangeInclusive<u32>,
    pub read: AtomicU32,
}

impl Store for FaultySource {
    fn info(&self) -> StoreInfo {
        self.inner.info()
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        self.inner.projects()
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.inner.head(project)
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.inner.beside(project)
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        self.inner.append(project, commit)
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.inner.seal(project)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut rows = Vec::new();
        self.inner.scan(project, plan, &mut |row| {
            if let Row::Entry { index, line, object, place, .. } = row {
                let (line, object) = (line.to_vec(), object.map(Into::into));
                rows.push(Found { index, line, object, place });
            }
            ControlFlow::Continue(())
        })?;
        if self.readings.contains(&(self.read.fetch_add(1, Ordering::Relaxed) + 1)) {
            self.fault.happen(&mut rows, self.at);
        }
        for row in &rows {
            let (index, line, place) = (row.index, row.line.as_slice(), row.place);
            let object = row.object.as_deref().map(Into::into);
            let row = Row::Entry { index, line, object, digest: None, place, displaced: false };
            if sink(row).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// What a target does with one of the entries it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Leaves it out and says that it has it.
    Swallows,
    /// Stores another object.
    Changes,
    /// Fails before the commit that holds it.
    Fails,
    /// Fails after the commit that holds it.
    FailsAfter,
}

/// A target that does so to the entry that would get index `at`.
#[derive(Debug)]
pub struct FaultyTarget {
    pub inner: Arc<dyn Store>,
    pub loss: Loss,
    pub at: u64,
}

impl Store for FaultyTarget {
    fn info(&self) -> StoreInfo {
        self.inner.info()
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        self.inner.projects()
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.inner.head(project)
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.inner.beside(project)
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        let size = self.inner.head(project)?.map_or(1, |head| head.range.size());
        let place = self.at.checked_sub(size).map(|place| place as usize);
        let Some(place) = place.filter(|place| *place < commit.entries.len()) else {
            return self.inner.append(project, commit);
        };
        let mut entries = commit.entries.to_vec();
        let other = br#"{"record_id": "0", "project_id": "demo", "payload": {}}"#;
        let outcome = match self.loss {
            Loss::Swallows => {
                entries.remove(place);
                None
            }
            Loss::Changes => {
                entries[place] = NewEntry::new(quark_trace::core::ledger::Kind::Record, other);
                None
            }
            Loss::Fails => Some(Outcome::NotWritten),
            Loss::FailsAfter => Some(Outcome::Unknown),
        };
        if outcome != Some(Outcome::NotWritten) {
            let done = self.inner.append(project, &Commit { entries: &entries, ..*commit })?;
            if outcome.is_none() {
                let lost = (commit.entries.len() - entries.len()) as u64;
                return Ok(Appended { size: done.size + lost, ..done });
            }
        }
        let error = Error::new(ErrorKind::Io, "append to the log", "the cable was pulled");
        Err(error.with_outcome(outcome.unwrap_or(Outcome::Unknown)))
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.inner.seal(project)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.inner.scan(project, plan, sink)
    }
}
