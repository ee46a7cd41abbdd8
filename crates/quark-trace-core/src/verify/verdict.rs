//! What a verification found, for people and for machines.

use std::fmt;

use serde_json::{Value, json};

use super::{Place, Policy};
use crate::ids::ProjectId;
use crate::ledger::{Checkpoint, Digest};

/// How strong the proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Records without a ledger: nothing is proven.
    L0,
    /// Every entry is chained to the others: edits that leave the ledger alone are seen.
    #[default]
    L1,
    /// A signed checkpoint covers the log: edits by anyone without the key are seen.
    L2,
    /// An independent party has cosigned.
    L3,
    /// Anchored publicly.
    L4,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "L{}", *self as u8)
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "L0" => Ok(Self::L0),
            "L1" => Ok(Self::L1),
            "L2" => Ok(Self::L2),
            "L3" => Ok(Self::L3),
            "L4" => Ok(Self::L4),
            _ => Err(format!("{text:?} is no level; give one of L0, L1, L2, L3, L4")),
        }
    }
}

/// What kind of finding it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// `E-SIG`
    Sig,
    /// `E-ROOT`
    Root,
    /// `E-TRUNC`
    Trunc,
    /// `E-FORK`
    Fork,
    /// `E-ALTERED`
    Altered,
    /// `E-MISSING`
    Missing,
    /// `E-ORDER`
    Order,
    /// `E-SHEET`
    Sheet,
    /// `E-KEY`
    Key,
    /// `W-UNSEALED`
    Unsealed,
    /// `W-ADOPTED`
    Adopted,
    /// `W-UNSIGNED`
    Unsigned,
    /// `W-NO-WITNESS`
    NoWitness,
    /// `W-NO-TIME`
    NoTime,
    /// `W-SCHEMA`, of this implementation: no other verifier has to know it.
    Schema,
}

impl Code {
    /// The code as the format names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sig => "E-SIG",
            Self::Root => "E-ROOT",
            Self::Trunc => "E-TRUNC",
            Self::Fork => "E-FORK",
            Self::Altered => "E-ALTERED",
            Self::Missing => "E-MISSING",
            Self::Order => "E-ORDER",
            Self::Sheet => "E-SHEET",
            Self::Key => "E-KEY",
            Self::Unsealed => "W-UNSEALED",
            Self::Adopted => "W-ADOPTED",
            Self::Unsigned => "W-UNSIGNED",
            Self::NoWitness => "W-NO-WITNESS",
            Self::NoTime => "W-NO-TIME",
            Self::Schema => "W-SCHEMA",
        }
    }
}

/// What a finding means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Something was changed.
    Error,
    /// Something could not be checked.
    Unknown,
    /// Something to know before relying on it.
    Warning,
    /// What this level does not prove.
    Note,
}

impl Severity {
    /// `error`, `unknown`, `warning` or `note`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing found, located as closely as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub code: Code,
    /// What it means.
    pub severity: Severity,
    /// The entry it is about.
    pub index: Option<u64>,
    /// Where the record stands; line 0 when it is about no line.
    pub place: Place,
    /// One sentence.
    pub message: String,
}

impl Finding {
    fn to_json(&self) -> Value {
        let line = (self.place.line > 0).then_some(self.place.line);
        json!({
            "code": self.code.as_str(),
            "severity": self.severity.as_str(),
            "index": self.index,
            "line": line,
            "offset": line.map(|_| self.place.offset),
            "message": self.message,
        })
    }
}

/// How much of what there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Entries of the ledger.
    pub entries: u64,
    /// Records, adopted ones included.
    pub records: u64,
    /// Records adopted: nothing is claimed for the time before their first checkpoint.
    pub adopted: u64,
    /// Index of the first of them.
    pub first_adopted: Option<u64>,
    /// Versions of the fact sheet.
    pub sheets: u64,
    /// Live records without a node signature.
    pub unsigned: u64,
    /// Record lines behind the last entry, not in the ledger yet.
    pub loose: u64,
    /// Entries of kinds that this version does not know.
    pub unknown_kinds: u64,
}

/// The outcome of a verification: never a bare yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which project.
    pub project: String,
    /// The level that was reached; what the errors leave of it is for the reader to judge.
    pub level: Level,
    /// The level that was asked for.
    pub asked: Level,
    /// Size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Option<Digest>,
    /// How many entries the signed checkpoint covers.
    pub sealed: u64,
    /// Name of the log, from its checkpoint.
    pub origin: Option<String>,
    /// The keys whose signatures were checked.
    pub keys: Vec<String>,
    /// Whether the keys came from the caller and not from beside the log.
    pub pinned: bool,
    /// How much of what.
    pub counts: Counts,
    /// What was found, in the order of the log; errors and all.
    pub findings: Vec<Finding>,
    pub(super) first_loose: Option<Place>,
}

impl Verdict {
    pub(super) fn new(project: &ProjectId, policy: &Policy) -> Self {
        Self {
            project: project.as_str().to_owned(),
            level: Level::L0,
            asked: policy.level,
            size: 0,
            root: None,
            sealed: 0,
            origin: None,
            keys: Vec::new(),
            pinned: false,
            counts: Counts::default(),
            findings: Vec::new(),
            first_loose: None,
        }
    }

    /// Whether anything was changed.
    pub fn is_tampered(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// 0 verified at or above the level asked for, 1 tampered, 2 incomplete or unknown.
    pub fn exit_code(&self) -> u8 {
        let unknown = self.findings.iter().any(|f| f.severity == Severity::Unknown);
        match (self.is_tampered(), unknown || self.level < self.asked) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        }
    }

    /// One sentence for people.
    pub fn headline(&self) -> String {
        let errors = self.findings.iter().filter(|f| f.severity == Severity::Error).count();
        match self.exit_code() {
            1 => format!("TAMPERED: {errors} thing(s) do not fit the ledger"),
            2 if self.level < self.asked => {
                format!("INCOMPLETE: level {} reached, {} was asked for", self.level, self.asked)
            }
            2 => "UNKNOWN: something could not be checked".to_owned(),
            _ => {
                format!("VERIFIED at level {}: {} entries, nothing changed", self.level, self.size)
            }
        }
    }

    /// The verdict for machines; the names are stable.
    pub fn to_json(&self) -> Value {
        let verdict = match self.exit_code() {
            0 => "verified",
            1 => "tampered",
            _ => "incomplete",
        };
        json!({
            "project_id": self.project,
            "verdict": verdict,
            "exit_code": self.exit_code(),
            "level": self.level.to_string(),
            "level_asked": self.asked.to_string(),
            "size": self.size,
            "root": self.root.map(|root| root.to_string()),
            "sealed": self.sealed,
            "origin": self.origin,
            "keys": self.keys,
            "keys_pinned": self.pinned,
            "records": self.counts.records,
            "adopted": self.counts.adopted,
            "sheets": self.counts.sheets,
            "unsigned": self.counts.unsigned,
            "not_in_ledger": self.counts.loose,
            "unknown_kinds": self.counts.unknown_kinds,
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        })
    }

    /// Draws the conclusions that need the whole log.
    pub(super) fn conclude(&mut self, signed: Option<&Checkpoint>) {
        let error =
            |code| self.findings.iter().any(|f| f.code == code && f.severity == Severity::Error);
        let signature_holds = !error(Code::Sig) && !error(Code::Key);
        self.level = if self.size == 0 { Level::L0 } else { Level::L1 };
        if let Some(checkpoint) = signed.filter(|_| signature_holds && self.size > 0) {
            self.level = Level::L2;
            self.sealed = checkpoint.size.min(self.size);
            self.origin = Some(checkpoint.origin.to_string());
        }
        self.warn_unsealed();
        let counts = self.counts.clone();
        if counts.adopted > 0 {
            let message = format!(
                "{} record(s) were adopted: found without an entry, so nothing is claimed for the \
                 time before the checkpoint that covers them",
                counts.adopted
            );
            self.push(Code::Adopted, Severity::Warning, counts.first_adopted, message);
        }
        if counts.unsigned > 0 {
            let message = format!("{} record(s) carry no signature of a node", counts.unsigned);
            self.push(Code::Unsigned, Severity::Note, None, message);
        }
        if self.level == Level::L2 {
            let whose = if self.pinned { "you gave" } else { "beside the log" };
            let message = format!(
                "the key {whose} signed; no independent party has, so this proves nothing against \
                 people who have that key"
            );
            self.push(Code::NoWitness, Severity::Note, None, message);
            let message = "times are what the writer's clock said; no outside time covers the log";
            self.push(Code::NoTime, Severity::Note, None, message.to_owned());
        }
    }

    fn warn_unsealed(&mut self) {
        if self.counts.loose > 0 {
            let message = format!(
                "{} record(s) are not in the ledger; `quark-trace seal` or the next append adopts \
                 them",
                self.counts.loose
            );
            let place = self.first_loose.unwrap_or_default();
            let (code, severity, index) = (Code::Unsealed, Severity::Warning, None);
            self.findings.push(Finding { code, severity, index, place, message });
        }
        if self.size > self.sealed {
            let message = match self.sealed {
                0 => "no signed checkpoint covers the log".to_owned(),
                sealed => format!(
                    "the last {} of {} entries are behind the last checkpoint",
                    self.size - sealed,
                    self.size
                ),
            };
            self.push(Code::Unsealed, Severity::Warning, Some(self.sealed), message);
        }
    }

    fn push(&mut self, code: Code, severity: Severity, index: Option<u64>, message: String) {
        self.findings.push(Finding { code, severity, index, place: Place::default(), message });
    }
}
