//! The fact sheet that people see beside the one of the ledger: interrupted writers, and hands.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quark_trace::core::ids::ProjectId;
use quark_trace::core::payload::Payload;
use quark_trace::core::sheet::{Amendment, FactSheet, template};
use quark_trace::keys::Keyring;
use quark_trace::store::{Appended, Beside, Commit, FileStore, Head, Plan, Row, Store, StoreInfo};
use quark_trace::verify::{Code, Policy, Severity, verify};
use quark_trace::{Project, Result, TraceLog};

const AT: &str = "2026-01-02T03:04:05+00:00";

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("quark-shown-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn log(&self) -> TraceLog {
        let keys = Keyring::load_or_create(&self.0.join("keys")).unwrap();
        self.log_in(FileStore::new(self.0.join("data")).with_keys(keys))
    }

    /// A log whose checkpoint stays where it is.
    fn unsigned(&self) -> TraceLog {
        self.log_in(FileStore::new(self.0.join("data")))
    }

    fn log_in(&self, store: FileStore) -> TraceLog {
        TraceLog::new(Arc::new(store), "demo".parse().unwrap())
    }

    fn shown(&self) -> PathBuf {
        self.0.join("data/demo_fact_sheet.json")
    }

    /// Exit code, and what is said about the sheet.
    fn verdict(&self) -> (u8, Option<(Severity, String)>) {
        let log = self.unsigned();
        let verdict = verify(log.store().as_ref(), log.project(), &Policy::default()).unwrap();
        let found = verdict.findings.iter().find(|finding| finding.code == Code::Sheet);
        (verdict.exit_code(), found.map(|found| (found.severity, found.message.clone())))
    }

    #[track_caller]
    fn assert(&self, code: u8, severity: Severity, words: &str) {
        let (exit_code, found) = self.verdict();
        let (found, message) = found.unwrap();
        assert_eq!((exit_code, found), (code, severity), "{message}");
        assert!(message.contains(words), "{message}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn begin(log: TraceLog) -> Project {
    Project::load(FactSheet::from_yaml(template("demo").as_bytes(), AT).unwrap().0, log).unwrap()
}

fn amend(log: TraceLog, purpose: &str) {
    let fields = serde_json::json!({ "purpose": purpose });
    let change = Amendment::parse(fields.as_object().unwrap(), "Jane Doe", "asked for").unwrap();
    Project::resume(log).unwrap().amend(&change, AT).unwrap();
}

#[test]
fn a_writer_killed_before_it_shows_a_sheet_is_no_tampering() {
    let place = Place::new();
    begin(place.unsigned());
    std::fs::remove_file(place.shown()).unwrap();
    place.assert(2, Severity::Unknown, "interrupted");
    place.log().store().seal(&"demo".parse().unwrap()).unwrap();
    assert_eq!(place.verdict(), (0, None));

    let first = std::fs::read(place.shown()).unwrap();
    amend(place.unsigned(), "Detect fraud sooner");
    std::fs::write(place.shown(), first).unwrap();
    place.assert(2, Severity::Unknown, "`quark-trace seal` shows the last one");
    // The next who writes shows it.
    let log = place.log();
    log.log("round", &Payload::new()).unwrap();
    log.store().close().unwrap();
    assert_eq!(place.verdict(), (0, None));
    assert!(std::fs::read_to_string(place.shown()).unwrap().contains("Detect fraud sooner"));
}

#[test]
fn an_earlier_sheet_put_back_by_hand_is() {
    let place = Place::new();
    begin(place.log());
    let first = std::fs::read(place.shown()).unwrap();
    amend(place.log(), "Detect fraud sooner");
    let second = std::fs::read(place.shown()).unwrap();
    // A checkpoint covers the amendment.
    std::fs::write(place.shown(), &first).unwrap();
    place.assert(1, Severity::Error, "an earlier version");
    std::fs::remove_file(place.shown()).unwrap();
    place.assert(1, Severity::Error, "its file is missing");
    std::fs::write(place.shown(), &second).unwrap();
    // None covers it, but it is not the version before, or something was appended since.
    amend(place.unsigned(), "Detect fraud at once");
    std::fs::write(place.shown(), &first).unwrap();
    place.assert(1, Severity::Error, "an earlier version");
    std::fs::write(place.shown(), b"{}").unwrap();
    place.assert(1, Severity::Error, "not the ledger's last");
    std::fs::write(place.shown(), &second).unwrap();
    place.assert(2, Severity::Unknown, "interrupted");
    place.unsigned().log("round", &Payload::new()).unwrap();
    std::fs::write(place.shown(), &second).unwrap();
    place.assert(1, Severity::Error, "an earlier version");
}

/// A store that somebody writes to whenever it is read: at the first row, or behind the last.
struct Busy {
    store: FileStore,
    at_first_row: bool,
    write: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(formatter)
    }
}

impl Store for Busy {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        self.store.projects()
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.store.head(project)
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.store.beside(project)
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        self.store.append(project, commit)
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.store.seal(project)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut first = self.at_first_row;
        self.store.scan(project, plan, &mut |row| {
            if std::mem::take(&mut first) {
                (self.write)();
            }
            sink(row)
        })?;
        if !self.at_first_row {
            (self.write)();
        }
        Ok(())
    }
}

#[test]
fn a_writer_that_is_about_to_show_a_sheet_is_waited_for() {
    let place = Place::new();
    begin(place.log());
    let first = std::fs::read(place.shown()).unwrap();
    amend(place.log(), "Detect fraud sooner");
    let second = std::fs::read(place.shown()).unwrap();
    std::fs::write(place.shown(), &first).unwrap();
    let shown = place.shown();
    let write = Box::new(move || std::fs::write(&shown, &second).unwrap());
    let store = FileStore::new(place.0.join("data"));
    let store = Busy { store, at_first_row: false, write };
    let verdict = verify(&store, &"demo".parse().unwrap(), &Policy::default()).unwrap();
    assert_eq!(verdict.exit_code(), 0, "{verdict:?}");
}

#[test]
fn a_sheet_that_is_amended_again_and_again_while_it_is_read_is_no_tampering() {
    let place = Place::new();
    begin(place.log());
    let (folder, times) = (place.0.join("data"), AtomicU32::new(0));
    let write = Box::new(move || {
        let log = TraceLog::new(Arc::new(FileStore::new(&folder)), "demo".parse().unwrap());
        amend(log, &format!("purpose {}", times.fetch_add(1, Ordering::Relaxed)));
    });
    let store = FileStore::new(place.0.join("data"));
    let store = Busy { store, at_first_row: true, write };
    let verdict = verify(&store, &"demo".parse().unwrap(), &Policy::default()).unwrap();
    assert_eq!((verdict.exit_code(), verdict.size), (0, 2), "{verdict:?}");
    // What is shown and in no later entry is one all the same.
    std::fs::write(place.shown(), b"{}").unwrap();
    place.assert(1, Severity::Error, "not the ledger's last");
}
