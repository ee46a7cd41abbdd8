//! A server that tells two histories of one log.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use quark_trace::core::ledger::merkle::{Levels, leaf_hash};
use quark_trace::core::ledger::{Checkpoint, CompactRange, Origin, SignerKey};
use quark_trace::store::Store;
use quark_trace::store::http::HttpOptions;
use quark_trace::{Error, ErrorKind};
use serde_json::json;

use super::server::{Answer, Request, Server};

/// A log with entries named by numbers, and the key that signs it.
#[derive(Clone)]
struct Log {
    entries: Vec<u32>,
    seed: u8,
    name: &'static str,
    signed: bool,
}

impl Log {
    fn of(entries: impl IntoIterator<Item = u32>) -> Self {
        let entries = entries.into_iter().collect();
        Self { entries, seed: 7, name: "example.org/tlog/p", signed: true }
    }

    fn leaves(&self) -> impl Iterator<Item = quark_trace::core::ledger::Digest> + '_ {
        self.entries.iter().map(|number| leaf_hash(&number.to_be_bytes()))
    }

    fn answer(&self, request: &Request) -> Answer {
        if let Some(query) = request.target.strip_prefix("/projects/p/consistency?from=") {
            let (from, to) = query.split_once("&to=").unwrap();
            let mut levels = Levels::new();
            self.leaves().for_each(|leaf| levels.push(leaf));
            let path = levels.consistency_proof(from.parse().unwrap(), to.parse().unwrap());
            let Some(path) = path else { return Answer::text(404, "") };
            let path: Vec<_> = path.iter().map(|hash| hash.to_base64()).collect();
            return Answer::json(200, &json!({"from": 0, "to": 0, "path": path}));
        }
        let mut range = CompactRange::new();
        self.leaves().for_each(|leaf| range.push(leaf));
        let signer = SignerKey::new(self.name, [self.seed; 32]).unwrap();
        let checkpoint = Checkpoint::of(&Origin::parse(self.name).unwrap(), &range).unwrap();
        let note = self.signed.then(|| checkpoint.sign(&signer));
        let hashes: Vec<_> = range.hashes().iter().map(|hash| hash.to_base64()).collect();
        let keys = format!("{}\n", signer.verifier());
        let size = range.size();
        Answer::json(
            200,
            &json!({"size": size, "hashes": hashes, "checkpoint": note, "keys": keys}),
        )
    }
}

struct Place {
    server: Server,
    log: Arc<Mutex<Log>>,
    pins: PathBuf,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Place {
    fn with(log: Log) -> Self {
        let log = Arc::new(Mutex::new(log));
        let served = Arc::clone(&log);
        let server = Server::start(move |request| served.lock().unwrap().answer(request));
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let pins =
            std::env::temp_dir().join(format!("quark-forks-{}-{number}", std::process::id()));
        Self { server, log, pins }
    }

    fn look(&self) -> Result<u64, Error> {
        let pins = Some(self.pins.clone());
        let store = self.server.store_with(HttpOptions { pins, ..HttpOptions::default() });
        store.head(&"p".parse().unwrap()).map(|head| head.map_or(0, |head| head.range.size()))
    }

    fn turns_to(&self, log: Log) {
        *self.log.lock().unwrap() = log;
    }

    fn evidence(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.pins).unwrap().map(|entry| entry.unwrap().path());
        let forks = files.filter(|path| path.to_string_lossy().contains("fork-"));
        forks.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.pins);
    }
}

#[test]
fn a_log_that_grows_is_accepted_by_every_process() {
    let place = Place::with(Log::of(0..5));
    assert_eq!(place.look().unwrap(), 5);
    for size in [5, 6, 8, 100, 1000] {
        place.turns_to(Log::of(0..size));
        assert_eq!(place.look().unwrap(), u64::from(size));
    }
    assert_eq!(place.evidence(), Vec::<String>::new());
}

#[test]
fn another_history_is_evidence() {
    let rewritten = || [9].into_iter().chain(1..8);
    let shown: [(&str, Log); 7] = [
        ("same size", Log::of([9].into_iter().chain(1..5))),
        ("larger", Log::of(rewritten())),
        ("smaller", Log::of(0..4)),
        ("another key", Log { seed: 8, ..Log::of(0..9) }),
        ("another name", Log { name: "example.org/tlog/q", ..Log::of(0..9) }),
        ("unsigned", Log { signed: false, ..Log::of(0..9) }),
        ("much larger", Log::of((0..4).chain(100..1000))),
    ];
    for (what, log) in shown {
        let place = Place::with(Log::of(0..5));
        place.look().unwrap();
        place.turns_to(log);
        for _ in 0..2 {
            let error = place.look().expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Integrity("E-FORK"), "{what}: {error}");
        }
        let evidence = place.evidence();
        assert_eq!(evidence.len(), 1, "{what}");
        assert!(evidence[0].contains("\n5\n"), "{what}: {}", evidence[0]);
        // The history that was seen first stays the one that is accepted.
        place.turns_to(Log::of(0..7));
        assert_eq!(place.look().unwrap(), 7, "{what}");
    }
}

#[test]
fn a_fork_is_seen_without_a_folder_too() {
    let place = Place::with(Log::of(0..5));
    let store = place.server.store();
    let project = "p".parse().unwrap();
    store.head(&project).unwrap();
    place.turns_to(Log::of(1..9));
    let error = store.head(&project).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-FORK"));
}
