//! Order, atomic batches, compare-and-swap, and record ids.

use super::{Place, all, append, append_at, checked_range, new_record, project, record, with_id};
use crate::error::{ErrorKind, Outcome};
use quark_trace_core::ledger::Kind;

use crate::store::NewEntry;

pub(super) fn dense_indexes(place: &Place) {
    let (store, project) = (place(), project());
    let lines: Vec<_> = (0..40).map(|n| record(&project, &format!("r{n}"), "x")).collect();
    let first = append(store.as_ref(), &project, &[new_record(&lines[0])]).unwrap();
    assert_eq!(first.size, 2, "the header and the record");
    let mut size = 2;
    for batch in lines[1..].chunks(7) {
        let entries: Vec<_> = batch.iter().map(|line| new_record(line)).collect();
        size += batch.len() as u64;
        let appended = append(store.as_ref(), &project, &entries).unwrap();
        assert_eq!((appended.size, appended.existing.len()), (size, 0));
    }
    let seen = all(store.as_ref(), &project);
    assert!(seen[0].line.starts_with(b"log sha256:"), "entry 0 is the header");
    let objects: Vec<_> = seen[1..].iter().filter_map(|seen| seen.object.clone()).collect();
    assert_eq!(objects, lines);
    assert_eq!(checked_range(store.as_ref(), &project).size(), 41);
}

pub(super) fn atomic(place: &Place) {
    let (store, project) = (place(), project());
    let line = |n: u32, payload: &str| record(&project, &format!("r{n}"), payload);
    let (one, other) = (line(1, "one"), line(1, "other"));
    let two = line(2, "two");
    // On a log that does not exist yet, and again on one that does.
    for size in [0, 2] {
        let batch = [new_record(&two), with_id(&one, "r1"), with_id(&other, "r1")];
        let error = append(store.as_ref(), &project, &batch).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RecordConflict);
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
        assert_eq!(checked_range(store.as_ref(), &project).size(), size);
        let error = append_at(store.as_ref(), &project, &[new_record(&two)], Some(9)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict { actual: size });
        assert_eq!(checked_range(store.as_ref(), &project).size(), size);
        if size == 0 {
            append(store.as_ref(), &project, &[new_record(&line(9, "nine"))]).unwrap();
        }
    }
    let batch = [with_id(&one, "r1"), new_record(&two)];
    assert_eq!(append(store.as_ref(), &project, &batch).unwrap().size, 4);
}

pub(super) fn expected(place: &Place) {
    let (store, project) = (place(), project());
    let line = |n: u32| record(&project, &format!("r{n}"), "x");
    append_at(store.as_ref(), &project, &[new_record(&line(0))], Some(0)).unwrap();
    let error = append_at(store.as_ref(), &project, &[new_record(&line(1))], Some(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict { actual: 2 });
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    append_at(store.as_ref(), &project, &[new_record(&line(1))], Some(2)).unwrap();
    let other = place();
    append_at(other.as_ref(), &project, &[new_record(&line(2))], Some(3)).unwrap();
    let error = append_at(store.as_ref(), &project, &[new_record(&line(3))], Some(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict { actual: 4 });
    assert_eq!(all(store.as_ref(), &project).len(), 4);
}

pub(super) fn record_ids(place: &Place) {
    let (store, project) = (place(), project());
    let (one, other) = (record(&project, "a", "1"), record(&project, "a", "2"));
    // Logged without asking for its id to be looked at, then tried again with it.
    append(store.as_ref(), &project, &[new_record(&one)]).unwrap();
    let again = append(store.as_ref(), &project, &[with_id(&one, "a")]).unwrap();
    assert_eq!((again.size, again.existing), (2, vec![(0, 1)]));
    let error = append(store.as_ref(), &project, &[with_id(&other, "a")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordConflict);
    let (b, c) = (record(&project, "b", "1"), record(&project, "c", "1"));
    let batch = [with_id(&b, "b"), with_id(&one, "a"), with_id(&b, "b"), with_id(&c, "c")];
    let appended = append(store.as_ref(), &project, &batch).unwrap();
    assert_eq!((appended.size, appended.existing), (4, vec![(1, 1), (2, 2)]));
    // The ids are known by now; what is logged without a look at them counts all the same.
    let d = record(&project, "d", "1");
    append(store.as_ref(), &project, &[new_record(&d)]).unwrap();
    let again = append(store.as_ref(), &project, &[with_id(&d, "d")]).unwrap();
    assert_eq!((again.size, again.existing), (5, vec![(0, 4)]));
    // A sheet between records takes an index too.
    let sheet = NewEntry::new(Kind::Schema, b"{}");
    let e = record(&project, "e", "1");
    append(store.as_ref(), &project, &[sheet, with_id(&e, "e")]).unwrap();
    let again = append(store.as_ref(), &project, &[with_id(&e, "e")]).unwrap();
    assert_eq!(again.existing, [(0, 6)]);
    assert_eq!(all(store.as_ref(), &project).len(), 7);
}

pub(super) fn record_ids_of_others(place: &Place) {
    let (store, other, project) = (place(), place(), project());
    let line = |id: &str| record(&project, id, "x");
    let (a, b, c) = (line("a"), line("b"), line("c"));
    append(store.as_ref(), &project, &[with_id(&a, "a")]).unwrap();
    append(other.as_ref(), &project, &[with_id(&b, "b")]).unwrap();
    append(other.as_ref(), &project, &[new_record(&c)]).unwrap();
    for (id, object, index) in [("b", &b, 2), ("c", &c, 3), ("a", &a, 1)] {
        let again = append(store.as_ref(), &project, &[with_id(object, id)]).unwrap();
        assert_eq!(again.existing, [(0, index)], "{id}");
    }
    let changed = record(&project, "b", "y");
    let error = append(store.as_ref(), &project, &[with_id(&changed, "b")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordConflict);
    assert_eq!(all(store.as_ref(), &project).len(), 4);
}

pub(super) fn refused_ids(place: &Place) {
    let (store, project) = (place(), project());
    let (a, b) = (record(&project, "a", "1"), record(&project, "b", "1"));
    let changed = record(&project, "a", "2");
    append(store.as_ref(), &project, &[with_id(&a, "a")]).unwrap();
    let batch = [with_id(&b, "b"), with_id(&changed, "a")];
    append(store.as_ref(), &project, &batch).unwrap_err();
    let appended = append(store.as_ref(), &project, &[with_id(&b, "b")]).unwrap();
    assert_eq!(appended.existing, [], "a record that was refused is not there already");
    assert_eq!(all(store.as_ref(), &project)[2].object.as_deref(), Some(b.as_slice()));
}
