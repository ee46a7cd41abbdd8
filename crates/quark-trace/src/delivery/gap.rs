//! Records that were not delivered: how many, why, and the record that says so.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Digest;
use quark_trace_core::record::{Draft, View};
use serde_json::{Value, json};

use crate::clock;

/// The stage of a record that tells of others that are missing.
pub const GAP_STAGE: &str = "delivery_gap";

/// Records that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    /// The id of the record that is going to tell of them: however often it is written, it is one.
    id: String,
    count: u64,
    reason: String,
    first: String,
    last: String,
    at: String,
}

impl Gap {
    /// A gap of one record that the spool had no room for.
    pub fn dropped(line: &[u8], reason: &str) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        Self::of(id, line, reason, clock::now())
    }

    /// The gap that a refused record leaves: the same each time it is refused.
    pub fn refused(line: &[u8], reason: &str) -> Self {
        let digest = Digest::of(line).to_string();
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).unwrap_or_default();
        }
        let id = uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string();
        let at = View::parse(line).ok().map(|view| view.timestamp.to_str().into_owned());
        Self::of(id, line, reason, at.unwrap_or_else(clock::now))
    }

    fn of(id: String, line: &[u8], reason: &str, at: String) -> Self {
        let name = id_of(line);
        Self { id, count: 1, reason: reason.to_owned(), first: name.clone(), last: name, at }
    }

    /// Counts one more.
    pub fn add(&mut self, line: &[u8]) {
        self.count += 1;
        self.last = id_of(line);
        self.at = clock::now();
    }

    /// The id of the record that tells of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many records.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The record that tells of it: the same bytes each time.
    pub fn line(&self, project: &ProjectId) -> Vec<u8> {
        let text = |text: &str| {
            let mut out = Vec::new();
            quark_trace_core::json::write::string(&mut out, text);
            String::from_utf8_lossy(&out).into_owned()
        };
        let payload = format!(
            "{{\"count\": {}, \"reason\": {}, \"first_record_id\": {}, \"last_record_id\": {}}}",
            self.count,
            text(&self.reason),
            text(&self.first),
            text(&self.last)
        );
        let draft = Draft {
            record_id: &self.id,
            project_id: project.as_str(),
            stage: GAP_STAGE,
            timestamp: &self.at,
            payload: payload.as_bytes(),
        };
        let mut line = Vec::new();
        draft.write(&mut line);
        line
    }

    /// As it is kept until its record is written.
    pub fn to_json(&self) -> Value {
        let Self { id, count, reason, first, last, at } = self;
        json!({"id": id, "count": count, "reason": reason, "first": first, "last": last, "at": at})
    }

    /// What [`Gap::to_json`] wrote; `None` for anything else.
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().map(ToOwned::to_owned);
        Some(Self {
            id: text("id")?,
            count: value["count"].as_u64()?,
            reason: text("reason")?,
            first: text("first")?,
            last: text("last")?,
            at: text("at")?,
        })
    }
}

/// Whether a record tells of a gap.
pub(super) fn is_gap(line: &[u8]) -> bool {
    View::parse(line).is_ok_and(|view| view.stage.to_str() == GAP_STAGE)
}

/// The id of a record, cut to what a note has room for.
pub(super) fn id_of(line: &[u8]) -> String {
    let id = View::parse(line).map(|view| view.record_id.to_str().into_owned());
    id.unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    const LINE: &[u8] =
        br#"{"record_id": "r1", "project_id": "p", "stage": "s", "timestamp": "t", "payload": {}}"#;

    #[test]
    fn a_gap_is_told_in_the_same_bytes_each_time() {
        let project = "p".parse().unwrap();
        let mut gap = Gap::dropped(LINE, "the spool is full");
        gap.add(LINE);
        let read = Gap::from_json(&gap.to_json()).unwrap();
        assert_eq!((&read, read.line(&project)), (&gap, gap.line(&project)));
        let record = Record::from_line(gap.line(&project)).unwrap();
        assert_eq!((record.stage().as_str(), record.record_id()), (GAP_STAGE, gap.id.clone()));
        assert_eq!(record.payload_member("count"), Some(b"2".as_slice()));
        assert!(is_gap(record.line()) && !is_gap(LINE));
        let refused = Gap::refused(LINE, "too_large");
        assert_eq!(refused.line(&project), Gap::refused(LINE, "too_large").line(&project));
        assert_eq!(Gap::from_json(&json!({"id": "x"})), None);
    }
}
