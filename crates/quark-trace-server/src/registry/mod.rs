//! Who takes part: institutions, nodes, keys, and whose each project is.
//!
//! The registry has no tables. Every change is a record of the project [`LEDGER`] in the server's
//! store, and the state is what those records amount to: what an auditor reads is what the server
//! acts on. Several servers on one store append with compare-and-swap and read each other's changes
//! at least once a second.

use std::sync::{Arc, PoisonError};
use std::sync::{RwLock, RwLockReadGuard};

use quark_trace::core::ids::{ProjectId, percent_encode};
use quark_trace::core::payload::Payload;
use quark_trace::core::query::{Field, Query};
use quark_trace::core::record::View;
use quark_trace::store::{Durability, Store};
use quark_trace::{AsOf, Error, ErrorKind, Incoming, Result, TraceLog};

mod changes;
mod event;
mod state;

pub use changes::{Actor, Issued, KeyRequest};
pub use event::{Event, KeyEntry, Opening, Replaced, Role, Status};
pub use state::{Claim, Institution, Node, State};

/// The project in which a server keeps its own ledger.
pub const LEDGER: &str = "quark-trace.server";

/// How often a change is tried again while others change the registry.
const ATTEMPTS: u32 = 100;

/// The registry of a server.
#[derive(Debug)]
pub struct Registry {
    log: TraceLog,
    state: RwLock<State>,
}

impl Registry {
    /// Reads the registry out of a store, where there may be none yet.
    pub fn open(store: Arc<dyn Store>) -> Result<Self> {
        let log = TraceLog::new(store, ledger()?).with_durability(Durability::Sync);
        let registry = Self { log, state: RwLock::default() };
        registry.refresh()?;
        Ok(registry)
    }

    /// The server's own ledger.
    pub fn log(&self) -> &TraceLog {
        &self.log
    }

    /// What is known now.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what others changed.
    pub fn refresh(&self) -> Result<()> {
        let head = self.log.store().head(self.log.project())?;
        let size = head.map_or(0, |head| head.range.size());
        let from = self.state().until;
        if size <= from {
            return Ok(());
        }
        let mut found = Vec::new();
        let changes = Field::Stage.is_in(Event::STAGES).and(Field::Index.ge(from));
        let query = Query { filter: Some(changes), ..Query::default() };
        let search = self.log.search(query).as_of(AsOf::Index(size - 1));
        search.each(|hit| {
            if let Some((event, at)) = read(hit.line) {
                found.push((hit.index.unwrap_or_default(), event, at));
            }
            std::ops::ControlFlow::Continue(())
        })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        let known = state.until;
        for (_, event, at) in found.into_iter().filter(|(index, ..)| *index >= known) {
            state.take(event, &at);
        }
        state.until = known.max(size);
        Ok(())
    }

    /// Makes a change: `make` sees the registry as it is and gives the event, or why there is none.
    /// When somebody else was faster it is asked again.
    fn change(
        &self,
        by: &Actor,
        make: impl Fn(&State) -> Result<Option<Event>>,
    ) -> Result<Option<Event>> {
        let mut attempts = 0;
        loop {
            self.refresh()?;
            let (event, until) = {
                let state = self.state();
                (make(&state)?, state.until)
            };
            let Some(event) = event else { return Ok(None) };
            let payload = payload(&event, by)?;
            let record = self.log.draft(event.stage(), payload.as_bytes())?;
            let attributes = format!(" by={}", percent_encode(by.as_str().as_bytes()));
            attempts += 1;
            let incoming = Incoming::of(self.log.project(), &record)?;
            match self.log.append_received([(&incoming, attributes.as_str())], Some(until)) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Conflict { .. })
                        && attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    self.refresh()?;
                    return Ok(Some(event));
                }
            }
        }
    }
}

/// The id of the server's own ledger.
pub fn ledger() -> Result<ProjectId> {
    Ok(LEDGER.parse()?)
}

fn payload(event: &Event, by: &Actor) -> Result<Payload> {
    let mut document = serde_json::to_value(event).map_err(unwritable)?;
    if let Some(members) = document.as_object_mut() {
        members.insert("by".to_owned(), by.as_str().into());
    }
    Ok(Payload::from_json(document.to_string().as_bytes())?)
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Io, "note a change of the registry", error.to_string())
}

fn read(line: &[u8]) -> Option<(Event, String)> {
    let view = View::parse(line).ok()?;
    let event: Event = serde_json::from_slice(view.payload).ok()?;
    (view.stage.to_str() == event.stage()).then(|| (event, view.timestamp.to_str().into_owned()))
}
