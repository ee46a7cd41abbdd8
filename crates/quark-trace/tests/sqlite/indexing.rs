//! Indexes are filled behind the writers, and in full when somebody asks for it.

use std::time::{Duration, Instant};

use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, NewEntry, SqliteStore, Store};
use quark_trace::{ErrorKind, copy::copy};

use crate::folder::{Folder, append, ledger, project, record};

const RECORDS: usize = 20_000;

/// Appends at once more than is derived in a moment, and lets go before it is.
fn load(folder: &Folder) {
    let store = folder.open();
    for batch in 0..RECORDS / 1000 {
        let lines: Vec<Vec<u8>> = (0..1000).map(|n| record(&format!("{batch}-{n}"))).collect();
        let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
        let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
        store.append(&project(), &commit).unwrap();
    }
    store.before_fork().unwrap();
    // Dropping it would derive for a moment; nothing is lost with it.
    std::mem::forget(store);
    assert!(indexed(folder).0 < RECORDS as i64, "all was derived before it was asked for");
}

/// How many entries were derived from, and how many there are.
fn indexed(folder: &Folder) -> (i64, i64) {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    folder.connect().query_row("SELECT indexed, size FROM qt_log", [], read).unwrap()
}

#[test]
fn all_is_taken_up_when_it_is_asked_for() {
    let folder = Folder::new();
    load(&folder);
    let store = folder.open();
    store.index(&project()).unwrap();
    let size = RECORDS as i64 + 1;
    assert_eq!(indexed(&folder), (size, size));
    // Every row that was derived is compared with the log.
    assert_eq!(ledger(&store).len(), RECORDS + 1);
    store.index(&project()).unwrap();
    assert_eq!(indexed(&folder), (size, size));
}

#[test]
fn others_append_meanwhile() {
    let folder = Folder::new();
    load(&folder);
    let waits = std::thread::scope(|scope| {
        let indexing = scope.spawn(|| folder.open().index(&project()).unwrap());
        // A handle of its own waits for the lock of the file, as another process does.
        let store = folder.open().with_patience(Duration::from_secs(5));
        let mut waits = Vec::new();
        while waits.len() < 20 || !indexing.is_finished() {
            let begun = Instant::now();
            append(&store, &format!("beside-{}", waits.len())).unwrap();
            waits.push(begun.elapsed());
            std::thread::sleep(Duration::from_millis(1));
        }
        waits
    });
    let longest = waits.iter().max().unwrap();
    assert!(*longest < Duration::from_secs(4), "an append waited for {longest:?}");
    let store = folder.open();
    store.index(&project()).unwrap();
    let size = (RECORDS + waits.len() + 1) as i64;
    assert_eq!(indexed(&folder), (size, size));
    assert_eq!(ledger(&store).len() as i64, size);
}

#[test]
fn what_is_only_read_is_not_indexed() {
    let folder = Folder::new();
    let refused = folder.open().read_only().index(&project()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    folder.open().index(&project()).unwrap();
    assert!(!folder.database().exists(), "a file was made where nothing is");
}

#[test]
fn a_copy_is_indexed() {
    let (folder, other) = (Folder::new(), Folder::new());
    load(&folder);
    let to: SqliteStore = other.open();
    copy(&folder.open().read_only(), &to, &project(), &mut |_, _| {}).unwrap();
    let size = RECORDS as i64 + 1;
    assert_eq!(indexed(&other), (size, size));
}
