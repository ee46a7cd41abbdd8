//! Durability, checkpoints, and opening again.

use quark_trace_core::ledger::{Checkpoint, VerifierKey};

use super::{Place, all, append, checked_range, new_record, project, record};
use crate::store::{Commit, Durability};

pub(super) fn durabilities(place: &Place) {
    let (store, project) = (place(), project());
    let mut size = 1;
    for n in 0..9 {
        let line = record(&project, &format!("r{n}"), "x");
        let durability = [Durability::Buffered, Durability::Sync, Durability::Os][(n + n / 3) % 3];
        let commit = Commit { entries: &[new_record(&line)], expected: None, durability };
        size += 1;
        assert_eq!(store.append(&project, &commit).unwrap().size, size, "{durability:?}");
        assert_eq!(all(store.as_ref(), &project).len() as u64, size, "{durability:?}");
    }
    checked_range(store.as_ref(), &project);
}

pub(super) fn checkpoint(place: &Place) {
    let (store, project) = (place(), project());
    for size in 2..8 {
        let line = record(&project, &format!("r{size}"), "x");
        append(store.as_ref(), &project, &[new_record(&line)]).unwrap();
        let sealed = store.seal(&project).unwrap().expect("the project is there");
        assert_eq!(sealed.range, checked_range(store.as_ref(), &project));
        assert_eq!(store.seal(&project).unwrap().as_ref(), Some(&sealed), "sealed twice");
        assert_eq!(sealed.beside.checkpoint.is_some(), store.info().signs);
        if let (Some(note), Some(keys)) = (&sealed.beside.checkpoint, &sealed.beside.keys) {
            let key = VerifierKey::parse(keys.lines().next().unwrap()).unwrap();
            let checkpoint = Checkpoint::open(note, &key).unwrap();
            assert_eq!((checkpoint.size, checkpoint.root), (size, sealed.range.root()));
        }
        assert_eq!(store.beside(&project).unwrap().as_ref(), Some(&sealed.beside));
        assert_eq!(store.head(&project).unwrap(), Some(sealed));
    }
}

pub(super) fn reopened(place: &Place) {
    let project = project();
    let mut lines = Vec::new();
    for n in 0..6 {
        let store = place();
        let line = record(&project, &format!("r{n}"), "x");
        append(store.as_ref(), &project, &[new_record(&line)]).unwrap();
        lines.push(line);
        let seen = all(place().as_ref(), &project);
        let objects: Vec<_> = seen[1..].iter().filter_map(|seen| seen.object.clone()).collect();
        assert_eq!(objects, lines);
    }
    checked_range(place().as_ref(), &project);
}
