//! Which logs were refused a signature, for those who keep a store open and are told by no call.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use quark_trace_core::ids::ProjectId;

/// A log over which no checkpoint could be signed, although entries came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Its project.
    pub project: ProjectId,
    /// Why, and what to do.
    pub reason: String,
}

/// The logs of a store that were refused a signature, until they are signed.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<ProjectId, String>>);

impl Refusals {
    /// Takes note of how a seal ended: `None` for one that was made, or that nothing was left for.
    pub fn note(&self, project: &ProjectId, reason: Option<&str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => drop(known.insert(project.clone(), reason.to_owned())),
            None => drop(known.remove(project)),
        }
    }

    /// All of them, sorted by their projects.
    pub fn all(&self) -> Vec<Unsigned> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unsigned = known
            .iter()
            .map(|(project, reason)| Unsigned { project: project.clone(), reason: reason.clone() });
        unsigned.collect()
    }
}
