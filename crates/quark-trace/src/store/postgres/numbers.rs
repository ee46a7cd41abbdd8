//! The numbers that are in a record, by their path. A number is the nearest double; the record's own
//! bytes decide.

use std::collections::BTreeMap;

use quark_trace_core::json::{Event, Number, Scanner, Text};
use quark_trace_core::ledger::Entry;
use quark_trace_core::record::{View, non_finite};

/// Longest path that is kept; an index holds no text of any length.
const PATH_LIMIT: usize = 200;
/// Deepest object whose members are kept.
const DEPTH_LIMIT: usize = 8;
/// A record with more numbers has one row with an empty path instead: read it.
const COUNT_LIMIT: usize = 1024;

/// The numbers of a record by their path: names of members joined by dots, a dot or backslash in a
/// name behind a backslash. Members of arrays have none.
pub(super) fn of_entry(line: &[u8], object: Option<&[u8]>) -> BTreeMap<String, f64> {
    let is_record = Entry::parse(line).is_ok_and(|entry| entry.kind.is_record());
    let view = object.filter(|_| is_record).and_then(|object| View::parse(object).ok());
    let numbers = view.map(|view| of_payload(view.payload)).unwrap_or_default();
    if numbers.len() > COUNT_LIMIT {
        return BTreeMap::from([(String::new(), 0.0)]);
    }
    numbers
}

fn of_payload(payload: &[u8]) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    let mut scanner = Scanner::new(payload);
    if !matches!(scanner.next_event(), Ok(Some(Event::ObjectStart))) {
        return numbers;
    }
    // The path of the open object, and where each level of it ends.
    let (mut path, mut ends) = (String::new(), Vec::new());
    while let Ok(Some(event)) = scanner.next_event() {
        let Event::Key(key) = event else {
            // Nothing but the end of an object comes where a key may.
            match ends.pop() {
                Some(end) => path.truncate(end),
                None => break,
            }
            continue;
        };
        let before = path.len();
        let named = push(&mut path, key) && ends.len() < DEPTH_LIMIT;
        let mut ahead = scanner.clone();
        match ahead.next_event() {
            Ok(Some(Event::ObjectStart)) if named => {
                scanner = ahead;
                ends.push(before);
                continue;
            }
            Ok(Some(Event::Number(number))) if named => {
                numbers.insert(path.clone(), nearest(number));
            }
            Ok(Some(Event::String(text))) if key.to_wtf8().as_ref() == b"$numberDouble" => {
                let value = match text.to_wtf8().as_ref() {
                    b"NaN" => Some(f64::NAN),
                    b"Infinity" => Some(f64::INFINITY),
                    b"-Infinity" => Some(f64::NEG_INFINITY),
                    _ => None,
                };
                numbers.extend(value.map(|value| (path[..before].to_owned(), value)));
            }
            _ => {}
        }
        if scanner.skip_value().is_err() {
            break;
        }
        path.truncate(before);
    }
    numbers
}

/// The path of the member that these names lead to; `None` where its numbers are not kept.
pub(super) fn path(names: &[&str]) -> Option<String> {
    let mut path = String::new();
    let kept = names.iter().all(|name| push_name(&mut path, name));
    (kept && names.len() <= DEPTH_LIMIT).then_some(path)
}

/// Appends a name to a path; `false` when no column could hold the result.
fn push(path: &mut String, key: Text<'_>) -> bool {
    std::str::from_utf8(&key.to_wtf8()).is_ok_and(|name| push_name(path, name))
}

fn push_name(path: &mut String, name: &str) -> bool {
    if !path.is_empty() {
        path.push('.');
    }
    for character in name.chars() {
        if matches!(character, '.' | '\\') {
            path.push('\\');
        }
        path.push(character);
    }
    path.len() <= PATH_LIMIT && !path.contains('\0') && !name.is_empty()
}

fn nearest(number: Number<'_>) -> f64 {
    match number {
        Number::Integer(text) | Number::Float(text) => text.parse().unwrap_or(f64::NAN),
        other => non_finite(other).unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(payload: &str) -> Vec<(String, f64)> {
        of_payload(payload.as_bytes()).into_iter().collect()
    }

    #[test]
    fn numbers_are_found_by_their_path() {
        let payload = r#"{"a": 1, "b": {"c": 2.5, "d.e": {"f": -1e3}}, "g": [3, {"h": 4}],
            "i": "5", "j": null, "k": {"$numberDouble": "-Infinity"}, "l": 18446744073709551617,
            "m": NaN, "b": {"z": 7}, "": 8, "n": {}, "o": 9}"#;
        let found = paths(payload);
        let names: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, ["a", "b.c", "b.d\\.e.f", "b.z", "k", "l", "m", "o"]);
        let value = |name: &str| found.iter().find(|(path, _)| path == name).unwrap().1;
        assert_eq!((value("a"), value("b.d\\.e.f"), value("o")), (1.0, -1000.0, 9.0));
        assert_eq!(value("k"), f64::NEG_INFINITY);
        assert!(value("m").is_nan());
        assert_eq!(value("l"), 18_446_744_073_709_551_617.0);
    }

    #[test]
    fn what_no_column_can_hold_is_passed_over() {
        let long = "x".repeat(201);
        let payload =
            format!(r#"{{"{long}": 1, "\u0000": 2, "\ud800": 3, "a": {{"{long}": 4}}, "z": 5}}"#);
        assert_eq!(paths(&payload), [("z".to_owned(), 5.0)]);
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        assert_eq!(paths(&deep), []);
        assert_eq!(paths("[1]"), []);
        let line = format!("record sha256:{}", "0".repeat(64));
        let many: Vec<String> = (0..1025).map(|n| format!("\"n{n}\": {n}")).collect();
        let record = format!(
            r#"{{"record_id":"a","project_id":"p","stage":"s","timestamp":"t","payload":{{{}}}}}"#,
            many.join(",")
        );
        let found = of_entry(line.as_bytes(), Some(record.as_bytes()));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(String::new(), 0.0)]);
    }
}
