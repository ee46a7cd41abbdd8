//! A project: its fact sheet and its records under one name.

use std::ops::ControlFlow;

use quark_trace_core::ledger::{Digest, Kind};
use quark_trace_core::payload::Payload;
use quark_trace_core::sheet::{Amendment, ContentField, FactSheet};

use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::log::TraceLog;
use crate::record::Record;
use crate::stages::Stages;
use crate::store::{Commit, Durability, Head, NewEntry, Plan, Row, Select, StoredSheet};
pub use crate::summary::{Summary, summary};
use crate::verify::{Policy, Verdict, verify};

/// A fact sheet and the log it belongs to.
///
/// ```
/// use std::sync::Arc;
/// use quark_trace::{Project, TraceLog, store::MemoryStore};
/// use quark_trace::core::{payload::Payload, sheet::{FactSheet, template}};
///
/// let yaml = template("demo");
/// let (sheet, _warnings) = FactSheet::from_yaml(yaml.as_bytes(), "2026-01-02T03:04:05+00:00").unwrap();
/// let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse()?);
/// let project = Project::load(sheet, log)?;
/// project.log("experiment_start", &Payload::new().with("rounds", 5))?;
/// assert_eq!(project.summary()?.total_records, 1);
/// # Ok::<(), quark_trace::Error>(())
/// ```
#[derive(Debug)]
pub struct Project {
    sheet: FactSheet,
    log: TraceLog,
}

/// One version of a fact sheet in the ledger.
#[derive(Debug, Clone)]
pub struct SheetVersion {
    /// Index of its entry; `None` for the sheet of a 0.1.0 folder that is not in a ledger yet.
    pub index: Option<u64>,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// What it says.
    pub sheet: FactSheet,
    /// Its stored bytes.
    pub bytes: Vec<u8>,
}

impl Project {
    /// Begins a project with its sheet, which must not have one yet.
    pub fn load(sheet: FactSheet, log: TraceLog) -> Result<Self> {
        check_same_project(&sheet, &log)?;
        let sheet = next_sheet(&log, |last| match last {
            Some(_) => Err(exists(&log)),
            None => Ok(sheet.clone()),
        })?;
        Ok(Self { sheet, log })
    }

    /// Takes up a project that has a sheet.
    pub fn resume(log: TraceLog) -> Result<Self> {
        match last_sheet(&log)? {
            Some(version) => Ok(Self { sheet: version.sheet, log }),
            None => {
                let message =
                    format!("no fact sheet found for project {:?}", log.project().as_str());
                Err(Error::new(ErrorKind::NotFound, "resume the project", message))
            }
        }
    }

    /// Begins a project, or takes it up when its sheet says what this one says; a sheet that says
    /// something else is refused, because it is changed by amendments alone.
    pub fn open(sheet: FactSheet, log: TraceLog) -> Result<Self> {
        check_same_project(&sheet, &log)?;
        match Self::load(sheet.clone(), log.clone()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => return other,
        }
        let known = Self::resume(log).map_err(unwritten)?;
        let differing = differing_content(&sheet, &known.sheet);
        // The file that a project began with still opens it after amendments.
        let first = known.sheets().map_err(unwritten)?.into_iter().next();
        if differing.is_empty()
            || first.is_some_and(|first| differing_content(&sheet, &first.sheet).is_empty())
        {
            return Ok(known);
        }
        let message = format!(
            "the project has a fact sheet that differs in {}; amend it instead of loading another",
            differing.join(", ")
        );
        Err(Error::new(ErrorKind::AlreadyExists, "open the project", message)
            .on(known.log.project().as_str())
            .with_outcome(Outcome::NotWritten))
    }

    /// The sheet as it is now.
    pub fn sheet(&self) -> &FactSheet {
        &self.sheet
    }

    /// The records.
    pub fn trace_log(&self) -> &TraceLog {
        &self.log
    }

    /// Appends a record.
    pub fn log(&self, stage: &str, payload: &Payload) -> Result<Record> {
        self.log.log(stage, payload)
    }

    /// Changes the sheet: the new version is an entry of the ledger, the old ones stay.
    pub fn amend(&mut self, amendment: &Amendment, at: &str) -> Result<&FactSheet> {
        let known = &self.sheet;
        self.sheet = next_sheet(&self.log, |last| {
            last.as_ref().unwrap_or(known).amend(amendment, at).map_err(|fault| {
                Error::new(ErrorKind::InvalidInput, "amend the fact sheet", fault.to_string())
                    .caused_by(fault)
                    .with_outcome(Outcome::NotWritten)
            })
        })?;
        Ok(&self.sheet)
    }

    /// All versions of the sheet, the oldest first.
    pub fn sheets(&self) -> Result<Vec<SheetVersion>> {
        sheets(&self.log)
    }

    /// Counts the records.
    pub fn summary(&self) -> Result<Summary> {
        summary(&self.log)
    }

    /// The stages, and what is asked of their records.
    pub fn stages(&self) -> Stages<'_> {
        self.log.stages()
    }

    /// Makes everything durable and signs a checkpoint over it.
    pub fn seal(&self) -> Result<Option<Head>> {
        self.log.store().seal(self.log.project())
    }

    /// Verifies the whole log.
    pub fn verify(&self, policy: &Policy) -> Result<Verdict> {
        verify(self.log.store().as_ref(), self.log.project(), policy)
    }
}

/// All versions of a project's sheet, the oldest first.
pub fn sheets(log: &TraceLog) -> Result<Vec<SheetVersion>> {
    let mut versions = Vec::new();
    each_sheet(log, |version| {
        versions.push(version);
        ControlFlow::Continue(())
    })?;
    Ok(versions)
}

/// The last version of a project's sheet; `None` when there is none.
pub fn last_sheet(log: &TraceLog) -> Result<Option<SheetVersion>> {
    let last = log.store().last_sheet(log.project())?;
    last.map(|StoredSheet { index, bytes }| SheetVersion::read(index, bytes)).transpose()
}

/// Passes the versions of a project's sheet, the oldest first, until `each` breaks off. None is kept:
/// each tells of all amendments before it, so that a hundred take megabytes.
pub fn each_sheet(
    log: &TraceLog,
    mut each: impl FnMut(SheetVersion) -> ControlFlow<()>,
) -> Result<()> {
    let mut fault = None;
    let plan = Plan { select: Select::Sheets, ..Plan::default() };
    log.store().scan(log.project(), &plan, &mut |row| {
        let (index, bytes) = match row {
            Row::Entry { index, object: Some(object), .. } => (Some(index), object.into_owned()),
            Row::Loose { object, .. } => (None, object.to_vec()),
            _ => return ControlFlow::Continue(()),
        };
        match SheetVersion::read(index, bytes) {
            Ok(version) => each(version),
            Err(error) => {
                fault = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    fault.map_or(Ok(()), Err)
}

impl SheetVersion {
    fn read(index: Option<u64>, bytes: Vec<u8>) -> Result<Self> {
        let sheet = FactSheet::from_json(&bytes).map_err(|error| {
            let which = index.map_or("that is shown".to_owned(), |at| format!("of entry {at}"));
            let message = format!("the fact sheet {which}: {error}");
            Error::new(ErrorKind::Corrupted, "read the fact sheets", message)
        })?;
        Ok(Self { index, digest: Digest::of(&bytes), sheet, bytes })
    }
}

/// Appends the sheet that `make` makes of the last one; when others appended meanwhile (records,
/// or the adoption of a 0.1.0 folder) it looks again.
fn next_sheet(
    log: &TraceLog,
    make: impl Fn(Option<FactSheet>) -> Result<FactSheet>,
) -> Result<FactSheet> {
    let mut attempts = 0;
    loop {
        let head = log.store().head(log.project()).map_err(unwritten)?;
        let size = head.map_or(0, |head| head.range.size());
        let sheet = make(last_sheet(log).map_err(unwritten)?.map(|last| last.sheet))?;
        let bytes = sheet.to_json_bytes();
        let entries = [NewEntry::new(Kind::Sheet, &bytes)];
        let commit =
            Commit { entries: &entries, expected: Some(size), durability: Durability::Sync };
        attempts += 1;
        match log.store().append(log.project(), &commit) {
            Err(error)
                if matches!(error.kind(), ErrorKind::Conflict { .. }) && attempts < ATTEMPTS => {}
            // A store that does not say may have written.
            other => {
                let sheet = other.map(|_| sheet);
                return sheet.map_err(|error| error.or_outcome(Outcome::Unknown));
            }
        }
    }
}

/// An error from before anything was handed to the store.
fn unwritten(error: Error) -> Error {
    error.or_outcome(Outcome::NotWritten)
}

/// How often a sheet is tried again while others keep appending records.
const ATTEMPTS: u32 = 100;

/// Names of the content fields in which two sheets differ.
fn differing_content(one: &FactSheet, other: &FactSheet) -> Vec<&'static str> {
    let mut names: Vec<_> = ContentField::ALL
        .into_iter()
        .filter(|field| one.content(*field) != other.content(*field))
        .map(ContentField::name)
        .collect();
    if one.institution_id() != other.institution_id() {
        names.push("institution_id");
    }
    names
}

fn check_same_project(sheet: &FactSheet, log: &TraceLog) -> Result<()> {
    if sheet.project_id() == log.project().as_str() {
        return Ok(());
    }
    let message = format!(
        "the fact sheet is of project {:?}, the log of {:?}",
        sheet.project_id(),
        log.project().as_str()
    );
    Err(unwritten(Error::new(ErrorKind::InvalidInput, "bind sheet and log", message)))
}

fn exists(log: &TraceLog) -> Error {
    let message = format!(
        "a fact sheet for project {:?} exists already; amend it to change it",
        log.project().as_str()
    );
    Error::new(ErrorKind::AlreadyExists, "save the fact sheet", message)
        .with_outcome(Outcome::NotWritten)
}
