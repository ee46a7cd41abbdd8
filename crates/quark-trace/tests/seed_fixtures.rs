//! Files that quark-trace 0.1.0 wrote: every version of this library opens them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quark_trace::core::record::View;
use quark_trace::store::{FileStore, Store};
use quark_trace::verify::{Policy, verify};
use quark_trace::{History, TraceLog};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/seed-0.1.0")
}

fn projects() -> Vec<(String, Value)> {
    let manifest = fs::read(fixtures().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let projects = manifest["projects"].as_object().unwrap();
    projects.iter().map(|(name, known)| (name.clone(), known.clone())).collect()
}

/// A copy of the files, removed in the end.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("quark-trace-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&path).unwrap();
        for file in fs::read_dir(fixtures().join("data")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), path.join(file.file_name())).unwrap();
        }
        Self(path)
    }

    fn log(&self, project: &str) -> (Arc<FileStore>, TraceLog) {
        let store = Arc::new(FileStore::new(&self.0));
        (store.clone(), TraceLog::new(store, project.parse().unwrap()))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_record_of_the_original_is_read() {
    let copy = Copy::new();
    for (project, known) in projects() {
        let (_, log) = copy.log(&project);
        let history = History::read(&log).unwrap();
        let expected = known["records"].as_array().unwrap();
        assert_eq!(history.records().len(), expected.len(), "{project}");
        assert!(history.faults().is_empty(), "{project}");
        for (range, expected) in history.records().iter().zip(expected) {
            let read = View::parse(&history.bytes()[range.clone()]).unwrap();
            let expected = View::parse(expected.as_str().unwrap().as_bytes()).unwrap();
            assert_eq!(read.record_id.to_str(), expected.record_id.to_str(), "{project}");
            assert_eq!(read.stage.to_str(), expected.stage.to_str(), "{project}");
            assert_eq!(read.timestamp.to_str(), expected.timestamp.to_str(), "{project}");
        }
    }
}

#[test]
fn a_seal_gives_the_same_root_for_ever() {
    let copy = Copy::new();
    for (project, known) in projects() {
        let (store, log) = copy.log(&project);
        let head = store.seal(log.project()).unwrap().unwrap();
        assert_eq!(head.range.root().to_string(), known["root"], "{project}");
        assert_eq!(head.range.size(), known["size"], "{project}");
        store.close().unwrap();
        let verdict = verify(store.as_ref(), log.project(), &Policy::default()).unwrap();
        assert_eq!(verdict.to_json()["exit_code"], 0, "{project}: {}", verdict.headline());
    }
}
