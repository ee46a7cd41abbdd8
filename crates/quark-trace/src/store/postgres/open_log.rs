//! A log that is appended to: who waits, where it ends, and when it was sealed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::CompactRange;
use quark_trace_core::ledger::entry::header_object;

use super::columns::log_id;
use super::connection::Connection;
use super::edge::Edge;
use super::fault::Fault;
use super::ids::Ids;
use super::pending::{Pending, PendingEntry};
use super::queue::{Caller, Queue};
use super::trust::Trust;
use super::write::{Target, Written};
use super::{Place, blocks, seal, statements as sql};
use crate::error::{ErrorKind, Result as CrateResult};
use crate::keys::Keyring;
use crate::store::Appended;

/// While entries come a checkpoint is signed this often.
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// How long whoever seals, flushes or closes takes up numbers; the rest is left to the next.
const LONGEST: Duration = Duration::from_secs(2);
/// So many appends take the lock at once after one that met another writer.
const CROWDED: u32 = 8;

/// One log, as this handle writes it.
#[derive(Debug)]
pub(super) struct OpenLog {
    project: ProjectId,
    log_id: i64,
    header: PendingEntry,
    queue: Queue,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where our last write left the log; `None` when nobody can tell.
    edge: Option<Edge>,
    trust: Trust,
    ids: Ids,
    /// Appends left that take the lock without trying to do without.
    crowded: u32,
    /// What was appended here and not sealed yet.
    unsealed: Option<CompactRange>,
    sealed_at: Option<Instant>,
    /// Whether entries were appended here whose numbers nobody took up yet.
    unindexed: bool,
}

impl OpenLog {
    pub fn new(project: &ProjectId) -> CrateResult<Self> {
        Ok(Self {
            project: project.clone(),
            log_id: log_id(project),
            header: PendingEntry::header(&header_object(project))?,
            queue: Queue::default(),
            state: Mutex::default(),
        })
    }

    /// Appends, together with whoever else waits.
    pub fn append(
        &self,
        place: &Place,
        keys: Option<&Keyring>,
        pending: Pending,
    ) -> Result<Appended, Fault> {
        let mut wrote = false;
        let answer = self.queue.append(pending, |group| {
            wrote = true;
            self.write(place, group)
        });
        if let Some(keys) = keys.filter(|_| wrote) {
            // The entries are in; whoever seals or closes is told why a checkpoint is missing.
            let _ = self.seal_if_due(place, keys);
        }
        answer
    }

    fn write(&self, place: &Place, group: &[Arc<Caller>]) -> Vec<Result<Appended, Fault>> {
        let mut state = self.state();
        let written = place.writer().and_then(|mut connection| {
            let written = self.write_over(&mut connection, &mut state, group);
            place.connections.give_back(connection);
            written
        });
        match written {
            Ok((answers, edge)) => {
                if answers.iter().any(Result::is_ok) {
                    state.unsealed = Some(edge.range.clone());
                    state.unindexed = true;
                }
                state.edge = Some(edge);
                answers
            }
            Err(fault) => {
                state.edge = None;
                state.ids = Ids::default();
                group.iter().map(|_| Err(fault.clone())).collect()
            }
        }
    }

    fn write_over(
        &self,
        connection: &mut Connection,
        state: &mut State,
        group: &[Arc<Caller>],
    ) -> Result<Written, Fault> {
        let commits = group.iter().map(|caller| &caller.pending);
        let target = self.target();
        if let Some(edge) = state.edge.take().filter(|_| state.crowded == 0) {
            let known = (&mut state.trust, &mut state.ids);
            if let Some(written) = target.write_on(connection, known, edge, commits.clone())? {
                return Ok(written);
            }
            state.crowded = CROWDED;
        }
        state.crowded = state.crowded.saturating_sub(1);
        let known = (&mut state.trust, &mut state.ids);
        target.write_locked(connection, known, commits)
    }

    fn target(&self) -> Target<'_> {
        Target { log_id: self.log_id, project: self.project.as_str(), header: &self.header }
    }

    fn seal_if_due(&self, place: &Place, keys: &Keyring) -> Result<(), Fault> {
        let mut state = self.state();
        if state.sealed_at.is_some_and(|at| at.elapsed() < SEAL_EVERY) {
            return Ok(());
        }
        let begun = Instant::now();
        let sealed = self.seal_own(place, keys, &mut state);
        if sealed.is_err() {
            // It will fail again a moment later, and may take long: appends do not pay for each try.
            state.sealed_at = Some(Instant::now() + begun.elapsed() * 9);
        }
        sealed
    }

    /// Signs a checkpoint over what was appended here since the last one, and takes up its numbers.
    pub fn flush(&self, place: &Place, keys: Option<&Keyring>) -> Result<(), Fault> {
        let mut state = self.state();
        if let Some(keys) = keys {
            self.seal_own(place, keys, &mut state)?;
        }
        if std::mem::take(&mut state.unindexed) {
            let mut connection = place.writer()?;
            blocks::catch_up(&mut connection, self.log_id, Some(LONGEST))?;
            place.connections.give_back(connection);
        }
        Ok(())
    }

    fn seal_own(&self, place: &Place, keys: &Keyring, state: &mut State) -> Result<(), Fault> {
        let Some(durable) = &state.unsealed else { return Ok(()) };
        let trust = &mut state.trust;
        let signed = place.writer().and_then(|mut connection| {
            seal::seal(&mut connection, keys, &self.project, self.log_id, durable, trust)?;
            place.connections.give_back(connection);
            Ok(())
        });
        self.note_signed(place, signed)?;
        state.unsealed = None;
        state.sealed_at = Some(Instant::now());
        Ok(())
    }

    /// Waits until everything in the log is durable, and signs a checkpoint over it.
    pub fn seal(&self, place: &Place, keys: Option<&Keyring>) -> Result<(), Fault> {
        let mut state = self.state();
        let mut connection = place.writer()?;
        connection.begin(sql::BEGIN)?;
        let edge = self.target().lock(&mut connection)?;
        state.trust.open(&mut connection, self.log_id, &edge.range)?;
        self.target().touch(&mut connection)?;
        connection.commit()?;
        if let Some(keys) = keys {
            let (project, trust) = (&self.project, &mut state.trust);
            let signed =
                seal::seal(&mut connection, keys, project, self.log_id, &edge.range, trust);
            self.note_signed(place, signed)?;
        }
        blocks::catch_up(&mut connection, self.log_id, Some(LONGEST))?;
        state.unindexed = false;
        place.connections.give_back(connection);
        state.unsealed = None;
        state.sealed_at = Some(Instant::now());
        Ok(())
    }

    fn note_signed(&self, place: &Place, signed: Result<(), Fault>) -> Result<(), Fault> {
        let refused = signed.as_ref().err().filter(|fault| fault.kind != ErrorKind::Busy);
        place.refusals.note(&self.project, refused.map(|fault| fault.message.as_str()));
        signed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
