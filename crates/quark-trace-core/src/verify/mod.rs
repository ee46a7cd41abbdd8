//! Checking a whole ledger: what is proven, up to which level, and where it fails.
//!
//! A [`Verifier`] is fed with what a store holds, in order, and needs memory only for what it finds.
//! It reads no clock and no file; whoever feeds it must pass on the bytes as they were found.

mod notes;
mod schemas;
mod sheets;
mod verdict;

pub use verdict::{Code, Counts, Finding, Level, Severity, Verdict};

use crate::ids::ProjectId;
use crate::ledger::entry::header_object;
use crate::ledger::merkle::leaf_hash;
use crate::ledger::{Checkpoint, CompactRange, Digest, Entry, Kind, VerifierKey, dsse};
use crate::stages::Review;
use sheets::Sheets;

/// Where something stands among the records: line from 1, byte offset. Both 0 for what is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Line in the records, from 1.
    pub line: u64,
    /// Byte offset in the records.
    pub offset: u64,
}

/// What the verifier is to rely on and to ask for.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The level asked for.
    pub level: Level,
    /// Keys that are known from elsewhere. When there are none, the keys beside the log are used,
    /// which the verdict says.
    pub keys: Vec<VerifierKey>,
    /// A checkpoint known from elsewhere: the log must contain it.
    pub checkpoint: Option<String>,
    /// Public keys of nodes, for entries that carry a node signature.
    pub node_keys: Vec<[u8; 32]>,
}

/// What lies beside a log and speaks for itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The latest checkpoint.
    pub checkpoint: Option<&'a str>,
    /// Verifier keys, one a line.
    pub keys: Option<&'a str>,
}

/// One entry as it was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Its index.
    pub index: u64,
    /// Its line in the ledger.
    pub line: &'a [u8],
    /// Its object; `None` when it is missing.
    pub object: Option<&'a [u8]>,
    /// SHA-256 of `object`, if it was worked out already.
    pub digest: Option<Digest>,
    /// Where the object stands.
    pub place: Place,
    /// Whether the object stands elsewhere than its entry says.
    pub displaced: bool,
}

/// Checks a ledger from its first entry to its last.
#[derive(Debug)]
pub struct Verifier<'p> {
    project: ProjectId,
    policy: &'p Policy,
    range: CompactRange,
    sealed: Option<Checkpoint>,
    known: Option<Checkpoint>,
    keys: Vec<VerifierKey>,
    sheets: Sheets,
    review: Review,
    verdict: Verdict,
}

impl<'p> Verifier<'p> {
    /// Starts with what lies beside the log, whose signatures are checked here.
    pub fn new(project: &ProjectId, policy: &'p Policy, beside: Beside<'_>) -> Self {
        let mut verifier = Self {
            project: project.clone(),
            policy,
            range: CompactRange::new(),
            sealed: None,
            known: None,
            keys: policy.keys.clone(),
            sheets: Sheets::default(),
            review: Review::default(),
            verdict: Verdict::new(project, policy),
        };
        verifier.take_keys(beside);
        match beside.checkpoint {
            Some(note) => verifier.sealed = verifier.open(note, "the checkpoint"),
            None => verifier.no_checkpoint(),
        }
        let known = policy.checkpoint.as_deref();
        verifier.known = known.and_then(|note| verifier.open(note, "the checkpoint you gave"));
        verifier
    }

    /// How many entries were taken.
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// Whether what was taken is known to be changed, or to end too early.
    pub fn has_errors(&self) -> bool {
        let mut known = [&self.sealed, &self.known].into_iter().flatten();
        self.verdict.is_tampered() || known.any(|known| known.size > self.size())
    }

    /// Takes the next entry.
    pub fn entry(&mut self, found: &Found<'_>) {
        self.range.push(leaf_hash(found.line));
        self.verdict.counts.entries += 1;
        match Entry::parse(found.line) {
            Ok(entry) => self.checked_entry(&entry, found),
            Err(fault) => self.error(Code::Altered, Some(found.index), fault.to_string()),
        }
        self.compare_roots();
    }

    fn checked_entry(&mut self, entry: &Entry<'_>, found: &Found<'_>) {
        if (entry.kind == Kind::Log) != (found.index == 0) {
            let message = "the header is entry 0 and stands there alone".to_owned();
            self.error(Code::Order, Some(found.index), message);
        }
        self.count(entry, found.index);
        self.check_object(entry, found);
        if let Some(signature) = entry.attribute("sig") {
            self.check_signature(entry, signature, found.index);
        } else if entry.kind == Kind::Record {
            self.verdict.counts.unsigned += 1;
        }
    }

    fn count(&mut self, entry: &Entry<'_>, index: u64) {
        let counts = &mut self.verdict.counts;
        match entry.kind {
            Kind::Record => counts.records += 1,
            Kind::RecordAdopted => {
                counts.records += 1;
                counts.adopted += 1;
                counts.first_adopted.get_or_insert(index);
            }
            kind if kind.is_sheet() => counts.sheets += 1,
            Kind::Other(_) => counts.unknown_kinds += 1,
            _ => {}
        }
    }

    fn check_object(&mut self, entry: &Entry<'_>, found: &Found<'_>) {
        let Some(object) = found.object else {
            self.review.take_missing(found.index, entry);
            // What an unknown kind is about is not for this version to say.
            if !matches!(entry.kind, Kind::Other(_)) {
                let message =
                    format!("the {} of entry {} is missing", noun(entry.kind), found.index);
                self.find(Code::Missing, Severity::Error, Some(found.index), found.place, message);
            }
            return;
        };
        let digest = found.digest.unwrap_or_else(|| Digest::of(object));
        if digest != entry.object {
            self.review.take_missing(found.index, entry);
            let message = format!("the {} of entry {} was changed", noun(entry.kind), found.index);
            self.find(Code::Altered, Severity::Error, Some(found.index), found.place, message);
            return;
        }
        if found.displaced {
            let message = format!("the record of entry {} stands at another place", found.index);
            self.find(Code::Order, Severity::Error, Some(found.index), found.place, message);
        }
        if entry.kind == Kind::Log && object != header_object(&self.project) {
            let message = format!("the ledger is not that of project {:?}", self.project.as_str());
            self.error(Code::Altered, Some(found.index), message);
        }
        self.review.take(found.index, entry, object);
        if entry.kind.is_sheet()
            && let Err(message) = self.sheets.next(found.index, entry.kind, object, &self.project)
        {
            self.error(Code::Sheet, Some(found.index), message);
        }
    }

    fn check_signature(&mut self, entry: &Entry<'_>, signature: &str, index: u64) {
        let name = signature.split(':').next().unwrap_or_default();
        let named = |key: &&[u8; 32]| dsse::key_digest(**key).to_string().starts_with(name);
        let Some(key) = self.policy.node_keys.iter().find(named) else {
            let message = format!("the node key {name} that signed entry {index} is not known");
            return self.find(Code::Key, Severity::Unknown, Some(index), Place::default(), message);
        };
        if !dsse::verify(signature, *key, entry.kind, entry.object, self.project.as_str()) {
            self.error(Code::Sig, Some(index), "the node signature does not fit".to_owned());
        }
    }

    fn compare_roots(&mut self) {
        let size = self.range.size();
        let differs = |known: &Option<Checkpoint>| {
            known.as_ref().is_some_and(|at| at.size == size && at.root != self.range.root())
        };
        let (root, fork) = (differs(&self.sealed), differs(&self.known));
        let what =
            |whose| format!("entries 0 to {} do not have the root that {whose} signs", size - 1);
        if root {
            self.error(Code::Root, None, what("the checkpoint"));
        }
        if fork {
            self.error(Code::Fork, None, what("the checkpoint you gave"));
        }
    }

    /// Takes a record line that has no entry. `inside`: entries that follow have lines behind it;
    /// `repeats`: the entry whose record it repeats.
    pub fn loose(&mut self, place: Place, inside: bool, repeats: Option<u64>) {
        if let Some(index) = repeats {
            let message = format!("line {} repeats the record of entry {index}", place.line);
            self.find(Code::Order, Severity::Error, Some(index), place, message);
        } else if inside {
            let message = format!("line {} was put between records that have entries", place.line);
            self.find(Code::Order, Severity::Error, None, place, message);
        } else {
            self.verdict.counts.loose += 1;
            self.verdict.first_loose.get_or_insert(place);
        }
    }

    /// Takes bytes that make no whole line. `entered`: the ledger has an entry for them, so that
    /// the line was whole once.
    pub fn torn(&mut self, what: &str, place: Place, length: u64, entered: bool) {
        if entered {
            let message = format!("the end of line {} was cut off", place.line);
            return self.find(Code::Trunc, Severity::Error, None, place, message);
        }
        let message = format!(
            "{length} bytes at the end of the {what} make no whole line; the next writer moves \
             them aside"
        );
        self.find(Code::Unsealed, Severity::Warning, None, place, message);
    }

    /// Takes note that something a store keeps beside the entries says otherwise than they do.
    pub fn differs(&mut self, index: Option<u64>, what: &str) {
        let what = match index.map(|index| format!("entry {index}")) {
            Some(entry) if !what.contains(&entry) => format!("{entry}: {what}"),
            _ => what.to_owned(),
        };
        self.error(Code::Altered, index, what);
    }

    /// Whether a writer may be about to show the last sheet, when people see `found`.
    pub fn is_sheet_due(&self, found: Option<Digest>) -> bool {
        self.sheets.is_due(found, self.size())
    }

    /// Takes note that the sheet people see is not the last one of the ledger, which must be taken.
    pub fn sheet_differs(&mut self, found: Option<Digest>) {
        let sealed = self.sealed.as_ref().map_or(0, |sealed| sealed.size);
        let (severity, message) = self.sheets.shown_differs(found, self.size(), sealed);
        self.find(Code::Sheet, severity, None, Place::default(), message.to_owned());
    }

    /// The verdict over all that was taken.
    pub fn finish(mut self) -> Verdict {
        let size = self.range.size();
        self.verdict.size = size;
        self.verdict.root = (size > 0).then(|| self.range.root());
        for (checkpoint, whose) in
            [(&self.sealed, "the checkpoint"), (&self.known, "the checkpoint you gave")]
        {
            if let Some(checkpoint) = checkpoint.as_ref().filter(|known| known.size > size) {
                let message = format!(
                    "{whose} covers {} entries, the ledger has {size}: the end is missing",
                    checkpoint.size
                );
                self.verdict.findings.push(Finding {
                    code: Code::Trunc,
                    severity: Severity::Error,
                    index: Some(size),
                    place: Place::default(),
                    message,
                });
            }
        }
        schemas::tell(&self.review, &mut self.verdict.findings);
        let signed = self.sealed.filter(|_| !self.verdict.keys.is_empty());
        self.verdict.conclude(signed.as_ref());
        self.verdict
    }

    fn error(&mut self, code: Code, index: Option<u64>, message: String) {
        self.find(code, Severity::Error, index, Place::default(), message);
    }

    fn find(
        &mut self,
        code: Code,
        severity: Severity,
        index: Option<u64>,
        place: Place,
        message: String,
    ) {
        self.verdict.findings.push(Finding { code, severity, index, place, message });
    }
}

fn noun(kind: Kind<'_>) -> &'static str {
    match kind {
        Kind::Record | Kind::RecordAdopted => "record",
        Kind::Sheet | Kind::SheetAdopted => "fact sheet",
        Kind::Log => "header",
        Kind::Schema => "schema",
        _ => "object",
    }
}
