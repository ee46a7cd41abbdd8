//! Searches over a log: pages, orders, times gone by, groups; the same over a folder and in memory.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::core::payload::Payload;
use quark_trace::core::query::{Field, Literal, Number, Order, field};
use quark_trace::core::record::Draft;
use quark_trace::keys::Keyring;
use quark_trace::query::{AsOf, Cursor};
use quark_trace::store::{FileStore, MemoryStore, Store};
use quark_trace::{ErrorKind, Record, TraceLog};

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("quark-query-{}", uuid::Uuid::new_v4()))
}

fn record(id: usize, stage: &str, minute: usize, payload: &str) -> Record {
    let mut line = Vec::new();
    Draft {
        record_id: &format!("r{id}"),
        project_id: "demo",
        stage,
        timestamp: &format!("2026-01-02T03:{minute:02}:00+00:00"),
        payload: payload.as_bytes(),
    }
    .write(&mut line);
    Record::from_line(line).unwrap()
}

const MINUTES: [usize; 12] = [0, 1, 2, 3, 5, 4, 6, 7, 8, 8, 9, 10];

fn filled(store: Arc<dyn Store>) -> TraceLog {
    let log = TraceLog::new(store, "demo".parse().unwrap());
    for (at, minute) in MINUTES.into_iter().enumerate() {
        let payload = match at {
            3 => r#"{"loss": "high", "site": "b"}"#.to_owned(),
            7 => r#"{"loss": {"$numberDouble": "NaN"}, "site": "a"}"#.to_owned(),
            9 => r#"{"site": null}"#.to_owned(),
            _ => format!("{{\"loss\": {}, \"site\": \"{}\"}}", at % 4, ["a", "b"][at % 2]),
        };
        let stage = ["client_round", "eval"][usize::from(at % 3 == 2)];
        log.append(&record(at, stage, minute, &payload)).unwrap();
    }
    log
}

fn ids(log: &TraceLog, query: &str) -> Vec<String> {
    let page = log.query(query).unwrap().page().unwrap();
    page.hits.iter().map(|hit| hit.record.record_id()).collect()
}

fn with_both(test: impl Fn(&TraceLog)) {
    let path = folder();
    let keys = |name: &str| Keyring::load_or_create(&path.join(name)).unwrap();
    test(&filled(Arc::new(MemoryStore::new().with_keys(keys("memory")))));
    test(&filled(Arc::new(FileStore::new(path.join("data")).with_keys(keys("file")))));
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn records_are_found_in_order() {
    with_both(|log| {
        assert_eq!(ids(log, "payload.loss = 1"), ["r1", "r5"]);
        assert_eq!(ids(log, "stage = 'eval' LIMIT 2"), ["r2", "r5"]);
        assert_eq!(
            ids(log, "ORDER BY timestamp DESC, record_id LIMIT 4"),
            ["r11", "r10", "r8", "r9"]
        );
        // Numbers, NaN, text, and what is missing.
        let order = "ORDER BY payload.loss";
        assert_eq!(
            ids(log, order),
            ["r0", "r4", "r8", "r1", "r5", "r2", "r6", "r10", "r11", "r7", "r3", "r9"]
        );
        assert_eq!(ids(log, &format!("{order} DESC LIMIT 3")), ["r3", "r7", "r11"]);
        assert_eq!(ids(log, &format!("{order} DESC")).last().unwrap(), "r9");
        assert_eq!(ids(log, "index BETWEEN 2 AND 3"), ["r1", "r2"]);
        assert_eq!(ids(log, "stage = 'x'"), [""; 0]);
        assert_eq!(log.query("payload.loss >= 2").unwrap().count().unwrap(), 4);
        let built = log.query("").unwrap().filter(Field::payload("loss").ge(2)).limit(1);
        let built = built.order(Order::by(Field::Index).descending());
        assert_eq!(built.page().unwrap().hits[0].index, Some(12));
    });
}

#[test]
fn pages_are_the_whole() {
    with_both(|log| {
        for query in
            ["", "payload.loss < 3", "ORDER BY payload.loss DESC", "ORDER BY stage, timestamp DESC"]
        {
            let whole = ids(log, query);
            for size in 1..5 {
                let (mut paged, mut after) = (Vec::new(), None::<Cursor>);
                loop {
                    let mut search = log.query(query).unwrap().limit(size);
                    if let Some(cursor) = after {
                        // A server hands it out as text.
                        search = search.after(cursor.to_string().parse().unwrap());
                    }
                    let page = search.page().unwrap();
                    paged.extend(page.hits.iter().map(|hit| hit.record.record_id()));
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
                assert_eq!(paged, whole, "{query} by {size}");
            }
        }
        let next = log.query("LIMIT 1").unwrap().page().unwrap().next.unwrap();
        let other = log.query("stage = 'eval'").unwrap().after(next).page().unwrap_err();
        assert_eq!(other.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn pages_have_no_more_bytes_than_they_may() {
    let log = TraceLog::new(Arc::new(MemoryStore::new()), "p".parse().unwrap());
    for at in 0..200_usize {
        // Sizes and order have nothing to do with each other.
        let payload =
            Payload::new().with("n", (at * 73) % 200).with("t", "x".repeat(at * 37 % 900));
        log.log("s", &payload).unwrap();
    }
    for query in ["", "payload.n < 150", "ORDER BY payload.n", "ORDER BY payload.n DESC LIMIT 7"] {
        let asked = log.query(query).unwrap();
        let mut whole = asked.asked().clone();
        whole.limit = None;
        let whole: Vec<_> = log.search(whole).page().unwrap().hits;
        let whole: Vec<_> = whole.iter().map(|hit| hit.record.record_id()).collect();
        for most in [1, 1200, 3000, 1_000_000] {
            let (mut paged, mut after, mut pages) = (Vec::new(), None::<Cursor>, 0);
            loop {
                let mut search = log.query(query).unwrap().most_bytes(most);
                if let Some(cursor) = after {
                    search = search.after(cursor);
                }
                let page = search.page().unwrap();
                pages += 1;
                let bytes: usize = page.hits.iter().map(|hit| hit.record.line().len()).sum();
                assert!(bytes <= most || page.hits.len() == 1, "{query}: {bytes} of {most}");
                paged.extend(page.hits.iter().map(|hit| hit.record.record_id()));
                let Some(next) = page.next else { break };
                assert!(!page.hits.is_empty(), "{query}: a page of nothing goes on");
                after = Some(next);
            }
            assert_eq!(paged, whole, "{query} by {most} bytes");
            assert!(most == 1_000_000 || pages > 20, "{query} by {most} bytes: {pages} pages");
        }
    }
}

#[test]
fn the_log_as_it_was() {
    with_both(|log| {
        let as_of = |as_of: AsOf| {
            let page = log.query("ORDER BY record_id DESC").unwrap().as_of(as_of).page();
            page.map(|page| page.hits.len())
        };
        assert_eq!(as_of(AsOf::Index(0)).unwrap(), 0);
        assert_eq!(as_of(AsOf::Index(5)).unwrap(), 5);
        assert_eq!(as_of(AsOf::Index(u64::MAX)).unwrap(), 12);
        let minute = |minute: i64| AsOf::Time(1_767_322_800_000_000 + minute * 60_000_000);
        assert_eq!(as_of(minute(-1)).unwrap(), 0);
        assert_eq!(as_of(minute(3)).unwrap(), 4);
        // The fifth is of minute 5, so that the sixth, of minute 4, came later.
        assert_eq!(as_of(minute(4)).unwrap(), 4);
        assert_eq!(as_of(minute(8)).unwrap(), 10);
        assert_eq!(as_of(minute(60)).unwrap(), 12);
        let sealed = log.store().seal(log.project()).unwrap().unwrap();
        let note = sealed.beside.checkpoint.unwrap();
        log.append(&record(99, "late", 11, "{}")).unwrap();
        assert_eq!(as_of(AsOf::Checkpoint(note.clone())).unwrap(), 12);
        let longer = note.replacen("\n13\n", "\n15\n", 1);
        assert_eq!(
            as_of(AsOf::Checkpoint(longer)).unwrap_err().kind(),
            ErrorKind::Integrity("E-TRUNC")
        );
        let other = note.replacen("\n13\n", "\n12\n", 1);
        assert_eq!(
            as_of(AsOf::Checkpoint(other)).unwrap_err().kind(),
            ErrorKind::Integrity("E-ROOT")
        );
        assert_eq!(
            as_of(AsOf::Checkpoint("nonsense".to_owned())).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    });
}

#[test]
fn records_are_counted_in_groups() {
    with_both(|log| {
        let (site, loss) = (field("payload.site").unwrap(), field("payload.loss").unwrap());
        let groups =
            log.query("").unwrap().group(&[site], std::slice::from_ref(&loss)).unwrap().groups;
        let by: Vec<_> = groups.iter().map(|group| (group.by[0].clone(), group.records)).collect();
        assert_eq!(by, [(Literal::from("a"), 7), (Literal::from("b"), 4), (Literal::Null, 1)]);
        let a = &groups[0].of[0];
        assert_eq!((a.count, a.min.clone(), a.max.clone()), (7, Some(0.into()), Some(2.into())));
        assert!(a.mean().unwrap().is_nan());
        assert_eq!(a.last, Some(Number::Integer(2)));
        let b = &groups[1].of[0];
        assert_eq!((b.count, b.mean(), b.last.clone()), (3, Some(5.0 / 3.0), Some(3.into())));
        assert_eq!(groups[2].of[0], Default::default());
        let whole = log.query("stage = 'eval'").unwrap().group(&[], &[loss]).unwrap().groups;
        assert_eq!((whole[0].records, whole[0].of[0].mean()), (4, Some(1.5)));
    });
}

#[test]
fn a_folder_of_the_original_is_asked_too() {
    let path = folder();
    fs::create_dir_all(&path).unwrap();
    let mut text = Vec::new();
    for (at, minute) in MINUTES.into_iter().enumerate() {
        text.extend_from_slice(record(at, "s", minute, &format!("{{\"n\": {at}}}")).line());
        text.extend_from_slice(if at == 4 { b"\nno record\n" } else { b"\r\n" });
    }
    fs::write(path.join("demo_trace_log.jsonl"), text).unwrap();
    let log = TraceLog::new(Arc::new(FileStore::new(&path)), "demo".parse().unwrap());
    let page = log.query("payload.n >= 3 LIMIT 3").unwrap().page().unwrap();
    assert_eq!((page.hits[0].index, page.unreadable), (None, 1));
    let rest = log.query("payload.n >= 3").unwrap().after(page.next.unwrap()).page().unwrap();
    assert_eq!(rest.hits.len(), 6);
    let early = log.query("").unwrap().as_of(AsOf::Time(1_767_322_800_000_000 + 240_000_000));
    assert_eq!(early.page().unwrap().hits.len(), 4);
    fs::remove_dir_all(path).unwrap();
}

/// Who reads while others log may see a line whose entry follows at once, and a folder of 0.1.0 is
/// adopted at some time.
#[test]
fn a_cursor_behind_a_record_without_entry_goes_on_when_it_has_one() {
    let path = folder();
    fs::create_dir_all(&path).unwrap();
    let mut text = Vec::new();
    for at in 0..6 {
        text.extend_from_slice(record(at, "s", at, &format!("{{\"n\": {}}}", at / 4)).line());
        text.push(b'\n');
    }
    fs::write(path.join("demo_trace_log.jsonl"), text).unwrap();
    let log = TraceLog::new(Arc::new(FileStore::new(&path)), "demo".parse().unwrap());
    for query in ["LIMIT 2", "ORDER BY payload.n LIMIT 2"] {
        let page = log.query(query).unwrap().page().unwrap();
        assert_eq!((page.hits.len(), page.hits[1].index), (2, None));
        let next = page.next.unwrap();
        let rest = |log: &TraceLog| {
            let mut search = log.query(query.trim_end_matches("LIMIT 2")).unwrap();
            search = search.after(next.clone());
            let page = search.page().unwrap();
            page.hits.iter().map(|hit| hit.record.record_id()).collect::<Vec<_>>()
        };
        assert_eq!(rest(&log), ["r2", "r3", "r4", "r5"]);
        let adopted = path.join(format!("adopted-{}", query.len()));
        fs::create_dir(&adopted).unwrap();
        let name = "demo_trace_log.jsonl";
        fs::copy(path.join(name), adopted.join(name)).unwrap();
        let log = TraceLog::new(Arc::new(FileStore::new(&adopted)), "demo".parse().unwrap());
        log.append(&record(6, "s", 6, "{\"n\": 9}")).unwrap();
        assert!(
            log.history().unwrap().len() == 7
                && log.query("index = 1").unwrap().count().unwrap() == 1
        );
        assert_eq!(rest(&log), ["r2", "r3", "r4", "r5", "r6"], "{query}");
    }
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_search_breaks_off_and_now_stays() {
    with_both(|log| {
        let mut seen = 0;
        let done = log.query("").unwrap().each(|_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((seen, done.unwrap().next.is_none()), (3, true));
        let now = 1_767_322_800_000_000 + 600_000_000;
        let query = "timestamp >= now() - 4m LIMIT 2";
        let page = log.query(query).unwrap().now(now).page().unwrap();
        assert_eq!(page.hits[0].record.record_id(), "r6");
        let next = log.query(query).unwrap().after(page.next.unwrap()).page().unwrap();
        assert_eq!(next.hits[0].record.record_id(), "r8");
        let error = log.query("stag = 'x'").unwrap_err();
        assert!(
            error.to_string().contains("did you mean `stage`?\n  stag = 'x'\n  ^^^^"),
            "{error}"
        );
    });
}

/// Enough records for a folder to be read on several threads, each way of writing among them.
#[test]
fn a_long_log_is_read_on_several_threads_and_says_the_same() {
    let path = folder();
    let store: Arc<dyn Store> = Arc::new(FileStore::new(&path));
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::new()), Arc::clone(&store)];
    let logs = stores.map(|store| TraceLog::new(store, "demo".parse().unwrap()));
    let padding = "p".repeat(150);
    let mut records = Vec::new();
    for at in 0..9000 {
        let site = ["\"oslo\"", "\"osl\\u006f\"", "\"berlin\"", "7", "\"K\\u00f6ln\""][at % 5];
        let payload = format!("{{\"n\": {at}, \"site\": {site}, \"x\": \"{padding}\"}}");
        let stage = if at % 300 == 299 { "aggregation_round" } else { "client_round" };
        let one = record(at, stage, at % 60, &payload);
        let dense = String::from_utf8(one.line().to_vec()).unwrap().replace("\": ", "\":");
        let line = if at % 7 == 0 { dense.into_bytes() } else { one.into_line() };
        records.push(Record::from_line(line).unwrap());
    }
    for log in &logs {
        records.chunks(1000).for_each(|some| drop(log.append_all(some).unwrap()));
    }
    assert!(fs::metadata(path.join("demo_trace_log.jsonl")).unwrap().len() > 2 * 1024 * 1024);
    for query in [
        "stage = 'aggregation_round'",
        "payload.site = 'oslo' LIMIT 100",
        "payload.site = 'Köln' AND payload.n < 500",
        "payload.site IN ('oslo', 'nowhere') AND stage LIKE 'aggregation%'",
        "payload.n BETWEEN 4000 AND 4010",
        "payload.n > 8990 AND index > 8995",
        "index BETWEEN 100 AND 103 OR record_id = 'r8999'",
        "payload.missing IS NULL ORDER BY payload.n DESC LIMIT 3",
        "stage = 'nothing'",
    ] {
        let [memory, file] = &logs;
        assert_eq!(ids(file, query), ids(memory, query), "{query}");
        let pages = |log: &TraceLog| {
            let first = log.query(query).unwrap().limit(2).page().unwrap();
            let next = first.next.map(|cursor| {
                let search = log.query(query).unwrap().as_of(AsOf::Index(8999));
                search.after(cursor).page().unwrap().hits
            });
            let next = next.into_iter().flatten();
            next.map(|hit| (hit.index, hit.record.into_line())).collect::<Vec<_>>()
        };
        assert_eq!(pages(file), pages(memory), "{query}");
    }
    // What others appended has no entry yet, and comes last.
    let records = path.join("demo_trace_log.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(records).unwrap();
    let late = record(9999, "aggregation_round", 1, "{\"n\": 1}");
    let text =
        [late.line(), b"\r\n\r\nno record with aggregation_round\n{\"stage\": \"aggregation_round"];
    std::io::Write::write_all(&mut file, &text.concat()).unwrap();
    let page = logs[1].query("stage = 'aggregation_round'").unwrap().page().unwrap();
    let last = page.hits.last().unwrap();
    assert_eq!((page.hits.len(), last.index, page.unreadable), (31, None, 1));
    assert_eq!(last.record.record_id(), "r9999");
    drop(store);
    fs::remove_dir_all(path).unwrap();
}
