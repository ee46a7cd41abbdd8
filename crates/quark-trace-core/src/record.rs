//! The record object: one JSON line that tells what happened, when and at which stage.
//!
//! A record is written once; its bytes are then hashed, stored, sent and read unchanged. [`Draft`]
//! writes them, [`View`] reads any line that the original could have written.

use crate::json::{Event, Fault, Number, Scanner, Text, write};

/// Largest record a local store takes, in bytes of its line.
pub const RECORD_LIMIT: usize = 16 * 1024 * 1024;

/// Deepest nesting of a payload that is written; older lines are read at any depth.
pub const DEPTH_LIMIT: usize = 128;

/// The parts of a record that is about to be written.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Unique among the records of the project; a UUID version 4 unless the caller brings one.
    pub record_id: &'a str,
    /// The project's id.
    pub project_id: &'a str,
    /// The stage, not blank.
    pub stage: &'a str,
    /// When, as ISO 8601 with an offset.
    pub timestamp: &'a str,
    /// A JSON object on one line, as [`crate::payload::Payload`] or a binding encoded it.
    pub payload: &'a [u8],
}

impl Draft<'_> {
    /// Appends the line, without a terminator.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"record_id\": ");
        write::string(out, self.record_id);
        out.extend_from_slice(b", \"project_id\": ");
        write::string(out, self.project_id);
        out.extend_from_slice(b", \"stage\": ");
        write::string(out, self.stage);
        out.extend_from_slice(b", \"timestamp\": ");
        write::string(out, self.timestamp);
        out.extend_from_slice(b", \"payload\": ");
        out.extend_from_slice(self.payload);
        out.push(b'}');
    }
}

/// A top-level field of a record as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// A string, as it should be.
    Text(Text<'a>),
    /// Something else, which the original turned into a string when it read it.
    Other(&'a [u8]),
}

impl Field<'_> {
    /// The field as text; what is not a string is shown as Python's `str` shows it.
    pub fn to_str(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Text(text) => text.to_str(),
            Self::Other(b"null") => "None".into(),
            Self::Other(b"true") => "True".into(),
            Self::Other(b"false") => "False".into(),
            Self::Other(raw) => String::from_utf8_lossy(raw),
        }
    }
}

/// Why a line is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The line is not JSON.
    #[error("is not JSON: {0}")]
    Json(#[from] Fault),
    /// The line is JSON but no object.
    #[error("is JSON but not an object")]
    NotAnObject,
    /// A key that every record has is missing.
    #[error("has no {0:?}")]
    Missing(&'static str),
}

/// A record read from its line, nothing copied.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// `record_id`
    pub record_id: Field<'a>,
    /// `project_id`
    pub project_id: Field<'a>,
    /// `stage`
    pub stage: Field<'a>,
    /// `timestamp`
    pub timestamp: Field<'a>,
    /// The bytes of `payload`: JSON of any kind, `{}` when the key is missing.
    pub payload: &'a [u8],
    /// Whether a top-level key stands twice; the last one counts.
    pub repeated_keys: bool,
}

impl<'a> View<'a> {
    /// Reads a line, checking the JSON of the whole of it.
    pub fn parse(line: &'a [u8]) -> Result<Self, RecordFault> {
        let mut scanner = Scanner::new(line);
        if scanner.next_event()? != Some(Event::ObjectStart) {
            return Err(RecordFault::NotAnObject);
        }
        let mut fields: [Option<Field<'a>>; 4] = [None; 4];
        let mut payload = None;
        let mut repeated_keys = false;
        while let Some(event) = scanner.next_event()? {
            let Event::Key(key) = event else { break };
            let name = if key.escaped { key.to_wtf8() } else { key.raw.into() };
            let at = match name.as_ref() {
                b"record_id" => 0,
                b"project_id" => 1,
                b"stage" => 2,
                b"timestamp" => 3,
                b"payload" => {
                    repeated_keys |= payload.replace(scanner.skip_value()?).is_some();
                    continue;
                }
                _ => {
                    scanner.skip_value()?;
                    continue;
                }
            };
            let value = field(&mut scanner, line)?;
            repeated_keys |= fields[at].replace(value).is_some();
        }
        scanner.next_event()?;
        let take = |at: usize| fields[at].ok_or(RecordFault::Missing(NAMES[at]));
        Ok(Self {
            record_id: take(0)?,
            project_id: take(1)?,
            stage: take(2)?,
            timestamp: take(3)?,
            payload: payload.unwrap_or(b"{}"),
            repeated_keys,
        })
    }
}

const NAMES: [&str; 4] = ["record_id", "project_id", "stage", "timestamp"];

fn field<'a>(scanner: &mut Scanner<'a>, line: &'a [u8]) -> Result<Field<'a>, Fault> {
    let (start, depth) = (scanner.next_position(), scanner.depth());
    if let Some(Event::String(text)) = scanner.next_event()? {
        return Ok(Field::Text(text));
    }
    while scanner.depth() > depth {
        scanner.next_event()?;
    }
    Ok(Field::Other(&line[start..scanner.position()]))
}

/// Whether a number token stands for a float that JSON lacks, tagged or bare.
pub fn non_finite(number: Number<'_>) -> Option<f64> {
    match number {
        Number::NotANumber => Some(f64::NAN),
        Number::Infinity => Some(f64::INFINITY),
        Number::NegativeInfinity => Some(f64::NEG_INFINITY),
        Number::Integer(_) | Number::Float(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_the_line_that_the_original_writes() {
        let mut line = Vec::new();
        let draft = Draft {
            record_id: "00000000-0000-4000-8000-000000000003",
            project_id: "demo",
            stage: "end",
            timestamp: "2026-01-02T03:04:07+00:00",
            payload: b"{}",
        };
        draft.write(&mut line);
        let expected = concat!(
            r#"{"record_id": "00000000-0000-4000-8000-000000000003", "project_id": "demo", "#,
            r#""stage": "end", "timestamp": "2026-01-02T03:04:07+00:00", "payload": {}}"#
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let line = br#"{"record_id":1,"record_id":"b","project_id":null,"stage":"s","timestamp":"t","x":[1,{}]}"#;
        let view = View::parse(line).unwrap();
        assert_eq!(view.record_id.to_str(), "b");
        assert_eq!(view.project_id.to_str(), "None");
        assert!(view.repeated_keys);
        assert_eq!(view.payload, b"{}");
    }

    #[test]
    fn faults_say_what_is_missing() {
        assert_eq!(View::parse(b"[1]").unwrap_err(), RecordFault::NotAnObject);
        assert_eq!(View::parse(b"{}").unwrap_err().to_string(), "has no \"record_id\"");
        assert!(
            View::parse(b"{\"record_id\": \"a\"} x")
                .unwrap_err()
                .to_string()
                .contains("extra data")
        );
    }
}
