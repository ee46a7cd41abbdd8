//! The file store: what its files hold, and how it takes up what it finds.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::core::payload::Payload;
use quark_trace::keys::Keyring;
use quark_trace::store::{Durability, FileStore, Store};
use quark_trace::verify::{Level, Policy, verify};
use quark_trace::{ErrorKind, TraceLog};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("quark-trace-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> Arc<FileStore> {
        let keys = Keyring::load_or_create(&self.0.join("keys")).unwrap();
        Arc::new(FileStore::new(self.0.join("data")).with_keys(keys))
    }

    fn log(&self, store: &Arc<FileStore>) -> TraceLog {
        TraceLog::new(store.clone(), "demo".parse().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join("data").join(name)
    }

    fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("demo.qtlog/ledger")).unwrap();
        text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn round(number: u32) -> Payload {
    Payload::new().with("round", number).with("loss", 0.25)
}

#[test]
fn records_of_another_ending_are_another_log() {
    let folder = Folder::new();
    for turn in 1..4 {
        for ending in ["jsonl", "log"] {
            let keys = Keyring::load_or_create(&folder.0.join("keys")).unwrap();
            let store = FileStore::new(folder.0.join("data")).with_keys(keys);
            let store = Arc::new(store.with_extension(ending).unwrap());
            let log = folder.log(&store);
            (0..turn).for_each(|n| drop(log.log(ending, &round(n)).unwrap()));
            store.close().unwrap();
            let found = log.history().unwrap();
            assert!(found.iter().all(|record| record.stage() == ending));
            let policy = Policy { level: Level::L2, ..Policy::default() };
            let verdict = verify(store.as_ref(), log.project(), &policy).unwrap();
            assert_eq!((verdict.exit_code(), verdict.size), (0, found.len() as u64 + 1));
            assert_eq!(store.projects().unwrap(), [log.project().clone()]);
        }
    }
    assert!(folder.file("demo.qtlog-log/ledger").is_file());
}

#[test]
fn records_are_read_back_in_order_and_the_log_is_sealed_on_close() {
    let folder = Folder::new();
    let store = folder.store();
    let log = folder.log(&store);
    let logged: Vec<_> = (0..50).map(|n| log.log("client_round", &round(n)).unwrap()).collect();
    assert_eq!(log.history().unwrap(), logged);
    store.close().unwrap();
    let head = store.head(log.project()).unwrap().unwrap();
    assert_eq!(head.range.size(), 51);
    assert!(head.beside.checkpoint.unwrap().contains("\n51\n"));
    assert_eq!(folder.ledger()[..2], ["log", "record"]);
}

#[test]
fn a_second_handle_takes_turns() {
    let folder = Folder::new();
    let (one, two) = (folder.store(), folder.store());
    let (first, second) = (folder.log(&one), folder.log(&two));
    for n in 0..20 {
        first.log("a", &round(n)).unwrap();
        second.log("b", &round(n)).unwrap();
    }
    assert_eq!(first.history().unwrap().len(), 40);
    one.close().unwrap();
    two.close().unwrap();
    assert_eq!(one.head(first.project()).unwrap().unwrap().range.size(), 41);
}

#[test]
fn lines_of_the_original_are_adopted_and_a_torn_end_is_kept_aside() {
    let folder = Folder::new();
    fs::create_dir_all(folder.0.join("data")).unwrap();
    let line = |n: u32| {
        format!(
            "{{\"record_id\": \"{n}\", \"project_id\": \"demo\", \"stage\": \"s\", \"timestamp\": \"t\", \"payload\": {{}}}}"
        )
    };
    fs::write(
        folder.file("demo_trace_log.jsonl"),
        format!("{}\r\n\n{}\n{{\"rec", line(1), line(2)),
    )
    .unwrap();
    let store = folder.store();
    let log = folder.log(&store);
    log.log("x", &round(1)).unwrap();
    store.close().unwrap();
    assert_eq!(folder.ledger(), ["log", "record-adopted", "record-adopted", "record"]);
    assert_eq!(log.history().unwrap().len(), 3);
    let torn = fs::read_dir(folder.file("demo.qtlog")).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        path.file_name()?.to_str()?.starts_with("torn-").then(|| fs::read(&path).unwrap())
    });
    assert_eq!(torn.collect::<Vec<_>>(), [b"{\"rec".to_vec()]);
    // Opened again from its state, and appended to behind its back.
    let mut text = fs::read(folder.file("demo_trace_log.jsonl")).unwrap();
    text.extend_from_slice(format!("{}\n", line(3)).as_bytes());
    fs::write(folder.file("demo_trace_log.jsonl"), text).unwrap();
    let store = folder.store();
    folder.log(&store).log("y", &round(2)).unwrap();
    assert_eq!(folder.ledger()[4..], ["record-adopted", "record"]);
}

#[test]
fn a_record_id_is_taken_once() {
    let folder = Folder::new();
    let store = folder.store();
    let log = folder.log(&store);
    log.log("x", &round(0)).unwrap();
    let record = log.draft("x", b"{}").unwrap();
    assert_eq!(log.append(&record).unwrap(), 2);
    assert_eq!(log.append(&record).unwrap(), 2);
    let other = String::from_utf8(record.line().to_vec()).unwrap().replace("{}", "{\"a\": 1}");
    let other = quark_trace::Record::from_line(other.into_bytes()).unwrap();
    assert_eq!(log.append(&other).unwrap_err().kind(), ErrorKind::RecordConflict);
    assert_eq!(log.history().unwrap().len(), 2);
    let again = folder.store();
    assert_eq!(folder.log(&again).append(&record).unwrap(), 2);
}

#[test]
fn every_durability_reaches_the_files() {
    let folder = Folder::new();
    let store = folder.store();
    for durability in [Durability::Buffered, Durability::Sync, Durability::Os, Durability::Buffered]
    {
        let log = folder.log(&store).with_durability(durability);
        (0..3).for_each(|n| drop(log.log("x", &round(n)).unwrap()));
    }
    assert_eq!(folder.log(&store).history().unwrap().len(), 12);
    store.close().unwrap();
    let text = fs::read_to_string(folder.file("demo_trace_log.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 12);
    assert_eq!(folder.ledger().len(), 13);
}

#[test]
fn a_shorter_ledger_than_the_checkpoint_is_refused() {
    let folder = Folder::new();
    let store = folder.store();
    let log = folder.log(&store);
    (0..5).for_each(|n| drop(log.log("x", &round(n)).unwrap()));
    store.close().unwrap();
    let path = folder.file("demo.qtlog/ledger");
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().take(4).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();
    let error = folder.log(&folder.store()).log("x", &round(9)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-TRUNC"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
}

#[test]
fn threads_waiting_for_the_disk_are_all_served() {
    let folder = Folder::new();
    let store = folder.store();
    let log = folder.log(&store).with_durability(Durability::Sync);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|n| drop(log.log("x", &round(n)).unwrap())));
        }
    });
    assert_eq!(log.history().unwrap().len(), 200);
}

#[test]
fn a_log_of_which_only_the_checkpoint_is_left_is_tampered_with() {
    let folder = Folder::new();
    let store = folder.store();
    let log = folder.log(&store);
    (0..3).for_each(|n| drop(log.log("x", &round(n)).unwrap()));
    store.close().unwrap();
    fs::remove_file(folder.file("demo_trace_log.jsonl")).unwrap();
    fs::write(folder.file("demo.qtlog/ledger"), "").unwrap();
    let verify = || {
        let policy = Policy::default();
        verify(folder.store().as_ref(), log.project(), &policy).unwrap()
    };
    assert_eq!(verify().exit_code(), 1, "{:?}", verify());
    fs::remove_file(folder.file("demo.qtlog/ledger")).unwrap();
    assert_eq!(verify().exit_code(), 1, "{:?}", verify());
}

#[test]
fn lines_of_the_original_do_not_mix_with_what_is_buffered() {
    let folder = Folder::new();
    let store = folder.store();
    let log = folder.log(&store).with_durability(Durability::Buffered);
    log.log("x", &round(0)).unwrap();
    store.seal(log.project()).unwrap();
    for n in 1..4 {
        log.log("x", &round(n)).unwrap();
        let foreign = log.draft("foreign", b"{}").unwrap();
        let mut text = fs::read(folder.file("demo_trace_log.jsonl")).unwrap();
        text.extend_from_slice(foreign.line());
        // The last one lacks its line feed, and is a whole record without it.
        text.extend_from_slice(if n == 3 { b"" } else { b"\n" });
        fs::write(folder.file("demo_trace_log.jsonl"), text).unwrap();
        store.close().unwrap();
    }
    let verdict = verify(&*store, log.project(), &Default::default()).unwrap();
    assert_eq!((verdict.exit_code(), verdict.counts.records), (0, 7), "{verdict:?}");
    assert_eq!(verdict.counts.loose, 0);
}

#[test]
fn a_log_that_was_removed_is_not_begun_anew_behind_its_writer() {
    let folder = Folder::new();
    let store = folder.store();
    let log = folder.log(&store);
    log.log("x", &round(0)).unwrap();
    store.close().unwrap();
    fs::remove_dir_all(folder.0.join("data")).unwrap();
    let error = log.log("x", &round(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-TRUNC"), "{error}");
}
