//! Fact sheets: reading YAML, checking content, amending; all rules are the core's.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use quark_trace::clock::now;
use quark_trace::core::sheet::{
    Amendment, AmendmentError, FactSheet, Fault, SheetFaults, render, template,
};
use serde_json::{Map, Value};

use crate::encode;
use crate::errors::raise;

/// Reads a sheet from YAML: `(json, warnings)`. A bad one raises with all its faults.
#[pyfunction]
#[pyo3(signature = (yaml, source="fact sheet"))]
pub fn parse_sheet<'py>(
    py: Python<'py>,
    yaml: &[u8],
    source: &str,
) -> PyResult<(Bound<'py, PyBytes>, Vec<String>)> {
    let (sheet, warnings) = FactSheet::from_yaml(yaml, &now())
        .map_err(|faults| raise_faults(py, &faults, source, &String::from_utf8_lossy(yaml)))?;
    let shown = warnings.iter().map(ToString::to_string).collect();
    Ok((PyBytes::new(py, &sheet.to_json_bytes()), shown))
}

/// Checks content that did not come from text; gives the sheet as JSON.
#[pyfunction]
pub fn check_content<'py>(
    py: Python<'py>,
    content: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (sheet, _) = FactSheet::from_content(json_map(content)?, &now())
        .map_err(|faults| raise_faults(py, &faults, "fact sheet", ""))?;
    Ok(PyBytes::new(py, &sheet.to_json_bytes()))
}

/// Reads the JSON of a stored sheet and gives it in the present form.
#[pyfunction]
pub fn read_sheet<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let sheet = FactSheet::from_json(json)
        .map_err(|fault| raise(py, "sheet", &fault.to_string(), "reading", None, None, None))?;
    Ok(PyBytes::new(py, &sheet.to_json_bytes()))
}

/// Amends a sheet given as JSON, in memory; gives the new version as JSON.
#[pyfunction]
pub fn amend_sheet<'py>(
    py: Python<'py>,
    json: &[u8],
    fields: &Bound<'py, PyDict>,
    amended_by: &str,
    reason: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let sheet = FactSheet::from_json(json)
        .map_err(|fault| raise(py, "sheet", &fault.to_string(), "reading", None, None, None))?;
    let amended = Amendment::parse(&json_map(fields)?, amended_by, reason)
        .and_then(|amendment| sheet.amend(&amendment, &now()))
        .map_err(|fault| raise_amendment(py, &fault))?;
    Ok(PyBytes::new(py, &amended.to_json_bytes()))
}

/// The commented YAML that a new sheet begins with.
#[pyfunction]
pub fn sheet_template(project_id: &str) -> String {
    template(project_id)
}

/// A dictionary as JSON members.
pub fn json_map(dict: &Bound<'_, PyDict>) -> PyResult<Map<String, Value>> {
    let py = dict.py();
    let mut bytes = Vec::new();
    let refuse =
        |reason: String| raise(py, "sheet", &reason, "writing", Some("not_written"), None, None);
    encode::payload(&mut bytes, dict)
        .map_err(|refused| refuse(refused.sentence().replacen("payload", "fact sheet", 1)))?;
    serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))
}

pub fn raise_amendment(py: Python<'_>, fault: &AmendmentError) -> PyErr {
    let (kind, field) = match fault {
        AmendmentError::Immutable { field } => ("immutable_field", Some(field.as_str())),
        AmendmentError::Unknown { field, .. } => ("unknown_field", Some(field.as_str())),
        AmendmentError::Empty => ("empty_amendment", None),
        _ => ("amendment", None),
    };
    raise(py, kind, &fault.to_string(), "writing", Some("not_written"), None, field)
}

fn raise_faults(py: Python<'_>, faults: &SheetFaults, source: &str, text: &str) -> PyErr {
    let drawn = match text {
        "" => faults.to_string(),
        _ => render(faults.faults(), source, text, false),
    };
    let raised = raise(py, "sheet_faults", &drawn, "reading", None, None, None);
    let list = PyList::empty(py);
    for fault in faults.faults() {
        // The list is a comfort; the message says the same.
        let _ = described(py, fault).and_then(|fault| list.append(fault));
    }
    let _ = raised.value(py).setattr("faults", list);
    raised
}

fn described<'py>(py: Python<'py>, fault: &Fault) -> PyResult<Bound<'py, PyDict>> {
    let described = PyDict::new(py);
    described.set_item("line", fault.line())?;
    described.set_item("column", fault.column())?;
    described.set_item("path", &fault.path)?;
    described.set_item("message", &fault.message)?;
    described.set_item("text", fault.to_string())?;
    Ok(described)
}
