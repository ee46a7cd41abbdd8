//! A server on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::record::Draft;
use quark_trace::keys::Keyring;
use quark_trace::store::http::HttpOptions;
use quark_trace::store::{HttpStore, Password, SqliteStore, Store};
use quark_trace::{ErrorKind, Record};
use quark_trace_server::registry::{Actor, KeyRequest, Role};
use quark_trace_server::{App, Limits, Server, Settings};
use uuid::Uuid;

/// A server with the institution `A` and its node `a1`, until it is dropped.
pub struct Running {
    pub here: Arc<dyn Store>,
    pub app: Arc<App>,
    pub url: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    folder: PathBuf,
}

impl Running {
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("quark-client-{}", Uuid::new_v4()));
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
        app.registry.add_node(&by, "a1", "A", "").unwrap();
        let url = format!("http://{address}");
        Self { here, app, url, stop: Some(stop), thread: Some(thread), folder }
    }

    /// What the server's registry calls a new key.
    pub fn key(&self, role: Role) -> String {
        let is_node = role == Role::Node;
        let wanted = KeyRequest {
            role,
            institution_id: (!is_node).then(|| "A".to_owned()),
            node_id: is_node.then(|| "a1".to_owned()),
            name: String::new(),
            expires_us: None,
        };
        let issued = self.app.registry.issue_key(&Actor::command_line(), &wanted).unwrap();
        issued.key.reveal().to_owned()
    }

    pub fn store(&self, role: Role) -> HttpStore {
        let api_key = Some(Password::new(self.key(role)));
        let options = HttpOptions { api_key, ..HttpOptions::default() };
        HttpStore::new(&self.url, options).unwrap()
    }

    /// Gives the institution a project, as its first fact sheet does.
    pub fn claim(&self, project: &ProjectId) {
        let by = Actor::command_line();
        match self.app.registry.claim_project(&by, project, "A") {
            // Another thread was first.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            claimed => claimed.unwrap(),
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Running").field("url", &self.url).finish_non_exhaustive()
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

/// A record of project `p` with so many bytes in its payload.
pub fn record(id: &str, size: usize) -> Record {
    let payload = format!("{{\"x\": \"{}\"}}", "x".repeat(size));
    let mut line = Vec::new();
    Draft {
        record_id: id,
        project_id: "p",
        stage: "s",
        timestamp: "2026-01-02T03:04:05+00:00",
        payload: payload.as_bytes(),
    }
    .write(&mut line);
    Record::from_line(line).unwrap()
}
