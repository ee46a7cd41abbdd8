//! Projects: sheets and their versions, verification, proofs and copies.

use std::sync::Arc;

use quark_trace::core::ledger::VerifierKey;
use quark_trace::core::ledger::merkle::leaf_hash;
use quark_trace::core::payload::Payload;
use quark_trace::core::sheet::{Amendment, FactSheet, template};
use quark_trace::keys::Keyring;
use quark_trace::store::{FileStore, MemoryStore, Store};
use quark_trace::verify::{Level, Policy};
use quark_trace::{ErrorKind, Outcome, Project, TraceLog, copy, prove};

const AT: &str = "2026-01-02T03:04:05+00:00";

fn sheet() -> FactSheet {
    FactSheet::from_yaml(template("demo").as_bytes(), AT).unwrap().0
}

fn stores() -> (std::path::PathBuf, Vec<Arc<dyn Store>>) {
    let folder = std::env::temp_dir().join(format!("quark-project-{}", uuid::Uuid::new_v4()));
    let keys = Keyring::load_or_create(&folder.join("keys")).unwrap();
    let file = FileStore::new(folder.join("data")).with_keys(keys.clone());
    (folder, vec![Arc::new(file), Arc::new(MemoryStore::new().with_keys(keys))])
}

fn amendment(purpose: &str) -> Amendment {
    let fields = serde_json::json!({ "purpose": purpose });
    Amendment::parse(fields.as_object().unwrap(), "Jane Doe", "the board asked for it").unwrap()
}

#[test]
fn a_project_in_every_store() {
    let (folder, stores) = stores();
    let mut roots = Vec::new();
    for store in &stores {
        let log = || TraceLog::new(store.clone(), "demo".parse().unwrap());
        let mut project = Project::load(sheet(), log()).unwrap();
        project.log("experiment_start", &Payload::new().with("rounds", 5)).unwrap();
        project.amend(&amendment("Detect fraud sooner"), AT).unwrap();
        assert_eq!(Project::load(sheet(), log()).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(Project::open(sheet(), log()).unwrap().sheet().version(), 2);
        assert_eq!(Project::resume(log()).unwrap().sheet(), project.sheet());
        let versions = project.sheets().unwrap();
        assert_eq!(
            versions.iter().map(|v| (v.index, v.sheet.version())).collect::<Vec<_>>(),
            [(Some(1), 1), (Some(3), 2)]
        );
        project.seal().unwrap();
        let verdict = project.verify(&Policy::default()).unwrap();
        assert_eq!((verdict.exit_code(), verdict.level), (0, Level::L2), "{verdict:?}");
        assert_eq!(verdict.counts.records, 1);
        roots.push(verdict.size);
    }
    assert_eq!(roots, [4, 4]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_copy_has_the_same_root_and_goes_on_where_it_stopped() {
    let (folder, stores) = stores();
    let [from, to] = &stores[..] else { panic!("two stores") };
    let project =
        Project::load(sheet(), TraceLog::new(from.clone(), "demo".parse().unwrap())).unwrap();
    for round in 0..2500 {
        project.log("client_round", &Payload::new().with("round", round)).unwrap();
    }
    let id = project.trace_log().project();
    let head = copy::copy(from.as_ref(), to.as_ref(), id, &mut |_, _| {}).unwrap();
    assert_eq!(head.range, from.head(id).unwrap().unwrap().range);
    project.log("experiment_end", &Payload::new()).unwrap();
    let head = copy::copy(from.as_ref(), to.as_ref(), id, &mut |_, _| {}).unwrap();
    assert_eq!(head.range, from.head(id).unwrap().unwrap().range);
    let verdict = quark_trace::verify::verify(to.as_ref(), id, &Policy::default()).unwrap();
    assert_eq!(verdict.exit_code(), 0, "{verdict:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_proof_holds_without_the_log() {
    let (folder, stores) = stores();
    for store in &stores {
        let log = TraceLog::new(store.clone(), "demo".parse().unwrap());
        let records: Vec<_> =
            (0..7).map(|n| log.log("x", &Payload::new().with("n", n)).unwrap()).collect();
        let (index, found) = log.find(&records[4].record_id()).unwrap().unwrap();
        assert_eq!((index, &found), (5, &records[4]));
        let proof = prove::prove(store.as_ref(), log.project(), index).unwrap();
        let key = VerifierKey::parse(proof.keys.as_deref().unwrap().trim()).unwrap();
        assert_eq!(proof.proof.verify(leaf_hash(&proof.entry), &key).unwrap().size, 8);
        let none = prove::prove(store.as_ref(), log.project(), 99).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::NotFound);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_level_that_was_not_reached_is_incomplete() {
    let (folder, stores) = stores();
    let store = &stores[0];
    let log = TraceLog::new(store.clone(), "demo".parse().unwrap());
    log.log("x", &Payload::new()).unwrap();
    store.seal(log.project()).unwrap();
    let policy = Policy { level: Level::L3, ..Policy::default() };
    let verdict = quark_trace::verify::verify(store.as_ref(), log.project(), &policy).unwrap();
    assert_eq!((verdict.exit_code(), verdict.level), (2, Level::L2));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_log_is_verified_and_read_while_it_grows() {
    let (folder, stores) = stores();
    let store = &stores[0];
    let log = TraceLog::new(store.clone(), "demo".parse().unwrap());
    log.log("x", &Payload::new()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..60_000).for_each(|n| drop(log.log("x", &Payload::new().with("n", n)).unwrap()));
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut rounds = 0;
        while rounds == 0 || !done.load(std::sync::atomic::Ordering::Acquire) {
            let reader = FileStore::new(folder.join("data"));
            let verdict = quark_trace::verify::verify(&reader, log.project(), &Policy::default());
            let verdict = verdict.unwrap();
            assert_eq!(verdict.exit_code(), 0, "{verdict:?}");
            assert_eq!(verdict.counts.loose, 0, "{verdict:?}");
            rounds += 1;
        }
    });
    assert_eq!(log.history().unwrap().len(), 60_001);
    store.close().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_write_that_fails_while_reading_says_that_nothing_was_written() {
    let (folder, stores) = stores();
    let log = |project: &str| TraceLog::new(stores[0].clone(), project.parse().unwrap());
    let mut project = Project::load(sheet(), log("demo")).unwrap();
    let refused = Project::open(sheet(), log("other")).unwrap_err();
    assert_eq!(refused.outcome(), Some(Outcome::NotWritten), "{refused}");
    let stage = project.log("", &Payload::new()).unwrap_err();
    assert_eq!(stage.outcome(), Some(Outcome::NotWritten), "{stage}");
    let versions = project.sheets().unwrap();
    let hex = versions[0].digest.to_string();
    let object = folder.join("data/demo.qtlog/objects").join(&hex[..2]).join(&hex[2..]);
    std::fs::write(object, "rubbish").unwrap();
    let amended = project.amend(&amendment("Detect fraud sooner"), AT).unwrap_err();
    assert_eq!(amended.kind(), ErrorKind::Corrupted, "{amended}");
    assert_eq!(amended.outcome(), Some(Outcome::NotWritten), "{amended}");
    let opened = Project::open(sheet(), log("demo")).unwrap_err();
    assert_eq!(opened.outcome(), Some(Outcome::NotWritten), "{opened}");
    std::fs::remove_dir_all(folder).unwrap();
}
