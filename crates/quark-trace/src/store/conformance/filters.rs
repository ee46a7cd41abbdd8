//! Which rows a scan may leave out: those that its filter does not select, and no others.

use std::ops::ControlFlow;

use quark_trace_core::ledger::Kind;
use quark_trace_core::query::{Asked, Filter, Matcher};

use super::{Place, all, append, checked_range, new_record, project, scan};
use crate::store::{NewEntry, Plan, Row, Select, Store};

/// Payloads of every kind that is stored: of each type, at the borders of types, written in ways that
/// differ and mean the same.
const PAYLOADS: &[&str] = &[
    r#"{"loss": 0.25, "round": 1, "client_id": "a"}"#,
    r#"{"loss": 1, "round": 2, "client_id": "b", "m": {"acc": 0.5}}"#,
    r#"{"loss": "0.25", "round": null, "client_id": 7}"#,
    r#"{"loss": {"$numberDouble": "NaN"}, "round": 9007199254740993, "client_id": "\u0061"}"#,
    r#"{"loss": {"$numberDouble": "-Infinity"}, "round": 18446744073709551617}"#,
    r#"{"loss":NaN,"round":-0.0,"client_id":"A"}"#,
    r#"{"loss": 0.5, "loss": 0.25, "m": {"acc": 1, "acc": null}}"#,
    r#"{"m": [1, {"acc": "x"}], "loss": true}"#,
    r#"{"client_id": "caf\udce9", "loss": 1e400}"#,
    r#"{"client_id": "it's \"a\" %_\\", "loss": 2.5e-1}"#,
    "[1, 2]",
    "null",
    "{}",
];

const FILTERS: &[&str] = &[
    "stage = 'client_round'",
    "stage != 'client_round'",
    "stage IN ('client_round', 'Köln', 'x')",
    "stage LIKE 'client%' AND payload.loss < 0.3",
    "NOT (stage = 'other' OR payload.loss >= 0.3)",
    "payload.loss = 0.25",
    "payload.loss != 0.25",
    "payload.loss < 0",
    "payload.loss > 1e308",
    "payload.loss = '0.25'",
    "params.loss = '0.25'",
    "payload.loss = NaN",
    "NOT payload.loss < 0.3",
    "payload.loss IS NULL",
    "payload.loss IS NOT NULL",
    "payload.round = 9007199254740993",
    "payload.round > 9007199254740992",
    "payload.round = 0",
    "payload.round BETWEEN 1 AND 2",
    "payload.m.acc IS NULL",
    "payload.m.acc > 0.4",
    "payload.m[1].acc = 'x'",
    "payload.client_id = 'a'",
    "payload.client_id ILIKE 'a'",
    "payload.client_id ~ '^[a-c]$'",
    "payload.client_id IN ('a', 7)",
    "payload.client_id NOT IN ('a', 7)",
    "payload.client_id = 'it''s \"a\" %_\\'",
    "payload.\"; DROP TABLE qt_entry; --\" = '''; DROP TABLE qt_entry; --' OR index < 4",
    "timestamp >= '2026-01-02T03:04:06Z'",
    "timestamp < '2026-01-02T03:04:06Z' OR timestamp IS NULL",
    "timestamp LIKE '2026%'",
    "record_id = 'r3'",
    "record_id > 'r3' AND project_id = 'demo'",
    "index BETWEEN 3 AND 9",
    "payload.loss = NULL OR stage = NULL",
];

const STAGES: [&str; 4] = ["\"client_round\"", "\"client\\u005fround\"", "\"K\\u00f6ln\"", "7"];
const TIMES: [&str; 4] = [
    "2026-01-02T03:04:05+00:00",
    "2026-01-02T04:04:06.5+01:00",
    "yesterday",
    "2026-01-02T03:04:06",
];

pub(super) fn selected(place: &Place) {
    let store = place();
    fill(store.as_ref());
    let unreadable =
        [new_record(b"no record at all"), new_record(b"{\"stage\": \"client_round\"}")];
    append(store.as_ref(), &project(), &unreadable).unwrap();
    let records = scan(store.as_ref(), &project(), 0, Select::Records);
    assert_eq!(records.len(), 2 * PAYLOADS.len() + 2);
    ask(store.as_ref());
}

/// Enough entries for several rows of an index that has many in each.
const FILLED: usize = 14;

pub(super) fn indexed(place: &Place) {
    let (store, other) = (place(), place());
    store.index(&project()).expect("there is nothing to do");
    assert_eq!(store.head(&project()).unwrap(), None, "a project came of nothing");
    for _ in 0..FILLED {
        fill(store.as_ref());
    }
    let before = all(store.as_ref(), &project());
    for handle in [&store, &other, &store] {
        handle.index(&project()).expect("the log can be indexed");
        ask(store.as_ref());
        ask(other.as_ref());
    }
    assert_eq!(all(other.as_ref(), &project()), before, "the log is another");
    // What comes behind is found, too, and what is taken up of it by other handles.
    fill(other.as_ref());
    ask(store.as_ref());
    store.index(&project()).expect("the log can be indexed");
    fill(store.as_ref());
    ask(other.as_ref());
    checked_range(store.as_ref(), &project());
}

/// Appends records of all kinds, and sheets between them.
fn fill(store: &dyn Store) {
    let project = project();
    for (at, payload) in PAYLOADS.iter().enumerate() {
        let (stage, time) = (STAGES[at % 4], TIMES[at / 4 % 4]);
        let line = format!(
            "{{\"record_id\": \"r{at}\", \"project_id\": \"demo\", \"stage\": {stage}, \
             \"timestamp\": \"{time}\", \"payload\": {payload}}}"
        );
        // As another program would have written it.
        let dense = line.replace("\": ", "\":");
        let sheet = format!("sheet {at}");
        let sheet = NewEntry::new(Kind::Sheet, sheet.as_bytes());
        let entries = [new_record(line.as_bytes()), sheet, new_record(dense.as_bytes())];
        append(store, &project, &entries).unwrap();
    }
}

/// Asks every filter, in all of the log and in parts of it.
fn ask(store: &dyn Store) {
    let project = project();
    let records = scan(store, &project, 0, Select::Records);
    for text in FILTERS {
        let filter = Filter::parse(text).unwrap();
        let mut matcher = Matcher::new(&filter, 0).unwrap();
        for (from, until) in [(0, None), (5, None), (0, Some(20)), (5, Some(20))] {
            let plan = Plan { from, until, select: Select::Records, filter: Some(&filter) };
            let mut passed = Vec::new();
            let scanned = store.scan(&project, &plan, &mut |row| {
                let Row::Entry { index, object, .. } = row else { panic!("{row:?} is no entry") };
                passed.push((index, object.map(|object| object.into_owned())));
                ControlFlow::Continue(())
            });
            scanned.unwrap();
            assert!(passed.is_sorted_by_key(|(index, _)| *index), "{text}: in another order");
            for seen in &records {
                let row = (seen.index, seen.object.clone());
                let inside = seen.index >= from && until.is_none_or(|until| seen.index < until);
                let object = seen.object.as_deref().unwrap_or_default();
                if !inside {
                    assert!(!passed.contains(&row), "{text}: {} is outside", seen.index);
                } else if matcher.ask(Some(seen.index), object) == Asked::Selected {
                    assert!(passed.contains(&row), "{text}: {} was left out", seen.index);
                }
            }
            assert!(passed.len() <= records.len(), "{text}: a row was given twice");
        }
    }
}
