//! Records, filtered in the query language and by text, a page at a time.

use askama::Template;
use axum::response::Response;
use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::query::{Field, Query};
use quark_trace::core::visible::visible;
use quark_trace::query::{Cursor, Found};
use quark_trace::summary::summary;
use quark_trace::{Error, ErrorKind, Result, TraceLog};
use serde::Deserialize;

use super::frame::{Frame, Head, Section, Tab};
use super::links::{ProjectLinks, encoded};
use super::newest::{LOOKED_AT, Needle, Wanted, newest};
use super::payload::{Member, in_line};
use super::projects::sheet_version;
use super::text::{Shown, count, counted, time};
use super::visit::Visit;
use crate::problem::Problem;
use crate::routes::asked::Asked as Parameters;

/// Records of one page.
pub const PAGE: usize = 50;
/// Records that are looked through for a text when they are ordered: they have to be kept.
const ORDERED: u64 = 10_000;
/// Most bytes of them, and of a page without a text.
const ORDERED_BYTES: usize = 32 * 1024 * 1024;
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Stages that are offered to choose from.
const OFFERED: usize = 12;

/// Records that were asked for.
#[derive(Debug, Template)]
#[template(path = "records.html")]
pub struct RecordsPage {
    /// What stands around it.
    pub frame: Frame,
    /// What stands on top.
    pub head: Head,
    /// The filter as it was typed.
    pub filter: String,
    /// The text that was looked for.
    pub text: String,
    /// What is wrong with the filter, and where: its line with a caret below.
    pub refusal: Option<(String, String)>,
    /// The records.
    pub rows: Vec<RecordRow>,
    /// Where they go on.
    pub next: Option<String>,
    /// Whether this is the first page.
    pub is_first: bool,
    /// Whether anything was asked for.
    pub is_asked: bool,
    /// How the records are ordered, in words.
    pub order: &'static str,
    /// What the page leaves out, if it does.
    pub cut: Option<String>,
    /// Stages to choose from, with the number of their records.
    pub stages: Vec<(Shown, String, String)>,
    /// How many records the project has.
    pub total: String,
}

/// A record in a table.
#[derive(Debug)]
pub struct RecordRow {
    /// Its place in the ledger; empty when it has none yet.
    pub index: String,
    /// When it was written.
    pub time: Shown,
    /// Its stage.
    pub stage: Shown,
    /// Its id, shortened.
    pub id: Shown,
    /// Its page.
    pub link: String,
    /// What it says, the first of it.
    pub members: Vec<Member>,
    /// How much more it says.
    pub more: usize,
}

impl RecordRow {
    /// The row of a record.
    pub fn new(found: &Found, links: &ProjectLinks) -> Self {
        let view = found.record.view();
        let id = view.record_id.to_str();
        let (members, more) = in_line(view.payload);
        Self {
            index: found.index.map(count).unwrap_or_default(),
            time: time(&view.timestamp.to_str()),
            stage: Shown::within(&view.stage.to_str(), 60),
            id: Shown::within(&id, 8),
            link: links.record(&id),
            members,
            more,
        }
    }
}

/// What was asked for, as an address has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Asked {
    /// A query of the query language.
    #[serde(default)]
    pub filter: String,
    /// Text that stands somewhere in the record.
    #[serde(default, rename = "q")]
    pub text: String,
    /// Where the last page ended.
    pub after: Option<String>,
}

/// Records that were found, and how to go on.
#[derive(Default)]
struct Part {
    hits: Vec<Found>,
    next: Option<String>,
    cut: Option<String>,
}

impl RecordsPage {
    /// Looks for the records. A filter that cannot be read is told on the page, not as an error.
    pub fn read(frame: Frame, log: &TraceLog, asked: Asked) -> Result<Self> {
        let head = log.store().head(log.project())?;
        let size = head.map_or(0, |head| head.range.size());
        let links = ProjectLinks::of(log.project().as_str());
        let (query, mut refusal) = match log.read_query(&asked.filter) {
            Ok(query) => (Some(query), None),
            Err(fault) => (None, Some(in_parts(&fault.to_string()))),
        };
        let order = match &query {
            Some(query) if !query.order.is_empty() => "In the order that the query asks for.",
            _ => "The newest first.",
        };
        let part = match query.map(|query| find(log, size, query, &asked)) {
            None => Part::default(),
            Some(Ok(part)) => part,
            Some(Err(error)) if is_askers(&error) => {
                refusal = Some(in_parts(error.message()));
                Part::default()
            }
            Some(Err(error)) => return Err(error),
        };
        let summary = summary(log)?;
        let stages = summary.stages.iter().take(OFFERED).map(|stage| {
            let filter = Field::Stage.is(stage.stage.as_str()).to_string();
            (Shown::within(&stage.stage, 40), count(stage.records), links.filtered(&filter))
        });
        Ok(Self {
            frame: frame.within(Section::Projects),
            rows: part.hits.iter().map(|hit| RecordRow::new(hit, &links)).collect(),
            next: part.next.map(|after| {
                let (filter, text) = (encoded(&asked.filter), encoded(&asked.text));
                format!("{}?filter={filter}&q={text}&after={}", links.records(), encoded(&after))
            }),
            is_first: asked.after.is_none(),
            is_asked: !asked.filter.trim().is_empty() || !asked.text.trim().is_empty(),
            order,
            cut: part.cut,
            stages: stages.collect(),
            total: counted(summary.total_records, "record", "records"),
            refusal,
            filter: asked.filter,
            text: asked.text,
            head: Head {
                project: Shown::within(log.project().as_str(), 120),
                links,
                tab: Tab::Records,
                version: sheet_version(log)?,
            },
        })
    }
}

/// What is wrong in one line, and the lines that show where.
fn in_parts(told: &str) -> (String, String) {
    let (message, place) = told.split_once('\n').unwrap_or((told, ""));
    (visible(message).into_owned(), place.to_owned())
}

/// Whether the one who asked can do something about it.
fn is_askers(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::TooLarge)
}

fn find(log: &TraceLog, size: u64, query: Query, asked: &Asked) -> Result<Part> {
    let needle = Needle::new(&asked.text);
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.map_or(PAGE, |limit| limit.min(PAGE));
    if query.order.is_empty() {
        return find_newest(log, size, &query, needle.as_ref(), limit, asked);
    }
    find_ordered(log, query, needle.as_ref(), limit, asked)
}

fn find_newest(
    log: &TraceLog,
    size: u64,
    query: &Query,
    text: Option<&Needle>,
    limit: usize,
    asked: &Asked,
) -> Result<Part> {
    let before = match &asked.after {
        None => None,
        Some(after) => Some(after.parse().map_err(|_| bad_cursor())?),
    };
    let wanted =
        Wanted { filter: query.filter.as_ref(), text, before, limit, now_us: SystemClock.now_us() };
    let page = newest(log, size, &wanted)?;
    let cut = page.is_tired.then(|| {
        format!("{} entries were looked at for this page. Older ones come next.", count(LOOKED_AT))
    });
    let short = query.limit.filter(|_| page.next.is_some());
    let cut = cut.or_else(|| short.and_then(|wanted| shortened(page.hits.len(), wanted)));
    let next = page.next.filter(|_| query.limit.is_none()).map(|next| next.to_string());
    Ok(Part { hits: page.hits, next, cut })
}

fn find_ordered(
    log: &TraceLog,
    query: Query,
    text: Option<&Needle>,
    limit: usize,
    asked: &Asked,
) -> Result<Part> {
    let wanted = query.limit;
    let search = log.search(query);
    let mut search = match &asked.after {
        None => search,
        Some(after) => search.after(after.parse::<Cursor>()?),
    };
    let (most, most_bytes) = match text {
        Some(_) => (ORDERED, ORDERED_BYTES),
        None => (limit as u64, PAGE_BYTES),
    };
    search = search.limit(most).most_bytes(most_bytes);
    let found = search.page()?;
    let seen = found.hits.len() as u64;
    let fits = |hit: &Found| text.is_none_or(|needle| needle.is_in(hit.record.line()));
    let hits: Vec<_> = found.hits.into_iter().filter(fits).take(limit).collect();
    let is_cut = found.next.is_some() && wanted.is_none_or(|wanted| seen < wanted);
    let cut = (text.is_some() && is_cut).then(|| {
        format!("The text was looked for in the first {} records of this order.", count(seen))
    });
    let short = wanted.filter(|_| found.next.is_some());
    let cut = cut.or_else(|| short.and_then(|wanted| shortened(hits.len(), wanted)));
    let next =
        found.next.filter(|_| wanted.is_none() && text.is_none()).map(|next| next.to_string());
    Ok(Part { hits, next, cut })
}

/// What is said of a page that has not all that its LIMIT asks for. It has no next page: that one
/// would begin the counting anew.
fn shortened(shown: usize, wanted: u64) -> Option<String> {
    ((shown as u64) < wanted).then(|| {
        format!(
            "The first {} of LIMIT {wanted} fit here. Leave LIMIT out to turn pages.",
            count(shown as u64)
        )
    })
}

fn bad_cursor() -> Error {
    let message = "the address of this page was cut or changed; begin again without it";
    Error::new(ErrorKind::InvalidInput, "turn the page", message)
}

/// Shows the records that are asked for.
pub async fn show(
    visit: Visit,
    Parameters(asked): Parameters<Asked>,
) -> std::result::Result<Response, Problem> {
    visit.project(move |frame, log| RecordsPage::read(frame, log, asked)).await
}
