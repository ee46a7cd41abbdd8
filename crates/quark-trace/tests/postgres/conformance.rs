//! The store keeps the contract, and has the same ledger as files.

use std::ops::ControlFlow;
use std::sync::Arc;

use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, FileStore, NewEntry, Plan, Row, Store, conformance};

use crate::server::{Schema, shared};

#[test]
fn without_a_key() {
    conformance::run(&|| {
        let schema = Schema::new();
        Box::new(move || shared(schema.open()))
    });
}

#[test]
fn with_a_key() {
    conformance::run(&|| {
        let schema = Schema::new();
        Box::new(move || shared(schema.open_signing()))
    });
}

#[test]
fn without_prepared_statements() {
    conformance::run(&|| {
        let schema = Schema::new();
        Box::new(move || {
            let url = format!("{}&prepare=off", schema.url);
            shared(quark_trace::store::PostgresStore::new(&url).unwrap())
        })
    });
}

#[test]
#[ignore = "ten thousand filters; the soak suite runs it"]
fn filters() {
    let make = || -> conformance::Place {
        let schema = Schema::new();
        Box::new(move || shared(schema.open()))
    };
    conformance::run_filters(&make, 10_000);
}

type Ledger = Vec<(u64, Vec<u8>, Option<Vec<u8>>)>;

fn ledger(store: &dyn Store) -> Ledger {
    let mut rows = Vec::new();
    let project = "demo".parse().unwrap();
    store
        .scan(&project, &Plan::default(), &mut |row| {
            let Row::Entry { index, line, object, .. } = row else {
                panic!("nothing but entries was appended, the scan gave {row:?}")
            };
            rows.push((index, line.to_vec(), object.map(|object| object.into_owned())));
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

#[test]
fn the_same_operations_make_the_same_ledger_as_in_files() {
    let schema = Schema::new();
    let folder = std::env::temp_dir().join(format!("quark-same-{}", schema.name));
    let stores: [Arc<dyn Store>; 2] = [shared(schema.open()), Arc::new(FileStore::new(&folder))];
    let project = "demo".parse().unwrap();
    for store in &stores {
        for batch in 0..40_usize {
            let lines: Vec<Vec<u8>> = (0..batch * 3 % 50)
                .map(|n| {
                    let text = format!(
                        "{{\"record_id\": \"{batch}-{n}\", \"project_id\": \"demo\", \"stage\": \
                         \"s{n}\", \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": \
                         {{\"x\": NaN, \"y\": 1e400, \"z\": \"\\ud800\\u0000\"}}}}"
                    );
                    text.into_bytes()
                })
                .collect();
            let sheet = format!("{{\"version\": {batch}}}");
            let mut entries: Vec<_> =
                lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
            entries.push(NewEntry::new(Kind::Sheet, sheet.as_bytes()));
            let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
            store.append(&project, &commit).unwrap();
        }
    }
    let heads = stores.each_ref().map(|store| store.head(&project).unwrap().unwrap());
    assert!(heads[0].range.size() > 512, "several tiles are full");
    assert_eq!(heads[0].range, heads[1].range);
    assert_eq!(ledger(stores[0].as_ref()), ledger(stores[1].as_ref()));
    let sheets = stores.each_ref().map(|store| store.sheet(&project).unwrap());
    assert_eq!(sheets[0], sheets[1]);
    std::fs::remove_dir_all(&folder).unwrap();
}
