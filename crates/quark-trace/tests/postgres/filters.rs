//! Stages, times, record ids and numbers are found by an index, and `indexed` says how far the last
//! of them goes: rows of 256 entries that are full.

use std::ops::ControlFlow;

use postgres::Client;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::core::query::{Filter, field};
use quark_trace::store::{Commit, Durability, NewEntry, Plan, PostgresStore, Row, Select, Store};
use quark_trace::verify::{Policy, verify};

use crate::server::Schema;

const RECORDS: usize = 12_000;
/// Entries in full rows, and records behind them.
const IN_ROWS: i64 = 46 * 256;
const REST: u64 = RECORDS as u64 + 1 - IN_ROWS as u64;

fn fill(store: &PostgresStore, project: &ProjectId) {
    for batch in 0..RECORDS / 1000 {
        let lines: Vec<Vec<u8>> = (0..1000)
            .map(|n| {
                let (second, stage) = (n % 60, if n % 100 == 0 { "rare" } else { "usual" });
                format!(
                    "{{\"record_id\": \"r{batch}-{n}\", \"project_id\": \"demo\", \"stage\": \
                     \"{stage}\", \"timestamp\": \"2026-01-{:02}T03:04:{second:02}+00:00\", \
                     \"payload\": {{\"loss\": {batch}.{n:03}, \"deep\": {{\"n\": {n}}}}}}}",
                    batch + 1
                )
                .into_bytes()
            })
            .collect();
        let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
        let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
        store.append(project, &commit).unwrap();
    }
}

fn indexed(client: &mut Client) -> i64 {
    client.query_one("SELECT indexed FROM qt_log", &[]).unwrap().get(0)
}

#[test]
fn filters_use_an_index() {
    let schema = Schema::new();
    let project = "demo".parse().unwrap();
    let store = schema.open();
    fill(&store, &project);
    let mut client = schema.client();
    assert_eq!(indexed(&mut client), 0, "appending leaves the numbers for later");
    store.flush().unwrap();
    assert!((1..=IN_ROWS).contains(&indexed(&mut client)), "flushing takes them up");
    assert!(!verify(&store, &project, &Policy::default()).unwrap().is_tampered());
    store.index(&project).unwrap();
    assert_eq!(indexed(&mut client), IN_ROWS);
    assert!(!verify(&store, &project, &Policy::default()).unwrap().is_tampered());
    client.batch_execute("ANALYZE qt_entry").unwrap();
    let log = "(SELECT log_id FROM qt_log)";
    for (filter, index, count) in [
        ("qt_entry WHERE log_id = # AND stage = 'rare' AND idx >= 0", "qt_entry_stage", 120),
        (
            "qt_entry WHERE log_id = # AND at_us >= 1767323045000000 AND at_us < 1767323046000000",
            "qt_entry_time",
            17,
        ),
    ] {
        let id: i64 = client.query_one(&format!("SELECT {log}"), &[]).unwrap().get(0);
        let filter = filter.replace('#', &id.to_string());
        let plan = client.query(&format!("EXPLAIN SELECT idx FROM {filter}"), &[]).unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{filter}:\n{plan}");
        let found: i64 =
            client.query_one(&format!("SELECT count(*) FROM {filter}"), &[]).unwrap().get(0);
        assert_eq!(found, count, "{filter}");
    }
}

#[test]
fn handles_that_take_up_numbers_at_once_do_it_once() {
    let schema = Schema::new();
    let project = "demo".parse().unwrap();
    fill(&schema.open(), &project);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| schema.open().index(&"demo".parse().unwrap()).unwrap());
        }
    });
    let mut client = schema.client();
    let row = client.query_one("SELECT count(*) FROM qt_number", &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), 2 * IN_ROWS / 256);
    let row = client.query_one("SELECT count(*), min(length(keys)) FROM qt_id", &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (IN_ROWS / 256, 2048));
    assert!(!verify(&schema.open(), &project, &Policy::default()).unwrap().is_tampered());
}

/// How many rows the store passes.
fn passed(store: &PostgresStore, filter: &Filter) -> u64 {
    let mut rows = 0;
    let select = Select::Records;
    let plan = Plan { select, filter: Some(filter), ..Plan::default() };
    let scanned = store.scan(&"demo".parse().unwrap(), &plan, &mut |row| {
        assert!(matches!(row, Row::Entry { .. }), "{row:?}");
        rows += 1;
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    rows
}

#[test]
fn few_records_are_read() {
    let schema = Schema::new();
    let project = "demo".parse().unwrap();
    let store = schema.open();
    fill(&store, &project);
    store.index(&project).unwrap();
    for (text, rows) in [
        ("stage = 'rare'", 120),
        ("stage IN ('rare', 'none')", 120),
        ("NOT stage != 'rare'", 120),
        ("record_id = 'r3-77'", 1),
        ("record_id IN ('r3-77', 'r4-78', 'x')", 2),
        ("payload.loss < 0.05", 50),
        ("NOT payload.loss >= 0.05", 50),
        ("payload.deep.n = 7", 12),
        ("payload.deep.n IN (7, 8) AND payload.loss < 0.05", 2),
        ("payload.loss BETWEEN 3.5 AND 3.549 AND stage = 'usual'", 50),
        ("payload.deep.n IN (7, 8) OR stage = 'rare'", 144),
        ("timestamp = '2026-01-01T03:04:07Z'", 17),
        // Reading so few records costs less than reading an index for a thousand.
        ("stage = 'rare' AND timestamp < '2026-01-02'", 120),
        ("stage = 'usual' AND payload.deep.n = 100", 12),
        ("index > 11990", 10),
        ("stage = 'none'", 0),
    ] {
        let found = passed(&store, &Filter::parse(text).unwrap());
        // The last records have numbers that are in no row yet.
        let most = if text.contains("payload") { rows + REST } else { rows };
        assert!((rows..=most).contains(&found), "{text}: {found}");
    }
    for text in ["stage != 'rare'", "payload.loss ~ '7'", "payload.loss IS NULL"] {
        let all = RECORDS as u64;
        assert_eq!(passed(&store, &Filter::parse(text).unwrap()), all, "{text}");
    }
}

#[test]
fn every_lookup_uses_an_index() {
    let schema = Schema::new();
    let project = "demo".parse().unwrap();
    let store = schema.open();
    fill(&store, &project);
    store.index(&project).unwrap();
    let mut client = schema.client();
    // As every connection of the store is set up.
    let settings = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan";
    let mut seen = 0;
    for analyzed in [false, true] {
        client.batch_execute(if analyzed { "ANALYZE" } else { settings }).unwrap();
        for statement in PostgresStore::statements() {
            let (index, values) = match statement {
                text if text.contains("EXCEPT") => continue,
                text if text.starts_with("SELECT n, keys") => ("qt_id_pkey", "1, 2, 3"),
                text if text.starts_with("SELECT n, path") => ("qt_number_pkey", "1, 2, 3"),
                text if text.starts_with("SELECT n, numbers") => ("qt_number_path", "1, 'a', 1, 2"),
                text if !text.starts_with("SELECT idx FROM") => continue,
                text if text.contains("record_key") => ("qt_entry_pkey", "1, 9, '{}'"),
                text if text.contains("stage = ANY") => ("qt_entry_stage", "1, '{}', 9"),
                text if text.contains("stage IS") => ("qt_entry_stage", "1, 9"),
                _ => ("qt_entry_time", "1, 1, 2, 9"),
            };
            client.batch_execute(&format!("PREPARE looked_up AS {statement}")).unwrap();
            let plan = client.query(&format!("EXPLAIN EXECUTE looked_up({values})"), &[]).unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{statement}:\n{plan}");
            client.batch_execute("DEALLOCATE looked_up").unwrap();
            seen += 1;
        }
    }
    assert_eq!(seen, 2 * 7);
}

#[test]
fn nothing_in_a_filter_is_sql() {
    let schema = Schema::new();
    let project = "demo".parse().unwrap();
    let store = schema.open();
    let attempts = ["'; DROP TABLE qt_log; --", "' OR 1=1 --", "$1", "{a,b}", "\\x00", "E'\\n'"];
    // So many that all are in full rows.
    let others: Vec<String> = (attempts.len()..511).map(|n| n.to_string()).collect();
    for attempt in attempts.into_iter().chain(others.iter().map(String::as_str)) {
        let name = attempt.replace('\\', "\\\\");
        let line = format!(
            "{{\"record_id\": \"{name}\", \"project_id\": \"demo\", \"stage\": \"{name}\", \
             \"timestamp\": \"t\", \"payload\": {{\"{name}\": 1}}}}"
        );
        let entries = [NewEntry::new(Kind::Record, line.as_bytes())];
        let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
        store.append(&project, &commit).unwrap();
    }
    store.index(&project).unwrap();
    for attempt in attempts {
        for name in ["stage", "record_id"] {
            assert_eq!(passed(&store, &field(name).unwrap().is(attempt)), 1, "{attempt}");
        }
        let quoted = format!("payload.\"{attempt}\" = ");
        for (value, rows) in [(1, 1), (2, 0)] {
            let filter = Filter::parse(&format!("{quoted}{value}")).unwrap();
            assert_eq!(passed(&store, &filter), rows, "{attempt}");
        }
    }
    assert!(!verify(&store, &project, &Policy::default()).unwrap().is_tampered());
}
