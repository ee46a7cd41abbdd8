//! A database that an older version of this program made.

use std::ops::ControlFlow;

use quark_trace::ErrorKind;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::core::query::field;
use quark_trace::store::{Commit, Durability, NewEntry, Plan, PostgresStore, Row, Select, Store};
use quark_trace::verify::{Policy, verify};

use crate::server::Schema;
use crate::sharing::append;

/// What the second migration did, undone.
const UNDO: &str = "
DELETE FROM qt_migration WHERE version = 2;
DROP TABLE qt_id;
DROP TABLE qt_number;
ALTER TABLE qt_log DROP COLUMN identified;
CREATE INDEX qt_entry_record ON qt_entry (log_id, record_key);
CREATE TABLE old (log_id BIGINT NOT NULL, sha256 BYTEA NOT NULL, bytes BYTEA, erased_by BIGINT,
    PRIMARY KEY (log_id, sha256));
INSERT INTO old SELECT o.log_id, e.object, o.bytes, o.erased_by FROM qt_object o
    JOIN qt_entry e ON e.log_id = o.log_id AND e.idx = o.idx ON CONFLICT DO NOTHING;
DROP TABLE qt_object;
ALTER TABLE old RENAME TO qt_object;
CREATE TABLE qt_number (log_id BIGINT NOT NULL, idx BIGINT NOT NULL, path TEXT COLLATE \"C\" NOT NULL,
    value DOUBLE PRECISION NOT NULL, PRIMARY KEY (log_id, idx, path));
CREATE INDEX qt_number_value ON qt_number (log_id, path, value, idx);
INSERT INTO qt_number SELECT log_id, 5, 'loss', 0.5 FROM qt_log;
UPDATE qt_log SET indexed = size";

fn objects(store: &PostgresStore, plan: &Plan<'_>) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .scan(&project(), plan, &mut |row| {
            let Row::Entry { index, object: Some(object), .. } = row else { panic!("{row:?}") };
            found.push((index, object.into_owned()));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn project() -> ProjectId {
    "demo".parse().unwrap()
}

#[test]
fn the_first_who_writes_brings_it_up_to_date() {
    let schema = Schema::new();
    let store = schema.open();
    for n in 0..300 {
        append(&store, &format!("old-{n}")).unwrap();
    }
    // Two entries that had one object between them.
    let twice =
        [NewEntry::new(Kind::Other("later"), b"x"), NewEntry::new(Kind::Other("later"), b"x")];
    let commit = Commit { entries: &twice, expected: None, durability: Durability::Sync };
    store.append(&project(), &commit).unwrap();
    store.close().unwrap();
    let before = objects(&store, &Plan::default());
    assert_eq!(before.len(), 303);
    schema.client().batch_execute(UNDO).unwrap();
    let reader = schema.open().read_only();
    let error = reader.head(&project()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let store = schema.open();
    assert_eq!(append(&store, "old-7").unwrap(), 8, "it is there");
    assert_eq!(append(&store, "new").unwrap(), 303);
    assert_eq!(append(&store, "new").unwrap(), 303);
    assert_eq!(objects(&reader, &Plan::default())[..303], before);
    store.index(&project()).unwrap();
    for id in ["old-7", "old-299", "new"] {
        let filter = field("record_id").unwrap().is(id);
        let plan = Plan { select: Select::Records, filter: Some(&filter), ..Plan::default() };
        assert_eq!(objects(&store, &plan).len(), 1, "{id}");
    }
    let verdict = verify(&store, &project(), &Policy::default()).unwrap();
    assert!(!verdict.is_tampered(), "{verdict:?}");
}
