//! What there is of a project, as Python has it.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use quark_trace::core::query::Number;
use quark_trace::{Summary, TraceLog, project};

use crate::decode::{Mutability, decode};
use crate::errors::{Doing, exception};
use crate::fork;
use crate::listed;
use crate::record::TraceRecord;
use crate::search::number;
use crate::stages::broken_to_json;

/// All that was counted, by the names that the package gives it.
pub fn document<'py>(py: Python<'py>, counted: &Summary) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    all.set_item("total_records", counted.total_records)?;
    let (recorded, stages) = (PyDict::new(py), PyDict::new(py));
    for stage in &counted.stages {
        recorded.set_item(&stage.stage, stage.records)?;
        let one = PyDict::new(py);
        one.set_item("records", stage.records)?;
        one.set_item("first_record_at", &stage.first_at)?;
        one.set_item("last_record_at", &stage.last_at)?;
        stages.set_item(&stage.stage, one)?;
    }
    all.set_item("stages_recorded", recorded)?;
    all.set_item("first_record_at", counted.first_record_at.as_deref())?;
    all.set_item("last_record_at", counted.last_record_at.as_deref())?;
    all.set_item("unreadable_lines", counted.unreadable)?;
    all.set_item("stages", stages)?;
    let sites = PyDict::new(py);
    counted.sites.iter().try_for_each(|(site, records)| sites.set_item(site, records))?;
    all.set_item("sites", sites)?;
    let numbers = PyDict::new(py);
    let known = |value: &Option<Number>| value.as_ref().map(|it| number(py, it)).transpose();
    for range in &counted.numbers {
        let one = PyDict::new(py);
        one.set_item("count", range.count)?;
        one.set_item("min", known(&range.min)?)?;
        one.set_item("max", known(&range.max)?)?;
        one.set_item("last", number(py, &range.last)?)?;
        numbers.set_item(&range.field, one)?;
    }
    all.set_item("numbers", numbers)?;
    all.set_item("is_cut", counted.is_cut)?;
    let faults = broken_to_json(&counted.broken);
    all.set_item("schema_faults", decode(py, faults.as_bytes(), Mutability::Plain)?)?;
    Ok(all)
}

/// Counts a log without the GIL.
pub fn of_log<'py>(py: Python<'py>, log: &TraceLog) -> PyResult<Bound<'py, PyDict>> {
    let counted = fork::at_work(py, || project::summary(log));
    let counted =
        counted.map_err(|error| exception(py, &error, Doing::Reading, log.project().as_str()))?;
    document(py, &counted)
}

/// Counts records that a backend without a ledger has given.
#[pyfunction]
pub fn summarize_records<'py>(
    py: Python<'py>,
    project_id: &str,
    records: Vec<PyRef<'py, TraceRecord>>,
) -> PyResult<Bound<'py, PyDict>> {
    of_log(py, &listed::log_of(py, project_id, &records)?)
}
