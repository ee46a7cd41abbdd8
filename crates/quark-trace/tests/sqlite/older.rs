//! A database that an older version of this program made.

use quark_trace::core::ledger::Kind;
use quark_trace::core::query::{Filter, field};
use quark_trace::core::record::View;
use quark_trace::store::{Commit, Durability, NewEntry, Plan, Row, Select, SqliteStore, Store};
use quark_trace::verify::{Policy, verify};
use std::ops::ControlFlow;

use crate::folder::{Folder, append, ledger, project, record};

/// A folder with the database of version 1.
fn older() -> Folder {
    let folder = Folder::new();
    let tables = include_str!("../../../../fixtures/sqlite-1/trace.sql");
    let connection = folder.connect();
    connection.execute_batch(tables).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    folder
}

fn version(folder: &Folder) -> i64 {
    folder.connect().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

fn found(store: &SqliteStore, filter: &Filter) -> Vec<u64> {
    let mut found = Vec::new();
    let plan = Plan { select: Select::Records, filter: Some(filter), ..Plan::default() };
    store
        .scan(&project(), &plan, &mut |row| {
            let Row::Entry { index, .. } = row else { panic!("{row:?}") };
            found.push(index);
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn id(line: &[u8]) -> String {
    View::parse(line).unwrap().record_id.to_str().into_owned()
}

#[test]
fn it_is_read_as_it_is() {
    let folder = older();
    let store = folder.open().read_only();
    let log = ledger(&store);
    assert_eq!(log.len(), 11);
    let verdict = verify(&store, &project(), &Policy::default()).unwrap();
    assert_eq!((verdict.exit_code(), verdict.size), (0, 11), "{verdict:?}");
    let third = id(log[4].2.as_ref().unwrap());
    assert_eq!(found(&store, &field("record_id").unwrap().is(third.as_str())), [4]);
    assert_eq!(found(&store, &Filter::parse("stage = 'evaluation'").unwrap()), [10]);
    assert_eq!(found(&store, &Filter::parse("payload.round < 3").unwrap()), [2, 3]);
    assert_eq!(version(&folder), 1, "nobody has written");
}

#[test]
fn the_first_who_writes_brings_it_up_to_date() {
    let folder = older();
    let reader = folder.open().read_only();
    let before = ledger(&reader);
    let store = folder.open();
    for at in [2, 10] {
        let line = before[at].2.as_ref().unwrap();
        let id = id(line);
        let entries = [NewEntry { record_id: Some(&id), ..NewEntry::new(Kind::Record, line) }];
        let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
        let appended = store.append(&project(), &commit).unwrap();
        assert_eq!((appended.size, &appended.existing[..]), (11, &[(0, at as u64)][..]));
    }
    assert_eq!(version(&folder), 2);
    assert_eq!(ledger(&reader), before, "a reader from before goes on reading");
    for n in 0..300 {
        assert_eq!(append(&store, &format!("new-{n}")).unwrap(), 12 + n);
    }
    assert_eq!(append(&store, "new-7").unwrap(), 311, "it is there");
    store.close().unwrap();
    for store in [&reader, &folder.open()] {
        assert_eq!(ledger(store)[..11], before);
        assert_eq!(found(store, &field("record_id").unwrap().is("new-7")), [18]);
        assert_eq!(ledger(store)[18].2.as_deref(), Some(&record("new-7")[..]));
        let verdict = verify(store, &project(), &Policy::default()).unwrap();
        assert!(!verdict.is_tampered(), "{verdict:?}");
    }
}

#[test]
fn one_that_was_changed_is_not_written_to() {
    for change in ["DROP INDEX qt_record_key", "CREATE INDEX mine ON qt_entry (kind)"] {
        let folder = older();
        folder.connect().execute_batch(change).unwrap();
        let error = append(&folder.open(), "a").unwrap_err();
        assert!(error.to_string().contains("unknown making"), "{change}: {error}");
        assert_eq!(version(&folder), 1);
        let verdict = verify(&folder.open(), &project(), &Policy::default()).unwrap();
        assert!(verdict.is_tampered(), "{change}: {verdict:?}");
    }
}
