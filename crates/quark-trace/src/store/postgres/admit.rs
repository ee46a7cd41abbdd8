//! Which entries of waiting callers are new, decided from the size of the log and the record ids it
//! has: each caller's commit is taken whole or refused, in the order in which they came.

use std::collections::HashMap;

use quark_trace_core::ledger::Digest;

use super::fault::Fault;
use super::pending::{Pending, PendingEntry};
use crate::error::{ErrorKind, Outcome};
use crate::store::Appended;
use crate::store::schemas::OUTDATED;

/// Index and digest of records by the key of their id.
pub(super) type Known = HashMap<Digest, (u64, Digest)>;

/// What is to be written, and what each caller is told if it is.
#[derive(Debug, Default)]
pub(super) struct Admission<'a> {
    pub fresh: Vec<&'a PendingEntry>,
    pub answers: Vec<Result<Appended, Fault>>,
    /// Index behind the last schema after it, where it is known.
    pub schemas: Option<u64>,
}

impl<'a> Admission<'a> {
    /// Looks at commits in turn; `header` goes before the first entry of a log. `schemas`, the index
    /// behind the last schema, must be known if one of them was checked.
    pub fn of(
        size: u64,
        schemas: Option<u64>,
        header: &'a PendingEntry,
        commits: impl Iterator<Item = &'a Pending>,
        mut known: Known,
    ) -> Self {
        let mut admission = Self { schemas, ..Self::default() };
        let mut size = size;
        for commit in commits {
            let answer = admit(size, admission.schemas, commit, &known);
            let answer = answer.map(|(fresh, existing)| {
                if size == 0 {
                    admission.fresh.push(header);
                    size = 1;
                }
                for entry in fresh {
                    if let Some(key) = entry.columns.record_key {
                        known.entry(key).or_insert((size, entry.digest));
                    }
                    admission.fresh.push(entry);
                    size += 1;
                    if entry.kind == "schema" {
                        admission.schemas = Some(size);
                    }
                }
                Appended { size, existing }
            });
            admission.answers.push(answer);
        }
        admission
    }

    /// Whether a caller is refused or told of what is there already.
    pub fn looks_back(&self) -> bool {
        self.answers.iter().any(|answer| match answer {
            Ok(appended) => !appended.existing.is_empty(),
            Err(_) => true,
        })
    }

    /// Whether all callers are refused.
    pub fn is_refusal(&self) -> bool {
        self.answers.iter().all(Result::is_err)
    }
}

type Decision<'a> = (Vec<&'a PendingEntry>, Vec<(usize, u64)>);

fn admit<'a>(
    size: u64,
    schemas: Option<u64>,
    commit: &'a Pending,
    known: &Known,
) -> Result<Decision<'a>, Fault> {
    let outdated = |entry: &PendingEntry| entry.schemas.is_some() && entry.schemas != schemas;
    if commit.entries.iter().any(outdated) {
        return Err(refuse(ErrorKind::Conflict { actual: size }, OUTDATED.to_owned()));
    }
    if commit.expected.is_some_and(|expected| expected != size) {
        let message = format!("the log has {size} entries by now; look again and retry");
        return Err(refuse(ErrorKind::Conflict { actual: size }, message));
    }
    let (mut fresh, mut existing) = (Vec::new(), Vec::new());
    let mut seen: HashMap<Digest, (u64, Digest)> = HashMap::new();
    for (place, entry) in commit.entries.iter().enumerate() {
        let key = entry.columns.record_key.filter(|_| entry.once);
        let before = key.and_then(|key| seen.get(&key).or_else(|| known.get(&key)));
        match before {
            Some((index, digest)) if *digest == entry.digest => existing.push((place, *index)),
            Some((index, _)) => {
                let message = format!(
                    "entry {index} has the same record id with other content; give the new record \
                     its own id"
                );
                return Err(refuse(ErrorKind::RecordConflict, message));
            }
            None => {
                let index = size.max(1) + fresh.len() as u64;
                seen.extend(key.map(|key| (key, (index, entry.digest))));
                fresh.push(entry);
            }
        }
    }
    Ok((fresh, existing))
}

fn refuse(kind: ErrorKind, message: String) -> Fault {
    Fault::new(kind, message, Outcome::NotWritten)
}
