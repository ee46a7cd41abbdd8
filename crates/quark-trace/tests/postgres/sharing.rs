//! Callers that wait together, and writers that know nothing of each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, NewEntry, Store};

use crate::server::Schema;

pub fn line(id: &str) -> Vec<u8> {
    format!(
        "{{\"record_id\": \"{id}\", \"project_id\": \"demo\", \"stage\": \"s\", \"timestamp\": \
         \"2026-01-02T03:04:05+00:00\", \"payload\": {{\"n\": 1}}}}"
    )
    .into_bytes()
}

pub fn append(store: &dyn Store, id: &str) -> quark_trace::Result<u64> {
    let line = line(id);
    let entries = [NewEntry { record_id: Some(id), ..NewEntry::new(Kind::Record, &line) }];
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
    let appended = store.append(&"demo".parse()?, &commit)?;
    Ok(appended.existing.first().map_or(appended.size - 1, |(_, index)| *index))
}

#[test]
fn callers_that_wait_share_a_commit() {
    const THREADS: usize = 16;
    let schema = Schema::new();
    let store = schema.open();
    append(&store, "first").unwrap();
    let mut client = schema.client();
    let mut holder = client.transaction().unwrap();
    holder.query("SELECT size FROM qt_log FOR UPDATE", &[]).unwrap();
    let begun = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..THREADS {
            let (store, begun) = (&store, &begun);
            scope.spawn(move || {
                begun.fetch_add(1, Ordering::SeqCst);
                append(store, &format!("r{n}")).unwrap();
            });
        }
        while begun.load(Ordering::SeqCst) < THREADS {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(500));
        holder.commit().unwrap();
    });
    let query = "SELECT count(*), count(DISTINCT xmin::text) FROM qt_entry";
    let row = schema.client().query_one(query, &[]).unwrap();
    let (entries, commits): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(entries, 2 + THREADS as i64);
    assert!(commits <= 6, "{commits} commits for {THREADS} callers that waited together");
}

/// Two handles take turns at random; a handle that another overtook finds out and goes on.
#[test]
fn handles_that_overtake_each_other_lose_nothing() {
    let schema = Schema::new();
    let (one, other) = (schema.open(), schema.open());
    for n in 0..60_u64 {
        let store = if n * 7919 % 3 == 0 { &one } else { &other };
        assert_eq!(append(store, &format!("r{n}")).unwrap(), n + 1);
    }
    for n in 0..60 {
        assert_eq!(append(&one, &format!("r{n}")).unwrap(), n + 1, "it is there already");
    }
    assert_eq!(one.head(&"demo".parse().unwrap()).unwrap().unwrap().range.size(), 61);
}

/// Programs with one key that sign at the same moment: each sees what the one before it signed, also
/// when it had to wait for that one.
#[test]
fn handles_that_sign_at_the_same_moment_do_not_refuse_each_other() {
    const ROUNDS: usize = 25;
    let schema = Schema::new();
    let project = "demo".parse().unwrap();
    std::thread::scope(|scope| {
        for handle in 0..4 {
            let (store, project) = (schema.open_signing(), &project);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    append(&store, &format!("{handle}-{round}")).unwrap();
                    store.seal(project).unwrap();
                }
            });
        }
    });
    let head = schema.open().head(&project).unwrap().unwrap();
    assert_eq!(head.range.size() as usize, 1 + 4 * ROUNDS);
    assert!(head.beside.checkpoint.unwrap().contains("\n101\n"), "the last seal covers all");
}
