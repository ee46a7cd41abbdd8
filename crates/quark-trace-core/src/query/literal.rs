//! Values that stand in a filter.

use std::fmt;

use super::field::Field;
use super::number::Number;
use crate::time::{self, SPAN_US, iso8601};

/// A value that a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `NULL`; a comparison with it is NULL.
    Null,
    /// `TRUE`, `FALSE`
    Bool(bool),
    /// `0.3`, `18446744073709551617`, `NaN`
    Number(Number),
    /// `'text'`
    Text(String),
    /// An instant.
    Time(Time),
}

/// An instant, fixed or counted from the time at which the filter is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Microseconds since 1970-01-01T00:00:00 UTC.
    At(i64),
    /// Microseconds after `now()`, before it when negative.
    Now(i64),
}

impl Time {
    /// The instant in microseconds since 1970 UTC, given the present one.
    pub fn resolve(self, now_us: i64) -> i64 {
        match self {
            Self::At(micros) => micros,
            Self::Now(offset_us) => now_us.saturating_add(offset_us),
        }
    }
}

impl Literal {
    /// The value as the field has it: text and numbers that are compared with `timestamp` become
    /// instants. What no record can have there is refused, with what to write instead.
    pub(super) fn for_field(self, field: &Field) -> Result<Self, String> {
        match (field, self) {
            (_, Self::Null) => Ok(Self::Null),
            (Field::Timestamp, Self::Text(text)) => instant(&text).map(Self::Time),
            (Field::Timestamp, Self::Number(number)) => milliseconds(&number).map(Self::Time),
            (Field::Timestamp, Self::Time(time)) => Ok(Self::Time(time)),
            (Field::Timestamp, value) => {
                Err(format!("`timestamp` is a time, {value} is none; write '2026-01-31T12:00:00Z'"))
            }
            (Field::Stage | Field::RecordId | Field::ProjectId, Self::Text(text)) => {
                Ok(Self::Text(text))
            }
            (Field::Stage | Field::RecordId | Field::ProjectId, value) => {
                Err(format!("`{field}` is text, {value} is none; put the text into quotes"))
            }
            (Field::Index, Self::Number(number)) => Ok(Self::Number(number)),
            (Field::Index, value) => Err(format!("`index` is a number, {value} is none")),
            (Field::Payload(_) | Field::Written(_), value) => Ok(value),
        }
    }
}

/// A time as people write it.
pub(super) fn instant(text: &str) -> Result<Time, String> {
    let known = time::typed(text).filter(|micros| SPAN_US.contains(micros));
    known.map(Time::At).ok_or_else(|| {
        "it is no time; write '2026-01-31', '2026-01-31T12:00:00Z' or now() - 7d".to_owned()
    })
}

/// Milliseconds since 1970, which MLflow compares its times with.
fn milliseconds(number: &Number) -> Result<Time, String> {
    let micros = match number {
        Number::Integer(value) => value.checked_mul(1000),
        Number::Float(value) if value.abs() < 1e15 => Some((value * 1000.0).round() as i64),
        _ => None,
    };
    micros.filter(|micros| SPAN_US.contains(micros)).map(Time::At).ok_or_else(|| {
        "a number is milliseconds since 1970, this one is outside of the years 1 to 9999".to_owned()
    })
}

impl fmt::Display for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("NULL"),
            Self::Bool(true) => formatter.write_str("TRUE"),
            Self::Bool(false) => formatter.write_str("FALSE"),
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => quoted(formatter, text),
            Self::Time(time) => time.fmt(formatter),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::At(micros) => write!(formatter, "TIMESTAMP '{}'", iso8601(micros)),
            Self::Now(0) => formatter.write_str("now()"),
            Self::Now(offset_us) => {
                let sign = if offset_us < 0 { '-' } else { '+' };
                write!(formatter, "now() {sign} {}", duration(offset_us.unsigned_abs()))
            }
        }
    }
}

/// `text` in single quotes, those inside doubled.
pub(super) fn quoted(formatter: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(formatter, "'{}'", text.replace('\'', "''"))
}

/// Units of a duration in microseconds, the longest first.
pub(super) const UNITS: [(&str, u64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1000),
    ("us", 1),
];

fn duration(mut micros: u64) -> String {
    let mut parts = Vec::new();
    // Weeks are read, but days are what people count in.
    for (unit, length) in &UNITS[1..] {
        if micros >= *length {
            parts.push(format!("{}{unit}", micros / length));
            micros %= length;
        }
    }
    parts.join(" ")
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<i32> for Literal {
    fn from(value: i32) -> Self {
        Self::Number(i64::from(value).into())
    }
}

impl From<u64> for Literal {
    fn from(value: u64) -> Self {
        Self::Number(Number::integer(&value.to_string()))
    }
}

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Literal {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Time> for Literal {
    fn from(value: Time) -> Self {
        Self::Time(value)
    }
}

impl From<Number> for Literal {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}
