//! Every identity, every route, every method, every object: who gets what.
//!
//! The table below is what the manual promises, written down a second time. A route that is not in
//! it fails the test, and so does a row of it that the server does not have.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::ledger::{Digest, entry};
use quark_trace_server::registry::{Actor, KeyRequest, Opening, Role};
use quark_trace_server::routes;

use super::place::{Answer, Place, record};

/// What a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Nothing that belongs to somebody.
    Nothing,
    /// A project; whether it can be opened to readers without a key.
    Project { opens: bool },
    /// A node, which sees itself.
    Node,
    /// A node or key of an institution.
    Managed,
    /// A key, whose holder may do it.
    Key,
}

use About::{Key, Managed, Node, Nothing, Project};

const READ: About = Project { opens: true };
const WRITE: About = Project { opens: false };

/// Methods and paths, roles that may (n node, u auditor, a admin, o operator, * anybody), and what
/// it is about.
const PROMISED: &[(&str, &str, &str, About)] = &[
    ("GET", "/health", "*", Nothing),
    ("GET", "/ready", "*", Nothing),
    ("GET", "/about", "*", Nothing),
    ("GET", "/metrics", "*", Nothing),
    ("GET", "/projects/", "nua", Nothing),
    ("POST", "/projects/", "na", Nothing),
    ("GET", "/projects/{project}", "nuao", READ),
    ("PATCH", "/projects/{project}", "a", WRITE),
    ("GET", "/projects/{project}/sheets", "nuao", READ),
    ("POST", "/projects/{project}/sheets", "na", WRITE),
    ("GET", "/projects/{project}/sheets/{version}", "nuao", READ),
    ("POST", "/projects/{project}/amendments", "na", WRITE),
    ("GET", "/projects/{project}/summary", "nuao", READ),
    ("GET", "/projects/{project}/schemas", "nuao", READ),
    ("POST", "/projects/{project}/schemas", "na", WRITE),
    ("GET", "/projects/{project}/records", "nuao", READ),
    ("POST", "/projects/{project}/records", "n", WRITE),
    ("GET", "/projects/{project}/records/{record}", "nuao", READ),
    ("GET", "/projects/{project}/records/{record}/receipt", "nuao", READ),
    ("GET", "/projects/{project}/stream", "nuao", READ),
    ("GET", "/projects/{project}/head", "nuao", READ),
    ("GET", "/projects/{project}/entries", "nuao", READ),
    ("POST", "/projects/{project}/seal", "na", WRITE),
    ("GET", "/projects/{project}/proof", "nuao", READ),
    ("GET", "/projects/{project}/consistency", "nuao", READ),
    ("GET", "/tlog/{project}/checkpoint", "nuao", READ),
    ("GET", "/tlog/{project}/log.vkey", "nuao", READ),
    ("GET", "/tlog/{project}/tile/{*tile}", "nuao", READ),
    ("GET", "/tlog/{project}/objects/{sha256}", "nuao", READ),
    ("GET", "/registry/institutions", "o", Nothing),
    ("POST", "/registry/institutions", "o", Nothing),
    ("PATCH", "/registry/institutions/{institution}", "o", Nothing),
    ("GET", "/registry/nodes", "ao", Nothing),
    ("POST", "/registry/nodes", "ao", Nothing),
    ("GET", "/registry/nodes/{node}", "nuao", Node),
    ("PATCH", "/registry/nodes/{node}", "ao", Managed),
    ("GET", "/registry/keys", "ao", Nothing),
    ("POST", "/registry/keys", "ao", Nothing),
    ("POST", "/registry/keys/{key}/revoke", "ao", Managed),
    ("POST", "/registry/keys/{key}/rotate", "nuao", Key),
    ("GET", "/openapi.json", "*", Nothing),
    ("GET", "/", "*", Nothing),
    ("GET", "/ui", "*", Nothing),
    ("GET", "/ui/", "nuao", Nothing),
    ("GET", "/api", "*", Nothing),
    ("GET", "/ui/api", "*", Nothing),
    ("GET", "/ui/sign-in", "*", Nothing),
    ("POST", "/ui/sign-in", "*", Nothing),
    ("POST", "/ui/sign-out", "*", Nothing),
    ("GET", "/ui/assets/{name}", "*", Nothing),
    ("GET", "/ui/projects/{project}", "nuao", READ),
    ("GET", "/ui/projects/{project}/records", "nuao", READ),
    ("GET", "/ui/projects/{project}/records/{record}", "nuao", READ),
    ("GET", "/ui/projects/{project}/sheets/{version}", "nuao", READ),
    ("GET", "/ui/projects/{project}/verify", "nuao", READ),
    ("GET", "/ui/registry", "ao", Nothing),
    ("POST", "/ui/registry/institutions", "o", Nothing),
    ("POST", "/ui/registry/nodes", "ao", Nothing),
    ("POST", "/ui/registry/nodes/{node}/status", "ao", Managed),
    ("POST", "/ui/registry/keys", "ao", Nothing),
    ("POST", "/ui/registry/keys/{key}/revoke", "ao", Managed),
];

const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

/// Somebody who calls.
struct Somebody {
    name: &'static str,
    key: Option<String>,
    /// The letter of the role, or `-` when the key is no good.
    role: char,
    institution: Option<&'static str>,
    node: Option<&'static str>,
    key_id: Option<String>,
}

/// Something that a path may name.
#[derive(Debug, Clone)]
struct Object {
    name: &'static str,
    project: &'static str,
    node: &'static str,
    key_id: String,
    /// SHA-256 of the first object of the project's log.
    header: String,
    institution: Option<&'static str>,
    is_open: bool,
}

fn everybody(place: &Place) -> Vec<Somebody> {
    let (registry, by) = (&place.app.registry, Actor::command_line());
    let somebody =
        |name, role, role_name, institution: Option<&'static str>, node: Option<&'static str>| {
            let named = institution.filter(|_| node.is_none());
            let issued = place.key(role_name, named, node);
            let (key, key_id) = (issued.key.reveal().to_owned(), issued.entry.key_id);
            Somebody { name, key: Some(key), role, institution, node, key_id: Some(key_id) }
        };
    let mut all = vec![
        somebody("node a1", 'n', Role::Node, Some("A"), Some("a1")),
        somebody("node a2", 'n', Role::Node, Some("A"), Some("a2")),
        somebody("node b1", 'n', Role::Node, Some("B"), Some("b1")),
        somebody("auditor of A", 'u', Role::Auditor, Some("A"), None),
        somebody("admin of A", 'a', Role::Admin, Some("A"), None),
        somebody("operator", 'o', Role::Operator, None, None),
    ];
    let mut revoked = somebody("revoked", '-', Role::Node, Some("A"), Some("a1"));
    registry.revoke_key(&by, revoked.key_id.as_deref().unwrap(), SystemClock.now_us()).unwrap();
    revoked.role = '-';
    all.push(revoked);
    let wanted = KeyRequest {
        role: Role::Operator,
        institution_id: None,
        node_id: None,
        name: String::new(),
        expires_us: Some(SystemClock.now_us() + 20_000),
    };
    let expired = registry.issue_key(&by, &wanted).unwrap().key.reveal().to_owned();
    std::thread::sleep(std::time::Duration::from_millis(25));
    // The form of a key that nobody was given.
    let wrong = quark_trace_server::access::ApiKey::generate().unwrap().reveal().to_owned();
    for (name, key, role) in [
        ("expired", Some(expired), '-'),
        ("wrong", Some(wrong), '-'),
        ("malformed", Some("qt_let-me-in".to_owned()), '-'),
        ("nobody", None, ' '),
    ] {
        all.push(Somebody { name, key, role, institution: None, node: None, key_id: None });
    }
    all
}

/// What the promise says: the status, or `None` for anything that the handler answers.
fn promised(roles: &str, about: About, somebody: &Somebody, object: &Object) -> Option<StatusCode> {
    if somebody.role == '-' {
        return Some(StatusCode::UNAUTHORIZED);
    }
    if roles == "*" {
        return None;
    }
    if somebody.role == ' ' {
        let open = matches!(about, Project { opens: true }) && object.is_open;
        return if open { None } else { Some(StatusCode::UNAUTHORIZED) };
    }
    if !roles.contains(somebody.role) {
        return Some(StatusCode::FORBIDDEN);
    }
    let is_of_institution =
        somebody.institution.is_some() && somebody.institution == object.institution;
    let manages = match somebody.role {
        'o' => object.institution.is_some(),
        'a' => is_of_institution,
        _ => false,
    };
    let concerns = match about {
        Nothing => true,
        Project { opens } => {
            (somebody.role != 'o' && is_of_institution) || (opens && object.is_open)
        }
        Node => somebody.node == Some(object.node) || manages,
        Managed => manages,
        Key => somebody.key_id.as_ref() == Some(&object.key_id) || manages,
    };
    if concerns { None } else { Some(StatusCode::NOT_FOUND) }
}

fn path_of(pattern: &str, object: &Object) -> String {
    pattern
        .replace("{project}", object.project)
        .replace("{node}", object.node)
        .replace("{key}", &object.key_id)
        .replace("{institution}", object.institution.unwrap_or("none"))
        .replace("{*tile}", "0/000.p/1")
        .replace("{sha256}", &object.header)
        .replace("{version}", "1")
        .replace("{record}", "r1")
        .replace("{name}", "style.css")
}

/// Whoever has to sign in before they see a page is sent there.
fn as_page(path: &str, method: &str, status: Option<StatusCode>) -> Option<StatusCode> {
    let is_shown = path.starts_with("/ui") && method == "GET";
    status.map(|status| match status {
        StatusCode::UNAUTHORIZED if is_shown => StatusCode::SEE_OTHER,
        status => status,
    })
}

/// The request; one to a page carries a form with the token of who has no session.
fn with_form(place: &Place, path: &str, request: Builder) -> Request<Body> {
    if !path.starts_with("/ui") {
        return request.body(Body::empty()).unwrap();
    }
    let token = place.app.sessions.form_token(&HeaderMap::new());
    let kind = "application/x-www-form-urlencoded";
    request.header("content-type", kind).body(format!("csrf={token}").into()).unwrap()
}

/// What somebody can see of an answer, but for the id of the request.
fn seen(answer: &Answer, object: &Object) -> (StatusCode, Vec<(String, String)>, String) {
    // Who has to sign in comes back to the page that was asked for.
    let unnamed = |text: &str| {
        text.replace(object.project, "…").replace(object.node, "…").replace(&object.key_id, "…")
    };
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| (name.to_string(), unnamed(value.to_str().unwrap())))
        .collect();
    headers.sort();
    let request_id = answer.headers["x-request-id"].to_str().unwrap();
    let mut body = String::from_utf8_lossy(&answer.body).replace(request_id, "");
    if let Ok(mut document) = serde_json::from_str::<serde_json::Value>(&body) {
        if let Some(members) = document.as_object_mut() {
            members.remove("request_id");
        }
        body = document.to_string();
    }
    (answer.status, headers, body)
}

fn header_of(project: &str) -> String {
    let project = project.parse().unwrap_or_else(|_| "none".parse().unwrap());
    Digest::of(&entry::header_object(&project)).to_string()
}

async fn objects(place: &Place) -> Vec<Object> {
    let keys = ["a1", "b1"].map(|node| place.node_key(node));
    for (project, key) in [("own", &keys[0]), ("foreign", &keys[1]), ("opened", &keys[1])] {
        assert_eq!(place.begin(project, key).await.status, StatusCode::CREATED, "{project}");
        let path = format!("/projects/{project}/records");
        let answer = place.post(&path, key, "application/json", record(project, "r1")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{project}");
        let sealed = place.post(&format!("/projects/{project}/seal"), key, "", "").await;
        assert_eq!(sealed.status, StatusCode::OK, "{project}");
    }
    let by = Actor::command_line();
    let opened = "opened".parse().unwrap();
    place.app.registry.open_project(&by, &opened, Opening::Records).unwrap();
    let key_of = |node| place.key(Role::Node, None, Some(node)).entry.key_id;
    let object = |name, project, node, key_id, institution, is_open| Object {
        name,
        project,
        node,
        key_id,
        header: header_of(project),
        institution,
        is_open,
    };
    vec![
        object("own", "own", "a1", key_of("a1"), Some("A"), false),
        object("other node's", "own", "a2", key_of("a2"), Some("A"), false),
        object("foreign", "foreign", "b1", key_of("b1"), Some("B"), false),
        object("opened", "opened", "b1", key_of("b1"), Some("B"), true),
        object("missing", "missing", "missing", "missing00000".to_owned(), None, false),
        object("malformed", "%2e%2e%2fown", "%2e%2e", "%00".to_owned(), None, false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_is_promised() {
    let place = Place::new();
    let table = routes::table(&place.app);
    let live: BTreeSet<(String, &str)> =
        table.routes().iter().map(|route| (route.method.to_string(), route.path)).collect();
    let known: BTreeSet<(String, &str)> =
        PROMISED.iter().map(|(method, path, ..)| ((*method).to_owned(), *path)).collect();
    let missing: Vec<_> = live.symmetric_difference(&known).collect();
    assert!(missing.is_empty(), "the table of the test and that of the server differ: {missing:?}");

    let objects = objects(&place).await;
    let paths: BTreeSet<&str> = PROMISED.iter().map(|(_, path, ..)| *path).collect();
    let (mut calls, mut wrong) = (0, Vec::new());
    // Some rows change keys and nodes: everybody gets a fresh key for each path.
    for path in paths {
        let everybody = everybody(&place);
        for method in METHODS {
            let asked = if *method == "HEAD" { "GET" } else { method };
            let row = PROMISED.iter().find(|(known, of, ..)| *known == asked && *of == path);
            for somebody in &everybody {
                for object in &objects {
                    let request = Request::builder()
                        .method(Method::from_bytes(method.as_bytes()).unwrap())
                        .uri(path_of(path, object));
                    let request = match &somebody.key {
                        Some(key) => request.header("x-api-key", key),
                        None => request,
                    };
                    // A stream goes on for ever; its status is all that is asked here.
                    if path.ends_with("/stream") && row.is_some() {
                        continue;
                    }
                    let answer = place.send(with_form(&place, path, request)).await;
                    calls += 1;
                    let expected = match row {
                        None => Some(StatusCode::METHOD_NOT_ALLOWED),
                        Some((_, _, roles, about)) => {
                            as_page(path, asked, promised(roles, *about, somebody, object))
                        }
                    };
                    let refused = [401, 403, 404, 405, 500, 501].contains(&answer.status.as_u16());
                    let fits = match expected {
                        Some(status) => answer.status == status,
                        // What is granted may still lack a body, or name nothing.
                        None => !refused || (object.institution.is_none() && answer.status == 404),
                    };
                    if !fits {
                        wrong.push(format!(
                            "{} {method} {path} of {}: {} instead of {expected:?}",
                            somebody.name, object.name, answer.status
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {calls} calls:\n{}", wrong.len(), wrong.join("\n"));
    assert!(calls > 10_000, "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foreign_looks_like_what_is_missing() {
    let place = Place::new();
    let objects = objects(&place).await;
    let find = |name: &str| objects.iter().find(|object| object.name == name).unwrap();
    let (foreign, missing) = (find("foreign"), find("missing"));
    let mut compared = 0;
    for (method, path, roles, about) in PROMISED {
        if *about == Nothing {
            continue;
        }
        for somebody in everybody(&place) {
            if promised(roles, *about, &somebody, foreign).is_none() {
                continue;
            }
            let mut answers = Vec::new();
            for object in [foreign, missing] {
                let request = Request::builder().method(*method).uri(path_of(path, object));
                let request = match &somebody.key {
                    Some(key) => request.header("x-api-key", key),
                    None => request,
                };
                let answer = place.send(request.body(Body::empty()).unwrap()).await;
                answers.push(seen(&answer, object));
            }
            assert_eq!(answers[0], answers[1], "{} {method} {path}", somebody.name);
            compared += 1;
        }
    }
    assert!(compared > 150, "{compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_can_be_open_without_its_content() {
    let place = Place::new();
    objects(&place).await;
    let project = "foreign".parse().unwrap();
    let by = Actor::command_line();
    place.app.registry.open_project(&by, &project, Opening::Ledger).unwrap();
    for (path, status) in [
        ("/tlog/foreign/checkpoint", StatusCode::OK),
        ("/tlog/foreign/tile/0/000.p/3", StatusCode::OK),
        ("/tlog/foreign/tile/entries/000.p/3", StatusCode::OK),
        ("/projects/foreign/consistency?from=1", StatusCode::OK),
        ("/projects/foreign/records", StatusCode::UNAUTHORIZED),
        ("/projects/foreign", StatusCode::UNAUTHORIZED),
        ("/projects/foreign/proof?index=1", StatusCode::UNAUTHORIZED),
        ("/projects/foreign/entries", StatusCode::UNAUTHORIZED),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(place.send(request).await.status, status, "{path}");
    }
    let header = format!("/tlog/foreign/objects/{}", header_of("foreign"));
    let request = Request::get(header).body(Body::empty()).unwrap();
    assert_eq!(place.send(request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_asks_who_it_is_for() {
    let place = Place::new();
    let objects = objects(&place).await;
    for somebody in everybody(&place) {
        for object in &objects {
            let path = path_of("/projects/{project}/stream", object);
            let request = Request::get(path);
            let request = match &somebody.key {
                Some(key) => request.header("x-api-key", key),
                None => request,
            };
            let expected = promised("nuao", READ, &somebody, object);
            let status = place.status(request.body(Body::empty()).unwrap()).await;
            assert_eq!(
                status,
                expected.unwrap_or(StatusCode::OK),
                "{} of {}",
                somebody.name,
                object.name
            );
        }
    }
}
