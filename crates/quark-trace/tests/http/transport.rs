//! What goes over the wire, and what may come back over it.

use std::time::{Duration, Instant};

use quark_trace::store::http::{Answered, HttpOptions};
use quark_trace::store::{HttpStore, OpenOptions, Password, Store, open};
use quark_trace::{ErrorKind, Outcome};
use serde_json::json;

use super::server::{Answer, KEY, Server};

const LINE: &[u8] =
    br#"{"record_id": "r1", "project_id": "p", "stage": "s", "timestamp": "t", "payload": {}}"#;

fn project() -> quark_trace::core::ids::ProjectId {
    "p".parse().unwrap()
}

fn quick() -> HttpOptions {
    let brief = Duration::from_millis(400);
    HttpOptions {
        connect_timeout: brief,
        read_timeout: brief,
        deadline: brief,
        ..Default::default()
    }
}

#[test]
fn the_key_goes_with_every_call_on_one_connection() {
    let server = Server::start(|_| Answer::json(200, &json!({"projects": [], "next": null})));
    let store = server.store();
    for _ in 0..20 {
        store.projects().unwrap();
    }
    let _ = store.head(&project());
    let _ = store.send_records(&project(), &[LINE]);
    let requests = server.requests.lock().unwrap();
    assert!(requests.iter().all(|request| request.header("x-api-key") == Some(KEY)));
    assert_eq!(*server.connections.lock().unwrap(), 1);
    assert!(!format!("{store:?} {:?}", store.info()).contains(KEY));
}

#[test]
fn a_redirect_is_followed_by_nobody() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(move |_| Answer::text(status, "elsewhere"));
        let store = server.store();
        let error = store.send_records(&project(), &[LINE]).unwrap_err();
        assert_eq!(error.outcome(), Some(Outcome::NotWritten), "{error}");
        assert!(error.to_string().contains("redirects are not followed"), "{error}");
        assert!(store.head(&project()).is_err());
        assert_eq!(server.count(), 2, "a second request was sent after {status}");
    }
}

#[test]
fn an_id_names_no_other_path() {
    let server = Server::start(|_| Answer::text(404, ""));
    let store = server.store();
    for id in ["../registry/nodes/n1#", "a?x=1", "a/b", "%2e%2e", "//evil", ".."] {
        assert!(store.node(id).is_err());
        let target = server.requests.lock().unwrap().last().unwrap().target.clone();
        assert!(target.starts_with("/registry/nodes/"), "{target}");
        assert_eq!(target.matches('/').count(), 3, "{target}");
        assert!(!target.contains(['?', '#']) && !target.ends_with("/.."), "{target}");
    }
}

#[test]
fn a_server_that_does_not_answer_costs_no_more_than_the_deadline() {
    for answer in [Answer::Slow, Answer::Hang] {
        let server = Server::start(move |_| answer.clone());
        let store = server.store_with(quick());
        let begun = Instant::now();
        assert_eq!(store.head(&project()).unwrap_err().kind(), ErrorKind::Unavailable);
        let error = store.send_records(&project(), &[LINE]).unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Unavailable, Some(Outcome::Unknown))
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_server_that_is_not_there_was_sent_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let store = HttpStore::new(&url, quick()).unwrap();
    let error = store.send_records(&project(), &[LINE]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten), "{error}");
    assert!(error.to_string().contains(&url), "{error}");
    let store = HttpStore::new("https://quark-trace.invalid", quick()).unwrap();
    assert_eq!(store.head(&project()).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn an_answer_that_is_cut_off_is_no_answer() {
    let cut = b"HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"record_id\": \"r1\"";
    let server = Server::start(|_| Answer::Raw(cut.to_vec()));
    let error = server.store().send_records(&project(), &[LINE]).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Some(Outcome::Unknown)));
}

#[test]
fn no_answer_is_larger_than_allowed() {
    let server = Server::start(|_| Answer::Whole(200, vec![b' '; 3_000_000]));
    let store = server.store_with(HttpOptions { answer_limit: 1_000_000, ..Default::default() });
    let error = store.head(&project()).unwrap_err();
    assert!(error.to_string().contains("larger than 1000000 bytes"), "{error}");
    // What explains a refusal is read no further than it is useful.
    let server = Server::start(|_| Answer::Whole(500, vec![b'x'; 50_000_000]));
    let begun = Instant::now();
    let error = server.store().head(&project()).unwrap_err();
    assert_eq!(Answered::of(&error).map(|answer| answer.status), Some(500));
    assert!(error.to_string().len() < 400 && begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let key = || Some(Password::new(KEY));
    let options = || HttpOptions { api_key: key(), ..Default::default() };
    for url in ["http://192.0.2.1", "http://example.org"] {
        let error = HttpStore::new(url, options()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!error.to_string().contains(KEY));
        assert!(HttpStore::new(url, HttpOptions { allow_plain: true, ..options() }).is_ok());
    }
    let opened =
        open("https://trace.example.org/", OpenOptions { api_key: key(), ..Default::default() });
    let info = opened.unwrap().info();
    assert_eq!((info.kind, info.url.as_str()), ("http", "https://trace.example.org"));
}
