//! Answers that are not what was asked for.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::merkle::leaf_hash;
use quark_trace::core::ledger::{Digest, Kind};
use quark_trace::store::http::HttpOptions;
use quark_trace::store::{Commit, Durability, HttpStore, NewEntry, Plan, Row, Select, Store};
use quark_trace::{Error, ErrorKind, Outcome};
use serde_json::{Value, json};

use super::server::{Answer, Server};

fn project() -> ProjectId {
    "p".parse().unwrap()
}

fn record(id: &str) -> Vec<u8> {
    format!(
        "{{\"record_id\": \"{id}\", \"project_id\": \"p\", \"stage\": \"s\", \
         \"timestamp\": \"t\", \"payload\": {{}}}}"
    )
    .into_bytes()
}

fn receipt(line: &[u8], id: &str, index: u64) -> Value {
    let entry = format!("record sha256:{} by=n1 at=7", Digest::of(line));
    let leaf_hash = leaf_hash(entry.as_bytes()).to_string();
    json!({"project_id": "p", "record_id": id, "index": index, "existing": false,
           "size": index + 1, "entry": entry, "leaf_hash": leaf_hash, "durability": "sync"})
}

fn append(store: &HttpStore, lines: &[&[u8]]) -> Result<u64, Error> {
    let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
    store.append(&project(), &commit).map(|appended| appended.size)
}

#[test]
fn a_receipt_is_for_what_was_sent() {
    let line = record("r1");
    let sound = receipt(&line, "r1", 4);
    let server = Server::start(move |_| Answer::json(201, &sound));
    assert_eq!(append(&server.store(), &[&line]).unwrap(), 5);

    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut receipt = receipt(&line, "r1", 4);
        change(&mut receipt);
        let server = Server::start(move |_| Answer::json(201, &receipt));
        let error = append(&server.store(), &[&line]).unwrap_err();
        assert_eq!(error.outcome(), Some(Outcome::Unknown), "{error}");
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    };
    wrong(&|receipt| receipt["record_id"] = "r2".into());
    wrong(&|receipt| receipt["project_id"] = "q".into());
    wrong(&|receipt| receipt["index"] = 9.into());
    wrong(&|receipt| receipt["leaf_hash"] = "00".repeat(32).into());
    wrong(&|receipt| {
        receipt["entry"] = super::answers::receipt(b"other", "r1", 4)["entry"].clone()
    });
    wrong(&|receipt| receipt["entry"] = "no entry".into());
    wrong(&|receipt| *receipt = Value::Null);
    wrong(&|receipt| *receipt = json!([]));
}

/// A server of 0.1.0 gives no receipt; one that has shown that it is ours does, each time.
#[test]
fn a_success_without_a_receipt_counts_of_an_old_server_alone() {
    let line = record("r1");
    for silent in [json!({}), json!({"records": [{"record_id": "r1"}]}), json!("ok")] {
        let (sound, then) = (receipt(&line, "r1", 4), silent.clone());
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
            1 => Answer::json(201, &sound),
            _ => Answer::json(200, &then),
        });
        let store = server.store();
        let sent = || store.send_records(&project(), &[&line]);
        assert_eq!(sent().unwrap()[0].index, None, "{silent}");
        assert_eq!(sent().unwrap()[0].index, Some(4));
        let error = sent().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{silent}: {error}");
        assert_eq!(error.outcome(), Some(Outcome::Unknown));
    }
    // One that an earlier process knew by its checkpoint.
    let pins = std::env::temp_dir().join(format!("quark-answers-{}", std::process::id()));
    let server = Server::start(|request| match request.target.as_str() {
        "/projects/p/head" => super::forks::Log::of(0..5).answer(request),
        _ => Answer::json(200, &json!({})),
    });
    let open = || server.store_with(HttpOptions { pins: Some(pins.clone()), ..Default::default() });
    open().send_records(&project(), &[&line]).unwrap();
    open().head(&project()).unwrap();
    let error = open().send_records(&project(), &[&line]).unwrap_err();
    assert_eq!(error.outcome(), Some(Outcome::Unknown), "{error}");
    std::fs::remove_dir_all(pins).unwrap();
}

#[test]
fn the_receipts_of_a_batch_are_for_all_of_it_in_its_order() {
    let lines = [record("a"), record("b"), record("c")];
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let told = |ids: &[(&str, u64)]| {
        let records: Vec<_> =
            ids.iter().map(|(id, index)| json!({"record_id": id, "index": index})).collect();
        json!({"project_id": "p", "size": 9, "records": records})
    };
    let sent = |answer: Value| {
        let server = Server::start(move |_| Answer::json(201, &answer));
        append(&server.store(), &lines)
    };
    assert_eq!(sent(told(&[("a", 3), ("b", 4), ("c", 5)])).unwrap(), 6);
    for wrong in [
        told(&[("a", 3), ("b", 4)]),
        told(&[("b", 3), ("a", 4), ("c", 5)]),
        told(&[("a", 3), ("b", 5), ("c", 6)]),
        told(&[("a", 3), ("b", 3), ("c", 4)]),
        told(&[("a", 7), ("b", 8), ("c", 9)]),
    ] {
        let error = sent(wrong.clone()).expect_err(&wrong.to_string());
        assert_eq!(error.outcome(), Some(Outcome::Unknown));
    }
}

fn rows(body: &str, plan: &Plan<'_>) -> Result<Vec<u64>, Error> {
    let body = body.to_owned();
    let server = Server::start(move |_| Answer::text(200, &body));
    let mut seen = Vec::new();
    server.store().scan(&project(), plan, &mut |row| {
        if let Row::Entry { index, .. } = row {
            seen.push(index);
        }
        ControlFlow::Continue(())
    })?;
    Ok(seen)
}

fn row(index: u64, kind: &str) -> String {
    let digest = Digest::of(b"{}");
    format!("{{\"index\": {index}, \"entry\": \"{kind} sha256:{digest}\", \"object\": \"{{}}\"}}\n")
}

#[test]
fn rows_come_dense_and_to_the_end() {
    const END: &str = "{\"end\": true}\n";
    let (one, two, three) = (row(0, "log"), row(1, "sheet"), row(2, "record"));
    let all = Plan::default();
    assert_eq!(rows(&[&one, &two, &three, END].concat(), &all).unwrap(), [0, 1, 2]);
    assert_eq!(rows(END, &all).unwrap(), Vec::<u64>::new());
    let cut = rows(&[one.as_str(), &two].concat(), &all).unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::Unavailable, "{cut}");
    for wrong in [
        [&one, &three, END].concat(),
        [&two, &one, END].concat(),
        [&one, &one, END].concat(),
        "no json\n".to_owned(),
        "{\"index\": 0}\n".to_owned(),
        "{\"index\": 0, \"entry\": \"x\", \"object64\": \"!\"}\n".to_owned(),
        "{\"index\": 0, \"entry\": \"x\", \"object\": 7}\n".to_owned(),
    ] {
        let error = rows(&wrong, &all).expect_err(&wrong);
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{wrong}: {error}");
    }
    let records = Plan { select: Select::Records, ..Plan::default() };
    assert_eq!(rows(&[&three, END].concat(), &records).unwrap(), [2]);
    assert!(rows(&[&two, END].concat(), &records).is_err(), "a sheet among records");
    let until = Plan { until: Some(2), ..Plan::default() };
    assert!(rows(&[&one, &two, &three, END].concat(), &until).is_err(), "behind the end");
    let from = Plan { from: 1, ..Plan::default() };
    assert!(rows(&[&one, &two, END].concat(), &from).is_err(), "before the beginning");
}

#[test]
fn objects_come_as_their_bytes() {
    let digest = Digest::of(b"x");
    let body = format!(
        "{{\"index\": 0, \"entry\": \"record sha256:{digest}\", \"object64\": \"//4A\"}}\n\
         {{\"index\": 1, \"entry\": \"record sha256:{digest}\"}}\n{{\"end\": true}}\n"
    );
    let server = Server::start(move |_| Answer::text(200, &body));
    let mut seen = Vec::new();
    let scanned = server.store().scan(&project(), &Plan::default(), &mut |row| {
        if let Row::Entry { object, .. } = row {
            seen.push(object.map(|object| object.into_owned()));
        }
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    assert_eq!(seen, [Some(vec![0xff, 0xfe, 0x00]), None]);
}

#[test]
fn records_of_another_project_are_not_taken() {
    let answer = |body: &'static str| {
        let server = Server::start(move |_| Answer::text(200, body));
        server.store().record_lines("p").map(|lines| lines.len())
    };
    let own = r#"[{"record_id":"1","project_id":"p","stage":"s","timestamp":"t","payload":{}}]"#;
    assert_eq!(answer(own).unwrap(), 1);
    assert_eq!(answer("[]").unwrap(), 0);
    for wrong in [
        r#"[{"record_id":"1","project_id":"q","stage":"s","timestamp":"t","payload":{}}]"#,
        r#"[{"project_id":"p"}]"#,
        r#"{"items": []}"#,
        "no json",
    ] {
        assert_eq!(answer(wrong).unwrap_err().kind(), ErrorKind::Corrupted, "{wrong}");
    }
}

#[test]
fn what_a_server_does_not_take_is_not_sent() {
    let server = Server::start(|_| Answer::text(500, ""));
    let store = server.store();
    let many = vec![record("a"); 1001];
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    assert_eq!(append(&store, &many).unwrap_err().kind(), ErrorKind::Unsupported);
    let key = [NewEntry::new(Kind::Key, b"{}")];
    let commit = Commit { entries: &key, expected: None, durability: Durability::Sync };
    assert_eq!(store.append(&project(), &commit).unwrap_err().kind(), ErrorKind::Unsupported);
    let huge = vec![b'x'; 17 * 1024 * 1024];
    assert_eq!(append(&store, &[&huge]).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(server.count(), 0);
}
