//! Checkpoints, which stores sign by themselves: what a crash left unsigned is signed when the server
//! starts, and what cannot be signed is told.
//!
//! A log is refused a signature where its key has signed another history of it: on a backup that was
//! put back, or on a copy whose original went on. Records are taken all the same. Whoever sends them
//! may have no other place to keep them, and a record that is kept unsigned can be signed for later,
//! while one that was turned away is lost. But the server says that it should not be sent any.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::{Checkpoint, Note};
use quark_trace::store::{Head, Store};

use crate::app::App;

/// How long what was refused rests before it is tried again.
const REST: Duration = Duration::from_secs(5);

/// Which logs were told to be refused a signature, and why.
#[derive(Debug, Default)]
pub struct Seals {
    told: Mutex<BTreeMap<ProjectId, String>>,
    /// When what was refused is tried again.
    again: Mutex<Option<Instant>>,
}

impl Seals {
    /// Tries now and then to sign what was refused: stores try it with the next record, which may
    /// never come to a server that says it should not be sent any.
    pub fn try_again(&self, store: &dyn Store) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = store.unsigned();
        if refused.is_empty() {
            *again = None;
            return;
        }
        let begun = Instant::now();
        if begun < *again.get_or_insert(begun + REST) {
            return;
        }
        for log in refused {
            // What is refused once more is told as it was.
            let _ = store.seal(&log.project);
        }
        // A tenth of the time at most.
        *again = Some(Instant::now() + REST.max(begun.elapsed() * 9));
    }

    /// Tells in the server's log, once for each, which logs cannot be signed and which can be again.
    pub fn tell(&self, store: &dyn Store) {
        let unsigned = store.unsigned();
        metrics::gauge!("quark_trace_logs_refused_a_signature").set(unsigned.len() as f64);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|project, _| {
            let is_left = unsigned.iter().any(|known| known.project == *project);
            if !is_left {
                tracing::info!(project = project.as_str(), "the log is signed again");
            }
            is_left
        });
        for log in unsigned {
            if told.get(&log.project) != Some(&log.reason) {
                let (project, reason) = (log.project.as_str(), &log.reason);
                tracing::error!(
                    project,
                    reason,
                    "no checkpoint can be signed over what is acknowledged; until somebody acts \
                     the records are kept, but nothing proves them"
                );
                told.insert(log.project, log.reason);
            }
        }
    }
}

/// Signs what was left unsigned when the last server on this store ended, one log after another.
pub fn sign_what_is_left(app: &App) {
    let projects = match app.store.projects() {
        Ok(projects) if app.store.info().signs => projects,
        Ok(_) => return,
        Err(error) => {
            tracing::error!(%error, "what is left to be signed cannot be found out");
            return;
        }
    };
    for project in projects {
        if app.is_ending() {
            return;
        }
        let head = app.store.head(&project);
        let is_left = head.is_ok_and(|head| head.is_some_and(|head| !is_signed(&head)));
        // What is refused is noted by the store, and told with what is refused later.
        if is_left && app.store.seal(&project).is_ok() {
            tracing::info!(project = project.as_str(), "signed what was left unsigned");
        }
    }
}

/// Whether the last checkpoint covers all entries. A log without one was not begun by who signs: its
/// first record has it signed.
fn is_signed(head: &Head) -> bool {
    let Some(note) = &head.beside.checkpoint else { return true };
    let checkpoint = Note::parse(note).and_then(|note| Checkpoint::parse(note.text()));
    checkpoint.is_ok_and(|checkpoint| checkpoint.size >= head.range.size())
}
