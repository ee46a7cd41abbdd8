//! A project at a glance: what it is for, what is proven, what happened, and how the numbers went.

use std::collections::HashMap;

use askama::Template;
use axum::response::Response;
use quark_trace::clock::timestamp;
use quark_trace::core::query::Field;
use quark_trace::core::sheet::FactSheet;
use quark_trace::summary::{NumberRange, summary};
use quark_trace::{Result, Summary, TraceLog};

use super::chart::{Lane, Lanes, LineChart, Series, Spark, short_number};
use super::frame::{Frame, Head, Section, Tab};
use super::links::ProjectLinks;
use super::newest::{Wanted, newest};
use super::recent::{Followed, LOOKED_AT, Recent};
use super::record::title_of;
use super::records::RecordRow;
use super::text::{Shown, count, counted, time};
use super::verification::Panel;
use super::visit::Visit;
use crate::problem::Problem;

/// Charts on the page; the other numbers are in the table.
const CHARTS: usize = 4;
/// Records on the page.
const NEWEST: usize = 10;
/// Stages, sites and numbers on the page.
const LISTED: usize = 60;

/// The overview of a project.
#[derive(Debug, Template)]
#[template(path = "project.html")]
pub struct ProjectPage {
    /// What stands around it.
    pub frame: Frame,
    /// What stands on top.
    pub head: Head,
    /// What its model is for.
    pub purpose: Shown,
    /// What stands beside that: a name and a value.
    pub facts: Vec<(&'static str, Shown)>,
    /// What is proven.
    pub panel: Panel,
    /// How many records, in words.
    pub records: String,
    /// The stages on one span of time.
    pub stages: Vec<StageRow>,
    /// When that span begins and ends.
    pub span: Option<(Shown, Shown)>,
    /// The curves.
    pub charts: Vec<LineChart>,
    /// The sites.
    pub sites: Vec<SiteRow>,
    /// The numbers.
    pub numbers: Vec<NumberRow>,
    /// What counts the steps, as the pages call it.
    pub counter: Shown,
    /// The newest records.
    pub newest: Vec<RecordRow>,
    /// Records that do not keep the schema of their stage.
    pub broken: Vec<BrokenRow>,
    /// Lines that are no records.
    pub unreadable: u64,
    /// What the curves leave out, if they do.
    pub cut: Option<String>,
}

/// A stage in the timeline.
#[derive(Debug)]
pub struct StageRow {
    /// Its name.
    pub stage: Shown,
    /// What the vocabulary calls it; empty for a stage that is not in it.
    pub title: &'static str,
    /// Its records.
    pub link: String,
    /// How many.
    pub records: String,
    /// When the first was written.
    pub first: Shown,
    /// When the last was written.
    pub last: Shown,
    /// When, as a drawing.
    pub lane: Lane,
}

/// A site.
#[derive(Debug)]
pub struct SiteRow {
    /// Its name.
    pub site: Shown,
    /// Its records.
    pub link: String,
    /// How many.
    pub records: String,
    /// The same as part of the most, in thousandths.
    pub part: u64,
    /// Its last step; empty when it names none.
    pub last: String,
    /// Whether others went on without it.
    pub is_behind: bool,
}

/// A number of the payloads.
#[derive(Debug)]
pub struct NumberRow {
    /// Its name.
    pub name: Shown,
    /// How many records have it.
    pub count: String,
    /// The least.
    pub min: String,
    /// The greatest.
    pub max: String,
    /// The last.
    pub last: String,
    /// How it went.
    pub spark: Spark,
}

/// Records that do not keep a schema.
#[derive(Debug)]
pub struct BrokenRow {
    /// Of which stage.
    pub stage: Shown,
    /// How many.
    pub records: String,
    /// How the first of them does not.
    pub fault: Shown,
    /// That one.
    pub link: String,
}

impl ProjectPage {
    /// Reads the overview of a log.
    pub fn read(frame: Frame, log: &TraceLog) -> Result<Self> {
        let head = log.store().head(log.project())?;
        let size = head.as_ref().map_or(0, |head| head.range.size());
        // One that cannot be read must not hide what the panel says of it.
        let sheet = log.store().sheet(log.project())?;
        let sheet = sheet.and_then(|bytes| FactSheet::from_json(&bytes).ok());
        let summary = summary(log)?;
        let recent = Recent::read(log, size, &summary)?;
        let links = ProjectLinks::of(log.project().as_str());
        let newest = newest(log, size, &Wanted { limit: NEWEST, ..Wanted::default() })?;
        let lanes = Lanes::over(recent.stages.iter().flat_map(|(_, times)| times).copied());
        let last_sheet = sheet.as_ref().map_or(0, FactSheet::version);
        Ok(Self {
            frame: frame.within(Section::Projects),
            purpose: Shown::within(sheet.as_ref().map_or("", FactSheet::purpose), 600),
            facts: facts(sheet.as_ref(), &summary),
            panel: Panel::read(log, head.as_ref())?,
            records: counted(summary.total_records, "record", "records"),
            stages: stage_rows(&summary, &recent, lanes.as_ref(), &links),
            span: lanes.map(|span| {
                let at = |micros| time(&timestamp(micros));
                (at(span.from_us()), at(span.until_us()))
            }),
            charts: charts(&recent),
            sites: site_rows(&summary, &recent, &links),
            numbers: number_rows(&summary, &recent),
            counter: Shown::within(&counter_name(&recent), 40),
            newest: newest.hits.iter().map(|hit| RecordRow::new(hit, &links)).collect(),
            broken: broken_rows(&summary, &links),
            unreadable: summary.unreadable,
            cut: (recent.from > 0).then(|| {
                format!(
                    "Timeline, curves and last steps are of the last {} of {} entries.",
                    count(LOOKED_AT),
                    count(size)
                )
            }),
            head: Head {
                project: Shown::within(log.project().as_str(), 120),
                links,
                tab: Tab::Overview,
                version: last_sheet,
            },
        })
    }
}

fn facts(sheet: Option<&FactSheet>, summary: &Summary) -> Vec<(&'static str, Shown)> {
    let mut facts = Vec::new();
    let mut put = |name, text: &str| {
        if !text.is_empty() {
            facts.push((name, Shown::within(text, 80)));
        }
    };
    if let Some(sheet) = sheet {
        put("Institution", sheet.institution_id().unwrap_or_default());
        put("Domain", sheet.domain());
        put("Learning", sheet.ml_type());
        let names = sheet.algorithm().iter().filter_map(|value| value["name"].as_str());
        put("Algorithm", &names.collect::<Vec<_>>().join(", "));
        put("Declared bias", sheet.bias()["severity"].as_str().unwrap_or_default());
    }
    put("Records", &count(summary.total_records));
    if let Some(first) = &summary.first_record_at {
        put("First", time(first).as_str());
    }
    if let Some(last) = &summary.last_record_at {
        put("Last", time(last).as_str());
    }
    facts
}

fn stage_rows(
    summary: &Summary,
    recent: &Recent,
    lanes: Option<&Lanes>,
    links: &ProjectLinks,
) -> Vec<StageRow> {
    let times: HashMap<&str, &Vec<i64>> =
        recent.stages.iter().map(|(stage, times)| (stage.as_str(), times)).collect();
    let lane = |stage: &str| Some(lanes?.lane(times.get(stage)?));
    summary
        .stages
        .iter()
        .take(LISTED)
        .map(|stage| StageRow {
            stage: Shown::within(&stage.stage, 60),
            title: title_of(&stage.stage),
            link: links.filtered(&Field::Stage.is(stage.stage.as_str()).to_string()),
            records: count(stage.records),
            first: time(&stage.first_at),
            last: time(&stage.last_at),
            lane: lane(&stage.stage).unwrap_or_default(),
        })
        .collect()
}

fn site_rows(summary: &Summary, recent: &Recent, links: &ProjectLinks) -> Vec<SiteRow> {
    let last: HashMap<&str, f64> =
        recent.sites.iter().filter_map(|(site, step)| Some((site.as_str(), (*step)?))).collect();
    let furthest = last.values().copied().fold(f64::NEG_INFINITY, f64::max);
    let most = summary.sites.iter().map(|(_, records)| *records).max().unwrap_or(1).max(1);
    let row = |(site, records): &(String, u64)| {
        let step = last.get(site.as_str());
        SiteRow {
            site: Shown::within(site, 60),
            link: links.filtered(&Field::payload("site").is(site.as_str()).to_string()),
            records: count(*records),
            part: records * 1000 / most,
            last: step.map(|step| short_number(*step)).unwrap_or_default(),
            // Within a round some sites are always a little later than others.
            is_behind: step.is_some_and(|step| step + 1.0 < furthest),
        }
    };
    summary.sites.iter().take(LISTED).map(row).collect()
}

fn number_rows(summary: &Summary, recent: &Recent) -> Vec<NumberRow> {
    let by_name: HashMap<&str, &NumberRange> =
        summary.numbers.iter().map(|number| (number.field.as_str(), number)).collect();
    let shown = |number: &Option<quark_trace::core::query::Number>| {
        number.as_ref().map(|number| short_number(number.to_f64())).unwrap_or_default()
    };
    let row = |followed: &Followed| {
        let range = by_name.get(followed.field.as_str())?;
        Some(NumberRow {
            name: Shown::within(plain(&followed.field), 60),
            count: count(range.count),
            min: shown(&range.min),
            max: shown(&range.max),
            last: short_number(range.last.to_f64()),
            spark: Spark::of(&followed.means()),
        })
    };
    recent.numbers.iter().filter_map(row).take(LISTED).collect()
}

fn charts(recent: &Recent) -> Vec<LineChart> {
    let across = counter_name(recent);
    let tells = |followed: &&Followed| followed.series.iter().any(changes);
    let chart = |followed: &Followed| {
        let mut series = followed.series.clone();
        series.sort_by_key(|one| one.is_total);
        LineChart::new(plain(&followed.field), &across, series)
    };
    recent.numbers.iter().filter(tells).filter_map(chart).take(CHARTS).collect()
}

/// Whether a series has two different values, so that a curve says something.
fn changes(series: &Series) -> bool {
    let mut finite = series.points.iter().map(|point| point.y).filter(|y| y.is_finite());
    let first = finite.next();
    finite.any(|y| Some(y) != first)
}

fn broken_rows(summary: &Summary, links: &ProjectLinks) -> Vec<BrokenRow> {
    summary
        .broken
        .iter()
        .take(LISTED)
        .map(|broken| BrokenRow {
            stage: Shown::within(&broken.stage, 60),
            records: counted(broken.records, "record", "records"),
            fault: Shown::of(&broken.faults.first().map(ToString::to_string).unwrap_or_default()),
            link: links.filtered(&format!("index = {}", broken.first)),
        })
        .collect()
}

fn counter_name(recent: &Recent) -> String {
    plain(recent.counter.as_deref().unwrap_or("entry")).to_owned()
}

/// `metrics.auc` for `payload.metrics.auc`.
fn plain(field: &str) -> &str {
    field.strip_prefix("payload.").unwrap_or(field)
}

/// Shows the overview.
pub async fn show(visit: Visit) -> std::result::Result<Response, Problem> {
    visit.project(ProjectPage::read).await
}
