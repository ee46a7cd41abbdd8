//! A version of the fact sheet, how it came about, and what it changed.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use askama::Template;
use axum::response::Response;
use quark_trace::core::sheet::{FactSheet, diff, field::FIELDS};
use quark_trace::project::each_sheet;
use quark_trace::{Error, ErrorKind, Result, SheetVersion, TraceLog};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{Frame, Head, Section, Tab};
use super::links::ProjectLinks;
use super::text::{Shown, time};
use super::visit::Visit;
use crate::problem::Problem;
use crate::routes::asked::{Asked, Named};

/// Versions that are listed.
const LISTED: usize = 200;
/// Differences that are shown.
const DIFFERENCES: usize = 500;

/// A version of the sheet.
#[derive(Debug, Template)]
#[template(path = "sheet.html")]
pub struct SheetPage {
    /// What stands around it.
    pub frame: Frame,
    /// What stands on top.
    pub head: Head,
    /// Which version it is.
    pub version: u64,
    /// Whether it is in force.
    pub is_last: bool,
    /// SHA-256 of its stored bytes.
    pub digest: String,
    /// Its entry in the ledger; empty when it has none.
    pub index: String,
    /// What it says.
    pub facts: Vec<Fact>,
    /// All versions, the newest first.
    pub versions: Vec<VersionRow>,
    /// The version that it is compared with; `None` for the first.
    pub against: Option<u64>,
    /// What differs.
    pub changes: Vec<Change>,
}

/// A field of the sheet.
#[derive(Debug)]
pub struct Fact {
    /// Its name.
    pub name: Shown,
    /// What it is about, as the template tells it.
    pub about: &'static str,
    /// Its values, each a list of names and texts; a plain value has no name.
    pub items: Vec<Vec<(Shown, Shown)>>,
}

/// A version in the list.
#[derive(Debug)]
pub struct VersionRow {
    /// Its number.
    pub version: u64,
    /// Its page.
    pub link: String,
    /// When it came.
    pub time: Shown,
    /// By whom; empty for the first.
    pub by: Shown,
    /// Why; empty for the first.
    pub reason: Shown,
    /// What it changed.
    pub fields: Shown,
    /// Whether it is the one that is shown.
    pub is_shown: bool,
}

/// A value that differs.
#[derive(Debug)]
pub struct Change {
    /// Where.
    pub path: Shown,
    /// The value before; `None` when there was none.
    pub old: Option<Shown>,
    /// The value after; `None` when there is none.
    pub new: Option<Shown>,
}

impl SheetPage {
    /// Reads a version, compared with `against` or else with the one before it.
    pub fn read(frame: Frame, log: &TraceLog, version: u64, against: Option<u64>) -> Result<Self> {
        let links = ProjectLinks::of(log.project().as_str());
        let wanted = against.or(version.checked_sub(1));
        let (mut shown, mut base, mut last) = (None, None, 0);
        let mut versions = VecDeque::new();
        each_sheet(log, |one| {
            last = one.sheet.version();
            versions.push_front(VersionRow::new(&one, &links, version));
            versions.truncate(LISTED);
            if Some(last) == wanted && base.is_none() {
                base = Some(one.clone());
            }
            if last == version && shown.is_none() {
                shown = Some(one);
            }
            ControlFlow::Continue(())
        })?;
        let shown = shown.ok_or_else(|| missing(version))?;
        if let Some(against) = against.filter(|_| base.is_none()) {
            return Err(missing(against));
        }
        let changes = base.as_ref().map(|base| diff(&base.sheet, &shown.sheet)).unwrap_or_default();
        Ok(Self {
            frame: frame.within(Section::Projects),
            version,
            is_last: version == last,
            digest: shown.digest.to_string(),
            index: shown.index.map(|index| index.to_string()).unwrap_or_default(),
            facts: facts(&shown.sheet),
            versions: versions.into(),
            against: base.as_ref().map(|base| base.sheet.version()),
            changes: changes
                .into_iter()
                .take(DIFFERENCES)
                .map(|change| Change {
                    path: Shown::within(&change.path, 120),
                    old: change.old.as_ref().map(|value| Shown::of(&plain(value))),
                    new: change.new.as_ref().map(|value| Shown::of(&plain(value))),
                })
                .collect(),
            head: Head {
                project: Shown::within(log.project().as_str(), 120),
                links,
                tab: Tab::Sheet,
                version: last,
            },
        })
    }
}

impl VersionRow {
    fn new(one: &SheetVersion, links: &ProjectLinks, shown: u64) -> Self {
        let sheet = &one.sheet;
        let last = if sheet.version() > 1 { sheet.amendment_log().last() } else { None };
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| last?.get(*name)?.as_str());
            Shown::of(found.unwrap_or_default())
        };
        let fields = last.and_then(|last| last.get("fields_changed"));
        let fields = fields.and_then(Value::as_array).into_iter().flatten();
        let fields: Vec<_> = fields.filter_map(Value::as_str).collect();
        Self {
            version: sheet.version(),
            link: links.sheet(sheet.version()),
            time: time(sheet.amended_at().unwrap_or(sheet.created_at())),
            by: text(&["amended_by", "actor"]),
            reason: text(&["reason"]),
            fields: Shown::of(&fields.join(", ")),
            is_shown: sheet.version() == shown,
        }
    }
}

fn missing(version: u64) -> Error {
    let message = format!("the fact sheet has no version {version}");
    Error::new(ErrorKind::NotFound, "show the fact sheet", message)
}

fn facts(sheet: &FactSheet) -> Vec<Fact> {
    // What counts versions stands in the list of versions.
    const COUNTED: [&str; 4] = ["sheet_id", "version", "amended_at", "amendment_log"];
    let Value::Object(all) = sheet.to_json_value() else { return Vec::new() };
    let fact = |(name, value): (&String, &Value)| Fact {
        name: Shown::within(name, 60),
        about: FIELDS.iter().find(|field| field.name == name).map_or("", |field| field.about),
        items: items(value),
    };
    all.iter().filter(|(name, _)| !COUNTED.contains(&name.as_str())).map(fact).collect()
}

fn items(value: &Value) -> Vec<Vec<(Shown, Shown)>> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(all) => all.iter().map(item).collect(),
        other => vec![item(other)],
    }
}

fn item(value: &Value) -> Vec<(Shown, Shown)> {
    match value {
        Value::Object(all) => all
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (Shown::within(name, 60), Shown::within(&plain(value), 600)))
            .collect(),
        other => vec![(Shown::default(), Shown::within(&plain(other), 600))],
    }
}

/// Text as it is, everything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What the sheet is compared with.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    against: Option<u64>,
}

/// Shows a version.
pub async fn show(
    visit: Visit,
    Named((_, version)): Named<(String, String)>,
    Asked(asked): Asked<Parameters>,
) -> std::result::Result<Response, Problem> {
    let version = version.parse().map_err(|_| Problem::missing())?;
    visit.project(move |frame, log| SheetPage::read(frame, log, version, asked.against)).await
}
