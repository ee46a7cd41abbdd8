//! How fast the SQLite store is: `cargo bench -p quark-trace --bench sqlite`.
//!
//! Prints microseconds a record for single appends and batches at three sizes of the log, and what
//! verifying and opening a log of a million records takes. A bare insert into a table of one column
//! stands beside them, and a flush of a small file, which is what a durable append cannot beat.

#![allow(clippy::print_stdout, reason = "it is a benchmark")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::keys::Keyring;
use quark_trace::store::{Commit, Durability, NewEntry, SqliteStore, Store};
use quark_trace::verify::{Policy, verify};

fn record(n: usize) -> Vec<u8> {
    format!(
        "{{\"record_id\": \"00000000-0000-4000-8000-{n:012}\", \"project_id\": \"demo\", \"stage\": \
         \"client_round\", \"timestamp\": \"2026-01-02T03:04:05.{:06}+00:00\", \"payload\": \
         {{\"round\": {n}, \"client_id\": \"client-{}\", \"loss\": 0.{n}, \"accuracy\": 0.5, \
         \"num_examples\": 600}}}}",
        n % 1_000_000,
        n % 100
    )
    .into_bytes()
}

fn project() -> ProjectId {
    "demo".parse().expect("a valid id")
}

/// Appends `count` records from `from` on, `batch` at a time; microseconds a record.
fn append(store: &SqliteStore, from: usize, count: usize, batch: usize, how: Durability) -> f64 {
    let lines: Vec<Vec<u8>> = (from..from + count).map(record).collect();
    let started = Instant::now();
    for lines in lines.chunks(batch) {
        let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
        let commit = Commit { entries: &entries, expected: None, durability: how };
        store.append(&project(), &commit).expect("an append");
    }
    started.elapsed().as_secs_f64() * 1e6 / count as f64
}

fn floor(folder: &Path) {
    let connection = rusqlite::Connection::open(folder.join("bare.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE t (line BLOB)",
        )
        .expect("a table");
    let lines: Vec<Vec<u8>> = (0..20_000).map(record).collect();
    let started = Instant::now();
    for line in &lines {
        let mut insert =
            connection.prepare_cached("INSERT INTO t VALUES (?1)").expect("a statement");
        insert.execute([line]).expect("an insert");
    }
    println!(
        "bare insert, one a transaction   {:8.2} us",
        started.elapsed().as_secs_f64() * 1e6 / 20_000.0
    );
    let mut file = File::create(folder.join("flushed")).expect("a file");
    let started = Instant::now();
    for line in &lines[..200] {
        file.write_all(line).and_then(|()| file.sync_data()).expect("a flush");
    }
    println!(
        "write and fdatasync              {:8.2} us",
        started.elapsed().as_secs_f64() * 1e6 / 200.0
    );
}

/// Appends and nothing else, for a profiler: `COUNT BATCH`.
fn profile(folder: &Path, count: &str, batch: &str) {
    let number = |text: &str| text.parse().expect("a number");
    let store = SqliteStore::new(folder.join("trace.db")).expect("a path");
    let took = append(&store, 0, number(count), number(batch), Durability::Os);
    println!("{count} records, {batch} a batch: {took:.2} us a record");
    // Without what closing does.
    std::mem::forget(store);
}

fn main() {
    let folder = std::env::temp_dir().join(format!("quark-bench-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).expect("a folder");
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [count, batch] = &arguments[..] {
        profile(&folder, count, batch);
        std::fs::remove_dir_all(&folder).expect("the folder goes");
        return;
    }
    floor(&folder);
    let keys = Keyring::load_or_create(&folder.join("keys")).expect("a key");
    let open = || {
        let store = SqliteStore::new(folder.join("trace.db")).expect("a path");
        store.with_keys(keys.clone())
    };
    let store = open();
    let mut size = 0;
    for goal in [1_000, 100_000, 1_000_000] {
        let more = goal - size;
        let filled = append(&store, size, more, 1000, Durability::Os);
        println!("filled to {goal:>9}, 1,000 a batch {filled:8.2} us a record");
        size = goal;
        for (what, count, batch, how) in [
            ("single, os", 5_000, 1, Durability::Os),
            ("single, buffered", 5_000, 1, Durability::Buffered),
            ("single, sync", 200, 1, Durability::Sync),
            ("100 a batch, sync", 10_000, 100, Durability::Sync),
            ("1,000 a batch, os", 20_000, 1000, Durability::Os),
        ] {
            let took = append(&store, size, count, batch, how);
            println!("at {goal:>9}: {what:<20} {took:8.2} us a record");
            size += count;
        }
    }
    let started = Instant::now();
    store.close().expect("a close");
    println!("flush, seal, derive and close    {:8.2} s", started.elapsed().as_secs_f64());
    drop(store);
    let store = open();
    let started = Instant::now();
    append(&store, size, 1, 1, Durability::Os);
    println!("open and append one              {:8.2} ms", started.elapsed().as_secs_f64() * 1e3);
    store.close().expect("a close");
    let started = Instant::now();
    let verdict = verify(&store, &project(), &Policy::default()).expect("a verdict");
    println!(
        "verify {:>9}                 {:8.2} s",
        verdict.size,
        started.elapsed().as_secs_f64()
    );
    assert_eq!(verdict.exit_code(), 0, "{verdict:?}");
    let length = std::fs::metadata(folder.join("trace.db")).expect("the file").len();
    println!("bytes a record                   {:8.0}", length as f64 / verdict.size as f64);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}
