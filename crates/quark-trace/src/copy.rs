//! Copying a log from one store to another, entry by entry, to the same root.

use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{CompactRange, Digest, Entry, Kind};

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Commit, Durability, Head, NewEntry, Plan, Row, Store};

const OPERATION: &str = "copy the log";
/// Entries and bytes handed over together.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Copies what `to` does not have yet of a project, and answers the head it has then.
///
/// What `to` has must be the beginning of what `from` has. A row that is missing, changed or out
/// of order on the way stops the copy; the rows before it stay, and a later call goes on from
/// there. Lines of `from` that have no entry must be sealed first.
pub fn copy(
    from: &dyn Store,
    to: &dyn Store,
    project: &ProjectId,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Head> {
    let source = from
        .head(project)?
        .ok_or_else(|| refuse(ErrorKind::NotFound, "there is no such project"))?;
    if source.range.size() == 0 {
        let message = "the project has no ledger; seal it first";
        return Err(refuse(ErrorKind::NotFound, message));
    }
    let mut copying = Copying {
        to,
        project,
        total: source.range.size(),
        present: to.head(project)?.unwrap_or_default().range,
        range: CompactRange::new(),
        batch: Vec::new(),
        batch_bytes: 0,
        progress,
    };
    let mut result = Ok(());
    from.scan(project, &Plan::default(), &mut |row| {
        result = copying.row(row);
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result?;
    copying.flush()?;
    if copying.range.root() != source.range.root() && copying.range.size() == source.range.size() {
        return Err(refuse(ErrorKind::Integrity("E-ROOT"), "the log changed while it was copied"));
    }
    let head = to.seal(project)?.unwrap_or_default();
    if head.range.root() != copying.range.root() {
        return Err(refuse(ErrorKind::Integrity("E-ROOT"), "the copy has another root"));
    }
    Ok(head)
}

struct Copying<'a> {
    to: &'a dyn Store,
    project: &'a ProjectId,
    total: u64,
    /// What the target had before.
    present: CompactRange,
    /// The tree of the rows that came so far.
    range: CompactRange,
    batch: Vec<Moved>,
    batch_bytes: usize,
    progress: &'a mut dyn FnMut(u64, u64),
}

/// An entry on its way.
struct Moved {
    kind: Kind<'static>,
    attributes: String,
    digest: Digest,
    object: Vec<u8>,
}

impl Copying<'_> {
    fn row(&mut self, row: Row<'_>) -> Result<()> {
        match row {
            Row::Entry { index, line, object, displaced, .. } => {
                if index != self.range.size() || displaced {
                    return Err(refuse_at("E-ORDER", index, "is out of order"));
                }
                let Some(object) = object else {
                    return Err(refuse_at("E-MISSING", index, "has lost its object"));
                };
                self.entry(index, line, &object)
            }
            Row::Loose { place, .. } => {
                let message = format!("line {} has no entry; seal the log first", place.line);
                Err(refuse(ErrorKind::Integrity("E-ORDER"), &message))
            }
            Row::Torn { what, .. } => {
                let message = format!("the {what} end in the middle of a line; seal the log first");
                Err(refuse(ErrorKind::Integrity("E-TRUNC"), &message))
            }
            // It does not travel; the target derives its own.
            Row::Differs { .. } => Ok(()),
            Row::SheetDiffers { .. } => Err(refuse(
                ErrorKind::Integrity("E-SHEET"),
                "the fact sheet is not the ledger's last",
            )),
        }
    }

    fn entry(&mut self, index: u64, line: &[u8], object: &[u8]) -> Result<()> {
        let altered = |what| Err(refuse_at("E-ALTERED", index, what));
        let Ok(entry) = Entry::parse(line) else { return altered("is no entry") };
        let digest = Digest::of(object);
        if digest != entry.object {
            return altered("does not fit its object");
        }
        self.range.push(leaf_hash(line));
        if index < self.present.size() {
            if self.range.size() == self.present.size() && self.range != self.present {
                let message = "the target has another history of this project";
                return Err(refuse(ErrorKind::Integrity("E-FORK"), message));
            }
            return Ok(());
        }
        let Some(kind) = known_kind(entry.kind) else { return altered("is of an unknown kind") };
        // The target writes its own header first, which is the same for every store.
        if kind == Kind::Log {
            return Ok(());
        }
        let attributes =
            entry.attributes().map(|(name, value)| format!(" {name}={value}")).collect();
        self.batch_bytes += object.len();
        self.batch.push(Moved { kind, attributes, digest, object: object.to_vec() });
        if self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let entries: Vec<NewEntry<'_>> = self
            .batch
            .iter()
            .map(|row| NewEntry {
                kind: row.kind,
                object: &row.object,
                digest: row.digest,
                attributes: &row.attributes,
                record_id: None,
            })
            .collect();
        let before = self.range.size() - entries.len() as u64;
        let expected = Some(if before == 1 && self.present.size() == 0 { 0 } else { before });
        let commit = Commit { entries: &entries, expected, durability: Durability::Os };
        self.to.append(self.project, &commit)?;
        self.batch.clear();
        self.batch_bytes = 0;
        (self.progress)(self.range.size(), self.total);
        Ok(())
    }
}

fn known_kind(kind: Kind<'_>) -> Option<Kind<'static>> {
    Some(match kind {
        Kind::Log => Kind::Log,
        Kind::Record => Kind::Record,
        Kind::RecordAdopted => Kind::RecordAdopted,
        Kind::Sheet => Kind::Sheet,
        Kind::SheetAdopted => Kind::SheetAdopted,
        Kind::Schema => Kind::Schema,
        Kind::Key => Kind::Key,
        Kind::Erased => Kind::Erased,
        Kind::Head => Kind::Head,
        Kind::Other(_) => return None,
    })
}

fn refuse(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, OPERATION, message)
}

fn refuse_at(code: &'static str, index: u64, what: &str) -> Error {
    refuse(ErrorKind::Integrity(code), &format!("entry {index} {what}; run `quark-trace verify`"))
}
