//! Records whose ids others chose: appended once, all or none, and checked on the way.

use std::collections::HashMap;
use std::ops::ControlFlow;

use quark_trace_core::query::{Field, VALUE_LIMIT};
use quark_trace_core::record::View;
use quark_trace_core::stages::Fault;

use super::{ATTEMPTS, Incoming, TraceLog, is_outdated};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::record::Record;
use crate::store::{Appended, NewEntry, Plan, Row, Select};

/// What became of records that were received.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Where they stand.
    pub appended: Appended,
    /// How each breaks the schema of its stage, in the order of the call.
    pub faults: Vec<Vec<Fault>>,
}

impl TraceLog {
    /// Appends records with ids of the caller's in one step, all or none.
    pub fn append_all(&self, records: &[Record]) -> Result<Appended> {
        let incoming = records.iter().map(|record| Incoming::of(self.project(), record));
        let incoming: Vec<_> = incoming.collect::<Result<_>>()?;
        let received = incoming.iter().map(|incoming| (incoming, ""));
        Ok(self.append_received(received, None)?.appended)
    }

    /// As [`TraceLog::append_all`], for who takes records of this project from others: what stands
    /// beside each record (attributes with a space before each, as ` by=node-1 at=1767322985000`)
    /// is noted in its entry. `expected` is the size that the log must have.
    pub fn append_received<'a>(
        &self,
        received: impl IntoIterator<Item = (&'a Incoming<'a>, &'a str)>,
        expected: Option<u64>,
    ) -> Result<Received> {
        let entries = received
            .into_iter()
            .map(|(incoming, attributes)| incoming.entry(self.project(), attributes));
        let mut entries: Vec<_> = entries.collect::<Result<_>>()?;
        self.commit_checked(&mut entries, expected)
    }

    /// Appends records of which each is checked by what its line says.
    pub(super) fn commit_checked(
        &self,
        entries: &mut [NewEntry<'_>],
        expected: Option<u64>,
    ) -> Result<Received> {
        let mut attempts = 0;
        loop {
            let rules = self.rules.read(self)?;
            let checked = entries.iter_mut().map(|entry| {
                entry.schemas = Some(rules.until());
                rules.check_line(entry.object)
            });
            let checked: Result<Vec<_>> = checked.collect();
            let faults = match checked {
                Err(_) if attempts < ATTEMPTS && self.rules.renew(self, &rules)? => {
                    attempts += 1;
                    continue;
                }
                // What is there already is answered with its index, whatever came into force since.
                Err(refused) if !self.has_all(entries)? => return Err(refused),
                Err(_) => {
                    entries.iter_mut().for_each(|entry| entry.schemas = None);
                    vec![Vec::new(); entries.len()]
                }
                Ok(faults) => faults,
            };
            match self.commit(entries, expected) {
                Err(error)
                    if is_outdated(&error)
                        && !is_moved(&error, expected)
                        && attempts < ATTEMPTS =>
                {
                    attempts += 1;
                    self.rules.forget(&rules);
                }
                done => return done.map(|appended| Received { appended, faults }),
            }
        }
    }

    /// Whether the log has every record of these, each with an id that the caller chose.
    fn has_all(&self, entries: &[NewEntry<'_>]) -> Result<bool> {
        let ids: Option<Vec<&str>> = entries.iter().map(|entry| entry.record_id).collect();
        let Some(ids) = ids else { return Ok(false) };
        let mut missing: HashMap<&str, &[u8]> =
            ids.iter().copied().zip(entries.iter().map(|entry| entry.object)).collect();
        // One question for all of them: who waits to write must not wait for a thousand.
        for ids in ids.chunks(VALUE_LIMIT) {
            let own = Field::RecordId.is_in(ids.iter().copied());
            let plan = Plan { select: Select::Records, filter: Some(&own), ..Plan::default() };
            let scanned = self.store().scan(self.project(), &plan, &mut |row| {
                if let Row::Entry { object: Some(object), .. } = row
                    && let Ok(view) = View::parse(&object)
                    && missing.get(view.record_id.to_str().as_ref()) == Some(&object.as_ref())
                {
                    missing.remove(view.record_id.to_str().as_ref());
                }
                if missing.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            scanned.map_err(|error| error.or_outcome(Outcome::NotWritten))?;
        }
        Ok(missing.is_empty())
    }
}

/// Whether the log is not of the size that the caller named.
fn is_moved(error: &Error, expected: Option<u64>) -> bool {
    let ErrorKind::Conflict { actual } = error.kind() else { return false };
    expected.is_some_and(|expected| expected != actual)
}
