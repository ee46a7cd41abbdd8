//! From stored JSON to Python values, without recursion: old lines may be nested very deeply.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyList, PyString};
use quark_trace::core::json::{Event, Fault, Number, Scanner, Text};

use crate::numbers::read_integer;
use crate::python::{FROZEN_DICT, FROZEN_LIST};

/// Whether containers can be changed by whoever gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// `FrozenDict` and `FrozenList`.
    Frozen,
    /// `dict` and `list`.
    Plain,
}

enum Container<'py> {
    Object { dict: Bound<'py, PyDict>, key: Option<Bound<'py, PyString>> },
    Array(Bound<'py, PyList>),
}

/// The value of a JSON text.
pub fn decode<'py>(
    py: Python<'py>,
    json: &[u8],
    mutability: Mutability,
) -> PyResult<Bound<'py, PyAny>> {
    let mut scanner = Scanner::new(json);
    let mut open: Vec<Container<'py>> = Vec::new();
    let mut result = py.None().into_bound(py);
    while let Some(event) = scanner.next_event().map_err(fault)? {
        let value = match event {
            Event::ObjectStart => {
                open.push(Container::Object { dict: new_dict(py, mutability)?, key: None });
                continue;
            }
            Event::ArrayStart => {
                open.push(Container::Array(new_list(py, mutability)?));
                continue;
            }
            Event::Key(text) => {
                if let Some(Container::Object { key, .. }) = open.last_mut() {
                    *key = Some(string(py, &text)?);
                }
                continue;
            }
            Event::ObjectEnd | Event::ArrayEnd => match open.pop() {
                Some(Container::Object { dict, .. }) => close_object(dict)?,
                Some(Container::Array(list)) => list.into_any(),
                None => continue,
            },
            Event::String(text) => string(py, &text)?.into_any(),
            Event::Number(value) => number(py, value)?,
            Event::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Event::Null => py.None().into_bound(py),
        };
        match open.last_mut() {
            Some(Container::Object { dict, key }) => {
                if let Some(key) = key.take() {
                    dict.set_item(key, value)?;
                }
            }
            Some(Container::Array(list)) => list.append(value)?,
            None => result = value,
        }
    }
    Ok(result)
}

/// A text as `str`, its lone surrogates kept.
pub fn string<'py>(py: Python<'py>, text: &Text<'_>) -> PyResult<Bound<'py, PyString>> {
    let bytes = text.to_wtf8();
    match std::str::from_utf8(&bytes) {
        Ok(valid) => Ok(PyString::new(py, valid)),
        Err(_) => {
            let decoded =
                PyBytes::new(py, &bytes).call_method1("decode", ("utf-8", "surrogatepass"))?;
            Ok(decoded.cast_into::<PyString>()?)
        }
    }
}

fn number<'py>(py: Python<'py>, number: Number<'_>) -> PyResult<Bound<'py, PyAny>> {
    let float = |value| PyFloat::new(py, value).into_any();
    Ok(match number {
        Number::Integer(digits) => return read_integer(py, digits),
        Number::Float(text) => float(text.parse::<f64>().unwrap_or(f64::NAN)),
        Number::NotANumber => float(f64::NAN),
        Number::Infinity => float(f64::INFINITY),
        Number::NegativeInfinity => float(f64::NEG_INFINITY),
    })
}

/// Frozen containers are filled here, below the methods that refuse it to everyone else.
fn new_dict<'py>(py: Python<'py>, mutability: Mutability) -> PyResult<Bound<'py, PyDict>> {
    match mutability {
        Mutability::Plain => Ok(PyDict::new(py)),
        Mutability::Frozen => Ok(FROZEN_DICT.bind(py)?.call0()?.cast_into::<PyDict>()?),
    }
}

fn new_list<'py>(py: Python<'py>, mutability: Mutability) -> PyResult<Bound<'py, PyList>> {
    match mutability {
        Mutability::Plain => Ok(PyList::empty(py)),
        Mutability::Frozen => Ok(FROZEN_LIST.bind(py)?.call0()?.cast_into::<PyList>()?),
    }
}

/// The dictionary, or the float that it stands for.
fn close_object(dict: Bound<'_, PyDict>) -> PyResult<Bound<'_, PyAny>> {
    let py = dict.py();
    if dict.len() == 1
        && let Some(tagged) = dict.get_item("$numberDouble")?
        && let Ok(text) = tagged.cast::<PyString>()
    {
        let value = match text.to_str()? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        };
        if let Some(value) = value {
            return Ok(PyFloat::new(py, value).into_any());
        }
    }
    Ok(dict.into_any())
}

fn fault(fault: Fault) -> PyErr {
    PyValueError::new_err(fault.to_string())
}
