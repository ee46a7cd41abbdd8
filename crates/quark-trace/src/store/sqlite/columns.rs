//! What is derived from the bytes of a record: for queries, never for proofs.

use std::collections::BTreeMap;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::json::{Event, Number, Scanner};
use quark_trace_core::ledger::Digest;
use quark_trace_core::record::{Field, View, non_finite};
use quark_trace_core::time::microseconds;

use crate::store::sieve::ShortKey;

/// Longest stage, and longest path of a number, that is kept; an index holds no text of any length.
pub(super) const TEXT_LIMIT: usize = 200;
/// Most numbers of one record that are kept; of a record with more none is.
const NUMBERS_LIMIT: usize = 256;

/// The number of a project's log: the first 63 bits of the SHA-256 of the project's id, so that it
/// can be checked.
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

/// What it has of an entry that is no record, or none with an id.
pub(super) const NO_KEY: ShortKey = [0; 8];

/// What `qt_id` has of a key. Two ids may have it in common, so that the record is asked.
pub(super) fn short(key: &Digest) -> ShortKey {
    let mut first = ShortKey::default();
    first.copy_from_slice(&key.0[..8]);
    first
}

/// The key of the id that a record has, if it can be read.
pub(super) fn key_of(line: &[u8]) -> Option<Digest> {
    View::parse(line).ok().map(|view| record_key(&view.record_id.to_str()))
}

/// What a record says of itself, as far as columns can hold it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Columns {
    /// Key of the record id.
    pub record_key: Option<Digest>,
    /// The stage; `None` where a column cannot hold it.
    pub stage: Option<String>,
    /// The time in microseconds since 1970; `None` where it is no ISO 8601.
    pub at_us: Option<i64>,
    /// The numbers in the payload by their path; `None` when there are too many.
    pub numbers: Option<BTreeMap<String, f64>>,
}

impl Columns {
    /// The columns of a record; all empty when it cannot be read.
    pub fn of_record(line: &[u8]) -> Self {
        let Ok(view) = View::parse(line) else {
            return Self { numbers: Some(BTreeMap::new()), ..Self::default() };
        };
        Self {
            record_key: Some(record_key(&view.record_id.to_str())),
            stage: stage(&view.stage),
            at_us: microseconds(&view.timestamp.to_str()),
            numbers: numbers(view.payload),
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

/// Whether a column holds a text.
pub(super) fn is_kept(text: &str) -> bool {
    text.len() <= TEXT_LIMIT && !text.contains('\0')
}

/// The numbers that are members of the payload or of objects in it, by JSON Pointer (`/loss`,
/// `/metrics/accuracy`): of keys that stand twice the last, none in arrays, none under a path that a
/// column cannot hold, no NaN, which no comparison finds. Integers are rounded to 53 bits.
fn numbers(payload: &[u8]) -> Option<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    let mut scanner = Scanner::new(payload);
    // The path of each open object; `None` for one whose numbers are not kept.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut next = Some(String::new());
    while let Ok(Some(event)) = scanner.next_event() {
        match event {
            Event::ObjectStart => open.push(next.take()),
            Event::ObjectEnd => drop(open.pop()),
            Event::Key(key) => {
                next = open.last().and_then(Option::as_ref).and_then(|above| {
                    let key = String::from_utf8(key.to_wtf8().into_owned()).ok()?;
                    let path = format!("{above}/{}", key.replace('~', "~0").replace('/', "~1"));
                    is_kept(&path).then_some(path)
                });
                if let Some(path) = &next {
                    forget(&mut found, path);
                }
            }
            Event::ArrayStart => skip_array(&mut scanner)?,
            Event::Number(number) => {
                if let Some((path, value)) = next.take().zip(float(number)) {
                    found.insert(path, value);
                }
            }
            Event::String(text) => {
                if let Some((path, value)) = next.take().and_then(tagged(&text.to_str())) {
                    found.insert(path, value);
                }
            }
            Event::ArrayEnd | Event::Bool(_) | Event::Null => {}
        }
        if found.len() > NUMBERS_LIMIT {
            return None;
        }
    }
    Some(found)
}

/// A key that comes again takes the place of what came under it before.
fn forget(found: &mut BTreeMap<String, f64>, path: &str) {
    let below = format!("{path}/");
    let gone: Vec<String> = found
        .range(path.to_owned()..)
        .map(|(known, _)| known)
        .take_while(|known| known.starts_with(path))
        .filter(|known| *known == path || known.starts_with(&below))
        .cloned()
        .collect();
    for known in gone {
        found.remove(&known);
    }
}

fn skip_array(scanner: &mut Scanner<'_>) -> Option<()> {
    let above = scanner.depth() - 1;
    while scanner.depth() > above {
        scanner.next_event().ok()?;
    }
    Some(())
}

fn float(number: Number<'_>) -> Option<f64> {
    let value = match number {
        Number::Integer(text) | Number::Float(text) => text.parse().ok()?,
        other => non_finite(other)?,
    };
    // SQLite keeps no sign of zero.
    (!f64::is_nan(value)).then_some(value + 0.0)
}

/// An infinity as it is written in JSON: `{"$numberDouble": "Infinity"}`, the number of the key
/// above.
fn tagged(text: &str) -> impl Fn(String) -> Option<(String, f64)> + use<> {
    let value = match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    };
    move |path| Some((path.strip_suffix("/$numberDouble")?.to_owned(), value?))
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
        assert_eq!(microseconds("1970-01-01T00:00:00.1234567Z"), Some(123_456));
        for bad in ["", "yesterday", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00.Z"]
        {
            assert_eq!(microseconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_column_cannot_hold_is_left_out() {
        let of = |stage: &str| {
            let line = format!(
                "{{\"record_id\": \"a\", \"project_id\": \"p\", \"stage\": {stage}, \
                 \"timestamp\": \"t\"}}"
            );
            Columns::of_record(line.as_bytes())
        };
        assert_eq!(of("\"s\"").stage.as_deref(), Some("s"));
        assert_eq!(of("null").stage.as_deref(), Some("None"));
        for other in ["\"a\\u0000b\"", "\"\\ud800\"", &format!("\"{}\"", "x".repeat(201))] {
            assert_eq!(of(other).stage, None);
        }
        assert_eq!(of("\"s\"").record_key, Some(record_key("a")));
        assert_eq!(Columns::of_record(b"\0").record_key, None);
    }

    #[test]
    fn numbers_are_found_by_their_path() {
        let found = |payload: &str| -> Vec<(String, f64)> {
            numbers(payload.as_bytes()).unwrap().into_iter().collect()
        };
        let pair = |path: &str, value: f64| (path.to_owned(), value);
        assert_eq!(
            found(r#"{"loss": 0.5, "m": {"a/b": 2, "c": [3, {"d": 4}], "e": true}, "x": "7"}"#),
            [pair("/loss", 0.5), pair("/m/a~1b", 2.0)]
        );
        assert_eq!(found(r#"{"a": 1, "a": {"b": 2}, "a": {"c": 3}}"#), [pair("/a/c", 3.0)]);
        assert_eq!(found(r#"{"n": NaN, "i": -Infinity}"#), [pair("/i", f64::NEG_INFINITY)]);
        assert_eq!(
            found(r#"{"i": {"$numberDouble": "Infinity"}, "j": {"k": "Infinity"}}"#),
            [pair("/i", f64::INFINITY)]
        );
        assert_eq!(found("[1, 2]"), []);
        assert_eq!(
            found(r#"{"\ud800": 1, "b\u0000": 2, "c": 123456789012345678901234567890}"#),
            [pair("/c", 123_456_789_012_345_678_901_234_567_890.0)]
        );
        let many: Vec<String> = (0..257).map(|n| format!("\"{n}\": {n}")).collect();
        assert_eq!(numbers(format!("{{{}}}", many.join(", ")).as_bytes()), None);
    }
}
