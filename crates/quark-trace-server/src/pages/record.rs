//! One record: what it says, where it stands in the ledger, and how anyone can check that.

use std::fmt::Write;
use std::ops::ControlFlow;

use askama::Template;
use axum::response::Response;
use quark_trace::clock::timestamp;
use quark_trace::core::ids::percent_decode;
use quark_trace::core::ledger::merkle::leaf_hash;
use quark_trace::core::ledger::{Digest, Entry};
use quark_trace::core::query::{Field, Query};
use quark_trace::query::Found;
use quark_trace::store::{Plan, Row};
use quark_trace::{Error, ErrorKind, Result, TraceLog};

use super::frame::{Frame, Head, Section, Tab};
use super::links::ProjectLinks;
use super::payload::{Laid, laid_out};
use super::projects::{sheet_version, signed_size};
use super::text::{Shown, count, time};
use super::visit::Visit;
use crate::problem::Problem;
use crate::routes::asked::Named;

/// A record.
#[derive(Debug, Template)]
#[template(path = "record.html")]
pub struct RecordPage {
    /// What stands around it.
    pub frame: Frame,
    /// What stands on top.
    pub head: Head,
    /// Its stage.
    pub stage: Shown,
    /// What the vocabulary calls that.
    pub title: &'static str,
    /// Its id.
    pub id: Shown,
    /// When it was written, as it says.
    pub time: Shown,
    /// What it says.
    pub payload: Laid,
    /// How it does not keep the schema of its stage.
    pub faults: Vec<Shown>,
    /// Its stored bytes.
    pub bytes_link: String,
    /// How many those are.
    pub size: String,
    /// Where it stands in the ledger; `None` when it is not there yet.
    pub standing: Option<Standing>,
}

/// Where a record stands in the ledger.
#[derive(Debug)]
pub struct Standing {
    /// The index of its entry.
    pub index: u64,
    /// The entry's line.
    pub entry: Shown,
    /// What kind of entry it is, in words.
    pub kind: &'static str,
    /// Its leaf hash.
    pub leaf: String,
    /// SHA-256 of the record.
    pub digest: String,
    /// Whether the stored bytes have that digest.
    pub fits: bool,
    /// Which node sent it; empty when nobody noted it.
    pub by: Shown,
    /// When a server received it; empty when none did.
    pub at: Shown,
    /// Whether a signed checkpoint covers it.
    pub is_signed: bool,
    /// The proof as a file.
    pub proof_link: String,
    /// Lines to check it by hand with.
    pub by_hand: String,
    /// The records before and behind it.
    pub around: [Option<String>; 2],
}

impl RecordPage {
    /// Reads a record by its id.
    pub fn read(frame: Frame, log: &TraceLog, record_id: &str) -> Result<Self> {
        let found = find(log, record_id)?;
        let links = ProjectLinks::of(log.project().as_str());
        let view = found.record.view();
        let stage = view.stage.to_str().into_owned();
        let standing = match found.index {
            Some(index) => Some(Standing::read(log, index, &found, record_id, &links)?),
            None => None,
        };
        let faults = log.faults_of(&found.record)?;
        Ok(Self {
            frame: frame.within(Section::Projects),
            title: title_of(&stage),
            stage: Shown::within(&stage, 80),
            id: Shown::of(record_id),
            time: time(&view.timestamp.to_str()),
            payload: laid_out(view.payload),
            faults: faults.iter().map(|fault| Shown::of(&fault.to_string())).collect(),
            bytes_link: links.record_bytes(record_id),
            size: count(found.record.line().len() as u64),
            standing,
            head: Head {
                project: Shown::within(log.project().as_str(), 120),
                links,
                tab: Tab::Records,
                version: sheet_version(log)?,
            },
        })
    }
}

/// What the vocabulary calls a stage, unless that says no more than its name.
pub fn title_of(stage: &str) -> &'static str {
    let title = quark_trace::core::stages::builtin(stage).map_or("", |known| known.title());
    if title.to_lowercase() == stage.replace('_', " ") { "" } else { title }
}

/// The record of an id.
pub fn find(log: &TraceLog, record_id: &str) -> Result<Found> {
    let filter = Some(Field::RecordId.is(record_id));
    let query = Query { filter, order: Vec::new(), limit: Some(1) };
    log.search(query).page()?.hits.pop().ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "show the record", "no record of this project has the id")
    })
}

impl Standing {
    fn read(
        log: &TraceLog,
        index: u64,
        found: &Found,
        record_id: &str,
        links: &ProjectLinks,
    ) -> Result<Self> {
        let line = entry_line(log, index)?;
        let text = String::from_utf8_lossy(&line).into_owned();
        let entry = Entry::parse(&line).ok();
        let attribute = |name| entry.as_ref().and_then(|entry| entry.attribute(name));
        let by = attribute("by").and_then(percent_decode).unwrap_or_default();
        let at = attribute("at").and_then(|at| at.parse::<i64>().ok());
        let at = at.and_then(|at| at.checked_mul(1000)).map(timestamp).unwrap_or_default();
        let beside = log.store().beside(log.project())?.unwrap_or_default();
        let digest = Digest::of(found.record.line());
        let around = |filter: String| {
            let found = log.query(&filter).ok()?.page().ok()?.hits.pop()?;
            Some(links.record(&found.record.record_id()))
        };
        Ok(Self {
            index,
            kind: match entry.as_ref().map(|entry| entry.kind.as_str()) {
                Some("record-adopted") => "taken over from a file without a ledger",
                _ => "logged live",
            },
            leaf: leaf_hash(&line).to_string(),
            fits: entry.as_ref().is_some_and(|entry| entry.object == digest),
            digest: digest.to_string(),
            by: Shown::of(&String::from_utf8_lossy(&by)),
            at: time(&at),
            is_signed: signed_size(beside.checkpoint.as_deref()) > index,
            proof_link: links.proof(record_id),
            by_hand: by_hand(&text, beside.keys.as_deref().unwrap_or_default()),
            around: [
                around(format!(
                    "index < {index} AND index >= {} ORDER BY index DESC LIMIT 1",
                    index.saturating_sub(64)
                )),
                around(format!("index > {index} AND index <= {} LIMIT 1", index + 64)),
            ],
            entry: Shown::within(&text, 1024),
        })
    }
}

fn entry_line(log: &TraceLog, index: u64) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    let plan = Plan { from: index, until: Some(index + 1), ..Plan::default() };
    log.store().scan(log.project(), &plan, &mut |row| {
        if let Row::Entry { index: at, line, .. } = row
            && at == index
        {
            found = line.to_vec();
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Shell lines that check a record with `sha256sum` and `openssl` alone: `record.json` and
/// `proof.txt` are what the page offers to download.
pub fn by_hand(entry: &str, keys: &str) -> String {
    let mut lines = String::new();
    let _ = writeln!(lines, "entry={}", quoted(entry));
    let _ = writeln!(lines, "key={}", quoted(keys.lines().next().unwrap_or_default()));
    lines + include_str!("../../templates/parts/by_hand.sh")
}

/// A text as one word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Shows a record.
pub async fn show(
    visit: Visit,
    Named((_, record_id)): Named<(String, String)>,
) -> std::result::Result<Response, Problem> {
    visit.project(move |frame, log| RecordPage::read(frame, log, &record_id)).await
}
