//! The connection that writes, the logs it writes to, and what waits in memory to be written.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::CompactRange;
use rusqlite::Connection;

use super::columns::key_of;
use super::connection::{Open, Place};
use super::fault::Fault;
use super::pending::PendingEntry;
use super::seal::Sealed;
use super::write::LogState;
use crate::error::{ErrorKind, Outcome};
use crate::store::Appended;

/// Buffered entries are handed on when they reach this number, or this size in bytes.
const ENTRIES: usize = 4096;
const BYTES: usize = 256 * 1024;

/// Who writes in this handle; one thread at a time.
#[derive(Debug, Default)]
pub(super) struct Writer {
    connection: Option<Open>,
    logs: HashMap<ProjectId, LogState>,
    /// Logs that were appended to here and not sealed since, and since when.
    pub unsealed: HashMap<ProjectId, Instant>,
    /// Logs of which columns may be missing.
    pub underived: HashSet<ProjectId>,
    /// Whether somebody appended since the thread looked.
    pub appended: bool,
    buffered: HashMap<ProjectId, Vec<PendingEntry<'static>>>,
    buffered_bytes: usize,
    buffered_count: usize,
}

impl Writer {
    /// The connection, opened when there is none.
    pub fn connection(&mut self, place: &Place) -> Result<&Connection, Fault> {
        if self.connection.is_none() {
            self.connection = Some(place.writer()?);
        }
        self.connection.as_deref().ok_or_else(|| Fault::new(ErrorKind::Io, "it was closed"))
    }

    /// The connection together with the state of a log.
    fn with_log(
        &mut self,
        place: &Place,
        project: &ProjectId,
    ) -> Result<(&Connection, &mut LogState), Fault> {
        if self.connection.is_none() {
            self.connection = Some(place.writer()?);
        }
        let Some(connection) = &self.connection else {
            return Err(Fault::new(ErrorKind::Io, "it was closed"));
        };
        if !self.logs.contains_key(project) {
            let state = LogState::new(project);
            if let Some(sealed) = Sealed::read(connection, state.log_id)? {
                sealed.check_soon(connection, state.log_id)?;
            }
            self.logs.insert(project.clone(), state);
        }
        let log = self.logs.get_mut(project);
        Ok((connection, log.ok_or_else(|| Fault::new(ErrorKind::Io, "it was closed"))?))
    }

    /// Appends, after what is buffered of the log.
    pub fn append(
        &mut self,
        place: &Place,
        project: &ProjectId,
        entries: &[PendingEntry<'_>],
        expected: Option<u64>,
    ) -> Result<Appended, Fault> {
        self.flush_log(place, project)?;
        self.append_now(place, project, entries, expected)
    }

    fn append_now(
        &mut self,
        place: &Place,
        project: &ProjectId,
        entries: &[PendingEntry<'_>],
        expected: Option<u64>,
    ) -> Result<Appended, Fault> {
        let (connection, log) = self.with_log(place, project)?;
        let appended = log.append(connection, entries, expected);
        if let Err(fault) = &appended
            && !matches!(fault.kind, ErrorKind::Conflict { .. } | ErrorKind::RecordConflict)
        {
            // Whatever is wrong with it, the next caller begins anew.
            self.close();
        }
        let appended = appended?;
        self.appended = true;
        if !self.unsealed.contains_key(project) {
            self.unsealed.insert(project.clone(), Instant::now());
            self.underived.insert(project.clone());
        }
        Ok(appended)
    }

    /// Leaves entries in memory; `None` when they have to be written now.
    pub fn buffer(
        &mut self,
        project: &ProjectId,
        entries: &[PendingEntry<'_>],
    ) -> Option<Appended> {
        let log = self.logs.get(project)?;
        let known = log.size()?;
        let until = log.known_schemas();
        if entries.iter().any(|entry| entry.schemas.is_some() && entry.schemas != until) {
            return None;
        }
        if self.buffered_count >= ENTRIES || self.buffered_bytes >= BYTES {
            return None;
        }
        self.appended = true;
        let buffered = self.buffered.entry(project.clone()).or_default();
        for entry in entries {
            self.buffered_bytes += entry.object.len();
            self.buffered_count += 1;
            buffered.push(entry.kept());
        }
        Some(Appended { size: known + buffered.len() as u64, existing: Vec::new() })
    }

    /// Logs that were appended to here and are not sealed, or of which columns may be missing.
    pub fn unfinished(&self) -> HashSet<ProjectId> {
        self.unsealed.keys().chain(&self.underived).cloned().collect()
    }

    pub fn has_buffered(&self) -> bool {
        self.buffered_count > 0
    }

    /// Writes what is buffered of all logs.
    pub fn flush(&mut self, place: &Place) -> Result<(), Fault> {
        let projects: Vec<ProjectId> = self.buffered.keys().cloned().collect();
        projects.iter().try_for_each(|project| self.flush_log(place, project))
    }

    /// Writes what is buffered of a log. After a failure it stays buffered, to be tried again.
    pub fn flush_log(&mut self, place: &Place, project: &ProjectId) -> Result<(), Fault> {
        let Some(mut entries) = self.buffered.remove(project) else { return Ok(()) };
        let written = self.append_now(place, project, &entries, None);
        match written {
            Ok(_) => {
                self.buffered_count -= entries.len();
                let bytes: usize = entries.iter().map(|entry| entry.object.len()).sum();
                self.buffered_bytes -= bytes;
                Ok(())
            }
            Err(fault) => {
                if fault.outcome == Outcome::Unknown {
                    // They may be there by now: each is appended once, however often it is tried.
                    for entry in entries.iter_mut().filter(|entry| entry.is_record) {
                        entry.once = entry.once.or_else(|| key_of(&entry.object));
                        entry.names_its_id = entry.once.is_some();
                    }
                }
                self.buffered.insert(project.clone(), entries);
                Err(fault)
            }
        }
    }

    /// Whether the tree follows from what was proven here before.
    pub fn is_proven(&self, project: &ProjectId, range: &CompactRange) -> bool {
        self.logs.get(project).is_some_and(|log| log.proven_range() == Some(range))
    }

    /// Takes note of a tree that was signed.
    pub fn prove(&mut self, project: &ProjectId, range: &CompactRange) {
        if let Some(log) = self.logs.get_mut(project) {
            log.prove(range);
        }
    }

    /// Closes the connection and forgets what is known of the logs.
    pub fn close(&mut self) {
        self.logs.clear();
        self.connection = None;
    }
}
