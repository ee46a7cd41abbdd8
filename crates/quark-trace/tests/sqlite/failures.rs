//! What goes wrong outside is a typed error that says whether anything was written, and trying again
//! with the same id gives one record.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use quark_trace::core::ledger::{Digest, Kind};
use quark_trace::store::{Commit, Durability, NewEntry, SqliteStore, Store};
use quark_trace::verify::{Policy, verify};
use quark_trace::{ErrorKind, Outcome};

use crate::folder::{Folder, append, ledger, project, record};

/// Tries to append to what cannot be appended to.
fn refused(store: &SqliteStore, kind: ErrorKind) -> quark_trace::Error {
    let error = append(store, "refused").unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten), "{error}");
    error
}

#[test]
fn paths_that_are_no_database() {
    for path in ["", ":memory:"] {
        assert_eq!(SqliteStore::new(path).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let folder = Folder::new();
    let at = |path: &Path| SqliteStore::new(path).unwrap();
    refused(&at(&folder.0), ErrorKind::AlreadyExists);
    assert_eq!(at(&folder.0).projects().unwrap_err().kind(), ErrorKind::AlreadyExists);
    let missing = folder.0.join("missing").join("trace.db");
    let error = refused(&at(&missing), ErrorKind::NotFound);
    assert!(error.to_string().contains("make it first"), "{error}");
    assert_eq!(at(&missing).projects().unwrap(), []);
    let text = folder.0.join("text");
    std::fs::write(&text, "no database, but a text that is longer than the head of one".repeat(9))
        .unwrap();
    refused(&at(&text), ErrorKind::Corrupted);
    assert_eq!(at(&text).projects().unwrap_err().kind(), ErrorKind::Corrupted);
}

#[test]
fn a_store_for_reading_only() {
    let folder = Folder::new();
    append(&folder.open(), "a").unwrap();
    let before = std::fs::read(folder.database()).unwrap();
    let store = folder.open_signing().read_only();
    refused(&store, ErrorKind::ReadOnly);
    assert_eq!(store.seal(&project()).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(ledger(&store).len(), 2);
    store.close().unwrap();
    drop(store);
    assert_eq!(std::fs::read(folder.database()).unwrap(), before);
}

#[test]
fn a_database_that_is_held_for_ever() {
    let folder = Folder::new();
    append(&folder.open(), "a").unwrap();
    let store = folder.open().with_patience(Duration::from_millis(50));
    let other = folder.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = refused(&store, ErrorKind::Busy);
    assert!(error.is_retryable());
    assert_eq!(ledger(&store).len(), 2, "reading needs no lock");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(append(&store, "refused").unwrap(), 3);
    assert_eq!(append(&store, "refused").unwrap(), 3, "it is there once");
    assert_eq!(ledger(&store).len(), 3);
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
fn a_full_disk() {
    let folder = Folder::new();
    let small = folder.0.join("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&small)
        .output()
        .is_ok_and(|done| done.status.success());
    if !mounted {
        eprintln!("SKIPPED: a_full_disk: this machine lets nobody mount a small disk");
        return;
    }
    let tried = std::panic::catch_unwind(|| fill(&small));
    let gone = Command::new("umount").arg(&small).output();
    tried.unwrap();
    assert!(gone.unwrap().status.success(), "every file on it was closed");
}

fn fill(small: &Path) {
    let store = SqliteStore::new(small.join("trace.db")).unwrap();
    let mut refusals = 0;
    let mut size = 1;
    for n in 0..400 {
        let id = format!("{n}");
        let line = format!("{}{}", String::from_utf8(record(&id)).unwrap(), " ".repeat(20_000));
        let entry =
            NewEntry { record_id: Some(&id), ..NewEntry::new(Kind::Record, line.as_bytes()) };
        let commit = Commit { entries: &[entry], expected: None, durability: Durability::Os };
        match store.append(&project(), &commit) {
            Ok(appended) => {
                size += 1;
                assert_eq!(appended.size, size);
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Io), "{error}");
                refusals += usize::from(error.outcome() == Some(Outcome::NotWritten));
                break;
            }
        }
    }
    assert!(refusals == 1 && size > 10, "{refusals} refusals at {size}");
    drop(store);
    let store = SqliteStore::new(small.join("trace.db")).unwrap();
    assert_eq!(ledger(&store).len() as u64, size, "nothing acknowledged is lost");
    assert_eq!(verify(&store, &project(), &Policy::default()).unwrap().size, size);
}

#[test]
fn a_log_that_was_cut_off_is_not_written_to() {
    let folder = Folder::new();
    let store = folder.open_signing();
    for id in ["a", "b", "c"] {
        append(&store, id).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let cut = "DELETE FROM qt_entry WHERE idx = 3; UPDATE qt_log SET size = 3";
    folder.connect().execute_batch(cut).unwrap();
    let error = append(&folder.open_signing(), "d").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Integrity("E-TRUNC") | ErrorKind::Corrupted),
        "{error}"
    );
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
}

#[test]
fn an_edge_that_does_not_follow_is_neither_built_on_nor_signed() {
    let folder = Folder::new();
    let store = folder.open_signing();
    for id in ["a", "b", "c"] {
        append(&store, id).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let change = "UPDATE qt_log SET frontier = zeroblob(32)";
    folder.connect().execute_batch(change).unwrap();
    let error = append(&folder.open_signing(), "d").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-ALTERED"), "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    let error = folder.open_signing().seal(&project()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Integrity(_)), "{error}");
}

#[test]
fn before_a_fork_every_connection_is_closed() {
    let folder = Folder::new();
    let store = folder.open_signing();
    append(&store, "a").unwrap();
    store.before_fork().unwrap();
    let wal = format!("{}-wal", folder.database().display());
    assert!(!Path::new(&wal).exists(), "the last connection was closed");
    append(&store, "b").unwrap();
    assert_eq!(ledger(&store).len(), 3);
}

/// Ids of which the index knows nothing, or something else, are read in the records.
#[test]
fn ids_without_an_index_are_found() {
    const RECORDS: usize = 3000;
    let folder = Folder::new();
    let store = folder.open();
    let lines: Vec<Vec<u8>> = (0..RECORDS).map(|n| record(&format!("plain-{n}"))).collect();
    let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
    store.append(&project(), &commit).unwrap();
    store.close().unwrap();
    drop(store);
    let other = folder.connect();
    let identified = || -> i64 {
        other.query_row("SELECT identified FROM qt_log", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(identified(), 2816, "full rows of those that chose no id");
    for undo in [
        "DELETE FROM qt_id; UPDATE qt_log SET identified = 0",
        "DELETE FROM qt_id WHERE n > 4; UPDATE qt_log SET identified = 1280",
        "DELETE FROM qt_id WHERE n IN (0, 3, 10)",
        "UPDATE qt_id SET keys = x'00' WHERE n = 0",
    ] {
        other.execute_batch(undo).unwrap();
        let store = folder.open();
        let size = store.head(&project()).unwrap().unwrap().range.size();
        for n in [7, 1000, 2999] {
            assert_eq!(append(&store, &format!("plain-{n}")).unwrap(), size, "{undo}: is there");
        }
        assert_eq!(append(&store, undo).unwrap(), size + 1, "{undo}");
        assert_eq!(append(&store, undo).unwrap(), size + 1, "{undo}");
    }
    assert_eq!(identified(), 2816, "and its rows are written again");
}

/// A key is eight bytes of a digest: another record may have it, or somebody may have put it there.
#[test]
fn a_key_alone_is_no_id() {
    let folder = Folder::new();
    let store = folder.open();
    let lines: Vec<Vec<u8>> = (0..600).map(|n| record(&format!("plain-{n}"))).collect();
    let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
    store.append(&project(), &commit).unwrap();
    store.close().unwrap();
    drop(store);
    let key = format!("{:.16}", Digest::of(b"another").to_string());
    let forge = format!("UPDATE qt_id SET keys = x'{}' WHERE n = 1", key.repeat(256));
    folder.connect().execute_batch(&forge).unwrap();
    let store = folder.open();
    assert_eq!(append(&store, "another").unwrap(), 602, "no record has it");
    assert_eq!(append(&store, "another").unwrap(), 602);
    assert_eq!(append(&store, "plain-7").unwrap(), 602);
}

#[test]
fn ids_are_found_before_and_behind_the_index() {
    let folder = Folder::new();
    let store = folder.open();
    let lines: Vec<Vec<u8>> = (0..5000).map(|n| record(&format!("plain-{n}"))).collect();
    for part in lines.chunks(500) {
        let entries: Vec<_> = part.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
        let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
        store.append(&project(), &commit).unwrap();
    }
    let other = folder.open();
    for (store, n) in [(&store, 0), (&other, 4999), (&store, 2600), (&other, 4998)] {
        assert_eq!(append(store, &format!("plain-{n}")).unwrap(), 5001, "it is there");
    }
    assert_eq!(append(&other, "new").unwrap(), 5002);
    assert_eq!(append(&store, "new").unwrap(), 5002);
    store.close().unwrap();
    assert_eq!(append(&other, "plain-7").unwrap(), 5002);
    let line = String::from_utf8(record("plain-7")).unwrap().replace("0.5", "0.6");
    let changed =
        NewEntry { record_id: Some("plain-7"), ..NewEntry::new(Kind::Record, line.as_bytes()) };
    let commit = Commit { entries: &[changed], expected: None, durability: Durability::Os };
    let error = other.append(&project(), &commit).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordConflict);
}
