//! The store that clients have keeps the contract of stores, over a real server.

use std::ops::ControlFlow;
use std::sync::Arc;

use quark_trace::Result;
use quark_trace::core::ids::ProjectId;
use quark_trace::store::{
    Appended, Beside, Commit, Head, HttpStore, Plan, Row, Schemas, Store, StoreInfo, conformance,
};
use quark_trace_server::registry::Role;

use super::filters::through;
use super::running::Running;

/// A handle as a node has one. On a server a project begins with a fact sheet, in a store with
/// whatever comes first: here it is begun by whoever appends first.
#[derive(Debug)]
struct Client {
    store: HttpStore,
    running: Arc<Running>,
}

impl Store for Client {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        let mut projects = self.store.projects()?;
        // One that was begun for an append that was refused then is there, with nothing in it.
        projects.retain(|project| {
            self.head(project).unwrap().is_some_and(|head| head.range.size() > 0)
        });
        Ok(projects)
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.store.head(project)
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.store.beside(project)
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        let appended = self.store.append(project, commit);
        match appended {
            Err(error) if error.kind() == quark_trace::ErrorKind::NotFound => {
                self.running.claim(project);
                self.store.append(project, commit)
            }
            appended => appended,
        }
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.store.seal(project)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.store.scan(project, plan, sink)
    }

    fn sheet(&self, project: &ProjectId) -> Result<Option<Vec<u8>>> {
        self.store.sheet(project)
    }

    fn schemas(&self, project: &ProjectId) -> Result<Schemas> {
        self.store.schemas(project)
    }

    fn flush(&self) -> Result<()> {
        self.store.flush()
    }

    fn close(&self) -> Result<()> {
        self.store.close()
    }
}

/// What a server does otherwise than a store, by the name of the test that asks for it.
const LEFT_OUT: &[(&str, &str)] = &[
    ("a record id is taken once", "it appends a schema of no stage between the records"),
    ("objects keep their bytes", SOUND),
    ("objects of every kind come back", KINDS),
    ("limits are kept", SOUND),
    ("a scan keeps to its plan", KINDS),
    ("a scan ends where its plan does", KINDS),
    ("entries are read without their objects", "it appends an object that is no record at last"),
    ("a scan passes what its filter selects", SOUND),
    ("generated filters select what they do anywhere", SOUND),
    ("indexing changes no answer", SOUND),
    ("a sink breaks off", KINDS),
    ("a sink may call the store", KINDS),
    ("a record that was checked with other schemas is refused", SCHEMAS),
    ("a record that breaks a strict schema is not written", SCHEMAS),
];
const SOUND: &str = "a server takes sound records of the project alone";
const KINDS: &str = "a server takes one sheet or one schema at a time, sound ones, and makes all other \
                     kinds of entries itself";
const SCHEMAS: &str = "a server checks records itself and asks nobody with which schemas they were \
                       checked before; faults that do not forbid a record are those that the client \
                       knows of";

#[test]
fn the_contract_is_kept_over_http() {
    let make = || -> conformance::Place {
        let running = Arc::new(Running::new());
        Box::new(move || {
            let store = running.store(Role::Node);
            Arc::new(Client { store, running: Arc::clone(&running) })
        })
    };
    conformance::run_records(&make, LEFT_OUT);
}

/// What clients cannot send is written to the server's own store; all of it is read over HTTP.
#[test]
fn whatever_is_in_the_store_is_read_over_http() {
    conformance::run(&|| {
        let running = Arc::new(Running::new());
        Box::new(move || through(&running))
    });
}
