//! From Python values to the bytes of a payload: what `json.dumps` writes, and the values that
//! people who train models log without thinking of JSON.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use quark_trace::core::json::write;
use quark_trace::core::record::{DEPTH_LIMIT, RECORD_LIMIT};

use crate::numbers::write_integer;
use crate::python::{DATE, DECIMAL, ENUM, MAPPING, PURE_PATH, TIME, UUID};

/// How many parts of a path are shown.
const PATH_SHOWN: usize = 12;

/// How much of a key is shown.
const NAME_SHOWN: usize = 60;

/// Why a value cannot be logged, and where in the payload it stands.
#[derive(Debug)]
pub struct Refused {
    /// From the value outwards.
    path: Vec<String>,
    reason: String,
}

impl Refused {
    fn new(reason: impl Into<String>) -> Self {
        Self { path: Vec::new(), reason: reason.into() }
    }

    fn under(mut self, part: String) -> Self {
        self.path.push(part);
        self
    }

    /// One sentence: where, what, and what to do. The middle of a long path is left out.
    pub fn sentence(&self) -> String {
        let parts: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        let path = match parts.len() {
            0..=PATH_SHOWN => parts.concat(),
            all => format!("{}…{}", parts[..4].concat(), parts[all - 2..].concat()),
        };
        format!("payload{path} {}", self.reason)
    }
}

impl From<PyErr> for Refused {
    fn from(error: PyErr) -> Self {
        Python::attach(|py| {
            let class =
                error.get_type(py).name().map_or_else(|_| "an error".to_owned(), |n| n.to_string());
            Self::new(format!("cannot be read: it raised {class}"))
        })
    }
}

type Encoded = Result<(), Refused>;

/// Appends a dictionary as a JSON object on one line.
pub fn payload(out: &mut Vec<u8>, dict: &Bound<'_, PyDict>) -> Encoded {
    dictionary(out, dict, 1)
}

fn value(out: &mut Vec<u8>, object: &Bound<'_, PyAny>, depth: usize) -> Encoded {
    if let Ok(text) = object.cast_exact::<PyString>() {
        return string(out, text);
    }
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        write::float(out, number.value());
        return Ok(());
    }
    if let Ok(number) = object.cast_exact::<PyInt>() {
        return Ok(write_integer(out, number)?);
    }
    if let Ok(flag) = object.cast_exact::<PyBool>() {
        out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
        return Ok(());
    }
    if object.is_none() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return dictionary(out, dict, depth + 1);
    }
    if let Ok(list) = object.cast::<PyList>() {
        return sequence(out, list.iter(), depth + 1);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return sequence(out, tuple.iter(), depth + 1);
    }
    other(out, object, depth)
}

fn string(out: &mut Vec<u8>, text: &Bound<'_, PyString>) -> Encoded {
    if let Ok(valid) = text.to_str() {
        write::string(out, valid);
    } else {
        let bytes: Vec<u8> = text.call_method1("encode", ("utf-8", "surrogatepass"))?.extract()?;
        write::string_wtf8(out, &bytes);
    }
    check_size(out)
}

fn sequence<'py>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
) -> Encoded {
    check_depth(depth)?;
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        value(out, &item, depth).map_err(|refused| refused.under(format!("[{index}]")))?;
    }
    out.push(b']');
    check_size(out)
}

fn dictionary(out: &mut Vec<u8>, dict: &Bound<'_, PyDict>, depth: usize) -> Encoded {
    check_depth(depth)?;
    // Two keys can only become equal when one of them is no exact string.
    let mixed = dict.iter().any(|(key, _)| key.cast_exact::<PyString>().is_err());
    let mut names = mixed.then(HashSet::new);
    out.push(b'{');
    // A value may run code of its own, and let other threads run: the dictionary is looked at before
    // each step, which would otherwise panic.
    let (size, mut items) = (dict.len(), dict.iter());
    for index in 0..size {
        let next = if dict.len() == size { items.next() } else { None };
        let (name, item) = next.ok_or_else(changed)?;
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        let start = out.len();
        key(out, &name)?;
        if let Some(names) = &mut names
            && !names.insert(out[start..].to_vec())
        {
            let twice = "would be written twice: two keys become the same text; rename one";
            return Err(Refused::new(twice).under(segment(&name)));
        }
        out.extend_from_slice(b": ");
        value(out, &item, depth).map_err(|refused| refused.under(segment(&name)))?;
    }
    if dict.len() != size {
        return Err(changed());
    }
    out.push(b'}');
    check_size(out)
}

fn changed() -> Refused {
    Refused::new("was changed while it was read; log a copy of it")
}

fn segment(name: &Bound<'_, PyAny>) -> String {
    let text = name.str().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    if !text.is_empty() && text.len() <= NAME_SHOWN && text.chars().all(plain) {
        return format!(".{text}");
    }
    let shown: String = text.chars().take(NAME_SHOWN).collect();
    let cut = if shown.len() < text.len() { "…" } else { "" };
    format!("[{shown:?}{cut}]")
}

/// A key as `json.dumps` writes it: numbers, booleans and `None` become strings.
fn key(out: &mut Vec<u8>, name: &Bound<'_, PyAny>) -> Encoded {
    if let Ok(text) = name.cast::<PyString>() {
        return string(out, text);
    }
    let mut text = Vec::new();
    if let Ok(flag) = name.cast::<PyBool>() {
        text.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
    } else if let Ok(number) = name.cast::<PyInt>() {
        write_integer(&mut text, number)?;
    } else if let Ok(number) = name.cast::<PyFloat>() {
        match number.value() {
            nan if nan.is_nan() => text.extend_from_slice(b"NaN"),
            f64::INFINITY => text.extend_from_slice(b"Infinity"),
            f64::NEG_INFINITY => text.extend_from_slice(b"-Infinity"),
            finite => write::float(&mut text, finite),
        }
    } else if name.is_none() {
        text.extend_from_slice(b"null");
    } else {
        let class = class_name(name);
        let reason = format!(
            "has a key of type {class}; keys are text (or numbers, which become text): convert it"
        );
        return Err(Refused::new(reason));
    }
    write::string(out, &String::from_utf8_lossy(&text));
    Ok(())
}

fn check_depth(depth: usize) -> Encoded {
    if depth > DEPTH_LIMIT {
        return Err(Refused::new(format!(
            "is nested deeper than {DEPTH_LIMIT} levels (or holds itself); flatten it"
        )));
    }
    Ok(())
}

fn check_size(out: &[u8]) -> Encoded {
    if out.len() > RECORD_LIMIT {
        return Err(Refused::new(format!(
            "makes the record larger than {RECORD_LIMIT} bytes (16 MiB); log a digest or a path"
        )));
    }
    Ok(())
}

/// What is none of JSON's own types. What stands for it is one level deeper, so that an object that
/// stands for itself comes to an end.
fn other(out: &mut Vec<u8>, object: &Bound<'_, PyAny>, depth: usize) -> Encoded {
    check_depth(depth)?;
    if ENUM.is_instance(object)? {
        return value(out, &object.getattr("value")?, depth + 1);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return string(out, text);
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return Ok(write_integer(out, number)?);
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        write::float(out, number.value());
        return Ok(());
    }
    if let Some(plain) = from_array(object)? {
        return value(out, &plain, depth + 1);
    }
    if DATE.is_instance(object)? || TIME.is_instance(object)? {
        return value(out, &object.call_method0("isoformat")?, depth + 1);
    }
    if DECIMAL.is_instance(object)? || UUID.is_instance(object)? || PURE_PATH.is_instance(object)? {
        return value(out, object.str()?.as_any(), depth + 1);
    }
    if MAPPING.is_instance(object)? {
        let dict = PyDict::new(object.py());
        dict.update(object.cast().map_err(PyErr::from)?)?;
        return dictionary(out, &dict, depth + 1);
    }
    Err(Refused::new(format!(
        "is of type {}, which cannot be logged; {}",
        class_name(object),
        advice(object)
    )))
}

/// Scalars, arrays and tensors of numpy, torch and their like as plain Python values; nothing is
/// imported for it.
fn from_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if !object.hasattr("dtype")? || !object.hasattr("tolist")? {
        return Ok(None);
    }
    let size: usize =
        object.getattr("nbytes").and_then(|bytes| bytes.extract()).unwrap_or_default();
    // Its text would be larger still; refused before memory is spent on it.
    if size > RECORD_LIMIT {
        return Ok(None);
    }
    let plain = object.call_method0("tolist")?;
    // A type without a Python counterpart (numpy's longdouble) answers with itself.
    if plain.get_type().is(object.get_type()) {
        return Ok(Some(object.call_method0("__float__")?));
    }
    // What has everything that it is asked for (a mock) is no array.
    Ok(if plain.hasattr("tolist")? { None } else { Some(plain) })
}

fn class_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "unknown".to_owned(), |name| name.to_string())
}

fn advice(object: &Bound<'_, PyAny>) -> &'static str {
    match class_name(object).as_str() {
        "set" | "frozenset" => "convert it with sorted() or list()",
        "bytes" | "bytearray" | "memoryview" => "log its .hex(), a digest or a path",
        "complex" => "log its real and imaginary parts",
        "ndarray" | "Tensor" => "it is too large for a record: log a digest, a path or a summary",
        "generator" | "map" | "filter" | "range" => "convert it with list()",
        _ => "convert it to text, numbers, lists or dictionaries first",
    }
}

/// Appends any value; what a record built by hand has as its payload need not be a dictionary.
pub fn any(out: &mut Vec<u8>, object: &Bound<'_, PyAny>) -> Encoded {
    value(out, object, 0)
}
