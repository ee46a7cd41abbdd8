//! What is proven about a project: at a glance beside its overview, and in full.

use askama::Template;
use axum::response::Response;
use quark_trace::core::ledger::{Checkpoint, Note, VerifierKey};
use quark_trace::store::Head as LogHead;
use quark_trace::verify::{Level, Policy, Verdict, verify};
use quark_trace::{Result, TraceLog};
use serde::Deserialize;

use super::frame::{Frame, Head, Section, Tab};
use super::links::ProjectLinks;
use super::projects::{sheet_version, signed_size, signed_words};
use super::text::{Shown, count};
use super::visit::Visit;
use super::words::{self, Words};
use crate::problem::Problem;
use crate::routes::asked::Asked;

/// Entries up to which a log is verified whenever its overview is shown.
const AT_ONCE: u64 = 5_000;

/// What is proven, at a glance.
#[derive(Debug)]
pub struct Panel {
    /// The verdict in words; `None` when the log is too long to be verified for each visit.
    pub words: Option<Words>,
    /// How much is signed, in words.
    pub signed: String,
    /// How many entries there are.
    pub entries: String,
}

impl Panel {
    /// Verifies a short log, and says of a long one what is signed.
    pub fn read(log: &TraceLog, head: Option<&LogHead>) -> Result<Self> {
        let size = head.map_or(0, |head| head.range.size());
        let sealed = signed_size(head.and_then(|head| head.beside.checkpoint.as_deref()));
        let words = if size > 0 && size <= AT_ONCE {
            let verdict = verify(log.store().as_ref(), log.project(), &Policy::default())?;
            Some(Words::of(&verdict))
        } else {
            None
        };
        Ok(Self { words, signed: signed_words(size, sealed), entries: count(size) })
    }
}

/// The verification of a project in full.
#[derive(Debug, Template)]
#[template(path = "verify.html")]
pub struct VerifyPage {
    /// What stands around it.
    pub frame: Frame,
    /// What stands on top.
    pub head: Head,
    /// The verdict in words; `None` when it was not asked for, or could not be.
    pub words: Option<Words>,
    /// What was wrong with what was given.
    pub refusal: Option<Shown>,
    /// The levels to choose from, what they stand for, and whether it is chosen.
    pub levels: Vec<(String, &'static str, bool)>,
    /// The key that was given.
    pub key: String,
    /// The checkpoint that was given.
    pub checkpoint: String,
    /// The root over all entries.
    pub root: String,
    /// The name of the log, as its checkpoint has it.
    pub origin: Shown,
    /// The keys whose signatures were checked.
    pub keys: Vec<Shown>,
    /// Whether they were given and not found beside the log.
    pub is_pinned: bool,
    /// The checkpoint beside the log, to keep; empty when there is none.
    pub note: String,
    /// Entries, records, sheets, signed entries.
    pub counts: Vec<(&'static str, String)>,
}

/// What is asked of a verification, as an address has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct VerifyAsked {
    /// The level.
    pub level: Option<String>,
    /// Keys from elsewhere, one a line.
    #[serde(default)]
    pub key: String,
    /// A checkpoint from elsewhere.
    #[serde(default)]
    pub checkpoint: String,
}

impl VerifyPage {
    /// Verifies the log.
    pub fn read(frame: Frame, log: &TraceLog, asked: VerifyAsked) -> Result<Self> {
        let links = ProjectLinks::of(log.project().as_str());
        let version = sheet_version(log)?;
        let policy = policy(&asked);
        let level = policy.as_ref().map(|policy| policy.level).unwrap_or_default();
        let levels = [Level::L1, Level::L2, Level::L3, Level::L4]
            .map(|one| (one.to_string(), words::level(one), one == level));
        let mut page = Self {
            frame: frame.within(Section::Projects),
            head: Head {
                project: Shown::within(log.project().as_str(), 120),
                links,
                tab: Tab::Verify,
                version,
            },
            words: None,
            refusal: None,
            levels: levels.to_vec(),
            key: asked.key,
            checkpoint: asked.checkpoint,
            root: String::new(),
            origin: Shown::default(),
            keys: Vec::new(),
            is_pinned: false,
            note: String::new(),
            counts: Vec::new(),
        };
        match policy {
            Err(refusal) => page.refusal = Some(Shown::within(&refusal, 400)),
            Ok(policy) => page.take(&verify(log.store().as_ref(), log.project(), &policy)?),
        }
        let beside = log.store().beside(log.project())?.unwrap_or_default();
        page.note = beside.checkpoint.unwrap_or_default();
        Ok(page)
    }

    fn take(&mut self, verdict: &Verdict) {
        self.words = Some(Words::of(verdict));
        self.root = verdict.root.map(|root| root.to_string()).unwrap_or_default();
        self.origin = Shown::within(verdict.origin.as_deref().unwrap_or_default(), 300);
        self.keys = verdict.keys.iter().map(|key| Shown::within(key, 400)).collect();
        self.is_pinned = verdict.pinned;
        self.counts = vec![
            ("Entries", count(verdict.size)),
            ("Signed", count(verdict.sealed)),
            ("Records", count(verdict.counts.records)),
            ("Sheet versions", count(verdict.counts.sheets)),
        ];
    }
}

fn policy(asked: &VerifyAsked) -> std::result::Result<Policy, String> {
    let level = asked.level.as_deref().map_or(Ok(Level::default()), str::parse)?;
    let mut keys = Vec::new();
    for line in asked.key.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let key = VerifierKey::parse(line).map_err(|fault| {
            format!("the key: {fault}; a verifier key is NAME+HASH+KEY, as in log.vkey of a log")
        })?;
        keys.push(key);
    }
    let note = asked.checkpoint.replace("\r\n", "\n");
    let note = (!note.trim().is_empty()).then(|| format!("{}\n", note.trim()));
    if let Some(note) = &note {
        let read = Note::parse(note).and_then(|note| Checkpoint::parse(note.text()));
        read.map_err(|fault| {
            format!("the checkpoint is {fault}; give the whole text, as it was kept")
        })?;
    }
    Ok(Policy { level, keys, checkpoint: note, ..Policy::default() })
}

/// Verifies, and shows what came of it.
pub async fn show(
    visit: Visit,
    Asked(asked): Asked<VerifyAsked>,
) -> std::result::Result<Response, Problem> {
    visit.project(move |frame, log| VerifyPage::read(frame, log, asked)).await
}
