//! Conditions that Python gives as values instead of text.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};
use quark_trace::core::json::Number as Token;
use quark_trace::core::query::{Comparison, Filter, Literal, Number, QueryError, field};

use crate::numbers::write_integer;

/// A condition: the name of a field, `=`, `>=` or `<`, and a value. `None` asks for null, a list for
/// any of its values.
pub type Given<'py> = (String, String, Bound<'py, PyAny>);

/// All of the conditions; `None` when there are none. The outer error is Python's, the inner one is
/// about the query.
pub fn all(given: &[Given<'_>]) -> PyResult<Result<Option<Filter>, QueryError>> {
    let mut all: Option<Filter> = None;
    for (name, sign, value) in given {
        let field = match field(name) {
            Ok(field) => field,
            Err(error) => return Ok(Err(error)),
        };
        let comparison = match sign.as_str() {
            ">=" => Comparison::GreaterOrEqual,
            "<" => Comparison::Less,
            _ => Comparison::Equal,
        };
        let filter = if value.is_none() {
            Filter::IsNull(field)
        } else if let Ok(values) = value.extract::<Vec<Bound<'_, PyAny>>>() {
            let values = values.iter().map(|value| literal(name, value));
            Filter::is_in(field, values.collect::<PyResult<_>>()?)
        } else {
            Filter::compare(field, comparison, literal(name, value)?)
        };
        all = Some(match all {
            Some(known) => known.and(filter),
            None => filter,
        });
    }
    Ok(all.as_ref().map_or(Ok(()), Filter::check).map(|()| all))
}

fn literal(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Literal> {
    if value.is_none() {
        return Ok(Literal::Null);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Literal::Bool(value.is_true()));
    }
    if let Ok(value) = value.cast::<PyInt>() {
        let mut digits = Vec::new();
        write_integer(&mut digits, value)?;
        let digits = String::from_utf8_lossy(&digits);
        return Ok(Literal::Number(Number::of(Token::Integer(&digits))));
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Ok(Literal::from(value.value()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Literal::from(text.to_str()?));
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "{name} is compared with a {kind}; give text, a number, True, False, None or a list of them"
    )))
}
