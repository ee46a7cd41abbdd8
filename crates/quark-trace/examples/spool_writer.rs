//! What the tests of delivery start and kill: it delivers numbered records through a spool.
//!
//! ```text
//! spool_writer URL SPOOL DONE COUNT MODE SPEED [LIMIT [drop]]
//! ```
//!
//! DONE is a file that says up to which number records were acknowledged; the next start goes on
//! behind it. In the end it waits until nothing waits, and prints what became of the records.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use quark_trace::core::record::Draft;
use quark_trace::delivery::{Delivered, Delivery, DeliveryOptions, OnFull, Pace};
use quark_trace::store::http::HttpOptions;
use quark_trace::store::{HttpStore, Password};
use quark_trace::{ErrorKind, Record};

fn record(number: u64) -> Record {
    let mut line = Vec::new();
    let payload = format!("{{\"round\": {number}, \"loss\": 0.21}}");
    let draft = Draft {
        record_id: &format!("r{number:08}"),
        project_id: "demo",
        stage: "client_round",
        timestamp: "2026-01-02T03:04:05+00:00",
        payload: payload.as_bytes(),
    };
    draft.write(&mut line);
    Record::from_line(line).expect("a record")
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, spool, done, count, mode, speed, more @ ..] = words.as_slice() else {
        panic!("see the head of the source");
    };
    let api_key = Some(Password::new("qt_1"));
    let brief = Duration::from_secs(2);
    let settings =
        HttpOptions { api_key, deadline: brief, read_timeout: brief, ..Default::default() };
    let store = Arc::new(HttpStore::new(url, settings).expect("a server"));
    let mut options = DeliveryOptions::new(spool);
    options.mode = mode.parse().expect("a mode");
    options.pace = Pace::times(speed.parse().expect("a speed"));
    if let Some(limit) = more.first() {
        options.limit = limit.parse().expect("a limit");
    }
    if more.get(1).is_some_and(|word| word == "drop") {
        options.on_full = OnFull::Drop;
    }
    let delivery = Delivery::new(store, url, "n1", options);
    let begun = fs::read_to_string(done).unwrap_or_default().trim().parse().unwrap_or(0);
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(false).open(done).unwrap();
    let (mut dropped, mut raised) = (0, 0);
    for number in begun + 1..=count.parse::<u64>().expect("a count") {
        match delivery.send(&record(number)) {
            Ok(Delivered::Dropped) => dropped += 1,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => raised += 1,
            Err(error) => panic!("{error}"),
        }
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(format!("{number:010}\n").as_bytes()).unwrap();
    }
    let status = delivery.flush(Duration::from_secs(200 * 3600)).expect("a flush");
    println!("waiting {} dropped {dropped} raised {raised}", status.waiting);
    delivery.close().expect("an end");
}
