//! Where a search goes on: a text that a server can hand out and take back.

use std::fmt;
use std::fmt::Write;
use std::str::FromStr;

use quark_trace_core::ledger::Digest;
use quark_trace_core::query::{Number, Query, SortKey};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};

/// Where a record stands in a log: records with an entry come before those without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// Index of its entry.
    Entry(u64),
    /// Number of its line, for a record that has no entry.
    Line(u64),
}

/// A place behind a record that a query has found.
///
/// As text it is short, safe in a URL, and good for the same query alone, its limit apart. It holds
/// the values that the record is ordered by, and is neither signed nor secret: whoever changes it
/// finds other records of the same log, which the query selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    pub(super) position: Position,
    pub(super) keys: Vec<SortKey>,
    pub(super) now_us: i64,
    pub(super) query: u64,
}

/// Longest text that is read.
const LIMIT: usize = 64 * 1024;

/// What the texts begin with, so that a later form can be told apart.
const FORM: &str = "q1-";

/// A number that differs between queries; the limit is left out.
pub(super) fn fingerprint(query: &Query) -> u64 {
    let unlimited = Query { limit: None, ..query.clone() };
    let digest = Digest::of(unlimited.to_string().as_bytes()).0;
    u64::from_be_bytes(digest[..8].try_into().unwrap_or_default())
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, at) = match self.position {
            Position::Entry(index) => ("e", index),
            Position::Line(number) => ("l", number),
        };
        let keys: Vec<Value> = self.keys.iter().map(key).collect();
        let document = json!([kind, at, self.now_us, self.query, keys]).to_string();
        formatter.write_str(FORM)?;
        formatter.write_str(&hex(document.as_bytes()))
    }
}

fn key(key: &SortKey) -> Value {
    match key {
        SortKey::Bool(value) => json!(value),
        // As text, because JSON has no NaN and others may round.
        SortKey::Number(number @ Number::Float(_)) => json!({"f": number.to_string()}),
        SortKey::Number(number) => json!({"i": number.to_string()}),
        SortKey::Text(text) => json!({"t": hex(text)}),
        SortKey::Nested => json!([]),
        SortKey::Null => Value::Null,
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            let message = "this is no cursor; take the one that came with the last page as it is";
            Error::new(ErrorKind::InvalidInput, super::OPERATION, message)
        })
    }
}

fn read(text: &str) -> Option<Cursor> {
    let document = unhex(text.strip_prefix(FORM).filter(|text| text.len() <= LIMIT)?)?;
    let document: Value = serde_json::from_slice(&document).ok()?;
    let [kind, at, now_us, query, keys] = document.as_array()?.as_slice() else { return None };
    let at = at.as_u64()?;
    let position = match kind.as_str()? {
        "e" => Position::Entry(at),
        "l" => Position::Line(at),
        _ => return None,
    };
    let keys = keys.as_array()?.iter().map(read_key).collect::<Option<_>>()?;
    Some(Cursor { position, keys, now_us: now_us.as_i64()?, query: query.as_u64()? })
}

fn read_key(value: &Value) -> Option<SortKey> {
    Some(match value {
        Value::Null => SortKey::Null,
        Value::Bool(value) => SortKey::Bool(*value),
        Value::Array(_) => SortKey::Nested,
        Value::Object(tagged) => match tagged.iter().next()? {
            (kind, Value::String(text)) if kind == "f" => {
                SortKey::Number(Number::Float(text.parse().ok()?))
            }
            (kind, Value::String(text)) if kind == "i" => SortKey::Number(integer(text)?),
            (kind, Value::String(text)) if kind == "t" => SortKey::Text(unhex(text)?),
            _ => return None,
        },
        _ => return None,
    })
}

fn integer(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let valid = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    valid.then(|| Number::of(quark_trace_core::json::Number::Integer(text)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_text() {
        let cursor = Cursor {
            position: Position::Entry(u64::MAX),
            keys: vec![
                SortKey::Null,
                SortKey::Bool(true),
                SortKey::Nested,
                SortKey::Number(Number::Float(f64::NAN)),
                SortKey::Number(Number::Float(1e-5)),
                SortKey::Number(Number::Large("-18446744073709551617".to_owned())),
                SortKey::Text(b"a\xED\xB3\xA9\"".to_vec()),
            ],
            now_us: -5,
            query: 7,
        };
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for bad in ["", "q1-", "q1-0", "q1-zz", "q1-5b5d", "q2-5b5d", "é"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
