//! Typed columns of what a search finds: all of it, in order, however many threads made them.

use std::sync::Arc;

use quark_trace::core::columns::{Columns, Selection, Values};
use quark_trace::core::payload::Payload;
use quark_trace::core::query::field;
use quark_trace::store::MemoryStore;
use quark_trace::{ErrorKind, TraceLog};

fn log(records: u64) -> TraceLog {
    let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse().unwrap());
    for number in 0..records {
        log.log("step", &Payload::new().with("number", number)).unwrap();
    }
    log
}

/// The integers of a column, chunk by chunk.
fn integers(columns: &Columns, name: &str) -> Vec<i64> {
    let at = columns.schema().iter().position(|heading| heading.name == name).unwrap();
    let chunks = 0..columns.chunks().len();
    let of = |chunk| match columns.dense(chunk, at).values {
        Values::Integer(values) => values,
        other => panic!("{other:?}"),
    };
    chunks.flat_map(of).collect()
}

#[test]
fn everything_is_there_and_in_order() {
    for count in [0, 1, 100, 16_384, 50_001] {
        let log = log(count);
        let mut seen = 0;
        let search = log.query("").unwrap();
        let columns = search.columns(&Selection::All, |rows| seen = rows).unwrap();
        assert_eq!(columns.rows() as u64, count);
        assert!(seen <= count && (count < 16_384 || seen > 0), "{seen} of {count}");
        if count > 0 {
            let numbers: Vec<i64> = (0..count as i64).collect();
            assert_eq!(integers(&columns, "payload.number"), numbers);
            assert_eq!(integers(&columns, "index").len() as u64, count);
        }
    }
}

#[test]
fn only_what_is_selected_and_named() {
    let log = log(40_000);
    let search = log.query("payload.number >= 39998 ORDER BY payload.number DESC").unwrap();
    let wanted = Selection::only(vec![field("payload.number").unwrap()]).unwrap();
    let columns = search.columns(&wanted, |_| {}).unwrap();
    assert_eq!(columns.schema().len(), 1);
    assert_eq!(integers(&columns, "payload.number"), [39_999, 39_998]);
}

#[test]
fn too_many_names_end_it() {
    let log = log(20_000);
    let many = (0..1001).fold(Payload::new(), |all, at| all.with(&format!("k{at}"), at));
    log.log("wide", &many).unwrap();
    for _ in 0..20_000 {
        log.log("step", &Payload::new()).unwrap();
    }
    let error = log.query("").unwrap().columns(&Selection::All, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("name the columns that are wanted"), "{error}");
}
