//! The columns of an entry that are derived from its bytes: for queries, never for proofs.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Digest;
use quark_trace_core::record::{Field, View};
use quark_trace_core::time::microseconds;

use crate::store::sieve::ShortKey;

/// Longest stage that is kept as a column; an index holds no text of any length.
const STAGE_LIMIT: usize = 200;

/// The number of a project's log: the first 63 bits of the SHA-256 of the project's id. Not from a
/// sequence, so that it is the same after a failover and can be checked.
pub(super) fn log_id(project: &ProjectId) -> i64 {
    let digest = Digest::of(project.as_str().as_bytes()).0;
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first) & i64::MAX
}

/// The key under which a record id is found, of any length and with any characters.
pub(super) fn record_key(record_id: &str) -> Digest {
    Digest::of(record_id.as_bytes())
}

/// What `qt_id` has of an entry that is no record, or none with an id.
pub(super) const NO_KEY: ShortKey = [0; 8];

/// What it has of a key. Two ids may have it in common, so that the column decides.
pub(super) fn short(key: &Digest) -> ShortKey {
    let mut first = ShortKey::default();
    first.copy_from_slice(&key.0[..8]);
    first
}

/// What a record says of itself, as far as columns can hold it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Columns {
    /// Key of the record id.
    pub record_key: Option<Digest>,
    /// The stage; `None` where a column cannot hold it.
    pub stage: Option<String>,
    /// The time in microseconds since 1970; `None` where it is no ISO 8601.
    pub at_us: Option<i64>,
}

impl Columns {
    /// The columns of a record; all empty when it cannot be read.
    pub fn of_record(line: &[u8]) -> Self {
        let Ok(view) = View::parse(line) else { return Self::default() };
        Self {
            record_key: Some(record_key(&view.record_id.to_str())),
            stage: stage(&view.stage),
            at_us: microseconds(&view.timestamp.to_str()),
        }
    }
}

fn stage(field: &Field<'_>) -> Option<String> {
    let stage = match field {
        Field::Text(text) => String::from_utf8(text.to_wtf8().into_owned()).ok()?,
        Field::Other(_) => field.to_str().into_owned(),
    };
    is_kept(&stage).then_some(stage)
}

/// Whether the column of stages holds this one.
pub(super) fn is_kept(stage: &str) -> bool {
    stage.len() <= STAGE_LIMIT && !stage.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::timestamp;

    #[test]
    fn times_come_back_from_what_the_clock_writes() {
        for micros in
            [0, 1, -1, 1_767_323_046_000_007, 951_782_400_000_000, -62_135_596_800_000_000]
        {
            assert_eq!(microseconds(&timestamp(micros)), Some(micros), "{}", timestamp(micros));
        }
        assert_eq!(microseconds("1970-01-01 01:00:00,5+01:00"), Some(500_000));
        assert_eq!(microseconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(microseconds("1969-12-31T23:00:00-01:00"), Some(0));
        for bad in ["", "yesterday", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00+1"]
        {
            assert_eq!(microseconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_column_cannot_hold_is_left_out() {
        let line = |stage: &str| {
            format!(
                "{{\"record_id\": \"a\", \"project_id\": \"p\", \"stage\": {stage}, \
                 \"timestamp\": \"t\"}}"
            )
        };
        let of = |stage: &str| Columns::of_record(line(stage).as_bytes());
        assert_eq!(of("\"s\"").stage.as_deref(), Some("s"));
        assert_eq!(of("null").stage.as_deref(), Some("None"));
        assert_eq!(of("\"a\\u0000b\"").stage, None);
        assert_eq!(of("\"\\ud800\"").stage, None);
        assert_eq!(of(&format!("\"{}\"", "x".repeat(201))).stage, None);
        assert_eq!(of("\"s\"").record_key, Some(record_key("a")));
        assert_eq!(Columns::of_record(b"\0"), Columns::default());
    }
}
