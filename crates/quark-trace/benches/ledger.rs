//! The Rust rows of the benchmark, one workload a run; `benches/run.py` runs it beside the peers.
//!
//! ```sh
//! cargo bench -p quark-trace --bench ledger -- proof_made 1048576 FOLDER
//! ```
//!
//! Prints what the workload took as one line of JSON. Without arguments it lists the workloads.
#![allow(clippy::print_stdout, reason = "its output is its result")]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use quark_trace::core::ledger::{Digest, merkle};
use quark_trace::core::payload::Payload;
use quark_trace::core::stages::Mode;
use quark_trace::keys::Keyring;
use quark_trace::store::{Durability, OpenOptions, open};
use quark_trace::summary::summary;
use quark_trace::{Record, TraceLog};

type Workload = fn(u64, &Path) -> Duration;

const WORKLOADS: [(&str, Workload); 15] = [
    ("append_os", |count, folder| append(count, folder, Durability::Os, 1)),
    ("append_os_checked", append_checked),
    ("append_buffered", |count, folder| append(count, folder, Durability::Buffered, 1)),
    ("append_sync", |count, folder| append(count, folder, Durability::Sync, 1)),
    ("append_sync_8_writers", |count, folder| append(count, folder, Durability::Sync, 8)),
    ("append_batches_of_1000", |count, folder| append_batches(count, folder, Durability::Os)),
    ("append_sync_batches_of_1000", |count, folder| {
        append_batches(count, folder, Durability::Sync)
    }),
    ("proof_made", proof_made),
    ("proof_checked", proof_checked),
    ("prepare", prepare),
    ("index", index),
    ("select", |count, folder| search(folder, "stage = 'aggregation_round'", count / 160)),
    ("filter", |count, folder| search(folder, "payload.num_examples < 1006", few(count))),
    ("summary", |count, folder| summarise(count, folder, false)),
    ("summary_kept", |count, folder| summarise(count, folder, true)),
];

fn main() {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [name, count, folder] = arguments.as_slice() else {
        WORKLOADS.iter().for_each(|(name, _)| println!("{name} COUNT FOLDER"));
        return;
    };
    let (_, workload) =
        WORKLOADS.iter().find(|(known, _)| known == name).expect("a workload of the list");
    let count = count.parse().expect("COUNT is a number");
    let seconds = workload(count, Path::new(folder)).as_secs_f64();
    let peak_mib = peak_kib() as f64 / 1024.0;
    println!(r#"{{"seconds": {seconds}, "count": {count}, "peak_mib": {peak_mib}}}"#);
}

/// The most memory this process has had; 0 where the system does not tell.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// How many of the first `count` events have one of the six least numbers of examples.
fn few(count: u64) -> u64 {
    (0..count).filter(|number| number % 997 < 6).count() as u64
}

/// The log that `benches/run.py` has made.
fn bench_log(folder: &Path) -> TraceLog {
    let setting = |name| std::env::var(name).unwrap_or_default();
    let url = match setting("QUARK_TRACE_BENCH_STORE").as_str() {
        "" | "file" => folder.display().to_string(),
        "sqlite" => format!("sqlite:{}", folder.join("trace.db").display()),
        _ => setting("QUARK_TRACE_BENCH_POSTGRES"),
    };
    let store = open(&url, OpenOptions::default()).expect("a store");
    TraceLog::new(store, "bench".parse().expect("a valid id"))
}

/// Not a measurement: makes the log of `events.py`, where there is none, with all of its indexes.
fn prepare(count: u64, folder: &Path) -> Duration {
    let log = bench_log(folder);
    let stage = |number| if number % 160 == 159 { "aggregation_round" } else { "client_round" };
    for from in (0..count).step_by(1000) {
        let records: Vec<Record> = (from..count.min(from + 1000))
            .map(|number| log.draft(stage(number), event(number).as_bytes()).expect("a record"))
            .collect();
        log.append_all(&records).expect("the batch is written");
    }
    log.store().close().expect("the log can be closed");
    index(count, folder)
}

/// Takes up what the indexes of a log do not hold yet.
fn index(_: u64, folder: &Path) -> Duration {
    let log = bench_log(folder);
    let started = Instant::now();
    log.store().index(log.project()).expect("the log can be indexed");
    let elapsed = started.elapsed();
    log.store().close().expect("the log can be closed");
    elapsed
}

/// Reads the records that a filter of a log selects.
fn search(folder: &Path, query: &str, expected: u64) -> Duration {
    let log = bench_log(folder);
    let started = Instant::now();
    let page = log.query(query).and_then(|search| search.page()).expect("the log can be read");
    let elapsed = started.elapsed();
    assert_eq!(page.hits.len() as u64, expected, "what the filter selects");
    elapsed
}

/// Counts a log, for the first time or once more.
fn summarise(count: u64, folder: &Path, again: bool) -> Duration {
    let log = bench_log(folder);
    if again {
        summary(&log).expect("the log can be read");
    }
    let started = Instant::now();
    let counted = summary(&log).expect("the log can be read");
    let elapsed = started.elapsed();
    assert_eq!(counted.total_records, count);
    elapsed
}

/// `count` records in all, from so many threads, each of which waits for its own record.
fn append(count: u64, folder: &Path, durability: Durability, writers: u64) -> Duration {
    append_to(&begin(folder, durability), count, writers)
}

/// The same by one thread, with every record checked with the vocabulary's schema.
fn append_checked(count: u64, folder: &Path) -> Duration {
    let log = begin(folder, Durability::Os);
    log.stages().adopt_builtin("client_round", Mode::Strict).expect("a schema of the vocabulary");
    append_to(&log, count, 1)
}

/// Appends to a log that holds one record.
fn append_to(log: &TraceLog, count: u64, writers: u64) -> Duration {
    let started = Instant::now();
    thread::scope(|scope| {
        for writer in 0..writers {
            let log = log.clone();
            scope.spawn(move || {
                for number in (writer..count).step_by(writers as usize) {
                    log.log("client_round", &event(number)).expect("the record is written");
                }
            });
        }
    });
    let elapsed = started.elapsed();
    let mut written = 0;
    log.each_line(|_, _| {
        written += 1;
        ControlFlow::Continue(())
    })
    .expect("the log can be read");
    assert_eq!(written, count + 1, "every record is in the log");
    elapsed
}

/// A new log in the store that QUARK_TRACE_BENCH_STORE names: `file`, `sqlite` or `postgres`.
fn begin(folder: &Path, durability: Durability) -> TraceLog {
    let keys = Keyring::load_or_create(&folder.join("keys")).expect("a key can be made");
    let setting = |name| std::env::var(name).unwrap_or_default();
    let url = match setting("QUARK_TRACE_BENCH_STORE").as_str() {
        "" | "file" => folder.join("logs").display().to_string(),
        "sqlite" => format!("sqlite:{}", folder.join("trace.db").display()),
        _ => setting("QUARK_TRACE_BENCH_POSTGRES"),
    };
    let options = OpenOptions { keys: Some(keys), ..OpenOptions::default() };
    let store = open(&url, options).expect("the store can be opened");
    let project = "bench".parse().expect("a project id");
    let log = TraceLog::new(store, project).with_durability(durability);
    log.log("experiment_start", &Payload::new()).expect("the log can be begun");
    log
}

/// `count` records, a thousand in each commit, with ids that the caller chose.
fn append_batches(count: u64, folder: &Path, durability: Durability) -> Duration {
    let log = begin(folder, durability);
    let records: Vec<Record> = (0..count)
        .map(|number| log.draft("client_round", event(number).as_bytes()).expect("a record"))
        .collect();
    let started = Instant::now();
    for batch in records.chunks(1000) {
        log.append_all(batch).expect("the batch is written");
    }
    started.elapsed()
}

/// As `events` in `benches/peers/events.py`.
fn event(number: u64) -> Payload {
    Payload::new()
        .with("round", number / 160)
        .with("client_id", format!("hospital-{:03}", number % 160))
        .with("loss", 1.0 / (1.0 + number as f64 * 0.001))
        .with("accuracy", 0.5 + (number * 7919 % 10007) as f64 / 20014.0)
        .with("num_examples", 1000 + number % 997)
}

fn proof_made(count: u64, _: &Path) -> Duration {
    let levels = levels(count);
    let started = Instant::now();
    for index in scattered(count) {
        black_box(levels.inclusion_proof(index, count).expect("the index is in the tree"));
    }
    started.elapsed()
}

fn proof_checked(count: u64, _: &Path) -> Duration {
    let levels = levels(count);
    let root = levels.root(count).expect("the tree has this size");
    let mut elapsed = Duration::ZERO;
    for index in scattered(count) {
        let leaf = levels.leaf(index).expect("the index is in the tree");
        let path = levels.inclusion_proof(index, count).expect("the index is in the tree");
        let started = Instant::now();
        merkle::verify_inclusion(black_box(leaf), index, count, &path, root)
            .expect("the proof holds");
        elapsed += started.elapsed();
    }
    elapsed
}

fn levels(count: u64) -> merkle::Levels {
    let mut levels = merkle::Levels::new();
    for number in 0..count {
        levels.push(merkle::leaf_hash(Digest::of(&number.to_le_bytes()).to_hex().as_slice()));
    }
    levels
}

/// Every index once, in an order that no cache foresees.
fn scattered(count: u64) -> impl Iterator<Item = u64> {
    // An odd factor gives every remainder of a power of two once.
    assert!(count.is_power_of_two(), "COUNT is a power of two");
    (0..count).map(move |number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count)
}
