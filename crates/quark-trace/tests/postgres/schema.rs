//! The tables and the statements over them.

use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, NewEntry, PostgresStore, Store};
use quark_trace::{ErrorKind, Outcome};

use crate::server::Schema;

fn append(store: &PostgresStore) -> quark_trace::Result<u64> {
    let line = br#"{"record_id": "a", "project_id": "demo", "stage": "s", "timestamp": "t"}"#;
    let entries = [NewEntry::new(Kind::Record, line)];
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
    store.append(&"demo".parse()?, &commit).map(|appended| appended.size)
}

#[test]
fn every_statement_is_one_that_the_server_takes() {
    let schema = Schema::new();
    append(&schema.open()).unwrap();
    let mut client = schema.client();
    assert!(PostgresStore::statements().len() > 20);
    for statement in PostgresStore::statements() {
        client.prepare(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

#[test]
fn looking_makes_nothing() {
    let schema = Schema::new();
    let store = schema.open();
    assert_eq!(store.projects().unwrap(), []);
    assert_eq!(store.head(&"demo".parse().unwrap()).unwrap(), None);
    assert_eq!(store.seal(&"demo".parse().unwrap()).unwrap(), None);
    let query = "SELECT count(*) FROM pg_tables WHERE schemaname = $1";
    let tables: i64 = schema.client().query_one(query, &[&schema.name]).unwrap().get(0);
    assert_eq!(tables, 0);
}

#[test]
fn a_newer_schema_is_refused() {
    let schema = Schema::new();
    append(&schema.open()).unwrap();
    let newer = "INSERT INTO qt_migration VALUES (999, 'of tomorrow', '')";
    schema.client().batch_execute(newer).unwrap();
    let error = append(&schema.open()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    assert!(error.to_string().contains("version 999"), "{error}");
    assert_eq!(schema.open().projects().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_schema_of_unknown_making_is_not_written_to() {
    for change in [
        "UPDATE qt_migration SET sha256 = '\\x00'",
        "UPDATE qt_migration SET name = 'another'",
        "DELETE FROM qt_migration",
    ] {
        let schema = Schema::new();
        append(&schema.open()).unwrap();
        schema.client().batch_execute(change).unwrap();
        let error = append(&schema.open()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{change}: {error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
        assert_eq!(schema.open().projects().unwrap().len(), 1, "it can be read");
    }
}

#[test]
fn programs_that_make_the_tables_at_once_take_turns() {
    let schema = Schema::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| append(&schema.open()))).collect();
        let mut sizes: Vec<u64> =
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, (2..10).collect::<Vec<_>>());
    });
}
