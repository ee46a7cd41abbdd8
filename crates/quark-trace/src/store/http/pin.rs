//! Which history of a log the server is held to: its first checkpoint is kept, and each later one is
//! accepted only with a proof that the log merely grew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::verify_consistency;
use quark_trace_core::ledger::{Checkpoint, Digest, Note, VerifierKey};

use super::fault::malformed;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Pin, Pins};
use crate::store::Head;

const OPERATION: &str = "check the server's checkpoint";
/// The code of FORMAT for two histories of one log.
const FORK: &str = "E-FORK";

/// The path of a consistency proof between two sizes.
pub(super) type Consistency<'a> = &'a mut dyn FnMut(u64, u64) -> Result<Vec<Digest>>;

/// So often what was told is held to a pin that others moved meanwhile. Each time it is nearer.
const ATTEMPTS: u32 = 100;

/// What was accepted of the logs of one server.
#[derive(Debug)]
pub(super) struct Known {
    server: String,
    pins: Option<Pins>,
    /// Without a folder for pins.
    seen: Mutex<HashMap<ProjectId, Pin>>,
    /// Whether the server has shown a checkpoint or a receipt.
    ours: AtomicBool,
}

impl Known {
    pub fn new(server: &str, pins: Option<Pins>) -> Self {
        let (seen, ours) = (Mutex::default(), AtomicBool::new(false));
        Self { server: server.to_owned(), pins, seen, ours }
    }

    /// Takes note that the server is one of ours.
    pub fn note_ours(&self) {
        self.ours.store(true, Ordering::Relaxed);
    }

    /// Whether the server has shown, now or to an earlier process, that it is one of ours.
    pub fn is_ours(&self, project: &ProjectId) -> Result<bool> {
        Ok(self.ours.load(Ordering::Relaxed) || self.last(project)?.is_some())
    }

    /// Asks for the head of a log, and accepts it if it continues what was accepted before. Nothing
    /// is locked while the server is asked.
    pub fn accept(
        &self,
        project: &ProjectId,
        read: &mut dyn FnMut() -> Result<Option<Head>>,
        consistency: Consistency<'_>,
    ) -> Result<Option<Head>> {
        let mut before = self.last(project)?;
        let mut head = read()?;
        for _ in 0..ATTEMPTS {
            let next = check(before.as_ref(), head.as_ref(), consistency);
            let Some(next) = self.judged(project, before.as_ref(), next)? else {
                // Nothing is signed, as far as it was told. Others may have been told more.
                match self.last(project)? {
                    Some(pin) if before.is_none() => (before, head) = (Some(pin), read()?),
                    _ => return Ok(head),
                }
                continue;
            };
            self.note_ours();
            let Some(pin) = self.note(project, before.as_ref(), &next)? else {
                return Ok(head);
            };
            let is_older = is_before(&next, &pin, consistency);
            if self.judged(project, Some(&pin), is_older)? {
                return Ok(head);
            }
            before = Some(pin);
        }
        let message = "others keep accepting checkpoints of this log; try again";
        Err(Error::new(ErrorKind::Busy, OPERATION, message).on(self.name(project)))
    }

    fn name(&self, project: &ProjectId) -> String {
        format!("{} {}", self.server, project.percent_encoded())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<ProjectId, Pin>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was accepted last.
    fn last(&self, project: &ProjectId) -> Result<Option<Pin>> {
        match &self.pins {
            Some(pins) => pins.read(&self.name(project)),
            None => Ok(self.seen().get(project).cloned()),
        }
    }

    /// Accepts a checkpoint that continues `before`, if that is still the last; gives what others
    /// accepted meanwhile otherwise.
    fn note(&self, project: &ProjectId, before: Option<&Pin>, next: &Pin) -> Result<Option<Pin>> {
        let moved = |last: Option<Pin>| last.filter(|last| Some(last) != before && last != next);
        let Some(pins) = &self.pins else {
            let mut seen = self.seen();
            let others = moved(seen.get(project).cloned());
            if others.is_none() {
                seen.insert(project.clone(), next.clone());
            }
            return Ok(others);
        };
        if before == Some(next) {
            return Ok(None);
        }
        let held = pins.hold(&self.name(project))?;
        let last = held.read()?;
        let others = moved(last.clone());
        if others.is_none() && last.as_ref() != Some(next) {
            held.write(next)?;
        }
        Ok(others)
    }

    /// The verdict on what was told, after both statements of a fork are written down.
    fn judged<T>(
        &self,
        project: &ProjectId,
        before: Option<&Pin>,
        verdict: Result<T, Refused>,
    ) -> Result<T> {
        let told = match verdict {
            Ok(accepted) => return Ok(accepted),
            Err(Refused::Error(error)) => return Err(error),
            Err(Refused::Fork(told)) => told,
        };
        let name = self.name(project);
        let kept = match &self.pins {
            None => "no folder for evidence is set".to_owned(),
            Some(pins) => {
                let text = told.evidence(&name, before);
                let held = pins.hold(&name)?;
                let (path, pin) = (held.write_evidence(&text)?, held.path().display());
                format!(
                    "both are kept in {}; who knows that the server was begun anew moves {pin} away",
                    path.display()
                )
            }
        };
        Err(told.error(&name, &kept))
    }
}

/// Why a head is not accepted.
#[derive(Debug)]
enum Refused {
    /// It could not be checked.
    Error(Error),
    /// It contradicts what was accepted.
    Fork(Box<Told>),
}

/// What the server told that contradicts what it had told before.
#[derive(Debug)]
struct Told {
    what: String,
    note: Option<String>,
    path: Vec<Digest>,
}

impl Told {
    fn error(&self, name: &str, kept: &str) -> Error {
        let what = &self.what;
        let message = format!(
            "{what}; {kept}. Show it to whoever runs the server and to those who rely on the log"
        );
        Error::new(ErrorKind::Integrity(FORK), OPERATION, message).on(name)
    }

    /// Both statements of the server, for whoever has to judge them.
    fn evidence(&self, name: &str, before: Option<&Pin>) -> String {
        let path: String = self.path.iter().map(|hash| hash.to_base64() + "\n").collect();
        let (key, accepted) =
            before.map_or((String::new(), ""), |pin| (pin.key.to_string(), pin.note.as_str()));
        format!(
            "quark-trace-fork/1\nlog {name}\nwhat {}\nkey {key}\n\naccepted before:\n{accepted}\n\
             told now:\n{}\nconsistency path told:\n{path}",
            self.what,
            self.note.as_deref().unwrap_or("(no checkpoint)\n"),
        )
    }
}

fn fork(what: impl Into<String>, note: Option<&str>, path: Vec<Digest>) -> Refused {
    Refused::Fork(Box::new(Told { what: what.into(), note: note.map(ToOwned::to_owned), path }))
}

/// What is to be kept in mind of a head; an error when it does not continue what was accepted.
fn check(
    before: Option<&Pin>,
    head: Option<&Head>,
    consistency: Consistency<'_>,
) -> Result<Option<Pin>, Refused> {
    let beside = head.map(|head| &head.beside);
    let note = beside.and_then(|beside| beside.checkpoint.as_deref());
    let Some(note) = note else {
        return match before {
            None => Ok(None),
            // Nothing is told about the log: the key may be another's, the server not know it yet.
            Some(_) if head.is_none() => {
                let message = "the server does not show this project to this key; it did before";
                Err(Refused::Error(Error::new(ErrorKind::NotFound, OPERATION, message)))
            }
            Some(pin) => {
                let size = pin.checkpoint.size;
                let what = format!("the server signed {size} entries and shows no checkpoint now");
                Err(fork(what, None, Vec::new()))
            }
        };
    };
    let keys = beside.and_then(|beside| beside.keys.as_deref()).unwrap_or_default();
    let next = match before {
        None => opened(note, keys).map_err(Refused::Error)?,
        Some(pin) => match Checkpoint::open(note, &pin.key) {
            Ok(checkpoint) => Pin { key: pin.key.clone(), checkpoint, note: note.to_owned() },
            Err(fault) => {
                let what = format!("the checkpoint is not signed by the known key: {fault}");
                return Err(fork(what, Some(note), Vec::new()));
            }
        },
    };
    if let Some(head) = head {
        check_covered(&next, head)?;
    }
    if let Some(pin) = before {
        check_continued(pin, &next, consistency)?;
    }
    Ok(Some(next))
}

/// A first checkpoint, by a key that lies beside the log.
fn opened(note: &str, keys: &str) -> Result<Pin> {
    let mut fault = None;
    for line in keys.lines().filter(|line| !line.trim().is_empty()) {
        let key = VerifierKey::parse(line.trim()).map_err(|fault| malformed(OPERATION, fault))?;
        match Checkpoint::open(note, &key) {
            Ok(checkpoint) => return Ok(Pin { key, checkpoint, note: note.to_owned() }),
            Err(found) => fault = Some(found),
        }
    }
    let fault = fault.map_or_else(|| "no key is named".to_owned(), |fault| fault.to_string());
    Err(malformed(OPERATION, format!("its checkpoint cannot be checked: {fault}")))
}

/// The checkpoint is over what the server calls the log.
fn check_covered(next: &Pin, head: &Head) -> Result<(), Refused> {
    let (signed, size) = (next.checkpoint.size, head.range.size());
    if signed > size {
        let what = format!("the server signed {signed} entries and shows {size}");
        return Err(fork(what, Some(&next.note), Vec::new()));
    }
    if signed == size && next.checkpoint.root != head.range.root() {
        let what = format!("the server signed another root over {size} entries than it shows");
        return Err(fork(what, Some(&next.note), Vec::new()));
    }
    Ok(())
}

fn check_continued(before: &Pin, next: &Pin, consistency: Consistency<'_>) -> Result<(), Refused> {
    let (old, new) = (&before.checkpoint, &next.checkpoint);
    if old == new {
        return Ok(());
    }
    if old.origin != new.origin {
        let what = format!("the log was called {}, and is called {} now", old.origin, new.origin);
        return Err(fork(what, Some(&next.note), Vec::new()));
    }
    if new.size <= old.size {
        let what = match new.size == old.size {
            true => format!("the server signed two roots over {} entries", new.size),
            false => format!("the server signed {} entries, and {} now", old.size, new.size),
        };
        return Err(fork(what, Some(&next.note), Vec::new()));
    }
    let path = consistency(old.size, new.size).map_err(Refused::Error)?;
    verify_consistency(old.size, old.root, new.size, new.root, &path).map_err(|fault| {
        let sizes = format!("{} entries to {}", old.size, new.size);
        let what = format!("the server cannot prove that the log grew from {sizes}: {fault}");
        fork(what, Some(&next.note), path)
    })
}

/// Whether what was told is of the same history as a pin that was accepted meanwhile, and no newer
/// than it. What is newer is not looked at further.
fn is_before(told: &Pin, pin: &Pin, consistency: Consistency<'_>) -> Result<bool, Refused> {
    let checkpoint = Checkpoint::open(&told.note, &pin.key).map_err(|fault| {
        let what = format!("the checkpoint is not signed by the known key: {fault}");
        fork(what, Some(&told.note), Vec::new())
    })?;
    if checkpoint.size > pin.checkpoint.size {
        return Ok(false);
    }
    let told = Pin { checkpoint, ..told.clone() };
    if told.checkpoint.size == pin.checkpoint.size {
        return check_continued(pin, &told, consistency).map(|()| true);
    }
    // The roles are exchanged: the pin has to continue what was told.
    match check_continued(&told, pin, consistency) {
        Ok(()) => Ok(true),
        Err(Refused::Fork(fork)) => {
            let note = Some(told.note);
            Err(Refused::Fork(Box::new(Told { note, ..*fork })))
        }
        Err(error) => Err(error),
    }
}

/// The checkpoint that a note holds, unchecked, for messages.
pub(super) fn is_checkpoint(note: &str) -> bool {
    Note::parse(note).and_then(|note| Checkpoint::parse(note.text())).is_ok()
}
