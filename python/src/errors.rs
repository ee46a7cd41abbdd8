//! From errors of the library to exceptions of the package; the one place that maps them.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use quark_trace::core::stages::Fault;
use quark_trace::store::http::Answered;
use quark_trace::{Error, ErrorKind};

use crate::python::EXCEPTION_FROM_NATIVE;

/// What the caller was doing, which decides the exception where the kind does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    Opening,
    Reading,
    Writing,
}

impl Doing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Reading => "reading",
            Self::Writing => "writing",
        }
    }
}

/// The exception for an error; `project` names what it happened to.
pub fn exception(py: Python<'_>, error: &Error, doing: Doing, project: &str) -> PyErr {
    let (kind, code) = name(error.kind());
    // Another institution's, where a server says so; elsewhere it is about files.
    let answered = Answered::of(error);
    let kind = match (answered.map(|answer| answer.status), error.kind()) {
        (Some(403), _) => "forbidden",
        (Some(_), ErrorKind::Corrupted) => "answer",
        _ => kind,
    };
    let outcome = error.outcome().map(|outcome| outcome.as_str());
    let raised = raise(py, kind, &error.to_string(), doing.as_str(), outcome, code, Some(project));
    if !error.faults().is_empty()
        && let Ok(faults) = fault_list(py, error.faults())
    {
        // The exception is raised all the same when it cannot carry them; its message names them.
        let _ = raised.value(py).setattr("faults", faults);
    }
    if let Some(answer) = answered {
        let _ = raised.value(py).setattr("status", answer.status);
    }
    raised
}

/// Faults of a payload as dictionaries.
pub fn fault_list<'py>(py: Python<'py>, faults: &[Fault]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for fault in faults {
        let one = PyDict::new(py);
        one.set_item("path", &fault.path)?;
        one.set_item("expected", &fault.expected)?;
        one.set_item("came", &fault.came)?;
        list.append(one)?;
    }
    Ok(list)
}

/// Builds the exception in Python, where the classes are.
pub fn raise(
    py: Python<'_>,
    kind: &str,
    message: &str,
    doing: &str,
    outcome: Option<&str>,
    code: Option<&str>,
    subject: Option<&str>,
) -> PyErr {
    let made = EXCEPTION_FROM_NATIVE
        .bind(py)
        .and_then(|make| make.call1((kind, message, doing, outcome, code, subject)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => {
            let shown = PyRuntimeError::new_err(message.to_owned());
            shown.set_cause(py, Some(error));
            shown
        }
    }
}

fn name(kind: ErrorKind) -> (&'static str, Option<&'static str>) {
    let name = match kind {
        ErrorKind::InvalidInput => "invalid_input",
        ErrorKind::NotFound => "not_found",
        ErrorKind::AlreadyExists => "already_exists",
        ErrorKind::Conflict { .. } => "conflict",
        ErrorKind::RecordConflict => "record_conflict",
        ErrorKind::SchemaBroken => "schema_broken",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::PermissionDenied => "permission_denied",
        ErrorKind::StorageFull => "storage_full",
        ErrorKind::Integrity(code) => return ("integrity", Some(code)),
        ErrorKind::Corrupted => "corrupted",
        ErrorKind::Unauthenticated => "unauthenticated",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Busy => "busy",
        ErrorKind::ReadOnly => "read_only",
        ErrorKind::Unsupported => "unsupported",
        _ => "io",
    };
    (name, None)
}
