//! A server on a store in memory, with two institutions and everybody who may call.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use quark_trace::core::sheet::{FactSheet, template};
use quark_trace::keys::Keyring;
use quark_trace::store::{SqliteStore, Store};
use quark_trace_server::registry::{Actor, Issued, KeyRequest, Role, Status};
use quark_trace_server::{App, Limits, Settings, routes};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

pub struct Place {
    pub app: Arc<App>,
    pub router: Router,
    _folder: Option<Folder>,
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&self.body));
        })
    }
}

impl Place {
    /// Institutions `A` (nodes `a1`, `a2`) and `B` (node `b1`), no projects; in a database that is
    /// signed.
    pub fn new() -> Self {
        Self::with(Limits::default())
    }

    /// The same with other limits than usual.
    pub fn with(limits: Limits) -> Self {
        let folder = Folder(std::env::temp_dir().join(format!("quark-api-{}", Uuid::new_v4())));
        std::fs::create_dir(&folder.0).unwrap();
        let keys = Keyring::load_or_create(&folder.0.join("keys")).unwrap();
        let store = SqliteStore::new(folder.0.join("server.db")).unwrap().with_keys(keys);
        Self { _folder: Some(folder), ..Self::limited(Arc::new(store), limits) }
    }

    pub fn on(store: Arc<dyn Store>) -> Self {
        Self::limited(store, Limits::default())
    }

    fn limited(store: Arc<dyn Store>, limits: Limits) -> Self {
        let limits = Limits { key_rate: 0, address_rate: 0, ..limits };
        let settings = Settings { limits, ..Settings::default() };
        let app = Arc::new(App::new(store, settings, [7; 32]).unwrap());
        let place = Self { router: routes::router(&app), app, _folder: None };
        if place.app.registry.state().institutions.is_empty() {
            place.fill();
        }
        place
    }

    fn fill(&self) {
        let (registry, by) = (&self.app.registry, Actor::command_line());
        for institution in ["A", "B"] {
            registry.add_institution(&by, institution, "").unwrap();
        }
        for (node, institution) in [("a1", "A"), ("a2", "A"), ("b1", "B")] {
            registry.add_node(&by, node, institution, "").unwrap();
        }
    }

    pub fn key(&self, role: Role, institution: Option<&str>, node: Option<&str>) -> Issued {
        let wanted = KeyRequest {
            role,
            institution_id: institution.map(str::to_owned),
            node_id: node.map(str::to_owned),
            name: String::new(),
            expires_us: None,
        };
        self.app.registry.issue_key(&Actor::command_line(), &wanted).unwrap()
    }

    pub fn node_key(&self, node: &str) -> String {
        self.key(Role::Node, None, Some(node)).key.reveal().to_owned()
    }

    pub fn set_node(&self, node: &str, status: Status) {
        self.app.registry.set_node(&Actor::command_line(), node, status).unwrap();
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.respond(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The status alone, for answers that do not end.
    pub async fn status(&self, request: Request<Body>) -> StatusCode {
        self.respond(request).await.status()
    }

    /// An answer that may not have come to its end.
    pub async fn respond(&self, mut request: Request<Body>) -> Response {
        request.headers_mut().entry("host").or_insert("localhost".parse().unwrap());
        let from: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(from));
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn get(&self, path: &str, key: &str) -> Answer {
        let request = Request::get(path).header("x-api-key", key).body(Body::empty());
        self.send(request.unwrap()).await
    }

    pub async fn post(&self, path: &str, key: &str, kind: &str, body: impl Into<Body>) -> Answer {
        self.change(Method::POST, path, key, kind, body).await
    }

    pub async fn change(
        &self,
        method: Method,
        path: &str,
        key: &str,
        kind: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path).header("x-api-key", key);
        let request = request.header("content-type", kind).body(body.into());
        self.send(request.unwrap()).await
    }

    /// Begins a project as 0.1.0 does.
    pub async fn begin(&self, project: &str, key: &str) -> Answer {
        self.post("/projects/", key, "application/json", sheet(project).to_string()).await
    }
}

/// The fact sheet as 0.1.0 sends it.
pub fn sheet(project: &str) -> Value {
    let yaml = template(project);
    let (sheet, _) = FactSheet::from_yaml(yaml.as_bytes(), "2026-01-02T03:04:05+00:00").unwrap();
    let mut sent = sheet.to_json_value();
    let members = sent.as_object_mut().unwrap();
    for absent in ["version", "created_at", "amended_at", "amendment_log", "institution_id"] {
        members.remove(absent);
    }
    sent
}

pub fn record(project: &str, id: &str) -> String {
    json!({"record_id": id, "project_id": project, "stage": "client_round",
           "timestamp": "2026-01-02T03:04:05+00:00", "payload": {"round": 1, "loss": 0.5}})
    .to_string()
}
