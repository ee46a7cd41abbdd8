//! A server that tells two histories of one log.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
#[cfg(unix)]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quark_trace::core::ledger::merkle::{Levels, leaf_hash};
use quark_trace::core::ledger::{Checkpoint, CompactRange, Origin, SignerKey};
use quark_trace::store::http::HttpOptions;
use quark_trace::store::{HttpStore, Store};
use quark_trace::{Error, ErrorKind};
use serde_json::json;

use super::server::{Answer, Request, Server};

const LOOKS: &str = "QUARK_FORKS_LOOKS";
const PINS: &str = "QUARK_FORKS_PINS";

/// A log with entries named by numbers, and the key that signs it.
#[derive(Clone)]
pub struct Log {
    entries: Vec<u32>,
    seed: u8,
    name: &'static str,
    signed: bool,
}

impl Log {
    pub fn of(entries: impl IntoIterator<Item = u32>) -> Self {
        let entries = entries.into_iter().collect();
        Self { entries, seed: 7, name: "example.org/tlog/p", signed: true }
    }

    fn leaves(&self) -> impl Iterator<Item = quark_trace::core::ledger::Digest> + '_ {
        self.entries.iter().map(|number| leaf_hash(&number.to_be_bytes()))
    }

    pub fn answer(&self, request: &Request) -> Answer {
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
    /// How long the next head is on its way.
    delay: Arc<Mutex<Duration>>,
    pins: PathBuf,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Place {
    fn with(log: Log) -> Self {
        let log = Arc::new(Mutex::new(log));
        let delay: Arc<Mutex<Duration>> = Arc::default();
        let (served, late) = (Arc::clone(&log), Arc::clone(&delay));
        let server = Server::start(move |request| {
            let answer = served.lock().unwrap().answer(request);
            let delay = match request.target.ends_with("/head") {
                true => std::mem::take(&mut *late.lock().unwrap()),
                false => Duration::ZERO,
            };
            std::thread::sleep(delay);
            answer
        });
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let pins =
            std::env::temp_dir().join(format!("quark-forks-{}-{number}", std::process::id()));
        Self { server, log, delay, pins }
    }

    fn look(&self) -> Result<u64, Error> {
        look(&self.server.url, &self.pins)
    }

    /// Another process that looks; it has sent its question when this returns.
    fn look_late(&self, delay: Duration) -> Child {
        *self.delay.lock().unwrap() = delay;
        let before = self.server.count();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "forks::another_process", "--nocapture"]);
        command.env(LOOKS, &self.server.url).env(PINS, &self.pins);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        while self.server.count() == before {
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }

    /// The size that is pinned.
    fn pinned(&self) -> String {
        let files = std::fs::read_dir(&self.pins).unwrap().map(|entry| entry.unwrap().path());
        let pin = files.into_iter().find(|path| path.extension().is_none()).unwrap();
        std::fs::read_to_string(pin).unwrap().lines().nth(3).unwrap().to_owned()
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

fn look(url: &str, pins: &Path) -> Result<u64, Error> {
    let options = HttpOptions { pins: Some(pins.to_owned()), ..HttpOptions::default() };
    let store = HttpStore::new(url, options).unwrap();
    store.head(&"p".parse().unwrap()).map(|head| head.map_or(0, |head| head.range.size()))
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

/// The other process of [`Place::look_late`]; by itself it does nothing.
#[test]
#[allow(clippy::print_stdout, reason = "it tells the process that started it")]
fn another_process() {
    let Some(pins) = std::env::var_os(PINS) else { return };
    let url = std::env::var(LOOKS).unwrap();
    match look(&url, Path::new(&pins)) {
        Ok(size) => println!("\nLOOKED {size}"),
        Err(error) => println!("\nLOOKED {error}"),
    }
}

fn said(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said.lines().find_map(|line| line.strip_prefix("LOOKED "));
    said.expect("it says what it saw").to_owned()
}

#[test]
fn nobody_waits_for_an_answer_of_another_and_a_late_one_is_no_fork() {
    for begun in [false, true] {
        let place = Place::with(Log::of(0..5));
        if begun {
            place.look().unwrap();
        }
        let late = place.look_late(Duration::from_secs(2));
        place.turns_to(Log::of(0..8));
        let began = Instant::now();
        assert_eq!(place.look().unwrap(), 8);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(said(late), "5", "what was told before is of the same history");
        assert_eq!(place.pinned(), "8", "the pin never goes back");
        assert_eq!(place.look().unwrap(), 8);
        assert_eq!(place.evidence(), Vec::<String>::new());
    }
}

#[test]
fn a_late_answer_of_another_history_is_evidence() {
    for size in [5, 8, 9] {
        let place = Place::with(Log::of([99].into_iter().chain(1..size)));
        let late = place.look_late(Duration::from_millis(700));
        place.turns_to(Log::of(0..8));
        assert_eq!(place.look().unwrap(), 8);
        assert!(said(late).parse::<u64>().is_err(), "{size} is not accepted");
        assert_eq!(place.pinned(), "8");
        let evidence = place.evidence();
        if size == 9 {
            // The server has nothing more to say of it: neither a proof nor a contradiction.
            assert_eq!(evidence, Vec::<String>::new());
            continue;
        }
        assert_eq!(evidence.len(), 1, "{size}");
        for statement in [8, size] {
            assert!(evidence[0].contains(&format!("\n{statement}\n")), "{}", evidence[0]);
        }
    }
}

/// A child that was forked, and sleeps until it is killed.
#[cfg(unix)]
struct Sleeper(libc::pid_t);

#[cfg(unix)]
impl Sleeper {
    fn fork() -> Self {
        // SAFETY: the child runs nothing of the harness: it sleeps, and leaves by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: neither touches memory of the process.
            unsafe {
                libc::sleep(60);
                libc::_exit(0);
            }
        }
        assert!(child > 0, "no process could be forked");
        Self(child)
    }
}

#[cfg(unix)]
impl Drop for Sleeper {
    fn drop(&mut self) {
        // SAFETY: ends the child that was made above, and waits for it.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

#[test]
#[cfg(unix)]
fn a_child_that_lives_on_keeps_no_pin_of_its_parent() {
    let place = Place::with(Log::of(0..5));
    place.look().unwrap();
    let ending = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The pin is held again and again while the process forks.
            let mut size = 5;
            while !ending.load(Ordering::SeqCst) {
                size += 1;
                place.turns_to(Log::of(0..size));
                assert_eq!(place.look().unwrap(), u64::from(size));
            }
        });
        let mut children = Vec::new();
        for _ in 0..100 {
            children.push(Sleeper::fork());
            std::thread::sleep(Duration::from_millis(3));
        }
        ending.store(true, Ordering::SeqCst);
        let began = Instant::now();
        let late = place.look_late(Duration::ZERO);
        assert!(said(late).parse::<u64>().is_ok_and(|size| size > 5));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(children.len(), 100, "they live until here");
    });
}
