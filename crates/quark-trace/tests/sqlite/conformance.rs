//! The store keeps the contract, and has the same ledger as files.

use std::sync::Arc;

use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, FileStore, NewEntry, Store, conformance};

use crate::folder::{Folder, ledger, project, shared};

#[test]
fn without_a_key() {
    conformance::run(&|| {
        let folder = Folder::new();
        Box::new(move || shared(folder.open()))
    });
}

#[test]
fn with_a_key() {
    conformance::run(&|| {
        let folder = Folder::new();
        Box::new(move || shared(folder.open_signing()))
    });
}

#[test]
#[ignore = "ten thousand filters; the soak suite runs it"]
fn filters() {
    let make = || -> conformance::Place {
        let folder = Folder::new();
        Box::new(move || shared(folder.open()))
    };
    conformance::run_filters(&make, 10_000);
}

#[test]
fn the_same_operations_make_the_same_ledger_as_in_files() {
    let folder = Folder::new();
    let stores: [Arc<dyn Store>; 2] =
        [shared(folder.open()), Arc::new(FileStore::new(folder.0.join("files")))];
    for store in &stores {
        for batch in 0..40_usize {
            let lines: Vec<Vec<u8>> = (0..batch * 3 % 50)
                .map(|n| {
                    let text = format!(
                        "{{\"record_id\": \"{batch}-{n}\", \"project_id\": \"demo\", \"stage\": \
                         \"s{n}\", \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": \
                         {{\"x\": NaN, \"y\": 1e400, \"z\": \"\\ud800\\u0000\", \"i\": \
                         123456789012345678901234567890, \"-\": -0.0}}}}"
                    );
                    text.into_bytes()
                })
                .collect();
            let sheet = format!("{{\"version\": {}}}", batch / 2);
            let mut entries: Vec<_> =
                lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
            entries.push(NewEntry::new(Kind::Sheet, sheet.as_bytes()));
            entries.push(NewEntry::new(Kind::Other("later"), b"of a later version"));
            let durability = [Durability::Os, Durability::Buffered, Durability::Sync][batch % 3];
            let commit = Commit { entries: &entries, expected: None, durability };
            store.append(&project(), &commit).unwrap();
        }
        store.flush().unwrap();
    }
    let heads = stores.each_ref().map(|store| store.head(&project()).unwrap().unwrap());
    assert!(heads[0].range.size() > 512, "several tiles are full");
    assert_eq!(heads[0].range, heads[1].range);
    assert_eq!(heads[0].range.root(), heads[1].range.root());
    assert_eq!(ledger(stores[0].as_ref()), ledger(stores[1].as_ref()));
    let sheets = stores.each_ref().map(|store| store.sheet(&project()).unwrap());
    assert!(sheets[0].is_some());
    assert_eq!(sheets[0], sheets[1]);
}
