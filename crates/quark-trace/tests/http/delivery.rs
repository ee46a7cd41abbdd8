//! Delivery within one process: order, refusals, limits, gaps, takeover.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::record::{Draft, View};
use quark_trace::delivery::{
    Delivered, Delivery, DeliveryOptions, GAP_STAGE, Mode, Notice, OnFull, Pace, Receiver, list,
};
use quark_trace::{Error, ErrorKind, Outcome, Record, Result};

use super::server::{Answer, Server};

/// Keeps what it is sent once, in memory; does what `mood` says first.
#[derive(Debug, Default)]
struct Memory {
    lines: Mutex<Vec<String>>,
    mood: Mutex<HashMap<&'static str, ErrorKind>>,
    calls: AtomicUsize,
}

impl Memory {
    fn is(&self, word: &'static str, kind: ErrorKind) {
        self.mood.lock().unwrap().insert(word, kind);
    }

    fn is_not(&self, word: &'static str) {
        self.mood.lock().unwrap().remove(word);
    }

    fn ids(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let id = |line: &String| {
            let view = View::parse(line.as_bytes()).unwrap();
            if view.stage.to_str() == GAP_STAGE {
                "gap".to_owned()
            } else {
                view.record_id.to_str().into()
            }
        };
        lines.iter().map(id).collect()
    }
}

impl Receiver for Memory {
    fn receive(&self, _project: &ProjectId, lines: &[&[u8]]) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let text: Vec<_> =
            lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        // Whoever is told `lost` has the lines all the same.
        let store = |kept: &mut Vec<String>| {
            for line in &text {
                if !kept.contains(line) {
                    kept.push(line.clone());
                }
            }
        };
        for (word, kind) in self.mood.lock().unwrap().iter() {
            if text.iter().any(|line| line.contains(word)) || *word == "down" {
                return Err(Error::new(*kind, "append to the log", format!("it is {word}")));
            }
            if *word == "lost" {
                store(&mut self.lines.lock().unwrap());
                return Err(Error::new(*kind, "append to the log", "it is lost"));
            }
        }
        store(&mut self.lines.lock().unwrap());
        Ok(())
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("quark-delivery-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }

    fn with_ending(&self, ending: &str) -> Vec<PathBuf> {
        let mut files = self.files();
        files.retain(|path| path.extension().is_some_and(|found| found == ending));
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record_of(project: &str, id: &str, size: usize) -> Record {
    let mut line = Vec::new();
    let payload = format!("{{\"x\": \"{}\"}}", "x".repeat(size));
    Draft {
        record_id: id,
        project_id: project,
        stage: "s",
        timestamp: "t",
        payload: payload.as_bytes(),
    }
    .write(&mut line);
    Record::from_line(line).unwrap()
}

fn record(id: &str) -> Record {
    record_of("p", id, 1)
}

fn options(folder: &Path, mode: Mode) -> DeliveryOptions {
    DeliveryOptions { mode, pace: Pace::times(3600), ..DeliveryOptions::new(folder) }
}

fn made(memory: &Arc<Memory>, options: DeliveryOptions) -> Delivery {
    Delivery::new(memory.clone(), "https://h", "n1", options)
}

const LONG: Duration = Duration::from_secs(3600 * 24);

#[test]
fn auto_sends_at_once_and_goes_behind_what_waits() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let delivery = made(&memory, options(&folder.0, Mode::Auto));
    assert_eq!(delivery.send(&record("a")).unwrap(), Delivered::Stored);
    assert_eq!(folder.with_ending("records"), Vec::<PathBuf>::new());
    memory.is("down", ErrorKind::Unavailable);
    assert_eq!(delivery.send(&record("b")).unwrap(), Delivered::Spooled);
    memory.is_not("down");
    // Whichever way it goes, it is not before b.
    delivery.send(&record("c")).unwrap();
    assert_eq!(delivery.flush(LONG).unwrap().waiting, 0);
    assert_eq!(delivery.send(&record("d")).unwrap(), Delivered::Stored);
    assert_eq!(memory.ids(), ["a", "b", "c", "d"]);
    assert!(matches!(delivery.notices()[..], [Notice::Spooling { .. }]));
    assert_eq!(delivery.notices(), []);
    delivery.close().unwrap();
    assert_eq!(folder.with_ending("records"), Vec::<PathBuf>::new());
}

#[test]
fn an_answer_that_was_lost_stores_once() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let delivery = made(&memory, options(&folder.0, Mode::Auto));
    memory.is("lost", ErrorKind::Unavailable);
    for id in ["a", "b", "c"] {
        assert_eq!(delivery.send(&record(id)).unwrap(), Delivered::Spooled);
    }
    memory.is_not("lost");
    assert_eq!(delivery.flush(LONG).unwrap().waiting, 0);
    assert_eq!(memory.ids(), ["a", "b", "c"]);
}

#[test]
fn strict_and_auto_raise_what_the_server_says() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    memory.is("down", ErrorKind::PermissionDenied);
    for mode in [Mode::Strict, Mode::Auto] {
        let delivery = made(&memory, options(&folder.0, mode));
        let error = delivery.send(&record("a")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{mode:?}");
    }
    memory.is("down", ErrorKind::Unavailable);
    let strict = made(&memory, options(&folder.0, Mode::Strict));
    assert_eq!(strict.send(&record("a")).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(folder.with_ending("records"), Vec::<PathBuf>::new());
}

#[test]
fn background_ships_in_batches_and_in_order() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let delivery = made(&memory, options(&folder.0, Mode::Background));
    memory.is("down", ErrorKind::Unavailable);
    let ids: Vec<String> = (0..5000).map(|number| format!("r{number}")).collect();
    for id in &ids {
        assert_eq!(delivery.send(&record(id)).unwrap(), Delivered::Spooled);
    }
    memory.is_not("down");
    let before = memory.calls.load(Ordering::SeqCst);
    assert_eq!(delivery.flush(LONG).unwrap().waiting, 0);
    assert_eq!(memory.ids(), ids);
    assert!(memory.calls.load(Ordering::SeqCst) - before <= 8, "not in batches");
}

#[test]
fn a_record_that_is_refused_for_good_is_kept_and_told_of() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let delivery = made(&memory, options(&folder.0, Mode::Background));
    memory.is("xxx", ErrorKind::SchemaBroken);
    for (id, size) in [("a", 1), ("b", 1), ("bad1", 5), ("c", 1), ("bad2", 5)] {
        delivery.send(&record_of("p", id, size)).unwrap();
    }
    let status = delivery.flush(LONG).unwrap();
    assert_eq!((status.waiting, status.refused), (0, 2));
    let refused: String = folder
        .with_ending("refused")
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(refused.contains("\"bad1\"") && refused.contains("schema_broken"), "{refused}");
    assert_eq!(memory.ids(), ["a", "b", "c", "gap", "gap"]);
    assert!(memory.lines.lock().unwrap()[3].contains("\"first_record_id\": \"bad1\""));
    assert!(delivery.notices().iter().any(|notice| matches!(notice, Notice::Refused { .. })));
    let listed = list(&folder.0).unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].refused == 2 && listed[0].in_use, "{listed:?}");
}

#[test]
fn what_tells_of_a_gap_is_not_refused_in_silence() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let delivery = made(&memory, options(&folder.0, Mode::Background));
    memory.is("xxx", ErrorKind::SchemaBroken);
    memory.is(GAP_STAGE, ErrorKind::SchemaBroken);
    for (id, size) in [("a", 1), ("bad", 5), ("b", 1)] {
        delivery.send(&record_of("p", id, size)).unwrap();
    }
    let status = delivery.flush(LONG).unwrap();
    assert_eq!((status.waiting, status.refused, status.refused_gaps), (0, 1, 1));
    let told = delivery.notices();
    let is_gap =
        |notice: &&Notice| matches!(notice, Notice::RefusedGap { project, .. } if project == "p");
    assert_eq!(told.iter().filter(is_gap).count(), 1, "{told:?}");
    let listed = list(&folder.0).unwrap();
    assert_eq!((listed[0].refused, listed[0].refused_gaps), (1, 1));
    assert_eq!(memory.ids(), ["a", "b"]);
    // The same of one that needed no room on the disk.
    let limited = DeliveryOptions {
        limit: 10,
        on_full: OnFull::Drop,
        ..options(&folder.0, Mode::Background)
    };
    let delivery = made(&memory, limited);
    assert_eq!(delivery.send(&record("c")).unwrap(), Delivered::Dropped);
    let status = delivery.flush(LONG).unwrap();
    assert_eq!((status.untold, status.refused_gaps), (0, 1));
    assert_eq!(list(&folder.0).unwrap()[0].refused_gaps, 2);
}

#[test]
fn a_gap_is_told_at_its_place() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let limited = DeliveryOptions {
        limit: 4000,
        on_full: OnFull::Drop,
        ..options(&folder.0, Mode::Background)
    };
    let delivery = made(&memory, limited);
    memory.is("down", ErrorKind::Unavailable);
    assert_eq!(delivery.send(&record_of("p", "a", 3000)).unwrap(), Delivered::Spooled);
    for id in ["b", "c", "d"] {
        assert_eq!(delivery.send(&record_of("p", id, 3000)).unwrap(), Delivered::Dropped);
    }
    assert_eq!(delivery.send(&record("e")).unwrap(), Delivered::Spooled);
    assert_eq!(delivery.send(&record_of("p", "f", 3000)).unwrap(), Delivered::Dropped);
    assert_eq!(delivery.status().dropped, 4);
    // The process ends before the last gap is told: the next one tells it.
    delivery.before_fork();
    drop(delivery);
    memory.is_not("down");
    let next = made(&memory, options(&folder.0, Mode::Background));
    assert_eq!(next.flush(LONG).unwrap().waiting, 0);
    assert_eq!(memory.ids(), ["a", "gap", "e", "gap"]);
    let lines = memory.lines.lock().unwrap();
    assert!(lines[1].contains("\"count\": 3") && lines[1].contains("\"first_record_id\": \"b\""));
    assert!(lines[3].contains("\"count\": 1") && lines[3].contains("\"last_record_id\": \"f\""));
}

#[test]
fn a_full_spool_raises_unless_told_otherwise() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let limited = DeliveryOptions { limit: 4000, ..options(&folder.0, Mode::Background) };
    let delivery = made(&memory, limited);
    memory.is("down", ErrorKind::Unavailable);
    delivery.send(&record_of("p", "a", 3000)).unwrap();
    let error = delivery.send(&record_of("p", "b", 3000)).unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::StorageFull, Some(Outcome::NotWritten))
    );
    memory.is_not("down");
    assert_eq!(delivery.flush(LONG).unwrap().untold, 0);
    assert_eq!(memory.ids(), ["a"]);
}

#[test]
fn what_is_left_goes_first_and_a_torn_end_is_moved_aside() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    memory.is("down", ErrorKind::Unavailable);
    let first = made(&memory, options(&folder.0, Mode::Auto));
    first.send(&record("a")).unwrap();
    first.send(&record("b")).unwrap();
    first.before_fork();
    drop(first);
    let [records] = &folder.with_ending("records")[..] else { panic!("one segment") };
    let mut text = std::fs::read(records).unwrap();
    text.extend_from_slice(b"{\"record_id\": \"never ack");
    std::fs::write(records, text).unwrap();
    memory.is_not("down");
    let next = made(&memory, options(&folder.0, Mode::Auto));
    next.send(&record("c")).unwrap();
    assert_eq!(next.flush(LONG).unwrap().waiting, 0);
    assert_eq!(memory.ids(), ["a", "b", "c"]);
    let [torn] = &folder.with_ending("torn")[..] else { panic!("one torn end") };
    assert_eq!(std::fs::read(torn).unwrap(), b"{\"record_id\": \"never ack");
}

#[test]
fn one_that_lives_is_not_taken_over() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    memory.is("down", ErrorKind::Unavailable);
    let one = made(&memory, options(&folder.0, Mode::Background));
    let other = made(&memory, options(&folder.0, Mode::Background));
    one.send(&record("a")).unwrap();
    other.send(&record("b")).unwrap();
    assert_eq!((one.status().waiting, other.status().waiting), (1, 1));
    assert_eq!(list(&folder.0).unwrap()[0].records, 2);
    memory.is_not("down");
    assert_eq!((one.flush(LONG).unwrap().waiting, other.flush(LONG).unwrap().waiting), (0, 0));
    let mut ids = memory.ids();
    ids.sort();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn one_project_that_is_held_up_holds_up_no_other() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    let delivery = made(&memory, options(&folder.0, Mode::Background));
    memory.is("\"closed\"", ErrorKind::PermissionDenied);
    delivery.send(&record_of("closed", "a", 1)).unwrap();
    delivery.send(&record_of("open", "b", 1)).unwrap();
    let status = delivery.flush(Duration::from_secs(3600)).unwrap();
    assert_eq!((status.waiting, memory.ids()), (1, vec!["b".to_owned()]));
    assert!(status.reason.is_some());
    assert!(
        matches!(&delivery.notices()[..], [Notice::Held { project, .. }] if project == "closed")
    );
    memory.is_not("\"closed\"");
    assert_eq!(delivery.flush(LONG).unwrap().waiting, 0);
}

#[test]
fn a_fork_ends_the_thread_and_work_goes_on_after_it() {
    let (folder, memory) = (Folder::new(), Arc::new(Memory::default()));
    memory.is("down", ErrorKind::Unavailable);
    let delivery = made(&memory, options(&folder.0, Mode::Background));
    delivery.send(&record("a")).unwrap();
    delivery.before_fork();
    let calls = memory.calls.load(Ordering::SeqCst);
    memory.is_not("down");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(memory.calls.load(Ordering::SeqCst), calls, "the thread is still at work");
    delivery.after_fork().unwrap();
    assert_eq!(delivery.flush(LONG).unwrap().waiting, 0);
    assert_eq!(memory.ids(), ["a"]);
}

#[test]
fn closing_waits_no_longer_than_it_may() {
    let server = Server::start(|_| Answer::Slow);
    let folder = Folder::new();
    let brief = DeliveryOptions {
        mode: Mode::Background,
        drain: Duration::from_millis(300),
        ..DeliveryOptions::new(&folder.0)
    };
    let delivery = Delivery::new(Arc::new(server.store()), &server.url, "n1", brief);
    delivery.send(&record("a")).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(delivery.close().unwrap().waiting, 1);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

/// Between the client and its server something else answers for a while.
#[test]
fn an_answer_without_receipt_is_none_and_the_record_is_sent_again() {
    for mode in [Mode::Background, Mode::Auto] {
        let calls = AtomicUsize::new(0);
        let server = Server::start(move |request| {
            let lines = request.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let records: Vec<_> = lines
                .map(|line| {
                    let id = View::parse(line).unwrap().record_id.to_str().into_owned();
                    serde_json::json!({"record_id": id, "index": 4})
                })
                .collect();
            match calls.fetch_add(1, Ordering::SeqCst) {
                1 | 2 => Answer::text(200, "{}"),
                _ => Answer::json(201, &serde_json::json!({"size": 5, "records": records})),
            }
        });
        let folder = Folder::new();
        let options = options(&folder.0, mode);
        let delivery = Delivery::new(Arc::new(server.store()), &server.url, "n1", options);
        delivery.send(&record("a")).unwrap();
        assert_eq!(delivery.flush(LONG).unwrap().waiting, 0);
        assert_eq!(delivery.send(&record("b")).unwrap(), Delivered::Spooled, "{mode:?}");
        assert_eq!(delivery.flush(LONG).unwrap().waiting, 0);
        let held =
            |notice: &Notice| matches!(notice, Notice::Held { project, .. } if project == "p");
        assert!(delivery.notices().iter().any(held), "{mode:?}");
        let requests = server.requests.lock().unwrap();
        let bodies: Vec<_> = requests.iter().map(|request| &request.body).collect();
        assert_eq!(bodies.len(), 4, "{mode:?}");
        assert!(bodies[1] == bodies[2] && bodies[2] == bodies[3]);
    }
}
