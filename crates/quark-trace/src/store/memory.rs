//! A store in memory: for tests, and the model that every other store is compared with.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::entry::header_object;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{CompactRange, Digest, Entry, Kind, entry};
use quark_trace_core::record::View;

use super::schemas::OUTDATED;
use super::{Appended, Beside, Commit, Head, NewEntry, Place, Plan, Row, Select, Store, StoreInfo};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::keys::Keyring;
use crate::signer::{Before, Signer, taken_over};

const APPEND: &str = "append to the log";

/// Keeps projects in memory, as long as it lives.
#[derive(Debug, Default)]
pub struct MemoryStore {
    keys: Option<Keyring>,
    logs: Mutex<HashMap<ProjectId, Log>>,
}

#[derive(Debug, Default, Clone)]
struct Log {
    head: Head,
    entries: Vec<(Vec<u8>, Digest)>,
    objects: HashMap<Digest, Vec<u8>>,
    /// Index and digest by record id, for the ids that callers chose or that are stored.
    ids: HashMap<String, (u64, Digest)>,
    /// Index behind the last `schema` entry.
    schemas_until: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Signs checkpoints with this key.
    #[must_use]
    pub fn with_keys(mut self, keys: Keyring) -> Self {
        self.keys = Some(keys);
        self
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<ProjectId, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            kind: "memory",
            url: "memory:".to_owned(),
            persistent: false,
            shared: false,
            signs: self.keys.is_some(),
        }
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        let mut projects: Vec<_> = self.logs().keys().cloned().collect();
        projects.sort();
        Ok(projects)
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        Ok(self.logs().get(project).map(|log| log.head.clone()))
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        Ok(self.logs().get(project).map(|log| log.head.beside.clone()))
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        let refuse = |kind, message: String| {
            Err(Error::new(kind, APPEND, message).with_outcome(Outcome::NotWritten))
        };
        commit.check()?;
        let mut logs = self.logs();
        let actual = logs.get(project).map_or(0, |log| log.head.range.size());
        if commit.expected.is_some_and(|expected| expected != actual) {
            let message = format!("the log has {actual} entries by now; look again and retry");
            return refuse(ErrorKind::Conflict { actual }, message);
        }
        let until = logs.get(project).map_or(0, |log| log.schemas_until);
        if commit.entries.iter().any(|entry| entry.is_outdated(until)) {
            return refuse(ErrorKind::Conflict { actual }, OUTDATED.to_owned());
        }
        // Worked on a copy of nothing but the decision: all ids are admitted before any is pushed.
        let mut fresh = Vec::new();
        let mut appended = Appended::default();
        let known = logs.get(project);
        let mut seen: HashMap<&str, (u64, Digest)> = HashMap::new();
        for (place, entry) in commit.entries.iter().enumerate() {
            let before = entry.record_id.and_then(|id| {
                seen.get(id).copied().or_else(|| known.and_then(|log| log.ids.get(id).copied()))
            });
            match before {
                Some((index, digest)) if digest == entry.digest => {
                    appended.existing.push((place, index));
                }
                Some((index, _)) => {
                    let message = format!(
                        "entry {index} has the same record id with other content; give the new \
                         record its own id"
                    );
                    return refuse(ErrorKind::RecordConflict, message);
                }
                None => {
                    let index = actual.max(1) + fresh.len() as u64;
                    seen.extend(entry.record_id.map(|id| (id, (index, entry.digest))));
                    fresh.push(entry);
                }
            }
        }
        let log = logs.entry(project.clone()).or_default();
        if log.entries.is_empty() {
            let header = header_object(project);
            log.push(&NewEntry::new(Kind::Log, &header));
        }
        fresh.into_iter().for_each(|entry| log.push(entry));
        appended.size = log.head.range.size();
        Ok(appended)
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        let mut logs = self.logs();
        let Some(log) = logs.get_mut(project) else { return Ok(None) };
        if let Some(keys) = &self.keys {
            log.seal(keys, project)?;
        }
        Ok(Some(log.head.clone()))
    }

    fn vouch(&self, project: &ProjectId, beside: &Beside) -> Result<()> {
        if let Some(log) = self.logs().get_mut(project).filter(|_| self.keys.is_none())
            && taken_over(&log.head.beside, beside).is_some()
        {
            log.head.beside = beside.clone();
        }
        Ok(())
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        // A copy, so that the sink may call this store.
        let log = self.logs().get(project).cloned().unwrap_or_default();
        for (index, (line, object)) in (0..).zip(&log.entries) {
            let kind = Entry::parse(line).map(|entry| entry.kind).unwrap_or(Kind::Other(""));
            let selected = match plan.select {
                Select::All | Select::Entries => true,
                Select::Records => kind.is_record(),
                Select::Sheets => kind.is_sheet(),
                Select::Schemas => kind == Kind::Schema,
            };
            if plan.ends_before(index) {
                break;
            }
            if index < plan.from || !selected {
                continue;
            }
            let object = log.objects.get(object).filter(|_| plan.select != Select::Entries);
            let object = object.map(|bytes| bytes.as_slice().into());
            let (digest, place, displaced) = (None, Place::default(), false);
            if sink(Row::Entry { index, line, object, digest, place, displaced }).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Log {
    fn seal(&mut self, keys: &Keyring, project: &ProjectId) -> Result<()> {
        let Beside { checkpoint, keys: known } = &mut self.head.beside;
        let Some(signer) = Signer::of(keys, project, known.as_deref()) else { return Ok(()) };
        let entries = &self.entries;
        let mut roots_at = |sizes: &[u64]| {
            let root = |&size: &u64| {
                let mut range = CompactRange::new();
                let leaves = entries.get(..usize::try_from(size).ok()?)?;
                leaves.iter().for_each(|(line, _)| range.push(leaf_hash(line)));
                Some(range.root())
            };
            Ok(sizes.iter().map(root).collect())
        };
        let note =
            signer.sign(&self.head.range, Before::of(checkpoint.as_deref()), &mut roots_at)?;
        *checkpoint = note.or(checkpoint.take());
        if checkpoint.is_some() {
            known.get_or_insert_with(|| signer.verifier_keys());
        }
        Ok(())
    }

    fn push(&mut self, new: &NewEntry<'_>) {
        let index = self.head.range.size();
        let stored = match new.record_id {
            Some(id) => Some(id.to_owned()),
            None if new.kind.is_record() => {
                View::parse(new.object).ok().map(|view| view.record_id.to_str().into_owned())
            }
            None => None,
        };
        if let Some(id) = stored {
            self.ids.entry(id).or_insert((index, new.digest));
        }
        if new.kind == Kind::Schema {
            self.schemas_until = index + 1;
        }
        let mut line = Vec::new();
        entry::write(&mut line, new.kind, new.digest);
        line.extend_from_slice(new.attributes.as_bytes());
        self.head.range.push(leaf_hash(&line));
        self.entries.push((line, new.digest));
        self.objects.insert(new.digest, new.object.to_vec());
    }
}
