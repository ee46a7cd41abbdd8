//! What waits for a server, shown and sent.

use std::net::TcpListener;
use std::sync::Arc;

use quark_trace::Record;
use quark_trace::delivery::{Delivery, DeliveryOptions, Mode, OnFull};
use quark_trace::store::{HttpStore, http::HttpOptions};
use session::Session;

mod session;

#[test]
fn what_waits_is_shown_and_stays_while_the_server_is_away() {
    let session = Session::new();
    let spool = session.folder.join("spool");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let command = |words: &[&str]| {
        let mut command = session.command(words);
        command.env("QUARK_TRACE_SPOOL", &spool).env("QUARK_TRACE_API_KEY", "qt_secret");
        command
    };
    let text = |words: &[&str]| {
        let output = command(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("qt_secret"), "{said}");
        (output.status.code(), said)
    };
    assert_eq!(text(&["spool"]), (Some(0), "nothing waits\n".to_owned()));

    let store = Arc::new(HttpStore::new(&url, HttpOptions::default()).unwrap());
    let options = DeliveryOptions { mode: Mode::Background, ..DeliveryOptions::new(&spool) };
    let delivery = Delivery::new(store, &url, "n1", options);
    let line = br#"{"record_id": "r1", "project_id": "demo", "stage": "s", "timestamp": "t", "payload": {}}"#;
    delivery.send(&Record::from_line(line.to_vec()).unwrap()).unwrap();
    assert!(text(&["spool"]).1.contains("yes"), "a process is at work on it");
    delivery.before_fork();
    drop(delivery);

    let (code, shown) = text(&["spool"]);
    assert!(code == Some(0) && shown.contains(&url) && shown.contains("demo"), "{shown}");
    let (_, json) = text(&["--json", "spool"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["waiting"][0]["records"], 1);
    assert_eq!(json["waiting"][0]["in_use"], false);
    let (code, said) = text(&["spool", "--send", "--wait", "1"]);
    assert!(code == Some(2) && said.contains("1 records wait still"), "{said}");
    let (code, said) = text(&["spool", "--send", "--server", "https://other.example.org"]);
    assert_eq!((code, said.as_str()), (Some(0), "nothing waits\n"));
    assert!(text(&["spool"]).1.contains("demo"), "it is kept");
}

#[test]
fn what_was_left_out_is_shown_and_told_of() {
    let session = Session::new();
    let spool = session.folder.join("spool");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let store = Arc::new(HttpStore::new(&url, HttpOptions::default()).unwrap());
    let options = DeliveryOptions {
        mode: Mode::Background,
        limit: 10,
        on_full: OnFull::Drop,
        ..DeliveryOptions::new(&spool)
    };
    let delivery = Delivery::new(store, &url, "n1", options);
    let line = br#"{"record_id": "r1", "project_id": "demo", "stage": "s", "timestamp": "t", "payload": {}}"#;
    delivery.send(&Record::from_line(line.to_vec()).unwrap()).unwrap();
    delivery.before_fork();
    drop(delivery);
    let run = |words: &[&str]| {
        let mut command = session.command(words);
        let output = command.env("QUARK_TRACE_SPOOL", &spool).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (_, json) = run(&["--json", "spool"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let row = &json["waiting"][0];
    assert_eq!((&row["untold"], &row["refused_gaps"]), (&1.into(), &0.into()), "{row}");
    assert!(run(&["spool"]).1.contains("demo"));
    let (code, said) = run(&["spool", "--send", "--wait", "1"]);
    assert!(code == Some(2) && said.contains("1 missing records are not told of yet"), "{said}");
}
