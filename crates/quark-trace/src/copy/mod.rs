//! Copying a log from one store to another, entry by entry, to the same root.
//!
//! What is appended cannot be taken back, so nothing is handed over before it is known to belong:
//!
//! 1. the source is verified, and must not be tampered with;
//! 2. it is read again, and the root behind every batch is noted ([`Survey`]);
//! 3. it is read once more and handed over batch by batch, each only when it leads to the root
//!    that was noted;
//! 4. the target is read back and verified, and only then sealed and indexed.

use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{CompactRange, Digest, Entry, Kind};

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Commit, Durability, Head, NewEntry, Plan, Row, Store};
use crate::verify::{Code, Policy, Severity, Verdict, verify};

mod vouching;

pub use vouching::is_signed_elsewhere;
use vouching::{Vouching, vouching};

const OPERATION: &str = "copy the log";
/// Entries and bytes handed over together.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Copies what `to` does not have yet of a project, and answers the head it has then.
///
/// What `to` has must be the beginning of what `from` has. A row that is missing, changed or out
/// of order, in the source or on the way, stops the copy before it or anything behind it is handed
/// over; what was handed over stays, and a later call goes on from there. Lines of `from` that have
/// no entry must be sealed first. What is appended to `from` meanwhile is left to a later call.
///
/// A target with a key signs the copy. One without takes over the checkpoint and the keys of the
/// source, where their signature holds for what was copied: see [`is_signed_elsewhere`].
///
/// Reads the source three times and the target once.
pub fn copy(
    from: &dyn Store,
    to: &dyn Store,
    project: &ProjectId,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Head> {
    let (source, vouching) = sound_source(from, project)?;
    let present = to.head(project)?.unwrap_or_default().range;
    if present.size() > source.size() {
        let message = format!(
            "the target has {} entries, the source only {}; are they the right way round?",
            present.size(),
            source.size()
        );
        return Err(refuse(ErrorKind::Conflict { actual: present.size() }, &message));
    }
    let survey = Survey::of(from, project, &source, &present, vouching)?;
    hand_over(from, to, project, &survey, progress)?;
    check_target(to, project, &survey)?;
    let mut head = to.seal(project)?.unwrap_or_default();
    to.index(project)?;
    // Behind the seal, since a checkpoint covers nothing that is not durable.
    if let Some((_, beside)) = survey.vouching.filter(|_| !to.info().signs) {
        to.vouch(project, &beside)?;
        head.beside = to.beside(project)?.unwrap_or_default();
    }
    if head.range.size() == survey.size && head.range.root() != survey.root {
        return Err(refuse(ErrorKind::Integrity("E-ROOT"), "the copy has another root"));
    }
    Ok(head)
}

/// The tree that is copied: what the source has now, which must hold together.
fn sound_source(from: &dyn Store, project: &ProjectId) -> Result<(CompactRange, Option<Vouching>)> {
    let missing = |message| refuse(ErrorKind::NotFound, message).on(project.as_str());
    let head = from.head(project)?.ok_or_else(|| missing("there is no such project"))?;
    if head.range.size() == 0 {
        return Err(missing(
            "the project has no ledger; run `quark-trace seal` on the source first",
        ));
    }
    let verdict = verify(from, project, &Policy::default())?;
    if let Some(error) = first_error(&verdict) {
        return Err(error);
    }
    if verdict.size < head.range.size() {
        return Err(ends_early(verdict.size, head.range.size()));
    }
    if verdict.counts.loose > 0 {
        let message = format!(
            "{} record(s) have no entry; run `quark-trace seal` on the source first",
            verdict.counts.loose
        );
        return Err(refuse(ErrorKind::Integrity("E-ORDER"), &message));
    }
    let vouching = vouching(head.beside, head.range.size());
    Ok((head.range, vouching))
}

/// The first finding that says that something was changed, as an error.
fn first_error(verdict: &Verdict) -> Option<Error> {
    let finding = verdict.findings.iter().find(|found| found.severity == Severity::Error)?;
    let message = format!("{}; run `quark-trace verify`", finding.message);
    Some(refuse(ErrorKind::Integrity(finding.code.as_str()), &message))
}

/// Where batches end, and the roots there.
struct Survey {
    /// Size and root behind each batch; the last is the whole log.
    cuts: Vec<(u64, Digest)>,
    /// How many entries the target had before.
    present: u64,
    size: u64,
    root: Digest,
    /// What vouches for the source, as long as its root was not found to be another.
    vouching: Option<Vouching>,
}

impl Survey {
    fn of(
        from: &dyn Store,
        project: &ProjectId,
        source: &CompactRange,
        present: &CompactRange,
        vouching: Option<Vouching>,
    ) -> Result<Self> {
        let (size, root) = (source.size(), source.root());
        let (cuts, present_size) = (Vec::new(), present.size());
        let mut survey = Self { cuts, present: present_size, size, root, vouching };
        let (mut entries, mut bytes) = (0, 0);
        let mut last = present.size();
        let read = each_entry(from, project, size, &mut |range, _, object| {
            let size = range.size();
            survey.vouching.take_if(|(at, _)| at.size == size && at.root != range.root());
            if size == present.size() && *range != *present {
                let message = "the target has another history of this project";
                return Err(refuse(ErrorKind::Integrity("E-FORK"), message));
            }
            if size <= present.size() {
                return Ok(());
            }
            (entries, bytes) = (entries + 1, bytes + object.len());
            if entries >= BATCH || bytes >= BATCH_BYTES {
                survey.cuts.push((size, range.root()));
                (entries, bytes, last) = (0, 0, size);
            }
            Ok(())
        })?;
        if read != *source {
            let message = "the entries do not lead to the root that the source says it has";
            return Err(refuse(ErrorKind::Integrity("E-ROOT"), message));
        }
        if last < size {
            survey.cuts.push((size, root));
        }
        Ok(survey)
    }
}

/// Appends to `to` what it does not have, a batch at a time.
fn hand_over(
    from: &dyn Store,
    to: &dyn Store,
    project: &ProjectId,
    survey: &Survey,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let mut cuts = survey.cuts.iter();
    let Some(mut cut) = cuts.next() else { return Ok(()) };
    let mut batch: Vec<Moved> = Vec::new();
    let mut size = survey.present;
    each_entry(from, project, survey.size, &mut |range, line, object| {
        if range.size() <= survey.present {
            return Ok(());
        }
        batch.push(Moved { line: line.to_vec(), object: object.to_vec() });
        if range.size() < cut.0 {
            return Ok(());
        }
        if range.root() != cut.1 {
            let message =
                format!("entries {size} to {} are not those that were verified", cut.0 - 1);
            return Err(refuse(ErrorKind::Integrity("E-ROOT"), &message));
        }
        append(to, project, &batch, size)?;
        batch.clear();
        size = cut.0;
        cut = cuts.next().unwrap_or(cut);
        progress(size, survey.size);
        Ok(())
    })?;
    Ok(())
}

/// An entry on its way.
struct Moved {
    line: Vec<u8>,
    object: Vec<u8>,
}

impl Moved {
    /// The entry as a store takes it; `None` for the header, which each store writes itself, and
    /// which is the same in all of them.
    fn as_new(&self) -> Result<Option<NewEntry<'_>>> {
        let unread = |what: String| refuse(ErrorKind::Integrity("E-ALTERED"), &what);
        let entry = Entry::parse(&self.line).map_err(|fault| unread(fault.to_string()))?;
        if entry.kind == Kind::Log {
            return Ok(None);
        }
        // What follows the kind, the space, `sha256:` and 64 digits.
        let attributes = self.line.get(entry.kind.as_str().len() + 72..).unwrap_or_default();
        let attributes =
            std::str::from_utf8(attributes).map_err(|fault| unread(fault.to_string()))?;
        let (kind, digest, object) = (entry.kind, entry.object, self.object.as_slice());
        Ok(Some(NewEntry {
            kind,
            object,
            digest,
            attributes,
            record_id: None,
            is_own_id: false,
            schemas: None,
        }))
    }
}

fn append(to: &dyn Store, project: &ProjectId, batch: &[Moved], before: u64) -> Result<()> {
    let mut entries = Vec::with_capacity(batch.len());
    for moved in batch {
        entries.extend(moved.as_new()?);
    }
    let commit = Commit { entries: &entries, expected: Some(before), durability: Durability::Os };
    let appended = to.append(project, &commit)?;
    let size = before + batch.len() as u64;
    if appended.size != size || !appended.existing.is_empty() {
        let message = format!("the target has {} entries instead of {size}", appended.size);
        return Err(refuse(ErrorKind::Integrity("E-ORDER"), &message));
    }
    Ok(())
}

/// Reads the target back: every object, and whatever the store keeps beside.
fn check_target(to: &dyn Store, project: &ProjectId, survey: &Survey) -> Result<()> {
    let of_the_copy = |error: Error| {
        let message = format!("the copy is not what was copied: {}", error.message());
        refuse(error.kind(), &message)
    };
    let verdict = verify(to, project, &Policy::default())?;
    // What is wrong with signatures is about keys, and the copy may be bound to others.
    let about_keys = |code| matches!(code, Code::Key | Code::Sig);
    if verdict.findings.iter().any(|f| f.severity == Severity::Error && !about_keys(f.code))
        && let Some(error) = first_error(&verdict)
    {
        return Err(of_the_copy(error));
    }
    let root = match verdict.root.filter(|_| verdict.size == survey.size) {
        Some(root) => root,
        // Others appended to it since.
        None => {
            each_entry(to, project, survey.size, &mut |_, _, _| Ok(())).map_err(of_the_copy)?.root()
        }
    };
    if root != survey.root {
        return Err(refuse(ErrorKind::Integrity("E-ROOT"), "the copy has another root"));
    }
    Ok(())
}

type Each<'e> = &'e mut dyn FnMut(&CompactRange, &[u8], &[u8]) -> Result<()>;

/// Gives each of the first `size` entries and its object to `each`, with the tree that it ends;
/// answers that of all. An entry that does not fit its place or its object is refused.
fn each_entry(
    store: &dyn Store,
    project: &ProjectId,
    size: u64,
    each: Each<'_>,
) -> Result<CompactRange> {
    let mut range = CompactRange::new();
    let mut result = Ok(());
    store.scan(project, &Plan::default(), &mut |row| {
        let Row::Entry { index, line, object, displaced, .. } = row else {
            result = Err(not_an_entry(&row, range.size()));
            return ControlFlow::Break(());
        };
        result =
            checked(index, line, object.as_deref(), displaced, range.size()).and_then(|object| {
                range.push(leaf_hash(line));
                each(&range, line, object)
            });
        if result.is_ok() && range.size() < size {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    result?;
    if range.size() < size {
        return Err(ends_early(range.size(), size));
    }
    Ok(range)
}

/// The object of a row that is the next entry and fits it.
fn checked<'o>(
    index: u64,
    line: &[u8],
    object: Option<&'o [u8]>,
    displaced: bool,
    next: u64,
) -> Result<&'o [u8]> {
    if index != next || displaced {
        return Err(refuse_at("E-ORDER", next, "is not where it should be"));
    }
    let object = object.ok_or_else(|| refuse_at("E-MISSING", index, "has lost its object"))?;
    match Entry::parse(line) {
        Err(_) => Err(refuse_at("E-ALTERED", index, "is no entry")),
        Ok(entry) if Digest::of(object) != entry.object => {
            Err(refuse_at("E-ALTERED", index, "does not fit its object"))
        }
        Ok(_) => Ok(object),
    }
}

/// What stands where an entry should.
fn not_an_entry(row: &Row<'_>, next: u64) -> Error {
    match row {
        Row::Differs { what, .. } => refuse(ErrorKind::Integrity("E-ALTERED"), what),
        Row::SheetDiffers { .. } => {
            let message = "the fact sheet that is shown is not the ledger's last";
            refuse(ErrorKind::Integrity("E-SHEET"), message)
        }
        _ => refuse_at("E-ORDER", next, "is not next: something else stands there"),
    }
}

fn ends_early(found: u64, size: u64) -> Error {
    let message = format!("{found} of {size} entries are there: the end is missing");
    refuse(ErrorKind::Integrity("E-TRUNC"), &message)
}

fn refuse(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, OPERATION, message)
}

fn refuse_at(code: &'static str, index: u64, what: &str) -> Error {
    refuse(ErrorKind::Integrity(code), &format!("entry {index} {what}; run `quark-trace verify`"))
}
