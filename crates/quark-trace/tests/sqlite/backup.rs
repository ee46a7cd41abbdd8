//! A backup of yesterday that is put back today.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quark_trace::core::payload::Payload;
use quark_trace::signer::begin_epoch;
use quark_trace::store::{SqliteStore, Store};
use quark_trace::{ErrorKind, TraceLog};

use crate::folder::{Folder, project};

fn log(store: &Arc<SqliteStore>, records: usize) -> TraceLog {
    let log = TraceLog::new(store.clone(), project());
    for number in 0..records {
        log.log("round", &Payload::new().with("n", number)).unwrap();
    }
    log
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_cannot_be_signed_is_told_while_the_store_is_open() {
    let folder = Folder::new();
    let store = Arc::new(folder.open_signing());
    log(&store, 3);
    store.close().unwrap();
    let backup = folder.0.join("backup.db");
    std::fs::copy(folder.database(), &backup).unwrap();
    log(&store, 3);
    store.close().unwrap();
    assert_eq!(store.unsigned(), []);
    drop(store);
    std::fs::copy(&backup, folder.database()).unwrap();
    for beside in ["trace.db-wal", "trace.db-shm"] {
        let _ = std::fs::remove_file(folder.0.join(beside));
    }

    let store = Arc::new(folder.open_signing());
    let log = log(&store, 2);
    wait_until("nobody tells that the log is not signed", || !store.unsigned().is_empty());
    let told = store.unsigned();
    assert!(told.len() == 1 && told[0].project == project(), "{told:?}");
    assert!(told[0].reason.contains("--new-epoch"), "{told:?}");
    // It is kept all the same, and whoever closes is told, too.
    assert_eq!(log.history().unwrap().len(), 5);
    assert_eq!(store.flush().unwrap_err().kind(), ErrorKind::Integrity("E-FORK"));
    assert_eq!(store.unsigned(), told);

    begin_epoch(&log, &folder.keys(), "the disk failed").unwrap();
    wait_until("it is signed and told not to be", || store.unsigned().is_empty());
    let head = store.head(&project()).unwrap().unwrap();
    let sealed = head.beside.checkpoint.unwrap();
    assert_eq!(sealed.lines().nth(1), Some(head.range.size().to_string().as_str()));
    store.close().unwrap();
}
