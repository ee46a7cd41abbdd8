//! What `log` was called with: a stage, and a payload in keywords or in one mapping.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use quark_trace::core::ids::Stage;

use crate::encode;
use crate::errors::raise;
use crate::python::MAPPING;

/// The stage: the one positional argument, or the keyword `stage`, which is then no payload.
pub fn take_stage<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    match args.len() {
        1 => args.get_item(0),
        0 => {
            let stage = kwargs.map(|kwargs| kwargs.get_item("stage")).transpose()?.flatten();
            let stage = stage.ok_or_else(|| {
                PyTypeError::new_err("log() missing 1 required positional argument: 'stage'")
            })?;
            if let Some(kwargs) = kwargs {
                kwargs.del_item("stage")?;
            }
            Ok(stage)
        }
        given => Err(PyTypeError::new_err(format!(
            "log() takes 1 positional argument, the stage, but {given} were given; name the others"
        ))),
    }
}

/// The stage as text; anything else is refused in the words of 0.1.0.
pub fn check_stage<'a>(stage: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let py = stage.py();
    let refuse = |kind: &str, message: &str| {
        let shown = stage.str()?.to_string_lossy().into_owned();
        let raised = raise(py, kind, message, "writing", Some("not_written"), None, Some(&shown));
        raised.value(py).setattr("stage", stage).map(|()| raised)
    };
    let text = match stage.cast::<PyString>().map(|text| text.to_str()) {
        Ok(Ok(text)) => text,
        _ => return Err(refuse("stage", "it is not text")?),
    };
    match Stage::check(text) {
        Ok(()) => Ok(text),
        Err(fault) if text.trim().is_empty() => Err(refuse("stage", &fault.to_string())?),
        Err(fault) => Err(refuse("stage_length", &fault.to_string())?),
    }
}

/// The keywords as payload. A mapping given as `payload=` holds the payload's members itself.
pub fn encode_arguments(
    out: &mut Vec<u8>,
    kwargs: &Bound<'_, PyDict>,
) -> PyResult<Result<(), encode::Refused>> {
    let Some(given) = kwargs.get_item("payload")? else {
        return Ok(encode::payload(out, kwargs));
    };
    if !MAPPING.is_instance(&given)? {
        return Ok(encode::payload(out, kwargs));
    }
    let merged = PyDict::new(kwargs.py());
    merged.update(given.cast()?)?;
    for (name, value) in kwargs.iter() {
        if name.eq("payload")? {
            continue;
        }
        if merged.contains(&name)? {
            let message = format!("log() got {name} both in payload= and as a keyword");
            return Err(PyTypeError::new_err(message));
        }
        merged.set_item(name, value)?;
    }
    Ok(encode::payload(out, &merged))
}
