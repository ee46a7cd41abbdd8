//! Appending and reading back.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use quark_trace::core::ledger::proof::TlogProof;
use quark_trace::core::ledger::{Digest, VerifierKey, merkle::leaf_hash};
use quark_trace::verify::{Policy, verify};
use serde_json::{Value, json};

use super::place::{Answer, Place, record, sheet};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

async fn begun() -> (Place, String) {
    let place = Place::new();
    let key = place.node_key("a1");
    assert_eq!(place.begin("p", &key).await.status, StatusCode::CREATED);
    (place, key)
}

fn path(rest: &str) -> String {
    format!("/projects/p{rest}")
}

async fn append(place: &Place, key: &str, body: &str) -> Answer {
    place.post(&path("/records"), key, JSON, body.to_owned()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_stored_as_it_was_sent() {
    let (place, key) = begun().await;
    let odd = "{\"record_id\":\"r1\",\n \"payload\":{\"x\":1.50e+1,\"é\":\"\\u00e9\"},\r\n\
               \"stage\":\"s\",  \"timestamp\":\"t\",\"project_id\":\"p\",\"more\":[1]}";
    let answer = append(&place, &key, odd).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let stored = odd.replace(['\n', '\r'], " ");
    let read = place.get(&path("/records/r1"), &key).await;
    assert_eq!(String::from_utf8(read.body).unwrap(), stored);
    let receipt = answer.json();
    assert_eq!(receipt["index"], 2);
    assert_eq!(receipt["durability"], "sync");
    let entry = receipt["entry"].as_str().unwrap();
    assert!(entry.starts_with(&format!("record sha256:{}", Digest::of(stored.as_bytes()))));
    assert_eq!(receipt["leaf_hash"], leaf_hash(entry.as_bytes()).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_a_proof_that_holds_without_the_server() {
    let (place, key) = begun().await;
    let body = record("p", "r1");
    let answer = place.post(&path("/records?receipt=proof"), &key, JSON, body).await.json();
    let proof = TlogProof::parse(answer["proof"].as_str().unwrap()).unwrap();
    let verifier = VerifierKey::parse(answer["keys"].as_str().unwrap().trim()).unwrap();
    let leaf = leaf_hash(answer["entry"].as_str().unwrap().as_bytes());
    assert_eq!(proof.verify(leaf, &verifier).unwrap().size, 3);
    let again = place.get(&path("/records/r1/receipt"), &key).await.json();
    assert_eq!(again["leaf_hash"], answer["leaf_hash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_twice_is_there_once() {
    let (place, key) = begun().await;
    let first = append(&place, &key, &record("p", "r1")).await;
    let again = append(&place, &key, &record("p", "r1")).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::OK));
    let (first, again) = (first.json(), again.json());
    assert_eq!(again["existing"], true);
    for same in ["index", "entry", "leaf_hash"] {
        assert_eq!(first[same], again[same], "{same}");
    }
    let other = record("p", "r1").replace("0.5", "0.6");
    let refused = append(&place, &key, &other).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["code"], "record_conflict");
    assert_eq!(refused.json()["outcome"], "not_written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_appended_whole_or_not_at_all() {
    let (place, key) = begun().await;
    let lines = |ids: &[&str]| ids.iter().map(|id| record("p", id) + "\n").collect::<String>();
    let post = async |body: String| place.post(&path("/records"), &key, LINES, body).await;
    let answer = post(lines(&["r1", "r2", "r1"])).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let places: Vec<(u64, bool)> = answer.json()["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["index"].as_u64().unwrap(), it["existing"].as_bool().unwrap()))
        .collect();
    assert_eq!(places, [(2, false), (3, false), (2, true)]);
    assert_eq!(post(lines(&["r1", "r2"])).await.status, StatusCode::OK);

    let many: Vec<String> = (0..1001).map(|at| format!("m{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (body, status) in [
        (lines(&["r3"]) + "not json\n", StatusCode::BAD_REQUEST),
        (lines(&["r3"]) + &record("q", "r4"), StatusCode::BAD_REQUEST),
        (lines(&["r3"]) + &record("p", "r2").replace("0.5", "0.6"), StatusCode::CONFLICT),
        (lines(&many), StatusCode::PAYLOAD_TOO_LARGE),
        ("\n\n".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        let refused = post(body).await;
        assert_eq!(refused.status, status);
        assert_eq!(refused.json()["outcome"], "not_written");
    }
    let all = place.get(&path("/records"), &key).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(post(lines(&many[..1000])).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_record_is_refused_in_words() {
    let (place, key) = begun().await;
    let good: Value = serde_json::from_str(&record("p", "r1")).unwrap();
    let with = |name: &str, value: Value| {
        let mut record = good.clone();
        record[name] = value;
        record.to_string()
    };
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    for (body, words) in [
        (String::new(), "JSON"),
        ("[]".to_owned(), "object"),
        ("{}".to_owned(), "record_id"),
        (with("record_id", json!(5)), "record_id"),
        (with("record_id", json!("")), "record_id"),
        (with("record_id", json!("a\nb")), "record_id"),
        (with("stage", json!("  ")), "stage"),
        (with("stage", json!("s".repeat(201))), "stage"),
        (with("project_id", json!("q")), "project"),
        (with("payload", json!([1])), "payload"),
        (with("payload", json!("x")), "payload"),
        (record("p", "r1").replace("\"loss\":0.5", "\"loss\":1,\"loss\":2"), "twice"),
        (record("p", "r1").replace("\"stage\"", "\"stage\":\"a\",\"stage\""), "twice"),
        (record("p", "r1").replace("0.5", &"[".repeat(200)), "JSON"),
        (record("p", "r1").replace("0.5", &deep[..1000]), "JSON"),
        (
            record("p", "r1").replace("0.5", &format!("{}1{}", "[".repeat(200), "]".repeat(200))),
            "deep",
        ),
    ] {
        let refused = append(&place, &key, &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", &body[..body.len().min(200)]);
        let problem = refused.json();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail} for {words}");
        assert_eq!(problem["outcome"], "not_written");
        assert!(detail.len() < 400, "{detail}");
    }
    let bytes = b"{\"record_id\": \"\xff\"}".to_vec();
    let refused = place.post(&path("/records"), &key, JSON, bytes).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let kinds = ["", "text/plain", "application/xml", "multipart/form-data"];
    for kind in kinds {
        let refused = place.post(&path("/records"), &key, kind, record("p", "r1")).await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let large = record("p", "r1").replace("0.5", &format!("\"{}\"", "x".repeat(1024 * 1024)));
    assert_eq!(append(&place, &key, &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(place.get(&path("/records"), &key).await.body, b"[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_join_to_the_whole_and_filters_mean_what_they_do_anywhere() {
    let (place, key) = begun().await;
    let lines: String = (0..57)
        .map(|at| {
            json!({"record_id": format!("r{at}"), "project_id": "p",
                   "stage": if at % 3 == 0 { "evaluation" } else { "client_round" },
                   "timestamp": "2026-01-02T03:04:05+00:00",
                   "payload": {"round": at / 3, "loss": 1.0 / f64::from(at + 1)}})
            .to_string()
                + "\n"
        })
        .collect();
    let posted = place.post(&path("/records"), &key, LINES, lines).await;
    assert_eq!(posted.status, StatusCode::CREATED);
    let log = place.app.log(&"p".parse().unwrap());
    for (filter, order) in [
        ("stage = 'client_round' AND payload.loss < 0.1", ""),
        ("payload.round BETWEEN 3 AND 9", "payload.loss DESC, stage"),
        ("", "payload.round"),
    ] {
        let mut query = quark_trace::core::query::Query::default();
        if !filter.is_empty() {
            query.filter = Some(quark_trace::core::query::Filter::parse(filter).unwrap());
        }
        query.order = quark_trace::core::query::Order::parse_list(order).unwrap_or_default();
        let expected: Vec<String> = log
            .search(query)
            .page()
            .unwrap()
            .hits
            .iter()
            .map(|hit| hit.record.record_id())
            .collect();
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let mut next = Some(path(&format!("/records?limit=5&filter={}", encode(filter))));
        if filter.is_empty() {
            next = Some(path("/records?limit=5"));
        }
        if !order.is_empty() {
            next = next.map(|path| format!("{path}&order={}", encode(order)));
        }
        let mut found = Vec::new();
        while let Some(path) = next {
            let answer = place.get(&path, &key).await;
            assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json());
            let records = answer.json();
            let records = records.as_array().unwrap();
            assert!(records.len() <= 5);
            found.extend(records.iter().map(|it| it["record_id"].as_str().unwrap().to_owned()));
            let link = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
            assert_eq!(link.is_some(), answer.headers.contains_key("x-next-cursor"));
            next =
                link.map(|link| link.trim_start_matches('<').split('>').next().unwrap().to_owned());
        }
        assert_eq!(found, expected, "{filter} {order}");
    }
    let bad = place.get(&path("/records?filter=payload.loss%20%3C"), &key).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert!(bad.json()["detail"].as_str().unwrap().contains('^'), "{:?}", bad.json());
    for wrong in
        ["limit=0", "limit=1001", "limit=x", "after=zz&limit=1", "as_of=never", "order=stage"]
    {
        let bad = place.get(&path(&format!("/records?{wrong}")), &key).await;
        assert_eq!(bad.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let request = Request::get(path("/records")).header("x-api-key", &key);
    let request = request.header("accept", LINES).body(Body::empty()).unwrap();
    let streamed = place.send(request).await;
    assert_eq!(streamed.body.iter().filter(|byte| **byte == b'\n').count(), 57);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_is_amended_and_every_version_stays() {
    let (place, key) = begun().await;
    let first = place.get(&path(""), &key).await;
    assert_eq!(first.json()["institution_id"], "A");
    assert_eq!(first.json()["version"], 1);
    assert_eq!(place.begin("p", &key).await.status, StatusCode::CONFLICT);
    let amend =
        async |body: Value| place.post(&path("/amendments"), &key, JSON, body.to_string()).await;
    let change =
        json!({"changes": {"domain": "Insurance"}, "amended_by": "Jane", "reason": "moved"});
    assert_eq!(amend(change.clone()).await.status, StatusCode::CREATED);
    for refused in [
        change.clone(),
        json!({"changes": {"version": 9}, "amended_by": "Jane", "reason": "x"}),
        json!({"changes": {"domain": "x"}, "amended_by": "", "reason": "x"}),
        json!({"changes": {"domain": "x"}, "amended_by": "Jane"}),
    ] {
        assert_eq!(amend(refused.clone()).await.status, StatusCode::BAD_REQUEST, "{refused}");
    }
    let versions = place.get(&path("/sheets"), &key).await.json();
    assert_eq!(versions.as_array().unwrap().len(), 2);
    let one = place.get(&path("/sheets/1"), &key).await;
    assert_eq!(one.body, first.body);
    assert_eq!(place.get(&path("/sheets/3"), &key).await.status, StatusCode::NOT_FOUND);
    assert_eq!(place.get(&path("/sheets/x"), &key).await.status, StatusCode::NOT_FOUND);
    // A sheet of another institution is refused.
    let mut foreign = sheet("q");
    foreign["institution"] = json!("B");
    let answer = place.post("/projects/", &key, JSON, foreign.to_string()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_server_verifies() {
    let (place, key) = begun().await;
    for id in ["r1", "r2"] {
        append(&place, &key, &record("p", id)).await;
    }
    let sealed = place.post(&path("/seal"), &key, "", "").await.json();
    assert_eq!(sealed["size"], 4);
    for project in ["p", quark_trace_server::registry::LEDGER] {
        let verdict =
            verify(place.app.store.as_ref(), &project.parse().unwrap(), &Policy::default());
        let verdict = verdict.unwrap();
        assert_eq!(verdict.exit_code(), 0, "{project}: {verdict:?}");
    }
    let rows = place.get(&path("/entries?select=records"), &key).await;
    let rows: Vec<Value> = String::from_utf8(rows.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1]["object"], record("p", "r2"));
    assert_eq!(rows[2], json!({"end": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_schema_is_kept() {
    let (place, key) = begun().await;
    let schema = json!({"title": "loss", "type": "object", "required": ["loss"],
                        "properties": {"loss": {"type": "number", "maximum": 1}},
                        "x-quark-mode": "strict"});
    let adopted = quark_trace::core::stages::StageSchema::read_with_mode(
        schema.to_string().as_bytes(),
        quark_trace::core::stages::Mode::Strict,
    );
    let adopted = adopted.unwrap().object().to_vec();
    let put = place.post(&path("/schemas?stage=client_round"), &key, JSON, adopted).await;
    assert_eq!(put.status, StatusCode::CREATED, "{:?}", put.json());
    let broken = record("p", "r1").replace("0.5", "7");
    let refused = append(&place, &key, &broken).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json()["code"], "schema_broken");
    assert_eq!(refused.json()["faults"][0]["path"], "/loss");
    assert_eq!(append(&place, &key, &record("p", "r1")).await.status, StatusCode::CREATED);
    let in_force = place.get(&path("/schemas"), &key).await.json();
    assert_eq!(in_force[0]["stage"], "client_round");
    assert_eq!(in_force[0]["mode"], "strict");
}
