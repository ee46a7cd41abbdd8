//! The suite that every store runs: the contract of [`Store`] as tests.
//!
//! It asks [`StoreInfo`](super::StoreInfo) what a store can do and never its name, and compares
//! everything else with [`MemoryStore`](super::MemoryStore). A store outside this crate runs it too:
//!
//! ```
//! use std::sync::Arc;
//! use quark_trace::store::{MemoryStore, Store, conformance};
//!
//! conformance::run(&|| {
//!     let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
//!     Box::new(move || store.clone())
//! });
//! ```

use std::ops::ControlFlow;
use std::sync::Arc;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{CompactRange, Kind, merkle::leaf_hash};

use super::{Appended, Commit, Durability, NewEntry, Plan, Row, Select, Store};
use crate::error::Result;

mod agreement;
mod batches;
mod filters;
mod generated;
mod model;
mod objects;
mod projects;
mod scans;
mod schemas;
mod seals;
mod threads;

/// Opens one more handle on the same place, as another process would; a store that does not
/// outlive its handles gives the same handle again.
pub type Place = Box<dyn Fn() -> Arc<dyn Store>>;

/// Runs every test of the suite. `make` gives a new, empty place each time it is called.
///
/// # Panics
///
/// When the store does not keep the contract; the message says which part.
pub fn run(make: &dyn Fn() -> Place) {
    for (name, test) in TESTS {
        run_one(make, name, test);
    }
    let _named = Named("behaves as the memory store", "");
    model::run(make, model::Kinds::All);
}

fn run_one(make: &dyn Fn() -> Place, name: &'static str, test: &Test) {
    let place = make();
    let info = place().info();
    // The name of the test that fails is in the message of the panic alone.
    let _named = Named(name, info.kind);
    test(&place);
}

/// Runs every test of the suite on a store that takes records and hardly anything else, but for those
/// that are left out: their names, each with the reason.
///
/// # Panics
///
/// When the store does not keep the contract, when a name is that of no test, and when a test passes
/// that is left out.
pub fn run_records(make: &dyn Fn() -> Place, left_out: &[(&str, &str)]) {
    for (name, reason) in left_out {
        assert!(TESTS.iter().any(|(known, _)| known == name), "no test is called {name:?}");
        assert!(!reason.is_empty(), "{name:?} is left out without a reason");
    }
    let mut wrong = Vec::new();
    for (name, test) in TESTS {
        let is_left_out = left_out.iter().any(|(left_out, _)| left_out == name);
        let run = std::panic::AssertUnwindSafe(|| run_one(make, name, test));
        match (std::panic::catch_unwind(run).is_ok(), is_left_out) {
            (true, true) => wrong.push(format!("{name:?} passes, and is left out")),
            (false, false) => wrong.push(format!("{name:?} fails")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
    let _named = Named("behaves as the memory store", "");
    model::run(make, model::Kinds::Records);
}

/// Asks `count` generated filters about generated records, a few hundred of which [`run`] asks too.
///
/// # Panics
///
/// When the store leaves out a record that a filter selects; the message has the smallest log and
/// filter for which it does.
pub fn run_filters(make: &dyn Fn() -> Place, count: u32) {
    agreement::run(&make(), count);
}

type Test = fn(&Place);

const TESTS: &[(&str, Test)] = &[
    ("entries are numbered without gaps, in order", batches::dense_indexes),
    ("a batch is appended whole or not at all", batches::atomic),
    ("a log that moved is a conflict", batches::expected),
    ("a record id is taken once", batches::record_ids),
    ("a record id is taken once by all handles", batches::record_ids_of_others),
    ("a refused batch leaves no record id behind", batches::refused_ids),
    ("objects keep their bytes", objects::verbatim),
    ("objects of every kind come back", objects::kinds),
    ("limits are kept", objects::limits),
    ("what no ledger could hold is refused", objects::refused),
    ("an empty store has nothing", projects::empty),
    ("projects do not touch one another", projects::isolated),
    ("a scan keeps to its plan", scans::plans),
    ("a scan ends where its plan does", scans::bounds),
    ("entries are read without their objects", scans::lines),
    ("a scan passes what its filter selects", filters::selected),
    ("indexing changes no answer", filters::indexed),
    ("generated filters select what they do anywhere", |place| agreement::run(place, 400)),
    ("a sink breaks off", scans::break_off),
    ("a sink may call the store", scans::nested),
    ("the schemas in force are known", schemas::in_force),
    ("a record that was checked with other schemas is refused", schemas::outdated),
    ("a record that breaks a strict schema is not written", schemas::strict),
    ("every durability is read back", seals::durabilities),
    ("a checkpoint covers the log", seals::checkpoint),
    ("what was acknowledged outlives the handle", seals::reopened),
    ("threads append side by side", threads::append),
    ("readers beside a writer see a beginning of the log", threads::read),
    ("handles append in turn", threads::handles),
];

/// Says which test was running when a panic passes by.
struct Named(&'static str, &'static str);

impl Drop for Named {
    #[allow(clippy::print_stderr, reason = "a test suite tells which of its tests failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("conformance, {} store: {}", self.1, self.0);
        }
    }
}

/// A record line.
fn record(project: &ProjectId, id: &str, payload: &str) -> Vec<u8> {
    let project = project.as_str().replace('"', "\\\"");
    format!(
        "{{\"record_id\": \"{id}\", \"project_id\": \"{project}\", \"stage\": \"s\", \
         \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": {{\"v\": \"{payload}\"}}}}"
    )
    .into_bytes()
}

fn project() -> ProjectId {
    "demo".parse().expect("a valid id")
}

fn new_record(object: &[u8]) -> NewEntry<'_> {
    NewEntry::new(Kind::Record, object)
}

fn with_id<'a>(object: &'a [u8], id: &'a str) -> NewEntry<'a> {
    NewEntry { record_id: Some(id), ..new_record(object) }
}

fn append(store: &dyn Store, project: &ProjectId, entries: &[NewEntry<'_>]) -> Result<Appended> {
    append_at(store, project, entries, None)
}

fn append_at(
    store: &dyn Store,
    project: &ProjectId,
    entries: &[NewEntry<'_>],
    expected: Option<u64>,
) -> Result<Appended> {
    store.append(project, &Commit { entries, expected, durability: Durability::Os })
}

/// What a scan gave of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    index: u64,
    line: Vec<u8>,
    object: Option<Vec<u8>>,
}

fn scan(store: &dyn Store, project: &ProjectId, from: u64, select: Select) -> Vec<Seen> {
    seen(store, project, &Plan { from, select, ..Plan::default() })
}

fn seen(store: &dyn Store, project: &ProjectId, plan: &Plan<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let scanned = store.scan(project, plan, &mut |row| {
        match row {
            Row::Entry { index, line, object, displaced, .. } => {
                assert!(!displaced, "entry {index} is displaced");
                let object = object.map(|object| object.into_owned());
                seen.push(Seen { index, line: line.to_vec(), object });
            }
            other => panic!("nothing but entries was appended, the scan gave {other:?}"),
        }
        ControlFlow::Continue(())
    });
    scanned.expect("a scan of a sound log");
    seen
}

fn all(store: &dyn Store, project: &ProjectId) -> Vec<Seen> {
    scan(store, project, 0, Select::All)
}

/// The tree, checked against the lines that a scan gives.
fn checked_range(store: &dyn Store, project: &ProjectId) -> CompactRange {
    let head = store.head(project).expect("a readable head");
    let range = head.map(|head| head.range).unwrap_or_default();
    let mut rebuilt = CompactRange::new();
    for seen in all(store, project) {
        assert_eq!(seen.index, rebuilt.size(), "an index was left out or given twice");
        rebuilt.push(leaf_hash(&seen.line));
    }
    assert_eq!(rebuilt, range, "the head is not the tree of the entries");
    range
}
