//! What proofs and tiles of a log take that is as long as this, from a tree that is kept.
//!
//! ```sh
//! cargo bench -p quark-trace --bench tree -- 1000 100000 1000000
//! ```
//!
//! Makes a log of each length in a folder of its own, in the stores of files and of SQLite, and prints
//! a line of figures for each; the last of them has a checkpoint signed and flushed. What is measured is chosen at random, so that few tiles are in memory.
#![allow(clippy::print_stdout, reason = "its output is its result")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::core::ledger::Tile;
use quark_trace::core::ledger::tiles::{Level, WIDTH};
use quark_trace::keys::Keyring;
use quark_trace::prove::prove;
use quark_trace::store::{Commit, Durability, NewEntry, OpenOptions, Store, open};
use quark_trace::tree::LogTree;

/// How often each thing is done, and how often what waits for the disk is.
const TIMES: u32 = 1000;
const SEALS: u32 = 50;

fn main() {
    let arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let mut lengths: Vec<u64> = arguments.collect();
    if lengths.is_empty() {
        lengths = vec![1000, 100_000];
    }
    println!(
        "store   entries  first read   memory  proof alone     proof  consistency  tile 0  tile 1  \
         bundle  after an append"
    );
    for length in lengths {
        for kind in ["file", "sqlite"] {
            let folder = std::env::temp_dir().join(format!("quark-tree-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir_all(&folder).expect("a folder can be made");
            measure(kind, length, &folder);
            std::fs::remove_dir_all(&folder).expect("the folder can be removed");
        }
    }
}

fn opened(kind: &str, folder: &Path) -> Arc<dyn Store> {
    let keys = Keyring::load_or_create(&folder.join("keys")).expect("a key");
    let name = if kind == "file" { "traces" } else { "trace.db" };
    let url = format!("{kind}:{}", folder.join(name).display());
    open(&url, OpenOptions { keys: Some(keys), ..OpenOptions::default() }).expect("a store")
}

fn fill(store: &dyn Store, project: &ProjectId, length: u64) {
    let numbers: Vec<u64> = (1..length).collect();
    for part in numbers.chunks(1000) {
        let lines: Vec<String> = part.iter().map(|number| record(*number)).collect();
        let entries: Vec<NewEntry<'_>> =
            lines.iter().map(|line| NewEntry::new(Kind::Record, line.as_bytes())).collect();
        append(store, project, &entries);
    }
    store.seal(project).expect("the log is sealed");
}

fn append(store: &dyn Store, project: &ProjectId, entries: &[NewEntry<'_>]) {
    let commit = Commit { entries, expected: None, durability: Durability::Os };
    store.append(project, &commit).expect("the batch is written");
}

fn record(number: u64) -> String {
    format!(
        "{{\"record_id\": \"{number:032x}\", \"project_id\": \"bench\", \"stage\": \
         \"client_round\", \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": {{\"round\": \
         {}, \"client\": \"hospital-{}\", \"loss\": 0.21, \"num_examples\": {number}}}}}",
        number / 160,
        number % 160,
    )
}

/// A number below `limit`, another one each time.
fn any(state: &mut u64, limit: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % limit
}

/// The mean time of one call.
fn each(times: u32, mut act: impl FnMut()) -> String {
    let started = Instant::now();
    (0..times).for_each(|_| act());
    micros(started.elapsed() / times)
}

fn micros(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn measure(kind: &str, length: u64, folder: &Path) {
    let project: ProjectId = "bench".parse().expect("a valid id");
    let store = opened(kind, folder);
    fill(store.as_ref(), &project, length);
    store.close().expect("the log can be closed");
    drop(store);
    // What was written is on the medium, so that writing it does not take part.
    let store = opened(kind, folder);

    let started = Instant::now();
    black_box(prove(store.as_ref(), &project, length / 2).expect("a proof"));
    let alone = millis(started.elapsed());
    let tree = LogTree::new(Arc::clone(&store), project.clone());
    let started = Instant::now();
    tree.refresh().expect("a log that can be read");
    let first = millis(started.elapsed());
    let memory = tree.memory() / 1024;
    assert_eq!(tree.size(), length);
    tree.inclusion(length - 1).expect("a proof");

    let mut state = length;
    let proof =
        each(TIMES, || drop(black_box(tree.inclusion(any(&mut state, length)).expect("a proof"))));
    let consistency = each(TIMES, || {
        let from = any(&mut state, length);
        black_box(tree.consistency(from, length).expect("a proof"));
    });
    let tiles = length / u64::from(WIDTH);
    let mut tile = |level, count| {
        each(TIMES, || {
            let tile = Tile::new(level, any(&mut state, count), WIDTH).expect("a tile");
            black_box(tree.tile(tile, length).expect("the log can be read"));
        })
    };
    let leaves = tile(Level::Hashes(0), tiles);
    let upper = tile(Level::Hashes(1), (tiles / u64::from(WIDTH)).max(1));
    let bundle = tile(Level::Entries, tiles);
    let mut number = length;
    let mut renew = || {
        let line = record(number);
        append(store.as_ref(), &project, &[NewEntry::new(Kind::Record, line.as_bytes())]);
        black_box(tree.inclusion(number).expect("a proof"));
        number += 1;
    };
    // The first append of a handle looks at the log.
    renew();
    let renewed = each(SEALS, renew);
    println!(
        "{kind:<7} {length:>7} {first:>11} {memory:>5} KB {alone:>12} {proof:>9} {consistency:>12} \
         {leaves:>7} {upper:>7} {bundle:>7} {renewed:>16}"
    );
}
