//! The shell lines that a record's page shows, run as they stand: they accept what is right and
//! refuse what was changed.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use quark_trace::keys::Keyring;
use quark_trace::prove::prove;
use quark_trace::store::{MemoryStore, Store};
use quark_trace::{TraceLog, core::payload::Payload};
use quark_trace_server::pages::record::by_hand;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(folder: &Path, lines: &str) -> (bool, String) {
    let done = Command::new("sh").arg("-c").arg(lines).current_dir(folder).output().unwrap();
    (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
}

#[test]
fn the_lines_accept_the_record_and_refuse_another() {
    let folder = std::env::temp_dir().join(format!("quark-by-hand-{}", uuid::Uuid::new_v4()));
    let folder = Folder(folder);
    let keys = Keyring::load_or_create(&folder.0.join("keys")).unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().with_keys(keys));
    let log = TraceLog::new(store.clone(), "it's \"mine\" $(x)".parse().unwrap());
    for round in 0..11 {
        log.log("round", &Payload::new().with("round", round).with("text", "it's")).unwrap();
    }
    store.seal(log.project()).unwrap();
    for index in [1, 2, 7, 8, 11] {
        let proof = prove(store.as_ref(), log.project(), index).unwrap();
        let record = proof.object.unwrap();
        let entry = String::from_utf8(proof.entry).unwrap();
        let lines = by_hand(&entry, proof.keys.as_deref().unwrap());
        fs::write(folder.0.join("record.json"), &record).unwrap();
        fs::write(folder.0.join("proof.txt"), proof.proof.to_string()).unwrap();
        let (ended_well, said) = run(&folder.0, &lines);
        assert!(ended_well, "entry {index}: {said}");
        assert!(said.contains("record: fits\nroot: fits\n"), "entry {index}: {said}");

        fs::write(folder.0.join("record.json"), [&record[..], b" "].concat()).unwrap();
        assert!(run(&folder.0, &lines).1.contains("record: DIFFERS"));
        let forged = entry.replace("record sha256", "sheet sha256");
        let lines = by_hand(&forged, proof.keys.as_deref().unwrap());
        assert!(run(&folder.0, &lines).1.contains("root: DIFFERS"));
        let note = proof.proof.to_string().replace("\n12\n", "\n13\n");
        fs::write(folder.0.join("proof.txt"), note).unwrap();
        assert!(!run(&folder.0, &by_hand(&entry, proof.keys.as_deref().unwrap())).0);
    }
}
