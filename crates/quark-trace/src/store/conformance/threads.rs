//! Callers side by side.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::{Place, all, checked_range, new_record, project, record};
use crate::store::{Commit, Durability, Store};

const THREADS: usize = 8;
const BATCHES: usize = 25;

/// Appends batches of three from one thread and notes where each came to stand.
fn writer(store: &dyn Store, thread: usize, ends: &Mutex<HashSet<u64>>) {
    let project = project();
    for batch in 0..BATCHES {
        let line = |n: u32| record(&project, &format!("{thread}-{batch}-{n}"), "x");
        let lines = [line(0), line(1), line(2)];
        let entries: Vec<_> = lines.iter().map(|line| new_record(line)).collect();
        let durability = if batch % 8 == 0 { Durability::Sync } else { Durability::Os };
        let commit = Commit { entries: &entries, expected: None, durability };
        let size = store.append(&project, &commit).unwrap().size;
        assert!(ends.lock().unwrap().insert(size), "two batches end at {size}");
    }
}

fn check(store: &dyn Store) {
    let project = project();
    let seen = all(store, &project);
    assert_eq!(seen.len(), 1 + THREADS * BATCHES * 3);
    checked_range(store, &project);
    let mut next = [0; THREADS];
    for batch in seen[1..].chunks(3) {
        let first = batch[0].object.as_ref().map(|object| String::from_utf8_lossy(object));
        let first = first.expect("the object is there");
        let id = first.split('"').nth(3).expect("the record id");
        let parts: Vec<usize> = id.split('-').map(|part| part.parse().unwrap()).collect();
        assert_eq!((parts[1], parts[2]), (next[parts[0]], 0), "out of the thread's order");
        next[parts[0]] += 1;
        for (n, seen) in batch.iter().enumerate() {
            let expected = record(&project, &format!("{}-{}-{n}", parts[0], parts[1]), "x");
            assert_eq!(seen.object.as_ref(), Some(&expected), "batches were mixed");
        }
    }
    assert_eq!(next, [BATCHES; THREADS]);
}

pub(super) fn append(place: &Place) {
    let (store, ends) = (place(), Mutex::new(HashSet::new()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, ends) = (&store, &ends);
            scope.spawn(move || writer(store.as_ref(), thread, ends));
        }
    });
    check(store.as_ref());
}

pub(super) fn handles(place: &Place) {
    let handles: Vec<Arc<dyn Store>> = (0..THREADS).map(|_| place()).collect();
    let ends = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for (thread, store) in handles.iter().enumerate() {
            let ends = &ends;
            scope.spawn(move || writer(store.as_ref(), thread, ends));
        }
    });
    drop(handles);
    check(place().as_ref());
}

pub(super) fn read(place: &Place) {
    let (writer, reader, done) = (place(), place(), AtomicBool::new(false));
    let project = project();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..400 {
                let line = record(&project, &format!("r{n}"), &"y".repeat(n * 7 % 5000));
                super::append(writer.as_ref(), &project, &[new_record(&line)]).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut last = 0;
        while !done.load(Ordering::SeqCst) {
            let verdict = crate::verify::verify(reader.as_ref(), &project, &Default::default());
            let size = match verdict {
                Ok(verdict) => {
                    assert!(!verdict.is_tampered(), "while others write: {verdict:?}");
                    verdict.size
                }
                Err(error) => {
                    assert_eq!(error.kind(), crate::ErrorKind::NotFound, "{error}");
                    0
                }
            };
            assert!(size >= last, "the log became shorter: {last}, then {size}");
            last = size;
        }
    });
    assert_eq!(all(reader.as_ref(), &project).len(), 401);
}
