//! The tlog prefix and the proofs, checked with nothing of ours but hashing.

use axum::http::StatusCode;
use quark_trace::core::ledger::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use quark_trace::core::ledger::tiles::entries_of;
use quark_trace::core::ledger::{Checkpoint, CompactRange, Digest, VerifierKey};
use serde_json::json;

use super::place::{Place, record};

async fn filled(count: usize) -> (Place, String) {
    let place = Place::new();
    let key = place.node_key("a1");
    assert_eq!(place.begin("p", &key).await.status, StatusCode::CREATED);
    let lines: String = (0..count).map(|at| record("p", &format!("r{at}")) + "\n").collect();
    for lines in lines.split_inclusive('\n').collect::<Vec<_>>().chunks(1000) {
        let answer =
            place.post("/projects/p/records", &key, "application/x-ndjson", lines.concat()).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    place.post("/projects/p/seal", &key, "", "").await;
    (place, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_entries_of_the_prefix_lead_to_its_checkpoint() {
    let (place, key) = filled(700).await;
    let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
    let keys = text(place.get("/tlog/p/log.vkey", &key).await.body);
    let verifier = VerifierKey::parse(keys.trim()).unwrap();
    let note = text(place.get("/tlog/p/checkpoint", &key).await.body);
    let sealed = Checkpoint::open(&note, &verifier).unwrap();
    assert_eq!(sealed.size, 702);
    let (mut range, mut leaves) = (CompactRange::new(), Vec::new());
    for bundle in ["000", "001", "002.p/190"] {
        let answer = place.get(&format!("/tlog/p/tile/entries/{bundle}"), &key).await;
        assert_eq!(answer.status, StatusCode::OK, "{bundle}");
        assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
        for entry in entries_of(&answer.body).unwrap() {
            range.push(leaf_hash(entry));
            leaves.extend_from_slice(&leaf_hash(entry).0);
        }
    }
    assert_eq!((range.size(), range.root()), (702, sealed.root));
    let mut tiles = Vec::new();
    for tile in ["0/000", "0/001", "0/002.p/190"] {
        tiles.extend(place.get(&format!("/tlog/p/tile/{tile}"), &key).await.body);
    }
    assert_eq!(tiles, leaves);
    for missing in
        ["0/003", "0/002", "0/002.p/191", "entries/003", "1/000", "x/000", "0/0", "0/000.p/0"]
    {
        let answer = place.get(&format!("/tlog/p/tile/{missing}"), &key).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}");
    }
    let object = record("p", "r0");
    let digest = Digest::of(object.as_bytes());
    let answer = place.get(&format!("/tlog/p/objects/{digest}"), &key).await;
    assert_eq!(text(answer.body), object);
    let none = Digest::of(b"none");
    let answer = place.get(&format!("/tlog/p/objects/{none}"), &key).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_hold() {
    let (place, key) = filled(300).await;
    let request = axum::http::Request::get("/projects/p/proof?record_id=r123")
        .header("x-api-key", &key)
        .header("accept", "application/json")
        .body(axum::body::Body::empty());
    let proof = place.send(request.unwrap()).await.json();
    assert_eq!(proof["index"], 125);
    let hash = |text: &serde_json::Value| Digest::from_base64(text.as_str().unwrap()).unwrap();
    let path: Vec<Digest> = proof["path"].as_array().unwrap().iter().map(hash).collect();
    let keys = proof["keys"].as_str().unwrap();
    let verifier = VerifierKey::parse(keys.trim()).unwrap();
    let sealed = Checkpoint::open(proof["checkpoint"].as_str().unwrap(), &verifier).unwrap();
    let leaf = leaf_hash(proof["entry"].as_str().unwrap().as_bytes());
    verify_inclusion(leaf, 125, sealed.size, &path, sealed.root).unwrap();
    let text = place.get("/projects/p/proof?index=125", &key).await;
    assert_eq!(text.body, proof["proof"].as_str().unwrap().as_bytes());

    let more = record("p", "later");
    place.post("/projects/p/records", &key, "application/json", more).await;
    place.post("/projects/p/seal", &key, "", "").await;
    let note = String::from_utf8(place.get("/tlog/p/checkpoint", &key).await.body).unwrap();
    let later = Checkpoint::open(&note, &verifier).unwrap();
    assert!(later.size > sealed.size);
    let answer = place.get(&format!("/projects/p/consistency?from={}", sealed.size), &key).await;
    let answer = answer.json();
    assert_eq!(answer["to"], json!(later.size));
    let path: Vec<Digest> = answer["path"].as_array().unwrap().iter().map(hash).collect();
    verify_consistency(sealed.size, sealed.root, later.size, later.root, &path).unwrap();

    for wrong in ["from=0", "from=5&to=4", "from=1&to=100000", "", "from=x"] {
        let answer = place.get(&format!("/projects/p/consistency?{wrong}"), &key).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    for (wrong, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("index=1&record_id=r1", StatusCode::BAD_REQUEST),
        ("index=-1", StatusCode::BAD_REQUEST),
        ("index=100000", StatusCode::NOT_FOUND),
        ("record_id=nobody", StatusCode::NOT_FOUND),
    ] {
        let answer = place.get(&format!("/projects/p/proof?{wrong}"), &key).await;
        assert_eq!(answer.status, status, "{wrong}");
    }
}
