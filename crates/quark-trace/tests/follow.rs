//! Reading on from where a reader of records came to.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use quark_trace::TraceLog;
use quark_trace::core::payload::Payload;
use quark_trace::store::{FileStore, Plan, Row, Select, Store};

type Found = Vec<(Option<u64>, u64, u64, Vec<u8>)>;

/// What a store has of records from `from` on: index, line, offset and bytes.
fn read(store: &FileStore, from: u64) -> Found {
    let mut found = Vec::new();
    let plan = Plan { from, select: Select::Records, ..Plan::default() };
    let scanned = store.scan(&"demo".parse().unwrap(), &plan, &mut |row| {
        match row {
            Row::Entry { index, object, place, .. } => {
                let object = object.map(|object| object.into_owned()).unwrap_or_default();
                found.push((Some(index), place.line, place.offset, object));
            }
            Row::Loose { object, place, .. } => {
                found.push((None, place.line, place.offset, object.to_vec()));
            }
            Row::Torn { place, .. } => found.push((None, place.line, place.offset, Vec::new())),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    found
}

#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

// One test, so that nothing else in the process reads.
#[test]
fn a_reader_that_goes_on_finds_what_one_finds_that_begins_again() {
    let folder = std::env::temp_dir().join(format!("quark-follow-{}", uuid::Uuid::new_v4()));
    let records = folder.join("demo_trace_log.jsonl");
    let foreign = |text: &str| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&records).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let line = |n: u32| {
        format!(
            r#"{{"record_id": "{n}", "project_id": "demo", "stage": "s", "timestamp": "t", "payload": {{}}}}"#
        )
    };
    let follower = FileStore::new(&folder);
    let mut next: u64 = 0;
    let mut compare = |what: &str| {
        for from in [next, next.saturating_sub(3), 0, next + 1, next] {
            let anew = read(&FileStore::new(&folder), from);
            assert_eq!(read(&follower, from), anew, "{what}, from {from}");
            next = anew.iter().filter_map(|row| row.0).max().map_or(next, |last| last + 1);
        }
    };
    let log = || TraceLog::new(Arc::new(FileStore::new(&folder)), "demo".parse().unwrap());
    let append = |count: usize| {
        let log = log();
        for n in 0..count {
            log.log("round", &Payload::new().with("n", n)).unwrap();
        }
        log.store().close().unwrap();
    };
    compare("nothing");
    append(5);
    compare("the first records");
    append(1);
    compare("one more");
    foreign(&format!("{}\r\n\n  \n", line(1)));
    compare("a line without an entry");
    append(2);
    compare("it was adopted");
    foreign(&line(2)[..20]);
    compare("half a line");
    foreign(&line(2)[20..]);
    compare("a line without its end");
    foreign("\n");
    compare("its end");
    append(3);
    compare("records behind it");
    std::fs::write(&records, std::fs::read(&records).unwrap().split_off(7)).unwrap();
    compare("something else is there");
    std::fs::remove_dir_all(&folder).unwrap();

    append(3000);
    let length = std::fs::metadata(&records).unwrap().len();
    assert_eq!(read(&follower, 0).len(), 3000);
    #[cfg(target_os = "linux")]
    {
        let before = bytes_read();
        assert_eq!(read(&follower, 3001).len(), 0);
        let read = bytes_read() - before;
        assert!(read < 16 * 1024, "{read} bytes were read, of a log of {length}");
    }
    assert!(length > 300_000);
    std::fs::remove_dir_all(&folder).unwrap();
}
