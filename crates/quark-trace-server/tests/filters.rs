//! A filter means over HTTP what it means anywhere: generated records and filters, asked of a real
//! server by the store that clients have.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use quark_trace::Result;
use quark_trace::TraceLog;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::query::Query;
use quark_trace::keys::Keyring;
use quark_trace::store::http::HttpOptions;
use quark_trace::store::{
    Appended, Beside, Commit, Head, HttpStore, Password, Plan, Row, SqliteStore, Store, StoreInfo,
    conformance,
};
use quark_trace_server::registry::{Actor, KeyRequest, Role};
use quark_trace_server::{App, Limits, Server, Settings};
use uuid::Uuid;

/// What is written goes to the server's own store, because clients could not send old or broken
/// lines; what is read comes over HTTP.
#[derive(Debug)]
struct Through {
    here: Arc<dyn Store>,
    there: HttpStore,
    app: Arc<App>,
    claimed: Mutex<HashSet<ProjectId>>,
}

impl Store for Through {
    fn info(&self) -> StoreInfo {
        self.there.info()
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        self.there.projects()
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.there.head(project)
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.there.beside(project)
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        if self.claimed.lock().unwrap().insert(project.clone()) {
            self.app.registry.claim_project(&Actor::command_line(), project, "A")?;
        }
        self.here.append(project, commit)
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.here.seal(project)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.there.scan(project, plan, sink)
    }

    fn flush(&self) -> Result<()> {
        self.here.flush()
    }
}

/// A server on this machine, until it is dropped.
struct Running {
    through: Arc<Through>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    folder: PathBuf,
}

impl Running {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("quark-filters-{}", Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let keys = Keyring::load_or_create(&folder.join("keys")).unwrap();
        let store = SqliteStore::new(folder.join("server.db")).unwrap().with_keys(keys);
        let here: Arc<dyn Store> = Arc::new(store);
        let limits = Limits { key_rate: 0, ..Limits::default() };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings { listen, limits, ..Settings::default() };
        let server = Server::bind(Arc::clone(&here), settings, [7; 32]).unwrap();
        let (app, address) = (Arc::clone(server.app()), server.address().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            let ends = async {
                let _ = stopped.await;
            };
            runtime.block_on(server.run(ends)).unwrap();
        });
        let by = Actor::command_line();
        app.registry.add_institution(&by, "A", "").unwrap();
        let wanted = KeyRequest {
            role: Role::Admin,
            institution_id: Some("A".to_owned()),
            node_id: None,
            name: String::new(),
            expires_us: None,
        };
        let key = app.registry.issue_key(&by, &wanted).unwrap().key;
        let api_key = Some(Password::new(key.reveal()));
        let options = HttpOptions { api_key, ..HttpOptions::default() };
        let there = HttpStore::new(&format!("http://{address}"), options).unwrap();
        let through = Arc::new(Through { here, there, app, claimed: Mutex::default() });
        Self { through, stop: Some(stop), thread: Some(thread), folder }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        let _ = std::fs::remove_dir_all(&self.folder);
        assert!(ended.is_none_or(|ended| ended.is_ok()), "the server failed");
    }
}

fn agree(filters: u32) {
    let running = Running::new();
    let through = Arc::clone(&running.through);
    conformance::run_filters(
        &|| {
            let through = Arc::clone(&through);
            Box::new(move || Arc::clone(&through) as Arc<dyn Store>)
        },
        filters,
    );
}

#[test]
fn generated_filters_select_over_http_what_they_do_anywhere() {
    agree(800);
}

#[test]
#[ignore = "takes a minute"]
fn ten_thousand_filters_agree() {
    agree(10_000);
}

#[test]
fn pages_by_cursor_join_to_what_the_library_finds() {
    let running = Running::new();
    let through = Arc::clone(&running.through) as Arc<dyn Store>;
    let project: ProjectId = "pages".parse().unwrap();
    let log = TraceLog::new(through, project.clone());
    for number in 0..40 {
        let payload = quark_trace::core::payload::Payload::new()
            .with("round", number / 4)
            .with("loss", 1.0 / f64::from(number + 1));
        log.log(if number % 3 == 0 { "evaluation" } else { "client_round" }, &payload).unwrap();
    }
    let here = TraceLog::new(Arc::clone(&running.through.here), project);
    for text in [
        "stage = 'client_round' AND payload.loss < 0.2",
        "payload.round IN (1, 2, 7) ORDER BY payload.loss",
        "payload.round > 3 ORDER BY stage DESC, payload.loss",
    ] {
        let query = |limit| Query { limit: Some(limit), ..Query::parse(text).unwrap() };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let mut search = log.search(query(3));
            if let Some(cursor) = after {
                search = search.after(cursor);
            }
            let page = search.page().unwrap();
            one.extend(page.hits.into_iter().map(|hit| hit.record));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        other.extend(
            here.search(query(1000)).page().unwrap().hits.into_iter().map(|hit| hit.record),
        );
        assert!(!one.is_empty());
        assert_eq!(one, other, "{text}");
    }
}
