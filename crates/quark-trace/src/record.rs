//! A record as the library hands it out: its stored bytes, read on demand.

use std::borrow::Cow;
use std::fmt;

use quark_trace_core::json::{Event, Scanner};
use quark_trace_core::record::View;
use quark_trace_core::stages::Fault;

use crate::error::{Error, ErrorKind, Result};

/// One record, exactly as it is stored.
#[derive(Clone)]
pub struct Record {
    line: Vec<u8>,
    faults: Vec<Fault>,
}

/// Records are the same when their lines are.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.line == other.line
    }
}

impl Eq for Record {}

impl Record {
    /// Takes a line; it is refused when it is no record.
    pub fn from_line(line: Vec<u8>) -> Result<Self> {
        view_of(&line)?;
        Ok(Self { line, faults: Vec::new() })
    }

    /// Takes a line that was written here from checked parts.
    pub(crate) fn drafted(line: Vec<u8>) -> Self {
        Self { line, faults: Vec::new() }
    }

    pub(crate) fn set_faults(&mut self, faults: Vec<Fault>) {
        self.faults = faults;
    }

    /// How it broke the schema of its stage when it was appended by this handle; a record that was
    /// read back has none ([`crate::stages::Stages::review`] looks again).
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The stored line, without its terminator.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// The stored line, taken out.
    pub fn into_line(self) -> Vec<u8> {
        self.line
    }

    /// All fields, read from the line without copying.
    pub fn view(&self) -> View<'_> {
        View::parse(&self.line).expect("checked when the record was made")
    }

    /// `record_id`
    pub fn record_id(&self) -> String {
        self.view().record_id.to_str().into_owned()
    }

    /// `stage`
    pub fn stage(&self) -> String {
        self.view().stage.to_str().into_owned()
    }

    /// `timestamp`
    pub fn timestamp(&self) -> String {
        self.view().timestamp.to_str().into_owned()
    }

    /// The payload as stored: JSON, mostly an object.
    pub fn payload(&self) -> &[u8] {
        self.view().payload
    }

    /// The bytes of one member of the payload, the last of that name; `None` when there is none.
    ///
    /// ```
    /// use quark_trace::Record;
    /// let line = br#"{"record_id": "1", "project_id": "p", "stage": "s", "timestamp": "t", "payload": {"loss": 0.21}}"#;
    /// let record = Record::from_line(line.to_vec()).unwrap();
    /// assert_eq!(record.payload_member("loss"), Some(b"0.21".as_slice()));
    /// ```
    pub fn payload_member(&self, name: &str) -> Option<&[u8]> {
        members(self.payload()).into_iter().rev().find(|(key, _)| key == name).map(|(_, raw)| raw)
    }
}

/// The members of a JSON object: names, and values as they are written. Empty for anything else.
pub fn members(object: &[u8]) -> Vec<(Cow<'_, str>, &[u8])> {
    let mut found = Vec::new();
    let mut scanner = Scanner::new(object);
    if !matches!(scanner.next_event(), Ok(Some(Event::ObjectStart))) {
        return found;
    }
    while let Ok(Some(Event::Key(key))) = scanner.next_event() {
        let Ok(value) = scanner.skip_value() else { break };
        found.push((key.to_str(), value));
    }
    found
}

/// The fields of a line, which is refused when it is no record.
pub(crate) fn view_of(line: &[u8]) -> Result<View<'_>> {
    View::parse(line).map_err(|fault| {
        Error::new(ErrorKind::Corrupted, "read a record", format!("the line {fault}"))
            .caused_by(fault)
    })
}

impl fmt::Debug for Record {
    /// Neither payload nor stage: what is logged about records must not leak them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("record_id", &self.record_id())
            .finish_non_exhaustive()
    }
}
