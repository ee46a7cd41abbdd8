//! Schemas of stages: which are in force, and that records are held to those.

use quark_trace_core::ledger::Kind;
use quark_trace_core::payload::Payload;
use quark_trace_core::stages::{Mode, StageSchema, stage_attribute};

use super::{Place, all, append, new_record, project, record, scan};
use crate::error::{ErrorKind, Outcome};
use crate::log::TraceLog;
use crate::store::{NewEntry, Select, Store};

fn adopt(store: &dyn Store, stage: &str, text: &str) -> u64 {
    let attributes = stage_attribute(stage);
    let entry = NewEntry::new(Kind::Schema, text.as_bytes());
    append(store, &project(), &[NewEntry { attributes: &attributes, ..entry }]).unwrap().size
}

pub(super) fn in_force(place: &Place) {
    let (store, other) = (place(), place());
    let known = |store: &dyn Store| {
        let schemas = store.schemas(&project()).unwrap();
        let read: Vec<_> = schemas
            .in_force
            .into_iter()
            .map(|entry| {
                (entry.stage, entry.index, String::from_utf8(entry.object.unwrap()).unwrap())
            })
            .collect();
        (schemas.until, read)
    };
    let one = |stage: &str, index: u64, text: &str| (stage.to_owned(), index, text.to_owned());
    assert_eq!(known(store.as_ref()), (0, vec![]));
    append(store.as_ref(), &project(), &[new_record(&record(&project(), "a", "x"))]).unwrap();
    assert_eq!(known(store.as_ref()), (0, vec![]));
    assert_eq!(adopt(store.as_ref(), "s", "{}"), 3);
    assert_eq!(known(store.as_ref()), (3, vec![one("s", 2, "{}")]));
    assert_eq!(known(other.as_ref()), (3, vec![one("s", 2, "{}")]));
    adopt(other.as_ref(), "r\u{e9}gime: a/b", "{\"a\": 1}");
    append(store.as_ref(), &project(), &[new_record(&record(&project(), "b", "x"))]).unwrap();
    adopt(store.as_ref(), "s", "{\"b\": 2}");
    let expected = (6, vec![one("r\u{e9}gime: a/b", 3, "{\"a\": 1}"), one("s", 5, "{\"b\": 2}")]);
    assert_eq!(known(store.as_ref()), expected);
    assert_eq!(known(other.as_ref()), expected);
    store.seal(&project()).unwrap();
    store.close().unwrap();
    other.close().unwrap();
    assert_eq!(known(place().as_ref()), expected);
}

pub(super) fn outdated(place: &Place) {
    let (store, other) = (place(), place());
    let line = |id: &str| record(&project(), id, "x");
    let checked = |store: &dyn Store, id: &str, until: u64| {
        let line = line(id);
        let entry = NewEntry { schemas: Some(until), ..new_record(&line) };
        append(store, &project(), &[entry])
    };
    assert_eq!(checked(store.as_ref(), "a", 0).unwrap().size, 2);
    adopt(other.as_ref(), "s", "{}");
    let error = checked(store.as_ref(), "b", 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict { actual: 3 }, "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    assert_eq!(checked(store.as_ref(), "b", 3).unwrap().size, 4);
    assert_eq!(checked(other.as_ref(), "c", 3).unwrap().size, 5);
    assert!(checked(other.as_ref(), "d", 2).is_err());
    adopt(store.as_ref(), "s", "{\"a\": 1}");
    assert!(checked(store.as_ref(), "d", 3).is_err());
    assert_eq!(checked(store.as_ref(), "d", 6).unwrap().size, 7);
    // What was not checked is not held to anything.
    append(other.as_ref(), &project(), &[new_record(&line("e"))]).unwrap();
    assert_eq!(scan(store.as_ref(), &project(), 0, Select::Schemas).len(), 2);
}

/// Two handles, as two processes would have them: whoever appends after a schema is held to it.
pub(super) fn strict(place: &Place) {
    let (store, other) = (place(), place());
    let log = TraceLog::new(store.clone(), project());
    let late = TraceLog::new(other, project());
    let good = || Payload::new().with("round", 1);
    let bad = || Payload::new().with("round", "one");
    let early = log.log("client_round", &bad()).unwrap();
    late.log("client_round", &bad()).unwrap();
    log.stages().adopt_builtin("client_round", Mode::Strict).unwrap();
    for log in [&late, &log] {
        let before = all(store.as_ref(), &project());
        let error = log.log("client_round", &bad()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaBroken, "{error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
        assert_eq!(error.faults()[0].path, "/round");
        let own = log.draft("client_round", bad().as_bytes()).unwrap();
        assert_eq!(log.append(&own).unwrap_err().kind(), ErrorKind::SchemaBroken);
        let batch = [log.draft("client_round", good().as_bytes()).unwrap(), own];
        assert_eq!(log.append_all(&batch).unwrap_err().kind(), ErrorKind::SchemaBroken);
        assert_eq!(all(store.as_ref(), &project()), before, "something was written");
        assert!(log.log("client_round", &good()).unwrap().faults().is_empty());
        log.log("another", &bad()).unwrap();
        assert_eq!(log.append(&early).unwrap(), 1, "what is there already is answered");
    }
    let text = br#"{"properties": {"round": {"type": "string"}}}"#;
    late.stages().adopt("client_round", &StageSchema::read(text).unwrap()).unwrap();
    assert!(log.log("client_round", &bad()).unwrap().faults().is_empty());
    assert_eq!(log.log("client_round", &good()).unwrap().faults()[0].path, "/round");
    let review = log.stages().review().unwrap();
    let broken: Vec<_> = review.broken().iter().map(|broken| broken.records).collect();
    assert_eq!((review.checked(), broken), (4, vec![1]), "only the last breaks that of its time");
}
