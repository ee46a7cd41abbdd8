//! All projects, with a search.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::{Checkpoint, Note};
use quark_trace::core::sheet::FactSheet;
use quark_trace::store::Store;
use quark_trace::{Result, TraceLog};
use serde::Deserialize;

use super::frame::{Frame, Section};
use super::links::{ProjectLinks, encoded};
use super::newest::{Wanted, newest};
use super::text::{Shown, count, counted, time};
use super::visit::{Visit, html, render};
use crate::access::Identity;
use crate::problem::Problem;
use crate::registry::{LEDGER, Role, State};
use crate::routes::asked::Asked;

/// Projects of one page.
pub const PAGE: usize = 50;

/// A list of projects.
#[derive(Debug, Template)]
#[template(path = "projects.html")]
pub struct ProjectsPage {
    /// What stands around it.
    pub frame: Frame,
    /// What was looked for, as it goes back into the field.
    pub search: String,
    /// The same, to be shown.
    pub searched: Shown,
    /// The projects.
    pub rows: Vec<ProjectRow>,
    /// Where the list goes on.
    pub next: Option<String>,
    /// Whether this is the first page of the list.
    pub is_first: bool,
}

/// One project of the list.
#[derive(Debug)]
pub struct ProjectRow {
    /// Its id.
    pub project: Shown,
    /// Its pages.
    pub links: ProjectLinks,
    /// What its model is for.
    pub purpose: Shown,
    /// Whose it is, as its sheet says.
    pub institution: Shown,
    /// How many entries it has.
    pub entries: String,
    /// When the last record was written; empty when there is none.
    pub last: Shown,
    /// Of which stage that was.
    pub stage: Shown,
    /// How much of it is signed, in words.
    pub signed: String,
    /// Whether all of it is signed.
    pub is_signed: bool,
}

impl ProjectsPage {
    /// The projects of `visible`, which is sorted, that hold `search` and come behind `after`.
    pub fn read(
        frame: Frame,
        store: &std::sync::Arc<dyn Store>,
        visible: &[ProjectId],
        search: &str,
        after: Option<&str>,
    ) -> Result<Self> {
        let wanted = search.trim().to_lowercase();
        let fits = |project: &&ProjectId| {
            after.is_none_or(|after| project.as_str() > after)
                && project.as_str().to_lowercase().contains(&wanted)
        };
        let mut found = visible.iter().filter(fits);
        let shown: Vec<_> = found.by_ref().take(PAGE).collect();
        let more = found.next().is_some();
        let next = shown
            .last()
            .filter(|_| more)
            .map(|last| format!("/ui/?q={}&after={}", encoded(search), encoded(last.as_str())));
        let rows = shown.into_iter().map(|project| ProjectRow::read(store, project));
        Ok(Self {
            frame: frame.within(Section::Projects),
            search: search.to_owned(),
            searched: Shown::within(search, 80),
            rows: rows.collect::<Result<_>>()?,
            next,
            is_first: after.is_none(),
        })
    }
}

impl ProjectRow {
    fn read(store: &std::sync::Arc<dyn Store>, project: &ProjectId) -> Result<Self> {
        let head = store.head(project)?;
        let size = head.as_ref().map_or(0, |head| head.range.size());
        let note = head.as_ref().and_then(|head| head.beside.checkpoint.as_deref());
        let sealed = signed_size(note);
        let sheet = store.sheet(project)?.and_then(|bytes| FactSheet::from_json(&bytes).ok());
        let log = TraceLog::new(store.clone(), project.clone());
        let last = newest(&log, size, &Wanted { limit: 1, ..Wanted::default() })?;
        let last = last.hits.first().map(|hit| &hit.record);
        Ok(Self {
            project: Shown::within(project.as_str(), 80),
            links: ProjectLinks::of(project.as_str()),
            purpose: Shown::within(sheet.as_ref().map_or("", FactSheet::purpose), 160),
            institution: Shown::within(
                sheet.as_ref().and_then(FactSheet::institution_id).unwrap_or_default(),
                60,
            ),
            entries: count(size),
            last: last.map(|record| time(&record.timestamp())).unwrap_or_default(),
            stage: last.map(|record| Shown::within(&record.stage(), 40)).unwrap_or_default(),
            signed: signed_words(size, sealed),
            is_signed: sealed == size && size > 0,
        })
    }
}

/// How many entries a checkpoint covers, whoever signed it; 0 where there is none.
pub fn signed_size(note: Option<&str>) -> u64 {
    let text = note.and_then(|note| Note::parse(note).ok()).map(|note| note.text().to_owned());
    text.and_then(|text| Checkpoint::parse(&text).ok()).map_or(0, |checkpoint| checkpoint.size)
}

/// How much of a log is signed, in words.
pub fn signed_words(size: u64, sealed: u64) -> String {
    match sealed {
        0 => "not signed".to_owned(),
        sealed if sealed >= size => "all signed".to_owned(),
        sealed => format!("{} not signed yet", counted(size - sealed, "entry", "entries")),
    }
}

/// The last version of a project's sheet; 0 when it has none that can be read.
pub fn sheet_version(log: &TraceLog) -> Result<u64> {
    let sheet = log.store().sheet(log.project())?;
    let sheet = sheet.and_then(|bytes| FactSheet::from_json(&bytes).ok());
    Ok(sheet.as_ref().map_or(0, FactSheet::version))
}

/// What the list is asked for.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    q: Option<String>,
    after: Option<String>,
}

/// Shows the projects that the visitor may read.
pub async fn show(
    visit: Visit,
    Asked(asked): Asked<Parameters>,
) -> std::result::Result<Response, Problem> {
    let identity = visit.identity()?;
    let mine = seen_by(&identity, &visit.app.registry.state());
    if identity.role == Role::Auditor {
        // The list tells what each is for and what happened last.
        mine.iter().for_each(|id| visit.app.audit.read(&identity.key_id, id, "/ui/"));
    }
    let (store, frame) = (visit.app.store.clone(), visit.frame);
    let page = visit.app.blocking(move || {
        let search = asked.q.unwrap_or_default();
        render(&ProjectsPage::read(frame, &store, &mine, &search, asked.after.as_deref())?)
    });
    Ok(html(StatusCode::OK, page.await?))
}

/// Those of the visitor's institution; an operator reads the server's own ledger.
fn seen_by(identity: &Identity, state: &State) -> Vec<ProjectId> {
    if identity.role == Role::Operator {
        return LEDGER.parse().into_iter().collect();
    }
    let mine = state.projects.iter().filter(|(_, claim)| identity.is_of(&claim.institution_id));
    mine.map(|(id, _)| id.clone()).collect()
}
