//! Nobody has all the places of the server, and no page is larger than it may be.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use quark_trace_server::Limits;
use quark_trace_server::access::Caller;
use quark_trace_server::access::share::{Holder, for_holder};
use quark_trace_server::registry::{Actor, Opening, Role};
use serde_json::{Value, json};

use super::place::Place;

const LINES: &str = "application/x-ndjson";

fn asked(path: &str, key: Option<&str>) -> Request<Body> {
    let request = Request::get(path);
    let request = key.into_iter().fold(request, |request, key| request.header("x-api-key", key));
    request.body(Body::empty()).unwrap()
}

/// So many records of so many bytes.
async fn fill(place: &Place, project: &str, key: &str, records: usize, bytes: usize) {
    assert_eq!(place.begin(project, key).await.status, StatusCode::CREATED);
    for at in 0..records {
        let record = json!({"record_id": format!("r{at}"), "project_id": project, "stage": "s",
                            "timestamp": "2026-01-02T03:04:05+00:00",
                            "payload": {"n": (at * 7) % 13, "text": "x".repeat(bytes)}});
        let path = format!("/projects/{project}/records");
        let answer = place.post(&path, key, "application/json", record.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json());
    }
}

async fn refused(response: Response) -> (StatusCode, String, Value) {
    let status = response.status();
    // One that was granted may have no end.
    assert!(!status.is_success(), "it was granted: {status}");
    let wait = response.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, wait.unwrap_or_default(), serde_json::from_slice(&body).unwrap())
}

/// Asks until it is granted, for at most 10 seconds.
async fn granted_soon(place: &Place, path: &str, key: &str) {
    let limit = Instant::now() + Duration::from_secs(10);
    while place.respond(asked(path, Some(key))).await.status() != StatusCode::OK {
        assert!(Instant::now() < limit, "a place that was given back is not to be had");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A key has 2 of the 8 places of `path`, its institution 6, and who has no key 2.
async fn shares_out(place: &Place, path: &str, what: &str) {
    let keys = ["a1", "a1", "a2", "a1", "b1"].map(|node| place.node_key(node));
    let mut held = Vec::new();
    for key in &keys[..3] {
        for _ in 0..2 {
            let response = place.respond(asked(path, Some(key))).await;
            assert_eq!(response.status(), StatusCode::OK);
            held.push(response);
        }
        let (status, wait, problem) = refused(place.respond(asked(path, Some(key))).await).await;
        assert_eq!((status, wait.as_str()), (StatusCode::TOO_MANY_REQUESTS, "1"));
        assert_eq!(problem["code"], "too_many_requests");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("its share of 2") && detail.contains(what), "{detail}");
    }
    // A key that was made in place of one that has its share gets none of its own.
    let by = Actor::command_line();
    let known = keys[0].split('_').nth(1).unwrap();
    let successor = place.app.registry.rotate_key(&by, known, i64::MAX).unwrap();
    let response = place.respond(asked(path, Some(successor.key.reveal()))).await;
    assert_eq!(refused(response).await.0, StatusCode::TOO_MANY_REQUESTS);

    // The institution has its share, whatever key comes.
    let (status, _, problem) = refused(place.respond(asked(path, Some(&keys[3]))).await).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(problem["detail"].as_str().unwrap().contains("this institution"), "{problem}");

    // Others are served all the same: who has no key, where the project is open.
    let open = [(); 3].map(|()| place.respond(asked(path, None)));
    let [one, other, third] = open;
    let (one, other) = (one.await, other.await);
    assert_eq!((one.status(), other.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(refused(third.await).await.0, StatusCode::TOO_MANY_REQUESTS);

    // Now all are taken, and that is nobody's fault.
    let (status, _, problem) = refused(place.respond(asked(path, Some(&keys[4]))).await).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("busy")));

    // Whoever goes away gives its places back.
    held.drain(..2);
    granted_soon(place, path, &keys[4]).await;
    granted_soon(place, path, &keys[0]).await;
    drop((held, one, other));
}

async fn opened(limits: Limits, bytes: usize) -> Place {
    let place = Place::with(limits);
    let (a1, by) = (place.node_key("a1"), Actor::command_line());
    fill(&place, "p", &a1, 6, bytes).await;
    let registry = &place.app.registry;
    registry.open_project(&by, &"p".parse().unwrap(), Opening::Records).unwrap();
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_shared_out() {
    let place = opened(Limits { streams: 8, ..Limits::default() }, 10).await;
    shares_out(&place, "/projects/p/stream", "streams").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_shared_out() {
    // More than is on its way to a client that does not read.
    let place = opened(Limits { long_answers: 8, ..Limits::default() }, 200_000).await;
    shares_out(&place, "/projects/p/records", "long answers").await;
    shares_out(&place, "/projects/p/entries", "long answers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_shared_out() {
    const LARGE: usize = 14 * 1024 * 1024;
    let place = std::sync::Arc::new(opened(Limits::default(), 10).await);
    let (greedy, other) = (place.node_key("a1"), place.node_key("a2"));
    // A body that has come but for its end.
    let held = |key: &str| {
        let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(1);
        let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
        let (place, key) = (place.clone(), key.to_owned());
        let answer = tokio::spawn(async move {
            place.post("/projects/p/records", &key, LINES, body).await.status
        });
        (sender, answer)
    };
    let large = || Ok(Bytes::from(vec![b' '; LARGE]));
    let mut slow = Vec::new();
    for _ in 0..2 {
        let (sender, answer) = held(&greedy);
        sender.send(large()).await.unwrap();
        // Taken when the next fits in the channel's one place.
        sender.send(Ok(Bytes::from_static(b" "))).await.unwrap();
        slow.push((sender, answer));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Of 128 MiB a key has 32.
    let refused = place.post("/projects/p/records", &greedy, LINES, vec![b' '; LARGE]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{:?}", refused.json());
    assert_eq!(refused.json()["outcome"], "not_written");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("its share of 32768 KiB"), "{detail}");
    // Small ones always fit, and those of others do; there is no record in this one.
    let small = place.post("/projects/p/records", &greedy, "application/json", "{}").await;
    assert_eq!(small.status, StatusCode::BAD_REQUEST);
    let others = place.post("/projects/p/records", &other, LINES, vec![b' '; LARGE]).await;
    assert_eq!(others.status, StatusCode::BAD_REQUEST, "{:?}", others.json());
    for (sender, answer) in slow {
        drop(sender);
        assert_eq!(answer.await.unwrap(), StatusCode::BAD_REQUEST);
    }
    let again = place.post("/projects/p/records", &greedy, LINES, vec![b' '; LARGE]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_much_keeps_nobody_from_reading() {
    let place = Place::new();
    let key = place.node_key("b1");
    fill(&place, "p", &key, 1, 10).await;
    let greedy = Holder::of(&Caller::Anonymous, Some("10.0.0.1:1".parse().unwrap()));
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Arc::new(std::sync::Mutex::new(held));
    let reads: Vec<_> = (0..100)
        .map(|_| {
            let (app, held) = (place.app.clone(), held.clone());
            let wait = async move {
                app.blocking(move || {
                    // Until nobody holds the other end any more.
                    let _ = held.lock().unwrap().recv();
                    Ok(())
                })
                .await
            };
            tokio::spawn(for_holder(greedy.clone(), wait))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let read = place.get("/projects/p/records?limit=1", &key);
    let answer = tokio::time::timeout(Duration::from_secs(20), read).await;
    assert_eq!(answer.expect("others wait for who reads much").status, StatusCode::OK);
    assert!(reads.iter().all(|read| !read.is_finished()));
    drop(release);
    for read in reads {
        read.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_8_mebibytes_and_the_next_begins_behind_it() {
    let place = Place::new();
    let key = place.node_key("a1");
    fill(&place, "p", &key, 13, 1_000_000).await;
    for order in ["", "&order=payload.n", "&order=payload.n%20DESC"] {
        let mut next = Some(format!("/projects/p/records?limit=100{order}"));
        let (mut pages, mut found) = (Vec::new(), Vec::new());
        while let Some(path) = next {
            let request = Request::get(&path).header("x-api-key", &key).header("accept", LINES);
            let answer = place.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.body.len() <= 8 * 1024 * 1024 + 100, "{}", answer.body.len());
            let records: Vec<Value> = answer
                .body
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect();
            pages.push(records.len());
            found.extend(records.iter().map(|record| record["payload"]["n"].as_u64().unwrap()));
            let link = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
            next =
                link.map(|link| link.trim_start_matches('<').split('>').next().unwrap().to_owned());
        }
        assert_eq!(pages, [8, 5], "{order}");
        let mut expected: Vec<u64> = (0..13).map(|at| (at * 7) % 13).collect();
        if !order.is_empty() {
            expected.sort_unstable();
        }
        if order.ends_with("DESC") {
            expected.reverse();
        }
        assert_eq!(found, expected, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_gets_large_records_one_after_another() {
    let place = Place::new();
    let (node, auditor) = (place.node_key("a1"), place.key(Role::Auditor, Some("A"), None));
    fill(&place, "p", &node, 5, 1_000_000).await;
    let path = "/projects/p/stream?after=0";
    let response = place.respond(asked(path, Some(auditor.key.reveal()))).await;
    let mut body = response.into_body().into_data_stream();
    let mut said = Vec::new();
    let reading = async {
        use tokio_stream::StreamExt;
        while let Some(part) = body.next().await {
            said.extend_from_slice(&part.unwrap());
            if said.len() > 5_000_000 && said.ends_with(b"\n\n") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    let ids: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, ["2", "3", "4", "5", "6"]);
}
