//! What the callers of a delivery and its thread share.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quark_trace_core::ids::ProjectId;

use super::lane::Lane;
use super::receiver::Receiver;
use super::settings::{DeliveryOptions, Notice, Status};
use super::spool::{self, Home};
use crate::error::{Error, Outcome, Result};

/// What the callers and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub receiver: Arc<dyn Receiver>,
    pub server: String,
    pub node: String,
    pub options: DeliveryOptions,
    pub state: Mutex<State>,
    /// Something came, went or ended.
    pub changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Whether what others left was looked for.
    pub looked: bool,
    pub lanes: BTreeMap<String, Lane>,
    /// When the server, which did not answer, is tried again; and how often it did not.
    pub due: Duration,
    pub failures: u32,
    pub ending: bool,
    pub running: bool,
    pub refused: u64,
    pub refused_gaps: u64,
    pub dropped: u64,
    pub reason: Option<String>,
    pub notices: Vec<Notice>,
    pub noted: Vec<Notice>,
}

impl State {
    pub fn note(&mut self, notice: Notice) {
        if !self.noted.iter().any(|known| known.is_like(&notice)) {
            self.noted.push(notice.clone());
            self.notices.push(notice);
        }
    }

    pub fn waiting_bytes(&self) -> u64 {
        self.lanes.values().map(Lane::waiting_bytes).sum()
    }

    pub fn is_drained(&self) -> bool {
        self.lanes.values().all(Lane::is_empty)
    }

    pub fn status(&self) -> Status {
        Status {
            waiting: self.lanes.values().map(Lane::waiting).sum(),
            waiting_bytes: self.waiting_bytes(),
            refused: self.refused,
            refused_gaps: self.refused_gaps,
            dropped: self.dropped,
            untold: self.lanes.values().map(Lane::untold).sum(),
            reason: self.reason.clone(),
        }
    }
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what others left, once, or again when asked. Makes no folder.
    pub fn look(&self, state: &mut State, again: bool) -> Result<()> {
        if state.looked && !again {
            return Ok(());
        }
        self.take_over(state).map_err(|error| self.not_opened(error))
    }

    pub fn not_opened(&self, error: io::Error) -> Error {
        let subject = self.options.spool.display().to_string();
        Error::io("open the spool", subject, error).with_outcome(Outcome::NotWritten)
    }

    fn take_over(&self, state: &mut State) -> io::Result<()> {
        let found = spool::find(&self.options.spool, &self.server, &self.node)?;
        state.looked = true;
        let Some(place) = found else { return Ok(()) };
        for (project, folder) in spool::lanes(&place)? {
            self.lane(state, &project).adopt(folder)?;
        }
        Ok(())
    }

    /// The lane of a project. No folder is made for it yet.
    pub fn lane<'s>(&self, state: &'s mut State, project: &ProjectId) -> &'s mut Lane {
        let name = project.as_str().to_owned();
        state.lanes.entry(name).or_insert_with(|| {
            let (spool, project) = (&self.options.spool, project.clone());
            Lane::new(Home::new(spool, &self.server, &self.node, project))
        })
    }
}
