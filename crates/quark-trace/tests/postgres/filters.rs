//! Stages, times, record ids and numbers are found by an index, and `indexed` says how far the last
//! of them goes.

use postgres::Client;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, NewEntry, PostgresStore, Store};
use quark_trace::verify::{Policy, verify};

use crate::server::Schema;

const RECORDS: usize = 12_000;

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
    assert_eq!(indexed(&mut client), 10_000, "flushing takes a part of them");
    assert!(!verify(&store, &project, &Policy::default()).unwrap().is_tampered());
    store.index(&project).unwrap();
    assert_eq!(indexed(&mut client), RECORDS as i64 + 1);
    assert!(!verify(&store, &project, &Policy::default()).unwrap().is_tampered());
    client.batch_execute("ANALYZE qt_entry, qt_number").unwrap();
    let log = "(SELECT log_id FROM qt_log)";
    for (filter, index, count) in [
        ("qt_entry WHERE log_id = # AND stage = 'rare' AND idx >= 0", "qt_entry_stage", 120),
        (
            "qt_entry WHERE log_id = # AND at_us >= 1767323045000000 AND at_us < 1767323046000000",
            "qt_entry_time",
            17,
        ),
        ("qt_entry WHERE log_id = # AND record_key = sha256('r3-77')", "qt_entry_record", 1),
        ("qt_number WHERE log_id = # AND path = 'loss' AND value < 0.05", "qt_number_value", 50),
        ("qt_number WHERE log_id = # AND path = 'deep.n' AND value = 7", "qt_number_value", 12),
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
    assert_eq!(row.get::<_, i64>(0), 2 * RECORDS as i64);
    assert!(!verify(&schema.open(), &project, &Policy::default()).unwrap().is_tampered());
}
