//! The JSON file of a sheet, read as leniently as release 0.1.0 read it.

use serde_json::{Map, Number, Value, json};

use super::FactSheet;
use super::amendment::ContentField;
use super::field::INSTITUTION_ALIAS;
use crate::json::{self, Event, Scanner};
use crate::visible::visible;

/// Most levels of lists and objects in a stored sheet.
const DEPTH_LIMIT: usize = 128;

/// Why a stored fact sheet could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SheetReadError {
    /// The bytes are not JSON, not even as Python reads it.
    #[error("the fact sheet is not JSON: {0}")]
    NotJson(#[from] json::Fault),
    /// The JSON is nested too deeply.
    #[error("the fact sheet is nested more than {DEPTH_LIMIT} levels deep")]
    TooDeep,
    /// The JSON is a list, a text or a number.
    #[error("the fact sheet is not a JSON object")]
    NotAnObject,
    /// A field without which no sheet is one is absent.
    #[error("the fact sheet has no `{field}`")]
    Missing {
        /// The absent field.
        field: &'static str,
    },
    /// A field holds what cannot be read as intended.
    #[error("`{field}` of the fact sheet is {found}, where {expected} was expected")]
    WrongValue {
        /// The field.
        field: &'static str,
        /// What it holds, shortened.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },
}

pub(super) fn sheet(bytes: &[u8]) -> Result<FactSheet, SheetReadError> {
    let Value::Object(mut map) = parse(bytes)? else {
        return Err(SheetReadError::NotAnObject);
    };
    let project_id = text(&mut map, "project_id")?;
    let content = content(&mut map)?;
    map.shift_remove("sheet_id");
    Ok(FactSheet {
        project_id,
        institution_id: institution(&mut map),
        version: version(map.shift_remove("version"))?,
        created_at: map.shift_remove("created_at").map(|value| as_text(&value)).unwrap_or_default(),
        amended_at: optional_text(map.shift_remove("amended_at")),
        amendment_log: amendment_log(map.shift_remove("amendment_log"))?,
        content,
        extra: map,
    })
}

fn content(map: &mut Map<String, Value>) -> Result<Map<String, Value>, SheetReadError> {
    let mut content = Map::new();
    for field in ContentField::ALL {
        let value = match field {
            ContentField::Purpose | ContentField::Domain | ContentField::MlType => {
                Value::String(text(map, field.name())?)
            }
            ContentField::Bias => map.shift_remove(field.name()).unwrap_or_else(|| json!({})),
            _ => map.shift_remove(field.name()).unwrap_or_else(|| json!([])),
        };
        content.insert(field.name().to_owned(), value);
    }
    Ok(content)
}

/// Servers of release 0.1.0's time called it `institution`.
fn institution(map: &mut Map<String, Value>) -> Option<String> {
    match map.shift_remove("institution_id") {
        Some(value) => optional_text(Some(value)),
        None => optional_text(map.shift_remove(INSTITUTION_ALIAS)),
    }
}

fn text(map: &mut Map<String, Value>, field: &'static str) -> Result<String, SheetReadError> {
    let value = map.shift_remove(field).ok_or(SheetReadError::Missing { field })?;
    Ok(as_text(&value))
}

fn optional_text(value: Option<Value>) -> Option<String> {
    value.filter(|value| !value.is_null()).map(|value| as_text(&value))
}

/// As Python's `str` for everything but lists and objects, which become JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => String::from_utf8_lossy(&super::json::indented(other)).into_owned(),
    }
}

/// As Python's `int`; versions below 1 name no sheet.
fn version(value: Option<Value>) -> Result<u64, SheetReadError> {
    let Some(value) = value else { return Ok(1) };
    let number = match &value {
        Value::Bool(flag) => Some(u64::from(*flag)),
        Value::Number(number) => number.as_u64().or_else(|| whole(number)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|&version| version > 0).ok_or_else(|| wrong("version", &value, "a number from 1"))
}

/// The whole part of a float that fits, as Python's `int` cuts it.
fn whole(number: &Number) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_f64().filter(|float| (0.0..EXACT).contains(float)).map(|float| float as u64)
}

fn amendment_log(value: Option<Value>) -> Result<Vec<Value>, SheetReadError> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => Ok(entries),
        Some(other) => Err(wrong("amendment_log", &other, "a list")),
    }
}

fn wrong(field: &'static str, found: &Value, expected: &'static str) -> SheetReadError {
    let shown = match found {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => as_text(scalar).chars().take(80).collect(),
    };
    SheetReadError::WrongValue { field, found: visible(&shown).into_owned(), expected }
}

/// A list or object that is not closed yet.
enum Open {
    List(Vec<Value>),
    Object(Map<String, Value>, String),
}

/// Reads one JSON text without recursion.
///
/// What a [`Value`] cannot hold is kept readable: a float that is not finite as
/// `{"$numberDouble": ..}`, an integer past 64 bits as the text of its digits, and a lone surrogate
/// as U+FFFD.
fn parse(bytes: &[u8]) -> Result<Value, SheetReadError> {
    let mut scanner = Scanner::new(bytes);
    let mut open: Vec<Open> = Vec::new();
    let mut root = Value::Null;
    while let Some(event) = scanner.next_event()? {
        let value = match event {
            Event::ObjectStart | Event::ArrayStart => {
                if open.len() == DEPTH_LIMIT {
                    return Err(SheetReadError::TooDeep);
                }
                open.push(match event {
                    Event::ObjectStart => Open::Object(Map::new(), String::new()),
                    _ => Open::List(Vec::new()),
                });
                continue;
            }
            Event::Key(text) => {
                if let Some(Open::Object(_, key)) = open.last_mut() {
                    *key = text.to_str().into_owned();
                }
                continue;
            }
            Event::ObjectEnd | Event::ArrayEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Object(map, _)) => Value::Object(map),
                None => Value::Null,
            },
            Event::String(text) => Value::String(text.to_str().into_owned()),
            Event::Number(number) => self::number(number),
            Event::Bool(flag) => Value::Bool(flag),
            Event::Null => Value::Null,
        };
        match open.last_mut() {
            None => root = value,
            Some(Open::List(items)) => items.push(value),
            Some(Open::Object(map, key)) => {
                map.insert(std::mem::take(key), value);
            }
        }
    }
    Ok(root)
}

fn number(number: json::Number<'_>) -> Value {
    match number {
        json::Number::Integer(digits) => {
            let signed = digits.parse::<i64>().map(Value::from);
            let integer = signed.or_else(|_| digits.parse::<u64>().map(Value::from));
            integer.unwrap_or_else(|_| Value::String(digits.to_owned()))
        }
        json::Number::Float(digits) => float(digits.parse().unwrap_or(f64::NAN)),
        json::Number::NotANumber => float(f64::NAN),
        json::Number::Infinity => float(f64::INFINITY),
        json::Number::NegativeInfinity => float(f64::NEG_INFINITY),
    }
}

fn float(float: f64) -> Value {
    match Number::from_f64(float) {
        Some(number) => Value::Number(number),
        None if float.is_nan() => json!({"$numberDouble": "NaN"}),
        None if float > 0.0 => json!({"$numberDouble": "Infinity"}),
        None => json!({"$numberDouble": "-Infinity"}),
    }
}
