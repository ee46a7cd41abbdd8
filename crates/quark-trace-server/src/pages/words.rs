//! What a verdict means, in words for people who did not build this.

use quark_trace::verify::{Code, Finding, Level, Severity, Verdict};

use super::text::{Shown, count, counted};

/// Findings that are listed.
const LISTED: usize = 100;

/// How a verdict is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Everything that was asked for holds.
    Good,
    /// Something could not be checked.
    Unsure,
    /// Something was changed.
    Bad,
}

impl Tone {
    /// The class of its colours.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unsure => "unsure",
            Self::Bad => "bad",
        }
    }

    /// A sign that says it without colour.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Unsure => "?",
            Self::Bad => "✕",
        }
    }
}

/// A verdict in words.
#[derive(Debug, Clone)]
pub struct Words {
    /// How it is to be taken.
    pub tone: Tone,
    /// In one line.
    pub headline: String,
    /// In one or two sentences.
    pub summary: String,
    /// What is proven.
    pub proven: Vec<String>,
    /// What is not.
    pub unproven: Vec<String>,
    /// What to do now.
    pub advice: Vec<String>,
    /// What was found.
    pub findings: Vec<FoundWords>,
    /// Findings that are not listed.
    pub further: usize,
}

/// One finding in words.
#[derive(Debug, Clone)]
pub struct FoundWords {
    /// The code of the format.
    pub code: &'static str,
    /// `error`, `unknown` or `warning`.
    pub severity: &'static str,
    /// What that code means.
    pub meaning: &'static str,
    /// What was found here.
    pub message: Shown,
    /// Where.
    pub place: String,
}

impl Words {
    /// Puts a verdict into words.
    pub fn of(verdict: &Verdict) -> Self {
        let tone = match verdict.exit_code() {
            0 => Tone::Good,
            1 => Tone::Bad,
            _ => Tone::Unsure,
        };
        let told = verdict.findings.iter().filter(|found| found.severity != Severity::Note);
        let mut findings: Vec<_> = told.collect();
        findings.sort_by_key(|finding| order(finding.severity));
        let further = findings.len().saturating_sub(LISTED);
        Self {
            tone,
            headline: headline(verdict, tone),
            summary: summary(verdict, tone),
            proven: if tone == Tone::Bad { Vec::new() } else { proven(verdict) },
            unproven: unproven(verdict),
            advice: advice(verdict, tone),
            findings: findings.into_iter().take(LISTED).map(found).collect(),
            further,
        }
    }
}

/// What a level stands for.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::L0 => "records without a ledger: nothing is proven",
        Level::L1 => "every entry is chained to the others",
        Level::L2 => "a signed checkpoint covers the log",
        Level::L3 => "an independent witness has cosigned",
        Level::L4 => "anchored where everybody can see it",
    }
}

fn order(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 0,
        Severity::Unknown => 1,
        Severity::Warning => 2,
        Severity::Note => 3,
    }
}

fn headline(verdict: &Verdict, tone: Tone) -> String {
    match tone {
        Tone::Good => format!("Nothing was changed. Verified at level {}", verdict.level),
        Tone::Bad => {
            let errors = verdict.findings.iter().filter(|f| f.severity == Severity::Error).count();
            let things = if errors == 1 { "thing does" } else { "things do" };
            format!("This log was changed: {} {things} not fit", count(errors as u64))
        }
        Tone::Unsure if verdict.level < verdict.asked => {
            format!("Level {} was asked for, {} was reached", verdict.asked, verdict.level)
        }
        Tone::Unsure => "Something could not be checked".to_owned(),
    }
}

fn summary(verdict: &Verdict, tone: Tone) -> String {
    let entries = counted(verdict.size, "entry was", "entries were");
    match tone {
        Tone::Good => format!(
            "{} read and checked just now: {} and {} of the fact sheet. Level {} means: {}.",
            capital(&entries),
            counted(verdict.counts.records, "record", "records"),
            counted(verdict.counts.sheets, "version", "versions"),
            verdict.level,
            level(verdict.level)
        ),
        Tone::Bad => format!(
            "{} read. What is listed below contradicts the ledger or what was signed. Do not rely \
             on this copy of the log until it is explained.",
            capital(&entries)
        ),
        Tone::Unsure => format!(
            "{} read and nothing contradicts the ledger. Still, this is no proof at the level that \
             was asked for; what is missing is listed below.",
            capital(&entries)
        ),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

fn proven(verdict: &Verdict) -> Vec<String> {
    let mut proven = Vec::new();
    if verdict.size == 0 {
        return proven;
    }
    proven.push(format!(
        "Every record is, byte for byte, the one whose fingerprint stands in the ledger: {} of {}.",
        count(verdict.counts.records),
        count(verdict.counts.records)
    ));
    if verdict.level >= Level::L2 {
        proven.push(format!(
            "Nobody without the signing key added, removed, changed or moved anything among the \
             first {}: their order and their number are signed.",
            counted(verdict.sealed, "entry", "entries")
        ));
    } else {
        proven.push(
            "The entries fit each other: a change that leaves the ledger alone would be seen."
                .to_owned(),
        );
    }
    if verdict.counts.sheets > 1 {
        proven.push(format!(
            "The fact sheet has {} versions; each follows from the one before, with who changed it \
             and why.",
            count(verdict.counts.sheets)
        ));
    }
    if verdict.pinned {
        proven.push("The signature is by the key that you gave.".to_owned());
    }
    proven
}

fn unproven(verdict: &Verdict) -> Vec<String> {
    let mut unproven = Vec::new();
    let counts = &verdict.counts;
    if verdict.sealed < verdict.size && verdict.level >= Level::L2 {
        unproven.push(format!(
            "The last {}: no checkpoint covers them yet.",
            counted(verdict.size - verdict.sealed, "entry", "entries")
        ));
    }
    if verdict.level < Level::L2 {
        unproven
            .push("That nobody rewrote the whole log: no signed checkpoint covers it.".to_owned());
    } else if !verdict.pinned {
        unproven.push(
            "That the key is the right one. It lies beside the log, so whoever replaces the log can \
             replace the key. Compare it with one that you have from elsewhere."
                .to_owned(),
        );
    }
    if verdict.level < Level::L3 {
        unproven.push(
            "That everybody is shown the same log: no independent witness has cosigned.".to_owned(),
        );
    }
    if verdict.level < Level::L4 {
        unproven.push(
            "When it happened. The times are those that the writers gave; nothing public was \
             anchored."
                .to_owned(),
        );
    }
    if counts.adopted > 0 {
        unproven.push(format!(
            "What happened to {} before the ledger took them over.",
            counted(counts.adopted, "adopted record", "adopted records")
        ));
    }
    if counts.unsigned > 0 {
        unproven.push(format!(
            "Who wrote {} that no node signed itself.",
            counted(counts.unsigned, "record", "records")
        ));
    }
    unproven.push(
        "That what the records say is true. A log proves what was written down, not that it \
         happened so."
            .to_owned(),
    );
    unproven
}

fn advice(verdict: &Verdict, tone: Tone) -> Vec<String> {
    match tone {
        Tone::Bad => vec![
            "Keep this copy as it is: it is evidence. Do not repair it.".to_owned(),
            "Compare it with other copies and with checkpoints that sites or auditors kept."
                .to_owned(),
        ],
        Tone::Unsure => vec![
            "Give what is missing, such as the key of whoever keeps the log, and verify again."
                .to_owned(),
        ],
        Tone::Good if !verdict.pinned && verdict.level >= Level::L2 => vec![
            "Keep the checkpoint below somewhere else. Later it shows that this beginning of the \
             log is still the same."
                .to_owned(),
        ],
        Tone::Good => Vec::new(),
    }
}

fn found(finding: &Finding) -> FoundWords {
    let mut place = finding.index.map(|index| format!("entry {index}")).unwrap_or_default();
    if finding.place.line > 0 {
        let comma = if place.is_empty() { "" } else { ", " };
        place = format!("{place}{comma}line {}", finding.place.line);
    }
    FoundWords {
        code: finding.code.as_str(),
        severity: finding.severity.as_str(),
        meaning: meaning(finding.code),
        message: Shown::within(&finding.message, 400),
        place,
    }
}

fn meaning(code: Code) -> &'static str {
    match code {
        Code::Sig => "A signature does not fit or is missing",
        Code::Root => "The entries are not those that were signed",
        Code::Trunc => "The end of the log is missing",
        Code::Fork => "This is another history than the one you know",
        Code::Altered => "Something was changed after it was written",
        Code::Missing => "Something was removed",
        Code::Order => "Something stands where it was not put",
        Code::Sheet => "The fact sheet does not follow from the one before",
        Code::Key => "A key is not known or does not fit",
        Code::Unsealed => "Not signed yet",
        Code::Adopted => "Taken over from files without a ledger",
        Code::Unsigned => "Not signed by the node that wrote it",
        Code::NoWitness => "No witness has cosigned",
        Code::NoTime => "Not anchored in time",
        Code::Schema => "Records that do not keep the schema of their stage",
    }
}
