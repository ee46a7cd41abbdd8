//! `TraceRecord`: one record, read from its stored bytes when somebody looks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};
use quark_trace::Record;
use quark_trace::core::record::{Draft, Field, View};
use quark_trace::core::stages::Fault;

use crate::decode::{Mutability, decode, string};
use crate::encode;
use crate::errors::{Doing, exception, fault_list, raise};
use crate::python::{FREEZE, Imported, THAW};

static FROZEN_INSTANCE: Imported = Imported::new("dataclasses", "FrozenInstanceError");

/// A single event of a project's life. It cannot be changed, and neither can its payload.
#[pyclass(frozen, subclass, module = "quark_trace.trace.record")]
pub struct TraceRecord {
    source: Source,
    payload: OnceLock<Py<PyAny>>,
    /// How it broke the schema of its stage; mostly it did not.
    faults: Option<Box<[Fault]>>,
}

enum Source {
    /// A stored line, in a buffer that it may share with others.
    Line { buffer: Arc<Vec<u8>>, start: usize, length: u32 },
    /// Built from values, which may be of any type.
    Values(Box<Values>),
}

struct Values {
    record_id: Py<PyAny>,
    project_id: Py<PyAny>,
    stage: Py<PyAny>,
    timestamp: Py<PyAny>,
    payload: Py<PyAny>,
}

impl TraceRecord {
    pub fn from_line(line: Vec<u8>) -> Self {
        let range = 0..line.len();
        Self::from_buffer(&Arc::new(line), &range)
    }

    /// A record that was just appended, with its faults.
    pub fn from_appended(record: Record) -> Self {
        let faults = record.faults();
        let faults = (!faults.is_empty()).then(|| faults.into());
        Self { faults, ..Self::from_line(record.into_line()) }
    }

    /// A record in a buffer; lines are far below 4 GiB.
    pub fn from_buffer(buffer: &Arc<Vec<u8>>, range: &Range<usize>) -> Self {
        let length = u32::try_from(range.len()).unwrap_or(u32::MAX);
        let source = Source::Line { buffer: Arc::clone(buffer), start: range.start, length };
        Self { source, payload: OnceLock::new(), faults: None }
    }

    /// The line that this record is, or would be, stored as.
    pub fn to_line(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        let values = match &self.source {
            Source::Line { .. } => return Ok(self.line().unwrap_or_default().to_vec()),
            Source::Values(values) => values,
        };
        let text = |name: &str, value: &Py<PyAny>| {
            value.bind(py).str().and_then(|text| text.extract::<String>()).map_err(|_| {
                let reason = format!("its {name} is no text of whole characters");
                raise(py, "serialization", &reason, "writing", Some("not_written"), None, None)
            })
        };
        let record_id = text("record_id", &values.record_id)?;
        let project_id = text("project_id", &values.project_id)?;
        let stage = text("stage", &values.stage)?;
        let timestamp = text("timestamp", &values.timestamp)?;
        let mut payload = Vec::new();
        encode::any(&mut payload, values.payload.bind(py)).map_err(|refused| {
            let subject = Some(record_id.as_str());
            let reason = refused.sentence();
            raise(py, "serialization", &reason, "writing", Some("not_written"), None, subject)
        })?;
        let mut line = Vec::new();
        let draft = Draft {
            record_id: &record_id,
            project_id: &project_id,
            stage: &stage,
            timestamp: &timestamp,
            payload: &payload,
        };
        draft.write(&mut line);
        Ok(line)
    }

    /// Another handle of the same record.
    pub fn again(&self, py: Python<'_>) -> PyResult<Self> {
        let source = match &self.source {
            Source::Line { buffer, start, length } => {
                Source::Line { buffer: Arc::clone(buffer), start: *start, length: *length }
            }
            Source::Values(values) => Source::Values(Box::new(Values {
                record_id: values.record_id.clone_ref(py),
                project_id: values.project_id.clone_ref(py),
                stage: values.stage.clone_ref(py),
                timestamp: values.timestamp.clone_ref(py),
                payload: values.payload.clone_ref(py),
            })),
        };
        Ok(Self { source, payload: OnceLock::new(), faults: self.faults.clone() })
    }

    fn line(&self) -> Option<&[u8]> {
        match &self.source {
            Source::Line { buffer, start, length } => {
                Some(&buffer[*start..*start + *length as usize])
            }
            Source::Values(_) => None,
        }
    }

    fn field<'py>(
        &self,
        py: Python<'py>,
        of_line: impl FnOnce(&View<'_>) -> Option<PyResult<Bound<'py, PyAny>>>,
        of_values: impl FnOnce(&Values) -> &Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match (&self.source, self.line()) {
            (Source::Values(values), _) => Ok(of_values(values).bind(py).clone()),
            (_, Some(line)) => {
                let view = View::parse(line).map_err(|fault| {
                    raise(
                        py,
                        "corrupted",
                        &format!("the line {fault}"),
                        "reading",
                        None,
                        None,
                        None,
                    )
                })?;
                of_line(&view).unwrap_or_else(|| Ok(py.None().into_bound(py)))
            }
            _ => Ok(py.None().into_bound(py)),
        }
    }

    fn frozen<'py>(&self, py: Python<'py>, name: &str, what: &str) -> PyErr {
        let message = format!("cannot {what} field '{name}'");
        match FROZEN_INSTANCE.bind(py).and_then(|class| class.call1((message,))) {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    }
}

/// The line that a record is, or would be, stored as.
#[pyfunction]
pub fn record_line<'py>(py: Python<'py>, record: &TraceRecord) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &record.to_line(py)?))
}

/// The record that a stored line is.
#[pyfunction]
pub fn record_from_line(py: Python<'_>, line: &[u8]) -> PyResult<TraceRecord> {
    match Record::from_line(line.to_vec()) {
        Ok(record) => Ok(TraceRecord::from_line(record.into_line())),
        Err(error) => Err(exception(py, &error, Doing::Reading, "")),
    }
}

fn text<'py>(py: Python<'py>, field: &Field<'_>) -> PyResult<Bound<'py, PyAny>> {
    match field {
        Field::Text(text) => Ok(string(py, text)?.into_any()),
        Field::Other(_) => Ok(PyString::new(py, &field.to_str()).into_any()),
    }
}

#[pymethods]
impl TraceRecord {
    #[new]
    #[pyo3(signature = (record_id, project_id, stage, timestamp, payload))]
    fn new(
        py: Python<'_>,
        record_id: Py<PyAny>,
        project_id: Py<PyAny>,
        stage: Py<PyAny>,
        timestamp: Py<PyAny>,
        payload: Py<PyAny>,
    ) -> PyResult<Self> {
        let payload = FREEZE.bind(py)?.call1((payload,))?.unbind();
        let values = Values { record_id, project_id, stage, timestamp, payload };
        let source = Source::Values(Box::new(values));
        Ok(Self { source, payload: OnceLock::new(), faults: None })
    }

    /// A record with a new id and the present time.
    #[classmethod]
    fn create<'py>(
        class: &Bound<'py, PyType>,
        project_id: Py<PyAny>,
        stage: Py<PyAny>,
        payload: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let record_id = uuid::Uuid::new_v4().to_string();
        class.call1((record_id, project_id, stage, quark_trace::clock::now(), payload))
    }

    /// A record from the dictionary that `to_json` makes.
    #[classmethod]
    fn from_json<'py>(
        class: &Bound<'py, PyType>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut fields = Vec::with_capacity(5);
        for name in ["record_id", "project_id", "stage", "timestamp"] {
            fields.push(data.get_item(name)?.str()?.into_any());
        }
        fields.push(match data.get_item("payload") {
            Err(error) if error.is_instance_of::<PyKeyError>(class.py()) => {
                PyDict::new(class.py()).into_any()
            }
            other => other?,
        });
        class.call1(PyTuple::new(class.py(), fields)?)
    }

    /// A dictionary of the five fields, a copy of its own.
    fn to_json<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let data = PyDict::new(py);
        for name in ["record_id", "project_id", "stage", "timestamp"] {
            data.set_item(name, slf.getattr(name)?)?;
        }
        let payload = match slf.get().line() {
            Some(line) => {
                let view = View::parse(line).ok();
                decode(py, view.map_or(b"{}", |view| view.payload), Mutability::Plain)?
            }
            None => THAW.bind(py)?.call1((slf.getattr("payload")?,))?,
        };
        data.set_item("payload", payload)?;
        Ok(data)
    }

    #[getter]
    fn record_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.field(py, |view| Some(text(py, &view.record_id)), |values| &values.record_id)
    }

    #[getter]
    fn project_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.field(py, |view| Some(text(py, &view.project_id)), |values| &values.project_id)
    }

    #[getter]
    fn stage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.field(py, |view| Some(text(py, &view.stage)), |values| &values.stage)
    }

    #[getter]
    fn timestamp<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.field(py, |view| Some(text(py, &view.timestamp)), |values| &values.timestamp)
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(known) = self.payload.get() {
            return Ok(known.bind(py).clone());
        }
        let value = self.field(
            py,
            |view| Some(decode(py, view.payload, Mutability::Frozen)),
            |values| &values.payload,
        )?;
        Ok(self.payload.get_or_init(|| value.unbind()).bind(py).clone())
    }

    /// How it broke the schema of its stage when it was logged here: `path`, `expected` and `came`
    /// of each fault. Empty for a record that was read back.
    #[getter]
    fn faults<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        fault_list(py, self.faults.as_deref().unwrap_or_default())
    }

    fn __setattr__(slf: &Bound<'_, Self>, name: &str, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(slf.get().frozen(slf.py(), name, "assign to"))
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &str) -> PyResult<()> {
        Err(slf.get().frozen(slf.py(), name, "delete"))
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if !other.get_type().is(slf.get_type()) {
            return Ok(py.NotImplemented());
        }
        for name in ["record_id", "project_id", "stage", "timestamp", "payload"] {
            if !slf.getattr(name)?.eq(other.getattr(name)?)? {
                return Ok(false.into_pyobject(py)?.to_owned().into_any().unbind());
            }
        }
        Ok(true.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<u64> {
        let mut hasher = DefaultHasher::new();
        slf.getattr("record_id")?.hash()?.hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Names the record without its payload, which may be confidential.
    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let repr = |name: &str| slf.getattr(name)?.repr()?.extract::<String>();
        let members = slf.getattr("payload")?.len().unwrap_or(0);
        Ok(format!(
            "{}(record_id={}, project_id={}, stage={}, timestamp={}, payload=<{members} items>)",
            slf.get_type().name()?,
            repr("record_id")?,
            repr("project_id")?,
            repr("stage")?,
            repr("timestamp")?
        ))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let fields = ["record_id", "project_id", "stage", "timestamp", "payload"];
        let fields = fields.map(|name| slf.getattr(name));
        let fields = fields.into_iter().collect::<PyResult<Vec<_>>>()?;
        Ok((slf.get_type().into_any(), PyTuple::new(slf.py(), fields)?))
    }

    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }
}
