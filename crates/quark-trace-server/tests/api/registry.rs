//! Keys and who holds them, over time and over several servers.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use quark_trace::ErrorKind;
use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::record::View;
use quark_trace::core::time::typed;
use quark_trace::store::MemoryStore;
use quark_trace_server::registry::{Actor, KeyRequest, Role, Status};
use serde_json::json;

use super::place::{Place, record};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_without_a_gap_and_revoked_at_once() {
    let place = Place::new();
    let admin = place.key(Role::Admin, Some("A"), None).key.reveal().to_owned();
    let old = place.key(Role::Node, None, Some("a1"));
    let (old_id, old) = (old.entry.key_id, old.key.reveal().to_owned());
    assert_eq!(place.begin("p", &old).await.status, StatusCode::CREATED);

    let path = format!("/registry/keys/{old_id}/rotate");
    let body = json!({"overlap_s": 3600}).to_string();
    let rotated = place.post(&path, &old, "application/json", body).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    let new = rotated.json()["key"].as_str().unwrap().to_owned();
    for (id, key) in [("r1", &old), ("r2", &new)] {
        let body = record("p", id);
        let answer = place.post("/projects/p/records", key, "application/json", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{id}");
        assert!(answer.json()["entry"].as_str().unwrap().contains(" by=a1 at="));
    }

    // A key is replaced once: a thief makes no row of keys.
    let body = json!({"overlap_s": 3600}).to_string();
    assert_eq!(
        place.post(&path, &old, "application/json", body).await.status,
        StatusCode::CONFLICT
    );

    // Revoking it ends what was made in its place.
    let revoke = format!("/registry/keys/{old_id}/revoke");
    assert_eq!(place.post(&revoke, &admin, "", "").await.status, StatusCode::OK);
    for key in [&old, &new] {
        assert_eq!(place.get("/projects/p", key).await.status, StatusCode::UNAUTHORIZED);
    }

    // No answer shows a key again, and the store has none.
    let listed = place.get("/registry/keys", &admin).await;
    for key in [&old, &new] {
        assert!(!String::from_utf8_lossy(&listed.body).contains(key.as_str()));
        for kept in place.app.registry.log().history().unwrap() {
            assert!(!String::from_utf8_lossy(kept.line()).contains(key.as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_key_was_last_used_is_known_to_the_minute_and_noted_by_the_hour() {
    const MINUTE_US: i64 = 60_000_000;
    let store = Arc::new(MemoryStore::new());
    let place = Place::on(store.clone());
    let admin = place.key(Role::Admin, Some("A"), None).key.reveal().to_owned();
    let (used, unused) = (place.key(Role::Node, None, Some("a1")), place.node_key("a2"));
    let used_id = used.entry.key_id;
    // What the API says of the keys of the nodes `a1` and `a2`.
    let listed = async |place: &Place| {
        let listed = place.get("/registry/keys", &admin).await.json();
        let of = |node: &str| {
            let keys = listed["keys"].as_array().unwrap();
            keys.iter().find(|key| key["node_id"] == node).unwrap()["last_used_at"].clone()
        };
        (of("a1").as_str().map(|text| typed(text).unwrap()), of("a2"))
    };
    assert_eq!(listed(&place).await, (None, json!(null)));
    let before_us = SystemClock.now_us();
    assert_eq!(place.get("/projects/", used.key.reveal()).await.status, StatusCode::OK);
    let wrong = unused.replace("qt_", "qt_x");
    assert_eq!(place.get("/projects/", &wrong).await.status, StatusCode::UNAUTHORIZED);
    let (at_us, never) = listed(&place).await;
    let at_us = at_us.unwrap();
    assert!((before_us - MINUTE_US..=SystemClock.now_us()).contains(&at_us), "{at_us}");
    assert_eq!((at_us % MINUTE_US, never), (0, json!(null)));

    // The first use is noted at once, and others who read the ledger know it.
    let (registry, last_used) = (&place.app.registry, &place.app.last_used);
    let size =
        || registry.log().store().head(registry.log().project()).unwrap().unwrap().range.size();
    let write = |after_us: i64, ends: bool| {
        last_used.write(registry, before_us + after_us, ends).unwrap();
        registry.refresh().unwrap();
        size()
    };
    let before = size();
    // That of the admin is in the same record.
    assert_eq!(write(0, false), before + 1);
    assert_eq!(listed(&Place::on(store.clone())).await.0, Some(at_us));

    // Later uses are noted once an hour, whatever their number, and when the server ends.
    for minute in 1..=50 {
        last_used.used(&used_id, at_us + minute * MINUTE_US);
        assert_eq!(write(minute * MINUTE_US, false), before + 1, "{minute}");
    }
    assert_eq!(listed(&place).await.0, Some(at_us + 50 * MINUTE_US));
    assert_eq!(write(61 * MINUTE_US, false), before + 2);
    assert_eq!(registry.state().keys[&used_id].last_used_us, Some(at_us + 50 * MINUTE_US));
    last_used.used(&used_id, at_us + 70 * MINUTE_US);
    assert_eq!(write(70 * MINUTE_US, false), before + 2);
    assert_eq!(write(70 * MINUTE_US, true), before + 3);
    assert_eq!(write(70 * MINUTE_US, true), before + 3);

    // A clock that goes backwards takes nothing back, and what is wrong with a record changes nothing.
    last_used.used(&used_id, at_us);
    let keys = [(used_id.clone(), at_us - 1), ("nobody's".to_owned(), at_us)];
    registry.note_used(keys.into()).unwrap();
    registry.refresh().unwrap();
    assert_eq!(listed(&place).await.0, Some(at_us + 70 * MINUTE_US));
    assert_eq!(registry.state().keys.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_ends_is_replaced_by_one_that_ends_as_soon() {
    let place = Place::new();
    let (registry, by) = (&place.app.registry, Actor::command_line());
    let expires_us = Some(SystemClock.now_us() + 3_600_000_000);
    let mut wanted = KeyRequest {
        role: Role::Auditor,
        institution_id: Some("A".to_owned()),
        node_id: None,
        name: String::new(),
        expires_us,
    };
    let issued = registry.issue_key(&by, &wanted).unwrap();
    let path = format!("/registry/keys/{}/rotate", issued.entry.key_id);
    let body = json!({"overlap_s": 60.0}).to_string();
    let rotated = place.post(&path, issued.key.reveal(), "application/json", body).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    let id = rotated.json()["key_id"].as_str().unwrap().to_owned();
    assert_eq!(registry.state().keys[&id].ends_us, expires_us);
    wanted.expires_us = Some(SystemClock.now_us() - 1);
    assert_eq!(registry.issue_key(&by, &wanted).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_one_store_agree_about_keys() {
    let store = Arc::new(MemoryStore::new());
    let one = Place::on(Arc::clone(&store) as _);
    let other = Place::on(store as _);
    let key = one.node_key("a1");
    assert_eq!(other.get("/registry/nodes/a1", &key).await.status, StatusCode::UNAUTHORIZED);
    // What the server does once a second.
    other.app.registry.refresh().unwrap();
    assert_eq!(other.get("/registry/nodes/a1", &key).await.status, StatusCode::OK);
    one.set_node("a1", Status::Inactive);
    other.app.registry.refresh().unwrap();
    for place in [&one, &other] {
        assert_eq!(place.get("/registry/nodes/a1", &key).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_one_institution_whoever_is_first() {
    let store = Arc::new(MemoryStore::new());
    let places: Vec<_> = (0..2).map(|_| Place::on(Arc::clone(&store) as _)).collect();
    let keys = [places[0].node_key("a1"), places[0].node_key("b1")];
    places[1].app.registry.refresh().unwrap();
    let (one, other) = tokio::join!(places[0].begin("p", &keys[0]), places[1].begin("p", &keys[1]));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    places.iter().for_each(|place| place.app.registry.refresh().unwrap());
    let owners = places.iter().map(|place| {
        place.app.registry.state().projects[&"p".parse().unwrap()].institution_id.clone()
    });
    let owners: Vec<_> = owners.collect();
    assert_eq!(owners[0], owners[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_in_the_ledger_without_the_key() {
    let place = Place::new();
    let operator = place.key(Role::Operator, None, None).key.reveal().to_owned();
    let (node, auditor) =
        (place.node_key("a1"), place.key(Role::Auditor, Some("A"), None).key.reveal().to_owned());
    assert_eq!(place.begin("p", &node).await.status, StatusCode::CREATED);
    let wrong = quark_trace_server::access::ApiKey::generate().unwrap();
    for _ in 0..3 {
        place.get("/projects/p", wrong.reveal()).await;
    }
    place.get("/registry/keys", &node).await;
    place.get("/projects/q", &node).await;
    place.get("/projects/p", &auditor).await;
    place.app.audit.write(place.app.registry.log()).unwrap();
    // A second time there is nothing to write.
    place.app.audit.write(place.app.registry.log()).unwrap();

    let answer = place.get("/projects/quark-trace.server/records", &operator).await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!text.contains(wrong.reveal()) && !text.contains(&node));
    let records = place.app.registry.log().history().unwrap();
    let of_stage = |stage: &str| {
        let of = records.iter().filter(|record| record.stage() == stage);
        let mut found: Vec<String> = of
            .map(|record| {
                String::from_utf8_lossy(View::parse(record.line()).unwrap().payload).into_owned()
            })
            .collect();
        found.sort();
        found
    };
    let refused = of_stage("access_refused");
    assert_eq!(refused.len(), 3, "{refused:?}");
    let unknown = refused.iter().find(|text| text.contains("unknown key")).unwrap();
    assert!(unknown.contains("\"times\": 3") && unknown.contains(wrong.id()), "{unknown}");
    assert_eq!(of_stage("read_by_auditor").len(), 1);
    // Nobody else reads it.
    for key in [&node, &auditor] {
        let answer = place.get("/projects/quark-trace.server/records", key).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_manages_the_own_institution_alone() {
    let place = Place::new();
    let admin = place.key(Role::Admin, Some("A"), None).key.reveal().to_owned();
    let post = async |path: &'static str, body: serde_json::Value| {
        place.post(path, &admin, "application/json", body.to_string()).await.status
    };
    let nodes = "/registry/nodes";
    assert_eq!(post(nodes, json!({"node_id": "a3"})).await, StatusCode::CREATED);
    assert_eq!(post(nodes, json!({"node_id": "a3"})).await, StatusCode::CONFLICT);
    let foreign = json!({"node_id": "b2", "institution_id": "B"});
    assert_eq!(post(nodes, foreign).await, StatusCode::NOT_FOUND);
    let keys = "/registry/keys";
    for (wanted, status) in [
        (json!({"role": "node", "node_id": "a3"}), StatusCode::CREATED),
        (json!({"role": "auditor"}), StatusCode::CREATED),
        (json!({"role": "node", "node_id": "b1"}), StatusCode::NOT_FOUND),
        (json!({"role": "node", "node_id": "nobody"}), StatusCode::NOT_FOUND),
        (json!({"role": "auditor", "institution_id": "B"}), StatusCode::NOT_FOUND),
        (json!({"role": "operator"}), StatusCode::FORBIDDEN),
        (json!({"role": "king"}), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(post(keys, wanted.clone()).await, status, "{wanted}");
    }
    let body = json!({"status": "inactive"}).to_string();
    for (node, status) in [("a3", StatusCode::OK), ("b1", StatusCode::NOT_FOUND)] {
        let path = format!("/registry/nodes/{node}");
        let answer =
            place.change(Method::PATCH, &path, &admin, "application/json", body.clone()).await;
        assert_eq!(answer.status, status, "{node}");
    }
}
