//! A filter reads few records, and nothing in it is ever SQL.

use std::ops::ControlFlow;

use quark_trace::core::ledger::Kind;
use quark_trace::core::query::{Filter, field};
use quark_trace::store::{Commit, Durability, NewEntry, Plan, Row, Select, SqliteStore, Store};
use quark_trace::verify::{Policy, verify};

use crate::folder::{Folder, project};

const RECORDS: u64 = 5000;

fn fill(store: &SqliteStore, stage: &str, from: u64, count: u64) {
    let lines: Vec<Vec<u8>> = (from..from + count)
        .map(|n| {
            let (minute, stage) = (n / 100, if n % 100 == 0 { stage } else { "usual" });
            format!(
                "{{\"record_id\": \"r{n}\", \"project_id\": \"demo\", \"stage\": \"{stage}\", \
                 \"timestamp\": \"2026-01-02T03:{minute:02}:05+00:00\", \"payload\": {{\"loss\": \
                 {n}, \"deep\": {{\"n\": {}, \"{stage}\": 1}}}}}}",
                n % 7
            )
            .into_bytes()
        })
        .collect();
    let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
    store.append(&project(), &commit).unwrap();
}

/// How many rows the store passes.
fn passed(store: &SqliteStore, filter: &Filter) -> u64 {
    let mut rows = 0;
    let select = Select::Records;
    let plan = Plan { select, filter: Some(filter), ..Plan::default() };
    let scanned = store.scan(&project(), &plan, &mut |row| {
        assert!(matches!(row, Row::Entry { .. }), "{row:?}");
        rows += 1;
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    rows
}

#[test]
fn few_records_are_read() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, "rare", 0, RECORDS);
    store.flush().unwrap();
    for (text, rows) in [
        ("stage = 'rare'", 50),
        ("stage IN ('rare', 'none')", 50),
        ("NOT stage != 'rare'", 50),
        ("record_id = 'r77'", 1),
        ("record_id IN ('r77', 'r78', 'x')", 2),
        ("payload.loss < 10", 10),
        ("payload.loss BETWEEN 10 AND 19.5", 10),
        ("payload.loss > 4990 AND NOT payload.loss = 7 AND stage = 'usual'", 9),
        ("params.loss = 7", 1),
        ("timestamp < '2026-01-02T03:01:00Z'", 100),
        ("timestamp BETWEEN '2026-01-02T03:01:00Z' AND '2026-01-02T03:02:00Z'", 100),
        ("index > 4990", 10),
        ("index IN (5, 9)", 2),
        ("stage = 'rare' AND payload.loss < 100", 1),
        // Reading fifty records costs less than reading an index for a thousand.
        ("stage = 'rare' AND payload.loss < 1000", 50),
        ("stage = 'usual' AND payload.loss = 1000", 1),
        ("stage = 'rare' OR payload.loss < 10", 59),
        ("(stage = 'rare' OR payload.loss < 10) AND timestamp < '2026-01-02T03:01:00Z'", 10),
        ("payload.deep.n = 3 AND stage = 'rare' AND payload.loss ~ 'x'", 7),
        ("stage = 'none'", 0),
        ("payload.loss = NULL", 0),
    ] {
        let found = passed(&store, &Filter::parse(text).unwrap());
        assert_eq!(found, rows, "{text}");
    }
    // Nothing but reading it all would do.
    for text in ["stage != 'rare'", "payload.loss ~ '7'", "payload.loss IS NULL"] {
        assert_eq!(passed(&store, &Filter::parse(text).unwrap()), RECORDS, "{text}");
    }
    fill(&store, "rare", RECORDS, 30);
    let found = passed(&store, &Filter::parse("stage = 'rare'").unwrap());
    assert!((51..=50 + 30).contains(&found), "what no index has yet is read: {found}");
}

#[test]
fn nothing_in_a_filter_is_sql() {
    let attempts = [
        "'; DROP TABLE qt_log; --",
        "' OR 1=1 --",
        "x') UNION SELECT bytes FROM qt_object --",
        "?1",
        ":log",
        "$1",
        "@a",
        "/* */",
        "\\\\u0027",
        "%00",
    ];
    let folder = Folder::new();
    let store = folder.open();
    for (at, attempt) in attempts.iter().enumerate() {
        fill(&store, attempt, at as u64 * 100, 100);
    }
    store.flush().unwrap();
    let tables = |connection: rusqlite::Connection| -> Vec<String> {
        let mut names = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
        let names = names.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        names.map(|name| name.unwrap().unwrap_or_default()).collect()
    };
    let before = tables(folder.connect());
    for attempt in attempts {
        let name = attempt.replace("\\\\", "\\");
        assert_eq!(passed(&store, &field("stage").unwrap().is(name.as_str())), 1, "{name}");
        assert_eq!(passed(&store, &field("record_id").unwrap().is(name.as_str())), 0, "{name}");
        let quoted = format!("payload.deep.\"{name}\" = 1");
        assert_eq!(passed(&store, &Filter::parse(&quoted).unwrap()), 1, "{name}");
        assert_eq!(passed(&store, &Filter::parse(&quoted.replace('1', "2")).unwrap()), 0, "{name}");
    }
    assert_eq!(tables(folder.connect()), before);
    assert!(!verify(&store, &project(), &Policy::default()).unwrap().is_tampered());
}
