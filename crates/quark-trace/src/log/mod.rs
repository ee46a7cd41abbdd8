//! Writing and reading the records of one project.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use quark_trace_core::ids::{ProjectId, Stage};
use quark_trace_core::ledger::{Digest, Entry, Kind};
use quark_trace_core::payload::Payload;
use quark_trace_core::query::Field;
use quark_trace_core::record::{Draft, View};
use quark_trace_core::stages::Fault;

use crate::clock::{Clock, SystemClock, timestamp};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::record::Record;
use crate::record_ids::IdPool;
use crate::stages::Stages;
use crate::stages::rules::KnownRules;
use crate::store::{Appended, Commit, Durability, NewEntry, Place, Plan, Row, Select, Store};
use crate::summary::Kept;

mod incoming;
mod received;

pub use incoming::Incoming;
pub use received::Received;

/// The records of a project in a store: append-only.
///
/// ```
/// use std::sync::Arc;
/// use quark_trace::{TraceLog, store::MemoryStore};
/// use quark_trace::core::payload::Payload;
///
/// let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse()?);
/// log.log("client_round", &Payload::new().with("round", 1).with("loss", 0.21))?;
/// assert_eq!(log.history()?[0].stage(), "client_round");
/// # Ok::<(), quark_trace::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TraceLog {
    store: Arc<dyn Store>,
    project: ProjectId,
    durability: Durability,
    clock: Arc<dyn Clock>,
    ids: Arc<Mutex<IdPool>>,
    kept_summary: Kept,
    rules: Arc<KnownRules>,
}

impl TraceLog {
    /// The log of `project` in `store`, with [`Durability::Os`] and the system's clock.
    pub fn new(store: Arc<dyn Store>, project: ProjectId) -> Self {
        Self {
            store,
            project,
            durability: Durability::default(),
            clock: Arc::new(SystemClock),
            ids: Arc::default(),
            kept_summary: Kept::default(),
            rules: Arc::default(),
        }
    }

    /// When appends return.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Takes times from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The project.
    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    pub(crate) fn kept_summary(&self) -> &Kept {
        &self.kept_summary
    }

    /// The present time of the clock in microseconds since 1970 UTC.
    pub(crate) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// Appends a record with a new id and the present time, and returns it. If the project holds
    /// itself to a schema of the stage, [`Record::faults`] says how the record breaks it; where it is
    /// strict, such a record is refused with [`ErrorKind::SchemaBroken`].
    pub fn log(&self, stage: &str, payload: &Payload) -> Result<Record> {
        payload.check()?;
        let mut record = self.draft(stage, payload.as_bytes())?;
        self.append_checked(&mut record, stage, payload.as_bytes())?;
        Ok(record)
    }

    /// Writes the line of a record with a new id and the present time, without appending it.
    /// `payload` is a JSON object on one line.
    pub fn draft(&self, stage: &str, payload: &[u8]) -> Result<Record> {
        check_stage(stage)?;
        let record_id = self.ids.lock().unwrap_or_else(PoisonError::into_inner).next()?;
        let mut line = Vec::with_capacity(192 + payload.len() + stage.len());
        let draft = Draft {
            record_id: &record_id,
            project_id: self.project.as_str(),
            stage,
            timestamp: &timestamp(self.clock.now_us()),
            payload,
        };
        draft.write(&mut line);
        Ok(Record::drafted(line))
    }

    /// Appends a drafted record, whose id nobody else can have.
    pub fn append_drafted(&self, record: &Record) -> Result<Appended> {
        let entries = &mut [NewEntry::new(Kind::Record, record.line())];
        Ok(self.commit_checked(entries, None)?.appended)
    }

    /// Appends a record that was drafted with this stage and payload, and tells it its faults.
    pub fn append_checked(
        &self,
        record: &mut Record,
        stage: &str,
        payload: &[u8],
    ) -> Result<Appended> {
        let mut attempts = 0;
        loop {
            let rules = self.rules.read(self)?;
            let faults = match rules.check(stage, payload) {
                Err(_) if attempts < ATTEMPTS && self.rules.renew(self, &rules)? => {
                    attempts += 1;
                    continue;
                }
                checked => checked?,
            };
            match self.commit(&[rules.entry(record.line())], None) {
                Err(error) if is_outdated(&error) && attempts < ATTEMPTS => {
                    attempts += 1;
                    self.rules.forget(&rules);
                }
                Err(error) => return Err(error),
                Ok(appended) => {
                    record.set_faults(faults);
                    return Ok(appended);
                }
            }
        }
    }

    /// As [`TraceLog::append_checked`], for callers that hold a lock of their own meanwhile; `None`,
    /// with nothing done, when it would have to wait.
    pub fn append_if_quick(
        &self,
        record: &mut Record,
        stage: &str,
        payload: &[u8],
    ) -> Option<Result<Appended>> {
        let rules = self.rules.known()?;
        // A refusal has to look first whether the schemas are still the same.
        let faults = rules.check(stage, payload).ok()?;
        let entries = [rules.entry(record.line())];
        let commit = Commit { entries: &entries, expected: None, durability: self.durability };
        match self.store.append_if_quick(&self.project, &commit)? {
            Err(error) if is_outdated(&error) => {
                self.rules.forget(&rules);
                None
            }
            Err(error) => Some(Err(error.or_outcome(Outcome::Unknown))),
            Ok(appended) => {
                record.set_faults(faults);
                Some(Ok(appended))
            }
        }
    }

    /// Appends a record whose id the caller chose, once: the same record again is answered with
    /// the index it has, another record with the same id is refused.
    pub fn append(&self, record: &Record) -> Result<u64> {
        let appended = self.append_all(std::slice::from_ref(record))?;
        Ok(appended.existing.first().map_or(appended.size - 1, |(_, index)| *index))
    }

    /// How a record would break the schema of its stage, whatever the mode is.
    pub fn faults_of(&self, record: &Record) -> Result<Vec<Fault>> {
        Ok(self.rules.read(self)?.faults(record.line()))
    }

    /// The stages of the project, and what is asked of their records.
    pub fn stages(&self) -> Stages<'_> {
        Stages::of(self)
    }

    fn commit(&self, entries: &[NewEntry<'_>], expected: Option<u64>) -> Result<Appended> {
        let commit = Commit { entries, expected, durability: self.durability };
        let appended = self.store.append(&self.project, &commit);
        // A store that does not say may have written.
        appended.map_err(|error| error.or_outcome(Outcome::Unknown))
    }

    /// All records in the order of the log. A line that is no record is an error of kind
    /// `Corrupted` which says where it is; [`TraceLog::each_line`] reads past it.
    pub fn history(&self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut fault = None;
        self.each_line(|line, place| match Record::from_line(line.to_vec()) {
            Ok(record) => {
                records.push(record);
                ControlFlow::Continue(())
            }
            Err(error) => {
                fault = Some(error.on(format!(
                    "line {} at byte {} of project {}",
                    place.line, place.offset, self.project
                )));
                ControlFlow::Break(())
            }
        })?;
        fault.map_or(Ok(records), Err)
    }

    /// Every record line, readable or not, with its place, until `each` breaks off.
    pub fn each_line(&self, mut each: impl FnMut(&[u8], Place) -> ControlFlow<()>) -> Result<()> {
        let plan = Plan { select: Select::Records, ..Plan::default() };
        self.store.scan(&self.project, &plan, &mut |row| match row {
            Row::Entry { object: Some(object), place, .. } => each(&object, place),
            Row::Loose { object, place, .. } => each(object, place),
            _ => ControlFlow::Continue(()),
        })
    }

    /// The index and line of the entry about a record; `None` when no record has the id.
    pub fn find(&self, record_id: &str) -> Result<Option<(u64, Record)>> {
        let mut found = None;
        // Stores find an id without reading the log.
        let own = Field::RecordId.is(record_id);
        let plan = Plan { select: Select::Records, filter: Some(&own), ..Plan::default() };
        self.store.scan(&self.project, &plan, &mut |row| {
            let Row::Entry { index, line, object: Some(object), .. } = row else {
                return ControlFlow::Continue(());
            };
            let matches = View::parse(&object)
                .is_ok_and(|view| view.record_id.to_str() == record_id)
                && Entry::parse(line).is_ok_and(|entry| entry.object == Digest::of(&object));
            if !matches {
                return ControlFlow::Continue(());
            }
            found = Record::from_line(object.into_owned()).ok().map(|record| (index, record));
            ControlFlow::Break(())
        })?;
        Ok(found)
    }
}

/// How often a record is checked again while others keep changing the schemas.
const ATTEMPTS: u32 = 100;

/// Whether the schemas changed since the record was checked: nothing else of it depends on the log.
fn is_outdated(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict { .. })
}

fn check_stage(stage: &str) -> Result<()> {
    Stage::check(stage).map_err(|fault| Error::from(fault).with_outcome(Outcome::NotWritten))
}
