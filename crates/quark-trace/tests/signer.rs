//! One key never signs two histories of one log, unless somebody says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quark_trace::core::ledger::{Digest, Origin};
use quark_trace::core::payload::Payload;
use quark_trace::keys::Keyring;
use quark_trace::signer::begin_epoch;
use quark_trace::store::{Durability, FileStore};
use quark_trace::verify::{Code, Finding, Level, Policy, verify};
use quark_trace::{ErrorKind, TraceLog};

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("quark-signer-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn keys(&self) -> Keyring {
        Keyring::load_or_create(&self.0.join("keys")).unwrap()
    }

    fn log(&self, name: &str) -> TraceLog {
        let store = FileStore::new(self.0.join(name)).with_keys(self.keys());
        TraceLog::new(Arc::new(store), "demo".parse().unwrap())
    }

    fn copy(&self, from: &str, to: &str) {
        copy_folder(&self.0.join(from), &self.0.join(to));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Logs so many records and seals them; gives the checkpoint.
fn go_on(log: &TraceLog, records: usize) -> quark_trace::Result<String> {
    for number in 0..records {
        log.log("round", &Payload::new().with("n", number)).unwrap();
    }
    let closed = log.store().close();
    closed.map(|()| log.store().beside(log.project()).unwrap().unwrap().checkpoint.unwrap())
}

/// A log belongs to the key of whoever began it, also when another key comes first to sign.
#[test]
fn another_key_does_not_bind_a_log_before_the_one_that_began_it() {
    let place = Place::new();
    let first = place.log("log");
    first.log("round", &Payload::new()).unwrap();
    let others = Keyring::load_or_create(&place.0.join("other-keys")).unwrap();
    let store = FileStore::new(place.0.join("log")).with_keys(others);
    let other = TraceLog::new(Arc::new(store), "demo".parse().unwrap());
    other.log("round", &Payload::new()).unwrap();
    other.store().close().unwrap();
    assert_eq!(other.store().beside(other.project()).unwrap().unwrap().checkpoint, None);
    go_on(&first, 1).unwrap();
    let keys = first.store().beside(first.project()).unwrap().unwrap().keys.unwrap();
    assert!(keys.starts_with(place.keys().origin(first.project()).as_str()), "{keys}");
    let policy = Policy { level: Level::L2, ..Policy::default() };
    let verdict = verify(first.store().as_ref(), first.project(), &policy).unwrap();
    assert_eq!((verdict.exit_code(), verdict.size), (0, 4), "{verdict:?}");
}

/// A process that began nothing and knew no key beside the log finds out that another has signed it.
#[test]
fn a_key_that_was_put_beside_the_log_meanwhile_is_respected() {
    let place = Place::new();
    let unsigned = Arc::new(FileStore::new(place.0.join("log")));
    TraceLog::new(unsigned, "demo".parse().unwrap()).log("round", &Payload::new()).unwrap();
    let late = place.log("log");
    late.log("round", &Payload::new()).unwrap();
    late.store().flush().unwrap();
    let others = Keyring::load_or_create(&place.0.join("other-keys")).unwrap();
    std::fs::remove_file(place.0.join("log/demo.qtlog/log.vkey")).unwrap();
    std::fs::remove_file(place.0.join("log/demo.qtlog/checkpoint")).unwrap();
    let store = FileStore::new(place.0.join("log")).with_keys(others);
    let other = TraceLog::new(Arc::new(store), "demo".parse().unwrap());
    let signed = go_on(&other, 1).unwrap();
    late.log("round", &Payload::new()).unwrap();
    late.store().close().unwrap();
    let now = late.store().beside(late.project()).unwrap().unwrap().checkpoint.unwrap();
    assert_eq!(now, signed);
}

fn assert_forked(result: quark_trace::Result<String>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-FORK"), "{error}");
    assert!(error.to_string().contains("--new-epoch"), "{error}");
}

#[test]
fn of_two_copies_that_go_on_the_second_gets_no_signature() {
    let place = Place::new();
    go_on(&place.log("original"), 3).unwrap();
    place.copy("original", "copy");
    let first = place.log("original");
    let later = go_on(&first, 2).unwrap();
    let copy = place.log("copy");
    assert_forked(go_on(&copy, 2));
    assert_forked(go_on(&copy, 5));
    // Who keeps the store open can see it.
    let told = copy.store().unsigned();
    assert!(told.len() == 1 && told[0].reason.contains("--new-epoch"), "{told:?}");
    assert_eq!(first.store().unsigned(), []);
    // Its records are there all the same.
    assert_eq!(copy.history().unwrap().len(), 10);
    assert_eq!(
        copy.store().beside(copy.project()).unwrap().unwrap().keys.unwrap().lines().count(),
        1
    );
    go_on(&first, 1).unwrap();
    let policy = Policy { checkpoint: Some(later), ..Policy::default() };
    let verdict = verify(copy.store().as_ref(), copy.project(), &policy).unwrap();
    assert_eq!(verdict.exit_code(), 1);
}

#[test]
fn an_old_backup_goes_on_only_when_somebody_says_so() {
    let place = Place::new();
    go_on(&place.log("log"), 3).unwrap();
    place.copy("log", "backup");
    go_on(&place.log("log"), 4).unwrap();
    std::fs::remove_dir_all(place.0.join("log")).unwrap();
    place.copy("backup", "log");
    let log = place.log("log");
    assert_forked(go_on(&log, 1));
    let record = begin_epoch(&log, &place.keys(), "the disk failed").unwrap();
    assert_eq!(record.stage(), "new_epoch");
    let payload = String::from_utf8(record.line().to_vec()).unwrap();
    assert!(
        payload.contains("the disk failed")
            && payload.contains("\"signed_elsewhere\": [{\"size\": 8"),
        "{payload}"
    );
    go_on(&log, 1).unwrap();
    go_on(&place.log("log"), 2).unwrap();
    let needless = begin_epoch(&log, &place.keys(), "once more").unwrap_err();
    assert!(needless.to_string().contains("goes on without a new epoch"), "{needless}");
    let verdict = verify(log.store().as_ref(), log.project(), &Policy::default()).unwrap();
    assert_eq!((verdict.exit_code(), verdict.size), (0, 9));
}

#[test]
fn logs_of_one_name_in_two_folders_are_two_logs() {
    let place = Place::new();
    for round in 1..4 {
        for name in ["a", "b", "c"] {
            go_on(&place.log(name), round).unwrap();
        }
    }
}

#[test]
fn a_copy_that_says_the_same_may_be_signed_and_the_one_that_goes_on_first_is_the_log() {
    let place = Place::new();
    let original = place.log("original");
    let signed = go_on(&original, 3).unwrap();
    let copy = place.log("copy");
    quark_trace::copy::copy(
        original.store().as_ref(),
        copy.store().as_ref(),
        original.project(),
        &mut |_, _| {},
    )
    .unwrap();
    assert_eq!(go_on(&copy, 0).unwrap(), signed);
    go_on(&copy, 1).unwrap();
    assert_forked(go_on(&original, 1));
}

#[test]
fn a_log_goes_on_after_its_checkpoint_was_noted_and_not_put_in_place() {
    let place = Place::new();
    go_on(&place.log("log"), 3).unwrap();
    place.copy("log/demo.qtlog", "before");
    go_on(&place.log("log"), 3).unwrap();
    // As a crash between the two leaves it.
    for name in ["checkpoint", "state"] {
        std::fs::copy(place.0.join("before").join(name), place.0.join("log/demo.qtlog").join(name))
            .unwrap();
    }
    go_on(&place.log("log"), 0).unwrap();
    go_on(&place.log("log"), 1).unwrap();
}

#[test]
fn a_log_goes_on_after_its_checkpoint_was_put_in_place_and_the_note_of_it_lost() {
    let place = Place::new();
    go_on(&place.log("log"), 3).unwrap();
    place.copy("keys/tips", "before");
    go_on(&place.log("log"), 3).unwrap();
    std::fs::remove_dir_all(place.0.join("keys/tips")).unwrap();
    place.copy("before", "keys/tips");
    go_on(&place.log("log"), 0).unwrap();
    go_on(&place.log("log"), 1).unwrap();
}

#[test]
fn a_key_folder_that_cannot_be_written_stops_the_signature_and_not_the_record() {
    let place = Place::new();
    let log = place.log("log");
    std::fs::write(place.0.join("keys/tips"), "a file stands here").unwrap();
    let error = go_on(&log, 3).unwrap_err();
    assert!(error.to_string().contains("note what is signed"), "{error}");
    assert!(error.to_string().contains("a file stands where a folder should be"), "{error}");
    let beside = log.store().beside(log.project()).unwrap().unwrap();
    assert_eq!((log.history().unwrap().len(), beside.checkpoint), (3, None));
    std::fs::remove_file(place.0.join("keys/tips")).unwrap();
    go_on(&log, 1).unwrap();
}

#[test]
fn what_verify_says_of_a_copy_that_went_its_own_way() {
    let place = Place::new();
    go_on(&place.log("original"), 3).unwrap();
    place.copy("original", "copy");
    let later = go_on(&place.log("original"), 2).unwrap();
    let copy = place.log("copy");
    assert_forked(go_on(&copy, 1));
    let said = |checkpoint: Option<&String>| {
        let policy = Policy { checkpoint: checkpoint.cloned(), ..Policy::default() };
        let verdict = verify(copy.store().as_ref(), copy.project(), &policy).unwrap();
        (verdict.exit_code(), verdict.sealed, verdict.findings)
    };
    // Alone it is a log whose last entry nobody signed.
    let (code, sealed, findings) = said(None);
    assert_eq!((code, sealed), (0, 4));
    assert!(findings.iter().any(|found| found.message.contains("the last 1 of 5 entries")));
    // Beside a checkpoint of the original it is too short, and then another history.
    let codes = |findings: Vec<Finding>| findings.iter().map(|f| f.code).collect::<Vec<_>>();
    assert!(codes(said(Some(&later)).2).contains(&Code::Trunc));
    assert_forked(go_on(&copy, 1));
    let (code, _, findings) = said(Some(&later));
    assert_eq!(code, 1);
    assert!(codes(findings).contains(&Code::Fork));
}

/// Changes the last record and its entry so that they fit each other, and removes what would give it
/// away: somebody who may write the files, and has no key.
fn rewrite(folder: &Path) {
    let records = folder.join("demo_trace_log.jsonl");
    let text = std::fs::read_to_string(&records).unwrap();
    let (kept, last) = text.trim_end().rsplit_once('\n').unwrap();
    let changed = last.replace("\"n\": 2", "\"n\": 7");
    assert_ne!(last, changed);
    std::fs::write(&records, format!("{kept}\n{changed}\n")).unwrap();
    let ledger = folder.join("demo.qtlog/ledger");
    let text = std::fs::read_to_string(&ledger).unwrap();
    let (kept, _) = text.trim_end().rsplit_once('\n').unwrap();
    let digest = Digest::of(changed.as_bytes());
    std::fs::write(&ledger, format!("{kept}\nrecord sha256:{digest}\n")).unwrap();
    for name in ["checkpoint", "state"] {
        std::fs::remove_file(folder.join("demo.qtlog").join(name)).unwrap();
    }
}

#[test]
fn a_log_that_was_rewritten_and_robbed_of_its_checkpoint_is_not_signed_again() {
    let place = Place::new();
    let signed = go_on(&place.log("log"), 3).unwrap();
    rewrite(&place.0.join("log"));
    let log = place.log("log");
    assert_forked(go_on(&log, 1));
    assert_eq!(log.history().unwrap().len(), 4);
    assert_eq!(log.store().beside(log.project()).unwrap().unwrap().checkpoint, None);
    // Whoever goes on all the same says so in the log, and a kept checkpoint tells.
    begin_epoch(&log, &place.keys(), "it is lost").unwrap();
    go_on(&log, 1).unwrap();
    go_on(&place.log("log"), 1).unwrap();
    let policy = Policy { checkpoint: Some(signed), ..Policy::default() };
    assert_eq!(verify(log.store().as_ref(), log.project(), &policy).unwrap().exit_code(), 1);
}

#[test]
fn a_log_that_was_given_another_name_is_not_signed_under_it() {
    let place = Place::new();
    go_on(&place.log("log"), 3).unwrap();
    rewrite(&place.0.join("log"));
    let name = Origin::parse("trace.example.org/tlog/demo").unwrap();
    let key = format!("{}\n", place.keys().signer(&name).verifier());
    std::fs::write(place.0.join("log/demo.qtlog/log.vkey"), key).unwrap();
    let log = place.log("log");
    log.log("round", &Payload::new()).unwrap();
    log.store().close().unwrap();
    assert_eq!(log.store().beside(log.project()).unwrap().unwrap().checkpoint, None);
    let verdict = verify(log.store().as_ref(), log.project(), &Policy::default()).unwrap();
    assert_eq!(verdict.exit_code(), 2, "{verdict:?}");
}

#[test]
fn a_checkpoint_that_was_removed_is_signed_again_over_the_same_history() {
    let place = Place::new();
    let signed = go_on(&place.log("log"), 3).unwrap();
    std::fs::remove_file(place.0.join("log/demo.qtlog/checkpoint")).unwrap();
    let log = place.log("log");
    log.store().seal(log.project()).unwrap();
    assert_eq!(go_on(&log, 0).unwrap(), signed);
    go_on(&place.log("log"), 1).unwrap();
}

#[test]
fn a_log_that_was_begun_is_signed_by_whoever_comes_first_and_by_no_copy_after_that() {
    for durability in [Durability::Os, Durability::Sync, Durability::Buffered] {
        let place = Place::new();
        go_on(&place.log("elsewhere"), 3).unwrap();
        let first = place.log("log").with_durability(durability);
        first.log("round", &Payload::new()).unwrap();
        assert_eq!(first.store().beside(first.project()).unwrap().unwrap().checkpoint, None);
        place.copy("log", "copy");
        go_on(&place.log("log"), 1).unwrap();
        go_on(&first, 1).unwrap();
        assert_forked(go_on(&place.log("copy"), 1));
    }
}

#[test]
fn a_folder_that_was_emptied_begins_a_new_log() {
    let place = Place::new();
    for _ in 0..3 {
        go_on(&place.log("log"), 2).unwrap();
        std::fs::remove_dir_all(place.0.join("log")).unwrap();
    }
}

#[test]
fn a_key_that_came_without_its_notes_signs_what_it_finds() {
    let place = Place::new();
    go_on(&place.log("log"), 3).unwrap();
    std::fs::remove_dir_all(place.0.join("keys/tips")).unwrap();
    go_on(&place.log("log"), 3).unwrap();
}

#[test]
fn many_logs_of_one_name_are_sealed_at_the_same_time() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for name in 0..6 {
            let log = place.log(&name.to_string());
            scope.spawn(move || (0..5).for_each(|_| drop(go_on(&log, 2).unwrap())));
        }
    });
}
