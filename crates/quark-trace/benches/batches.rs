//! What a log of some size costs whoever writes batches and asks questions, over each store:
//! `cargo bench -p quark-trace --bench batches -- file` (or `sqlite`, or `postgres` with
//! `--features postgres` under `tools/with-postgres`). The second argument is the number of records
//! at the end, a million unless given; a third, `append`, leaves the questions out.
//!
//! Batches have a thousand records whose ids the caller chose, as a server writes them.

#![allow(clippy::print_stdout, reason = "it is a benchmark")]

use std::path::Path;
use std::time::Instant;

use quark_trace::core::payload::Payload;
use quark_trace::store::{OpenOptions, open};
use quark_trace::summary::summary;
use quark_trace::{Record, TraceLog};

const BATCH: u64 = 1000;
/// Batches that are measured at each size, at most.
const MEASURED: u64 = 100;

fn main() {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(store) = arguments.first() else {
        println!("STORE [RECORDS [append]]");
        return;
    };
    let last = arguments.get(1).map_or(1_000_000, |count| count.parse().expect("a number"));
    let folder = std::env::temp_dir().join(format!("quark-bench-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).expect("a folder");
    let url = url(store, &folder);
    let mut log = open_log(&url);
    let mut size = 0;
    for goal in [1_000, 100_000, 1_000_000].into_iter().filter(|goal| *goal <= last) {
        let mut took = Vec::new();
        while size < goal {
            let records: Vec<Record> = (size..size + BATCH).map(|n| record(&log, n)).collect();
            let started = Instant::now();
            log.append_all(&records).expect("the batch is written");
            took.push(started.elapsed().as_secs_f64() * 1e6 / BATCH as f64);
            size += BATCH;
        }
        append_row(goal, &took);
        if arguments.get(2).is_none() {
            questions(goal, &log);
            let started = Instant::now();
            log.store().close().expect("a close");
            println!("{goal:>9}  close {:26.3} s", started.elapsed().as_secs_f64());
            log = open_log(&url);
            questions(goal, &log);
        }
    }
    if arguments.get(2).is_some() {
        // Without what closing does.
        std::mem::forget(log);
    }
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

fn url(store: &str, folder: &Path) -> String {
    match store {
        "file" => folder.join("logs").display().to_string(),
        "sqlite" => format!("sqlite:{}", folder.join("trace.db").display()),
        _ => std::env::var("QUARK_TRACE_TEST_POSTGRES").expect("run it with tools/with-postgres"),
    }
}

fn open_log(url: &str) -> TraceLog {
    let store = open(url, OpenOptions::default()).expect("the store can be opened");
    TraceLog::new(store, "batches".parse().expect("a project id"))
}

fn append_row(goal: u64, took: &[f64]) {
    let last = &took[took.len().saturating_sub(MEASURED as usize)..];
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let longest = took.iter().copied().fold(0.0, f64::max) * BATCH as f64 / 1e3;
    let mut sorted = last.to_vec();
    sorted.sort_by(f64::total_cmp);
    println!(
        "{goal:>9}  append: all {:.2}, last {:.2} (median {:.2}) us a record; longest {longest:.0} ms",
        mean(took),
        mean(last),
        sorted[sorted.len() / 2]
    );
}

/// Each question once more than is measured, so that caches are as they are on the second day.
fn questions(size: u64, log: &TraceLog) {
    for (what, query, hits) in [
        ("stage", "stage = 'aggregation_round'", size / 160),
        ("number", "payload.num_examples < 1006", (0..size).filter(|n| n % 997 < 6).count() as u64),
    ] {
        for turn in ["first", "again"] {
            let started = Instant::now();
            let page = log.query(query).and_then(|search| search.page()).expect("an answer");
            let took = started.elapsed().as_secs_f64() * 1e3;
            assert_eq!(page.hits.len() as u64, hits, "{query}");
            println!("{size:>9}  filter by {what:<8} {turn:<8} {took:9.2} ms");
        }
    }
    for turn in ["cold", "kept"] {
        let started = Instant::now();
        let counted = summary(log).expect("the log can be read");
        let took = started.elapsed().as_secs_f64() * 1e3;
        assert_eq!(counted.total_records, size);
        println!("{size:>9}  summary {:10} {turn:<8} {took:9.2} ms", "");
    }
}

fn record(log: &TraceLog, number: u64) -> Record {
    let stage = if number % 160 == 159 { "aggregation_round" } else { "client_round" };
    let payload = Payload::new()
        .with("round", number / 160)
        .with("client_id", format!("hospital-{:03}", number % 160))
        .with("loss", 1.0 / (1.0 + number as f64 * 0.001))
        .with("accuracy", 0.5 + (number * 7919 % 10007) as f64 / 20014.0)
        .with("num_examples", 1000 + number % 997);
    log.draft(stage, payload.as_bytes()).expect("a record")
}
