//! A payload as a schema sees it.

use serde_json::{Map, Number as JsonNumber, Value, json};

use crate::json::{Event, Fault, Number, Scanner};
use crate::record::DEPTH_LIMIT;

/// The key of a float that JSON lacks.
const TAG: &str = "$numberDouble";

/// Why a payload cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Json(Fault),
    TooDeep,
}

impl From<Fault> for Unreadable {
    fn from(fault: Fault) -> Self {
        Self::Json(fault)
    }
}

/// Reads JSON of any kind that is read here (repeated keys, bare `NaN`), without recursion.
/// Integers beyond 64 bits become the nearest float, and floats that JSON lacks their tagged form.
pub(super) fn value(text: &[u8]) -> Result<Value, Unreadable> {
    let mut scanner = Scanner::new(text);
    let mut open: Vec<(Value, String)> = Vec::new();
    let mut key = String::new();
    let mut done = Value::Null;
    while let Some(event) = scanner.next_event()? {
        let closed = match event {
            Event::Key(text) => {
                key = text.to_str().into_owned();
                continue;
            }
            Event::ObjectStart | Event::ArrayStart => {
                if open.len() >= DEPTH_LIMIT {
                    return Err(Unreadable::TooDeep);
                }
                let empty = match event {
                    Event::ObjectStart => Value::Object(Map::new()),
                    _ => Value::Array(Vec::new()),
                };
                open.push((empty, std::mem::take(&mut key)));
                continue;
            }
            Event::ObjectEnd | Event::ArrayEnd => {
                let Some((value, name)) = open.pop() else { continue };
                key = name;
                value
            }
            Event::String(text) => Value::String(text.to_str().into_owned()),
            Event::Number(written) => number(written),
            Event::Bool(value) => Value::Bool(value),
            Event::Null => Value::Null,
        };
        match open.last_mut() {
            Some((Value::Object(members), _)) => {
                members.insert(std::mem::take(&mut key), closed);
            }
            Some((Value::Array(items), _)) => items.push(closed),
            _ => done = closed,
        }
    }
    Ok(done)
}

fn number(written: Number<'_>) -> Value {
    let float = |text: &str| match text.parse::<f64>() {
        Ok(value) => JsonNumber::from_f64(value).map_or_else(
            || tagged(if value > 0.0 { "Infinity" } else { "-Infinity" }),
            Value::Number,
        ),
        Err(_) => Value::Null,
    };
    match written {
        Number::NotANumber => tagged("NaN"),
        Number::Infinity => tagged("Infinity"),
        Number::NegativeInfinity => tagged("-Infinity"),
        Number::Integer(text) => match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(value), _) => value.into(),
            (_, Ok(value)) => value.into(),
            _ => float(text),
        },
        Number::Float(text) => float(text),
    }
}

fn tagged(word: &str) -> Value {
    json!({ TAG: word })
}

/// The word of a float that JSON lacks, in its tagged form.
pub(super) fn non_finite(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let word = members.get(TAG)?.as_str()?;
    matches!(word, "NaN" | "Infinity" | "-Infinity").then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let text = br#"{"a": [1, -2, 2.5, {"b": null}], "a": 18446744073709551616, "n": NaN, "i": -Infinity, "h": 1e999, "s": "\ud800", "t": true, "e": [], "o": {}}"#;
        let expected = json!({"a": 18446744073709551616.0, "n": tagged("NaN"),
            "i": tagged("-Infinity"), "h": tagged("Infinity"), "s": "\u{fffd}", "t": true, "e": [],
            "o": {}});
        assert_eq!(value(text), Ok(expected));
        assert_eq!(value(b"[[1], {\"x\": [2, 3]}]"), Ok(json!([[1], {"x": [2, 3]}])));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(DEPTH_LIMIT) + &"]".repeat(DEPTH_LIMIT);
        assert!(value(deep.as_bytes()).is_ok());
        let deeper = format!("[{deep}]");
        assert_eq!(value(deeper.as_bytes()), Err(Unreadable::TooDeep));
    }

    #[test]
    fn only_the_tagged_form_is_a_float() {
        assert_eq!(non_finite(&json!({"$numberDouble": "NaN"})), Some("NaN"));
        for other in [
            json!({"$numberDouble": "1"}),
            json!({"$numberDouble": "NaN", "x": 1}),
            json!("NaN"),
            json!({}),
        ] {
            assert_eq!(non_finite(&other), None);
        }
    }
}
