//! The schemas in force at one place of a log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fault::{Fault, MOST_FAULTS};
use super::mode::Mode;
use super::schema::{SchemaFault, StageSchema};
use super::{ALL_STAGES, vocabulary};
use crate::ids::{NAME_LIMIT, percent_decode, percent_encode};
use crate::ledger::{Entry, Kind};

/// A `schema` entry that no later one of its stage has replaced.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Index of the entry.
    pub index: u64,
    /// The schema; why it cannot be used, when nothing is checked against it.
    pub schema: Result<Arc<StageSchema>, SchemaFault>,
}

/// What the schemas in force say of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Index of the entry whose schema it was.
    pub index: u64,
    /// What becomes of a record with faults.
    pub mode: Mode,
    /// The faults; empty when the record fits.
    pub faults: Vec<Fault>,
}

/// The schemas in force, by stage. Fed with the `schema` entries of a log in their order, it says at
/// any place what holds there.
///
/// A record is checked against the schema of its very stage; a stage that has none, against that
/// of [`ALL_STAGES`] and, where that says so, against the vocabulary's schema of its name or alias.
#[derive(Debug, Clone, Default)]
pub struct SchemaBook {
    stages: BTreeMap<String, InForce>,
}

impl SchemaBook {
    /// Whether nothing is in force.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Takes the object of the `schema` entry `index` about `stage`. One that cannot be used
    /// replaces the one before all the same.
    pub fn take(&mut self, index: u64, stage: &str, object: &[u8]) -> Result<(), SchemaFault> {
        let schema = StageSchema::read(object).map(Arc::new);
        let fault = schema.as_ref().err().cloned();
        self.stages.insert(stage.to_owned(), InForce { index, schema });
        fault.map_or(Ok(()), Err)
    }

    /// Takes note of the `schema` entry `index` about `stage`, whose object is gone or changed:
    /// nothing is checked with it.
    pub fn take_missing(&mut self, index: u64, stage: &str) {
        let schema = Err(SchemaFault::Missing);
        self.stages.insert(stage.to_owned(), InForce { index, schema });
    }

    /// What is in force, by stage.
    pub fn in_force(&self) -> impl Iterator<Item = (&str, &InForce)> {
        self.stages.iter().map(|(stage, in_force)| (stage.as_str(), in_force))
    }

    /// What is in force for the records of a stage.
    pub fn of_stage(&self, stage: &str) -> Option<&InForce> {
        self.stages.get(stage).or_else(|| self.stages.get(ALL_STAGES))
    }

    /// Looks at the payload (JSON text) of a record; `None` when nothing is asked of its stage.
    pub fn check(&self, stage: &str, payload: &[u8]) -> Option<Check> {
        let InForce { index, schema } = self.of_stage(stage)?;
        let schema = schema.as_ref().ok()?;
        let mode = schema.mode();
        if mode == Mode::Off {
            return None;
        }
        let mut faults = schema.faults(payload);
        if schema.uses_vocabulary()
            && let Some(known) = vocabulary::builtin(stage).and_then(|known| known.schema())
        {
            let more = known.faults(payload);
            faults.extend(more);
            faults.dedup();
            faults.truncate(MOST_FAULTS);
        }
        Some(Check { index: *index, mode, faults })
    }
}

/// The attribute of a `schema` entry about `stage`, with its leading space.
pub fn stage_attribute(stage: &str) -> String {
    format!(" stage={}", percent_encode(stage.as_bytes()))
}

/// The stage that a `schema` entry is about; `None` for other entries, and for one that names none.
pub fn stage_of(entry: &Entry<'_>) -> Option<String> {
    let encoded = entry.attribute("stage").filter(|_| entry.kind == Kind::Schema)?;
    let stage = String::from_utf8(percent_decode(encoded)?).ok()?;
    Some(stage).filter(|stage| stage.len() <= NAME_LIMIT)
}
