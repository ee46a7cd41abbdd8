//! The log of one project, as a `Project` of a `JsonBackend` uses it.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::{Checkpoint, Note, VerifierKey};
use quark_trace::core::sheet::{Amendment, FactSheet};
use quark_trace::store::Store;
use quark_trace::verify::{Level, Policy};
use quark_trace::{Error, ErrorKind, History, Outcome, Project, Record, TraceLog, project, prove};

use crate::arguments::{check_stage, encode_arguments, take_stage};
use crate::collector::Paused;
use crate::errors::{Doing, exception, raise};
use crate::fork;
use crate::record::TraceRecord;
use crate::sheet::{json_map, raise_amendment};
use crate::store::Shared;
use crate::summary;

/// The log of a project.
#[pyclass(frozen, module = "quark_trace._core")]
pub struct Log {
    shared: Arc<Shared>,
    project: ProjectId,
    /// Replaced in the child of a fork.
    open: Mutex<(u64, Option<Arc<Open>>)>,
}

pub struct Open {
    store: Arc<dyn Store>,
    log: TraceLog,
}

impl Open {
    pub fn trace_log(&self) -> &TraceLog {
        &self.log
    }
}

impl Log {
    pub fn new(shared: Arc<Shared>, project: ProjectId) -> Self {
        Self { shared, project, open: Mutex::new((0, None)) }
    }

    fn open(&self) -> Result<Arc<Open>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = fork::generation();
        if open.0 == generation
            && let Some(known) = &open.1
        {
            return Ok(Arc::clone(known));
        }
        std::mem::forget(open.1.take());
        let store = self.shared.store()?;
        let log = TraceLog::new(Arc::clone(&store), self.project.clone());
        let log = log.with_durability(self.shared.durability);
        let fresh = Arc::new(Open { store, log });
        *open = (generation, Some(Arc::clone(&fresh)));
        Ok(fresh)
    }

    /// The log of this process, for reading.
    pub fn trace_log(&self, py: Python<'_>) -> PyResult<TraceLog> {
        let open = self.open().map_err(|error| self.raise(py, &error, Doing::Reading))?;
        Ok(open.log.clone())
    }

    fn raise(&self, py: Python<'_>, error: &Error, doing: Doing) -> PyErr {
        exception(py, error, doing, self.project.as_str())
    }

    /// A store that could not be opened was not written to either.
    fn not_opened(&self, py: Python<'_>, error: Error, doing: Doing) -> PyErr {
        let error = match doing {
            Doing::Writing => error.or_outcome(Outcome::NotWritten),
            _ => error,
        };
        self.raise(py, &error, doing)
    }

    /// Runs without the GIL, since it may wait for disks and other processes.
    pub fn run<T: Send>(
        &self,
        py: Python<'_>,
        doing: Doing,
        act: impl Send + FnOnce(&Open) -> Result<T, Error>,
    ) -> PyResult<T> {
        let open = self.open().map_err(|error| self.not_opened(py, error, doing))?;
        fork::at_work(py, || act(&open)).map_err(|error| self.raise(py, &error, doing))
    }

    /// Encodes what was given to `log` and drafts its record.
    fn draft(&self, py: Python<'_>, open: &Open, stage: &str, payload: &[u8]) -> PyResult<Record> {
        open.log.draft(stage, payload).map_err(|error| self.raise(py, &error, Doing::Writing))
    }
}

#[pymethods]
impl Log {
    /// Appends a record and returns it: `log(stage, /, **payload)`, `log(stage=..., **payload)` or
    /// `log(stage, payload={...})`.
    #[pyo3(signature = (*args, **kwargs))]
    fn log(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<TraceRecord> {
        let stage = take_stage(args, kwargs)?;
        let stage = check_stage(&stage)?;
        let mut payload = Vec::with_capacity(256);
        let encoded = match kwargs {
            None => {
                payload.extend_from_slice(b"{}");
                Ok(())
            }
            Some(kwargs) => encode_arguments(&mut payload, kwargs)?,
        };
        let open = self.open().map_err(|error| self.not_opened(py, error, Doing::Writing))?;
        if let Err(refused) = encoded {
            let reason = refused.sentence();
            return Err(raise(
                py,
                "serialization",
                &reason,
                "writing",
                Some("not_written"),
                None,
                None,
            ));
        }
        let mut record = self.draft(py, &open, stage, &payload)?;
        let quick = match fork::is_near() {
            true => None,
            false => open.log.append_if_quick(&mut record, stage, &payload),
        };
        let appended = quick.unwrap_or_else(|| {
            fork::at_work(py, || open.log.append_checked(&mut record, stage, &payload))
        });
        match appended {
            Ok(_) => Ok(TraceRecord::from_appended(record)),
            Err(error) => {
                let raised = self.raise(py, &error, Doing::Writing);
                let record = TraceRecord::from_line(record.into_line());
                raised.value(py).setattr("record", record)?;
                Err(raised)
            }
        }
    }

    /// Appends a record that has its id already, once; gives the index of its entry.
    fn append(&self, py: Python<'_>, record: &TraceRecord) -> PyResult<u64> {
        let line = record.to_line(py)?;
        let result =
            self.run(py, Doing::Writing, move |open| open.log.append(&Record::from_line(line)?));
        result.inspect_err(|error| {
            if let Ok(record) = record.again(py) {
                // The exception is raised all the same when it cannot carry the record.
                let _ = error.value(py).setattr("record", record);
            }
        })
    }

    /// All records. A line that is none raises, or is left out when `strict` is false.
    #[pyo3(signature = (strict=true))]
    fn load_all<'py>(&self, py: Python<'py>, strict: bool) -> PyResult<Bound<'py, PyList>> {
        let history = self.run(py, Doing::Reading, |open| History::read(&open.log))?;
        let records =
            history.records().iter().map(|range| TraceRecord::from_buffer(history.bytes(), range));
        let list = PyList::empty(py);
        let paused = Paused::new(py)?;
        for record in records {
            list.append(Py::new(py, record)?)?;
        }
        drop(paused);
        let Some(fault) = history.faults().first().filter(|_| strict) else { return Ok(list) };
        let more = match history.faults().len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let message = format!(
            "line {} at byte {} of project '{}' {}{more}; history(strict=False) reads the others",
            fault.place.line, fault.place.offset, self.project, fault.fault
        );
        let raised =
            raise(py, "corrupted", &message, "reading", None, None, Some(self.project.as_str()));
        raised.value(py).setattr("line", fault.place.line)?;
        raised.value(py).setattr("offset", fault.place.offset)?;
        raised.value(py).setattr("records", list)?;
        Err(raised)
    }

    /// What there is, counted.
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        summary::of_log(py, &self.trace_log(py)?)
    }

    /// The current fact sheet as stored, or `None`.
    fn sheet<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let shown = self.run(py, Doing::Reading, |open| open.store.sheet(&self.project))?;
        Ok(shown.map(|bytes| PyBytes::new(py, &bytes)))
    }

    /// All versions of the fact sheet: `[(index or None, bytes)]`.
    fn sheets<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Option<u64>, Bound<'py, PyBytes>)>> {
        let versions = self.run(py, Doing::Reading, |open| project::sheets(&open.log))?;
        let pairs =
            versions.iter().map(|version| (version.index, PyBytes::new(py, &version.bytes)));
        Ok(pairs.collect())
    }

    /// Saves the first fact sheet, given as JSON.
    fn save_sheet(&self, py: Python<'_>, sheet: &[u8]) -> PyResult<()> {
        let sheet = FactSheet::from_json(sheet).map_err(|fault| {
            raise(py, "sheet", &fault.to_string(), "writing", Some("not_written"), None, None)
        })?;
        self.run(py, Doing::Writing, move |open| Project::load(sheet, open.log.clone()).map(drop))
    }

    /// Takes up a project whose sheet says what this one says, or begins it; gives the sheet in
    /// force.
    fn open_sheet<'py>(&self, py: Python<'py>, sheet: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let sheet = FactSheet::from_json(sheet).map_err(|fault| {
            raise(py, "sheet", &fault.to_string(), "writing", Some("not_written"), None, None)
        })?;
        let opened =
            self.run(py, Doing::Writing, move |open| Project::open(sheet, open.log.clone()))?;
        Ok(PyBytes::new(py, &opened.sheet().to_json_bytes()))
    }

    /// Amends the fact sheet; gives the new version.
    fn amend<'py>(
        &self,
        py: Python<'py>,
        fields: &Bound<'py, PyDict>,
        amended_by: &str,
        reason: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let fields = json_map(fields)?;
        let amendment = Amendment::parse(&fields, amended_by, reason)
            .map_err(|fault| raise_amendment(py, &fault))?;
        let at = quark_trace::clock::now();
        let open = self.open().map_err(|error| self.not_opened(py, error, Doing::Writing))?;
        let amended = fork::at_work(py, || {
            let mut project = Project::resume(open.log.clone())?;
            project.amend(&amendment, &at).cloned()
        });
        let amended = amended.map_err(|error| match error.kind() {
            // What is wrong with it shows only beside the sheet in force.
            ErrorKind::InvalidInput => {
                let message = error.to_string();
                raise(py, "amendment", &message, "writing", Some("not_written"), None, None)
            }
            _ => self.raise(py, &error, Doing::Writing),
        })?;
        Ok(PyBytes::new(py, &amended.to_json_bytes()))
    }

    /// Makes everything durable and signs a checkpoint; gives `(size, root, checkpoint)`.
    fn seal(&self, py: Python<'_>) -> PyResult<Option<(u64, String, Option<String>)>> {
        let head = self.run(py, Doing::Writing, |open| open.store.seal(open.log.project()))?;
        Ok(head
            .map(|head| (head.range.size(), head.range.root().to_string(), head.beside.checkpoint)))
    }

    /// The verdict over the whole log, as JSON.
    #[pyo3(signature = (level="L1", keys=Vec::new(), checkpoint=None))]
    fn verify(
        &self,
        py: Python<'_>,
        level: &str,
        keys: Vec<String>,
        checkpoint: Option<String>,
    ) -> PyResult<String> {
        let invalid =
            |message: &str| raise(py, "invalid_input", message, "reading", None, None, None);
        let level: Level = level.parse().map_err(|message: String| invalid(&message))?;
        let keys = keys.iter().map(|key| VerifierKey::parse(key.trim()));
        let keys =
            keys.collect::<Result<Vec<_>, _>>().map_err(|fault| invalid(&fault.to_string()))?;
        if let Some(note) = &checkpoint {
            // One that is none says nothing about the log.
            let read = Note::parse(note).and_then(|note| Checkpoint::parse(note.text()));
            read.map_err(|fault| invalid(&format!("the checkpoint that was given is {fault}")))?;
        }
        let policy = Policy { level, keys, checkpoint, ..Policy::default() };
        let verdict = self.run(py, Doing::Reading, move |open| {
            quark_trace::verify::verify(open.store.as_ref(), open.log.project(), &policy)
        })?;
        let mut json = verdict.to_json();
        json["headline"] = verdict.headline().into();
        Ok(json.to_string())
    }

    /// The proof of a record's entry, in the form of C2SP tlog-proof: `(index, entry, proof)`.
    fn prove(&self, py: Python<'_>, record_id: &str) -> PyResult<Option<(u64, String, String)>> {
        let made = self.run(py, Doing::Reading, |open| {
            let Some((index, _)) = open.log.find(record_id)? else { return Ok(None) };
            prove::prove(open.store.as_ref(), open.log.project(), index).map(Some)
        })?;
        Ok(made.map(|made| {
            let entry = String::from_utf8_lossy(&made.entry).into_owned();
            (made.proof.index, entry, made.proof.to_string())
        }))
    }

    #[getter]
    fn project_id(&self) -> &str {
        self.project.as_str()
    }

    fn __repr__(&self) -> String {
        format!("Log({:?})", self.project.as_str())
    }
}
