//! What the crash tests start, kill and starve: it appends and tells on stdout what it tried and
//! what was acknowledged, or reads a folder back and tells what is there.
//!
//! ```text
//! crash_writer append STORE KEYS SEED COUNT MODE
//! crash_writer check STORE KEYS
//! ```
//!
//! STORE is a folder or the URL of a store.
//!
//! MODE is a comma-separated list of `os`, `sync` and `buffered` to choose from, `large` for records
//! of up to 1 MB, `retry` for trying a failed append again, `patient` for doing so for two
//! minutes, `sheet` for a fact sheet and schemas,
//! `paced` for a pause of 2 ms after each append, `hold` for a stop of the whole process after each append. The same SEED gives the same appends.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::fs::File;
use std::io::{IoSlice, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::core::record::{Draft, View};
use quark_trace::core::sheet::{FactSheet, template};
use quark_trace::keys::Keyring;
use quark_trace::store::{
    self, Commit, Durability, FileStore, NewEntry, OpenOptions, Plan, Row, Select, Store,
};
use quark_trace::verify::{Policy, verify};
use quark_trace::{Error, ErrorKind, Outcome, Project, TraceLog};

const PROJECT: &str = "demo";
const TRIES: u32 = 6;
const PATIENT_TRIES: u32 = 2400;
const PAUSE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["append", folder, keys, seed, count, mode] => {
            let number = |text: &str| text.parse().expect("a number");
            append(&open(folder, keys), number(seed), number(count), mode)
        }
        ["check", folder, keys] => check(open(folder, keys).as_ref()),
        _ => {
            eprintln!("usage: see the head of the source");
            return ExitCode::from(3);
        }
    };
    if let Err(error) = done {
        // Not by `eprintln`, which panics where every write fails.
        tell(&format!("end {error}"));
        let _ = writeln!(std::io::stderr(), "{error}");
        return ExitCode::from(4);
    }
    ExitCode::SUCCESS
}

fn open(place: &str, keys: &str) -> Arc<dyn Store> {
    let keys = Keyring::load_or_create(Path::new(keys)).expect("a key");
    if !place.contains(':') {
        // Without the look that opening by URL takes first: what is wrong shows when it is used.
        return Arc::new(FileStore::new(place).with_keys(keys));
    }
    store::open(place, OpenOptions { keys: Some(keys), ..OpenOptions::default() }).expect("a store")
}

fn project() -> ProjectId {
    PROJECT.parse().expect("a valid id")
}

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// One line on stdout by `writev`, so that a fault in every `write` hits the log alone.
fn tell(line: &str) {
    let mut out = File::from(
        std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned().expect("stdout"),
    );
    let parts = [IoSlice::new(line.as_bytes()), IoSlice::new(b"\n")];
    // A supervisor that is gone cannot be told.
    let _ = out.write_vectored(&parts);
}

fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

/// The records of one append, with their ids.
fn drafts(dice: &mut Dice, seed: u64, number: u64, large: bool) -> Vec<(String, Vec<u8>)> {
    let count = if dice.throw(3) == 0 { 2 + dice.throw(7) } else { 1 };
    (0..count)
        .map(|at| {
            let id = format!("w{seed}-{number}-{at}");
            let limit =
                if large && dice.throw(60) == 0 { 1 << 20 } else { 1 << (1 + dice.throw(11)) };
            let payload = format!("{{\"fill\": \"{}\"}}", "x".repeat(dice.throw(limit) as usize));
            let mut line = Vec::new();
            Draft {
                record_id: &id,
                project_id: PROJECT,
                stage: "crash",
                timestamp: "2026-01-02T03:04:05+00:00",
                payload: payload.as_bytes(),
            }
            .write(&mut line);
            (id, line)
        })
        .collect()
}

fn append(store: &Arc<dyn Store>, seed: u64, count: u64, mode: &str) -> Result<(), Error> {
    let has = |word: &str| mode.split(',').any(|known| known == word);
    let durabilities: Vec<Durability> = [Durability::Os, Durability::Sync, Durability::Buffered]
        .into_iter()
        .filter(|durability| has(durability.as_str()))
        .collect();
    let tries = match () {
        () if has("patient") => PATIENT_TRIES,
        () if has("retry") => TRIES,
        () => 1,
    };
    let mut dice = Dice(seed);
    tell("ready");
    if has("sheet") {
        open_project(store)?;
    }
    for number in 0..count {
        let drafts = drafts(&mut dice, seed, number, has("large"));
        let ids: Vec<&str> = drafts.iter().map(|(id, _)| id.as_str()).collect();
        let ids = ids.join(" ");
        let schema = format!("{{\"title\": \"{number}\"}}");
        let schema = (has("sheet") && number % 4 == 2)
            .then(|| NewEntry::new(Kind::Schema, schema.as_bytes()));
        let records = drafts.iter().map(|(id, line)| NewEntry {
            record_id: Some(id),
            ..NewEntry::new(Kind::Record, line)
        });
        let entries: Vec<NewEntry<'_>> = records.chain(schema).collect();
        let durability = durabilities[dice.throw(durabilities.len() as u64) as usize];
        let commit = Commit { entries: &entries, expected: None, durability };
        tell(&format!("try {ids}"));
        try_append(store.as_ref(), &commit, &ids, tries)?;
        if has("paced") {
            std::thread::sleep(Duration::from_millis(2));
        }
        if has("hold") {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)
                .expect("this process may be stopped");
        }
    }
    let closed = store.close();
    if has("retry") && closed.is_err() { store.close() } else { closed }
        .inspect(|()| tell("closed"))
}

/// Begins the project with a fact sheet, or takes it up.
fn open_project(store: &Arc<dyn Store>) -> Result<(), Error> {
    let yaml = template(PROJECT);
    let (sheet, _) = FactSheet::from_yaml(yaml.as_bytes(), "2026-01-02T03:04:05+00:00")
        .expect("the template is a fact sheet");
    let mut left = TRIES;
    loop {
        let log = TraceLog::new(store.clone(), project());
        match Project::open(sheet.clone(), log) {
            Ok(_) => return Ok(()),
            Err(error) => {
                let outcome = error.outcome().map_or("none", Outcome::as_str);
                tell(&format!("err {:?} {outcome} sheet # {error}", error.kind()));
                left -= 1;
                if left == 0 {
                    return Err(error);
                }
            }
        }
    }
}

fn try_append(store: &dyn Store, commit: &Commit<'_>, ids: &str, tries: u32) -> Result<(), Error> {
    let mut left = tries;
    loop {
        match store.append(&project(), commit) {
            Ok(_) => {
                tell(&format!("ack {} {} {ids}", now_ns(), commit.durability.as_str()));
                return Ok(());
            }
            Err(error) => {
                let outcome = error.outcome().map_or("none", Outcome::as_str);
                tell(&format!("err {:?} {outcome} {ids} # {error}", error.kind()));
                left -= 1;
                let hopeless = match error.kind() {
                    ErrorKind::Integrity(_) | ErrorKind::Corrupted => true,
                    kind => kind == ErrorKind::RecordConflict,
                };
                if left == 0 || hopeless {
                    return Err(error);
                }
                if tries == PATIENT_TRIES {
                    std::thread::sleep(PAUSE);
                } else if matches!(error.kind(), ErrorKind::Busy) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
}

/// Opens the log for writing, which takes up what a crash left, verifies it, and lists it.
fn check(store: &dyn Store) -> Result<(), Error> {
    store.seal(&project())?;
    let verdict = verify(store, &project(), &Policy::default())?;
    for finding in &verdict.findings {
        tell(&format!("finding {} {}", finding.code.as_str(), finding.message));
    }
    tell(&format!("verdict {} {}", verdict.exit_code(), verdict.size));
    let plan = Plan { select: Select::Records, ..Plan::default() };
    store.scan(&project(), &plan, &mut |row| {
        let object = match &row {
            Row::Entry { object: Some(object), .. } => object.as_ref(),
            Row::Loose { object, .. } => object,
            _ => return ControlFlow::Continue(()),
        };
        match View::parse(object) {
            Ok(view) => tell(&format!("id {}", view.record_id.to_str())),
            Err(fault) => tell(&format!("unreadable {fault}")),
        }
        ControlFlow::Continue(())
    })?;
    tell("done");
    Ok(())
}
