//! "The way of a record", as ARCHITECTURE.md tells it, walked through the real code.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::core::ids::{ProjectId, Stage};
use quark_trace::core::ledger::merkle::leaf_hash;
use quark_trace::core::ledger::{
    Checkpoint, CompactRange, Digest, Entry, Kind, VerifierKey, entry,
};
use quark_trace::core::payload::Payload;
use quark_trace::core::record::{Draft, View};
use quark_trace::keys::Keyring;
use quark_trace::store::{FileStore, Store};
use quark_trace::verify::{Level, Policy, verify};
use quark_trace::{TraceLog, prove};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("quark-way-{}", uuid::Uuid::new_v4())))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join("traces").join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_way_of_a_record() {
    // 1. A caller has a stage and a payload.
    let (stage, payload) = ("client_round", Payload::new().with("round", 1).with("loss", f64::NAN));

    // 2. They are parsed once, at the border; from here on the types are the proof.
    let project: ProjectId = "demo".parse().unwrap();
    Stage::check(stage).unwrap();
    payload.check().unwrap();

    // 3. The library gives id and time, and writes the record's bytes once.
    let folder = Folder::new();
    let keys = Keyring::load_or_create(&folder.0.join("keys")).unwrap();
    let store = Arc::new(FileStore::new(folder.0.join("traces")).with_keys(keys.clone()));
    let log = TraceLog::new(store.clone(), project.clone());
    let record = log.draft(stage, payload.as_bytes()).unwrap();
    let view = record.view();
    let (record_id, timestamp) = (view.record_id.to_str(), view.timestamp.to_str());
    let mut line = Vec::new();
    let draft = Draft {
        record_id: &record_id,
        project_id: "demo",
        stage,
        timestamp: &timestamp,
        payload: br#"{"round": 1, "loss": {"$numberDouble": "NaN"}}"#,
    };
    draft.write(&mut line);
    assert_eq!(record.line(), line);

    // 4. The entry names the digest of those bytes, and becomes a leaf of the tree.
    let digest = Digest::of(record.line());
    let mut entry_line = Vec::new();
    entry::write(&mut entry_line, Kind::Record, digest);
    let leaf = leaf_hash(&entry_line);

    // 5. The store puts the line into the records first, the entry into the ledger second.
    let appended = log.append_drafted(&record).unwrap();
    assert_eq!(appended.size, 2, "the header entry and ours");
    assert_eq!(folder.read("demo_trace_log.jsonl").as_bytes(), [record.line(), b"\n"].concat());
    let ledger = folder.read("demo.qtlog/ledger");
    let entries: Vec<_> = ledger.lines().collect();
    assert_eq!(entries[1].as_bytes(), entry_line);
    assert_eq!(Entry::parse(entries[0].as_bytes()).unwrap().kind, Kind::Log);

    // 6. What is on the medium is sealed: a checkpoint signs the root over it.
    store.seal(&project).unwrap();
    let mut range = CompactRange::new();
    entries.iter().for_each(|entry| range.push(leaf_hash(entry.as_bytes())));
    let key = VerifierKey::parse(folder.read("demo.qtlog/log.vkey").trim()).unwrap();
    let checkpoint = Checkpoint::open(&folder.read("demo.qtlog/checkpoint"), &key).unwrap();
    assert_eq!(checkpoint, Checkpoint::of(&keys.origin(&project), &range).unwrap());

    // 7. The caller gets a proof on request, which holds without the log.
    let proof = prove::prove(store.as_ref(), &project, 1).unwrap();
    assert_eq!(proof.proof.verify(leaf, &key).unwrap(), checkpoint);

    // 8. The record is read back as it was written.
    let history = log.history().unwrap();
    assert_eq!(history, std::slice::from_ref(&record));
    assert_eq!(View::parse(history[0].line()).unwrap().stage.to_str(), stage);

    // 9. Years later the log is verified, and a changed digit is found and located.
    drop((store, log));
    let policy = Policy { level: Level::L2, keys: vec![key], ..Policy::default() };
    let later = || FileStore::new(folder.0.join("traces")).read_only();
    assert_eq!(verify(&later(), &project, &policy).unwrap().exit_code(), 0);
    let path = folder.0.join("traces/demo_trace_log.jsonl");
    let changed = fs::read_to_string(&path).unwrap().replace("\"round\": 1", "\"round\": 2");
    fs::write(&path, changed).unwrap();
    let verdict = verify(&later(), &project, &policy).unwrap();
    assert_eq!(verdict.exit_code(), 1);
    let altered = verdict.findings.iter().find(|f| f.code.as_str() == "E-ALTERED").unwrap();
    assert_eq!((altered.index, altered.place.line), (Some(1), 1));
}
