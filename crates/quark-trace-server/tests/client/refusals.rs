//! What a real server refuses, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use quark_trace::core::ids::ProjectId;
use quark_trace::delivery::{Delivered, Delivery, DeliveryOptions, GAP_STAGE, Mode, list};
use quark_trace::store::{Commit, Durability, Store};
use quark_trace::{ErrorKind, Outcome, Record};
use quark_trace_server::registry::Role;

use super::running::{Running, record};

/// The server answers before it has read a body of this size.
#[test]
fn a_record_that_is_too_large_holds_up_nothing() {
    let running = Running::new();
    let project: ProjectId = "p".parse().unwrap();
    running.claim(&project);
    let store = Arc::new(running.store(Role::Node));
    let large = record("large", 12_000_000);
    let error = store.send_records(&project, &[large.line()]).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Some(Outcome::NotWritten)));
    let spool = std::env::temp_dir().join(format!("quark-refused-{}", uuid::Uuid::new_v4()));
    let options = DeliveryOptions { mode: Mode::Background, ..DeliveryOptions::new(&spool) };
    let delivery = Delivery::new(Arc::clone(&store) as _, store.url(), "a1", options);
    for sent in [record("one", 900_000), large, record("two", 1)] {
        assert_eq!(delivery.send(&sent).unwrap(), Delivered::Spooled);
    }
    let status = delivery.flush(Duration::from_secs(30)).unwrap();
    assert_eq!((status.waiting, status.refused), (0, 1), "{status:?}");
    let stages: Vec<_> = store
        .record_lines("p")
        .unwrap()
        .into_iter()
        .map(|line| Record::from_line(line).unwrap().stage().as_str().to_owned())
        .collect();
    assert_eq!(stages, ["s", "s", GAP_STAGE]);
    assert_eq!(list(&spool).unwrap()[0].refused, 1);
    delivery.close().unwrap();
    std::fs::remove_dir_all(spool).unwrap();
}

#[test]
fn nothing_at_all_depends_on_the_size_too() {
    let running = Running::new();
    let project: ProjectId = "p".parse().unwrap();
    running.claim(&project);
    let store = running.store(Role::Node);
    store.send_records(&project, &[record("one", 1).line()]).unwrap();
    let append = |expected| {
        let commit = Commit { entries: &[], expected, durability: Durability::Sync };
        store.append(&project, &commit)
    };
    assert_eq!(append(None).unwrap().size, 2);
    assert_eq!(append(Some(2)).unwrap().size, 2);
    let error = append(Some(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict { actual: 2 });
}
