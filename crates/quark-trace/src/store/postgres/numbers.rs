//! Numbers in payloads, kept apart so that they can be filtered without reading every record.
//!
//! The table is filled behind the writers: `indexed` in `qt_log` says how far. Whoever filters takes
//! it up to there and reads the records behind, so that nothing depends on how far it is. A value is
//! the nearest double; the record's own bytes decide.

use std::collections::BTreeMap;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use quark_trace_core::json::{Event, Number, Scanner, Text};
use quark_trace_core::ledger::Entry;
use quark_trace_core::record::{View, non_finite};

use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::row::value;
use super::statements as sql;

/// Longest path that is kept; an index holds no text of any length.
const PATH_LIMIT: usize = 200;
/// Deepest object whose members are kept.
const DEPTH_LIMIT: usize = 8;
/// A record with more numbers has one row with an empty path instead: read it.
const COUNT_LIMIT: usize = 1024;
/// Entries that are taken up together.
const BATCH: i64 = 1000;

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

/// Takes up to `limit` entries into the table. Others may do so at the same time.
pub(super) fn catch_up(connection: &mut Connection, log_id: i64, limit: u64) -> Result<(), Fault> {
    let mut done = 0;
    while done < limit {
        let rows = connection.rows(sql::INDEXED, &[(&log_id, Type::INT8)]).map_err(before)?;
        let Some(row) = rows.first() else { break };
        let (from, size): (i64, i64) = (value(row, 0)?, value(row, 1)?);
        let to = i64::min(from + BATCH, size);
        if from >= to {
            break;
        }
        take_up(connection, log_id, from, to)?;
        done += (to - from) as u64;
    }
    Ok(())
}

fn take_up(connection: &mut Connection, log_id: i64, from: i64, to: i64) -> Result<(), Fault> {
    let (mut places, mut paths, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let limit = to - from;
    let values: [Value<'_>; 3] = [(&log_id, Type::INT8), (&from, Type::INT8), (&limit, Type::INT8)];
    let mut rows = connection.stream(sql::PAGE, &values).map_err(before)?;
    while let Some(row) = rows.next().map_err(before)? {
        for (path, number) in of_entry(value(&row, 1)?, value(&row, 8)?) {
            places.push(value::<i64>(&row, 0)?);
            paths.push(path);
            numbers.push(number);
        }
    }
    drop(rows);
    let values: [Value<'_>; 6] = [
        (&log_id, Type::INT8),
        (&from, Type::INT8),
        (&to, Type::INT8),
        (&places, Type::INT8_ARRAY),
        (&paths, Type::TEXT_ARRAY),
        (&numbers, Type::FLOAT8_ARRAY),
    ];
    connection.commit_rows(sql::TAKE_UP, &values).map(drop)
}

/// What the table should hold of some entries.
#[derive(Debug, Default)]
pub(super) struct Expected(BTreeMap<(i64, String), f64>);

impl Expected {
    /// Adds the numbers of an entry.
    pub fn take(&mut self, index: i64, line: &[u8], object: Option<&[u8]>) {
        let numbers = of_entry(line, object).into_iter();
        self.0.extend(numbers.map(|(path, number)| ((index, path), number)));
    }

    /// Compares what was taken with the rows of these entries: where they differ, and how. Nothing
    /// is expected afterwards.
    pub fn compare(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        from: i64,
        to: i64,
    ) -> Result<Vec<(i64, &'static str)>, Fault> {
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&to, Type::INT8)];
        let mut rows = connection.stream(sql::NUMBERS, &values).map_err(before)?;
        let mut wrong = Vec::new();
        while let Some(row) = rows.next().map_err(before)? {
            let (index, number): (i64, f64) = (value(&row, 0)?, value(&row, 2)?);
            let known = self.0.remove(&(index, value(&row, 1)?));
            let same = |known: f64| {
                known.to_bits() == number.to_bits() || (known.is_nan() && number.is_nan())
            };
            if !known.is_some_and(same) {
                wrong.push((index, "a row of qt_number says otherwise than the record"));
            }
        }
        let missing = std::mem::take(&mut self.0).into_keys();
        wrong.extend(missing.map(|(index, _)| (index, "a row of qt_number is missing")));
        Ok(wrong)
    }
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
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
