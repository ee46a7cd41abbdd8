//! What a project has, counted.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use quark_trace::core::query::Number;
use serde::Serialize;

use crate::access::Granted;
use crate::app::App;
use crate::problem::Problem;

/// What a project has, counted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Summary {
    total_records: u64,
    /// The earliest and the latest timestamp, as the records carry them.
    first_record_at: Option<String>,
    last_record_at: Option<String>,
    /// Lines that are no records.
    unreadable: u64,
    stages: Vec<StageCount>,
    sites: Vec<SiteCount>,
    numbers: Vec<NumberRange>,
    /// Records that break the schema of their stage.
    broken: Vec<BrokenCount>,
    /// Whether there are more sites or numbers than are listed.
    is_cut: bool,
}

/// The records of a stage.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StageCount {
    stage: String,
    records: u64,
    first_at: String,
    last_at: String,
}

/// The records that name a site.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SiteCount {
    site: String,
    records: u64,
}

/// What a number in the payloads was. Numbers are texts, because they may be of any size.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NumberRange {
    /// Its name in the payload.
    field: String,
    count: u64,
    min: Option<String>,
    max: Option<String>,
    last: String,
}

/// Records that break a schema.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BrokenCount {
    stage: String,
    /// Index of the schema's entry.
    schema: u64,
    records: u64,
}

/// Counts what a project has.
#[utoipa::path(
    get,
    path = "/projects/{project}/summary",
    tag = "Projects",
    operation_id = "readSummary",
    responses((status = 200, description = "Counts, stages, sites, ranges of numbers, schema \
                                            faults.", body = Summary))
)]
pub async fn summary(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Json<Summary>, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || Ok(quark_trace::project::summary(&log)?)).await?;
    Ok(Json(found.into()))
}

impl From<quark_trace::project::Summary> for Summary {
    fn from(found: quark_trace::project::Summary) -> Self {
        let stages = found.stages.into_iter().map(|stage| StageCount {
            stage: stage.stage,
            records: stage.records,
            first_at: stage.first_at,
            last_at: stage.last_at,
        });
        let sites = found.sites.into_iter().map(|(site, records)| SiteCount { site, records });
        let text = |number: Option<Number>| number.map(|number| number.to_string());
        let numbers = found.numbers.into_iter().map(|range| NumberRange {
            field: range.field,
            count: range.count,
            min: text(range.min),
            max: text(range.max),
            last: range.last.to_string(),
        });
        let broken = found.broken.into_iter().map(|broken| BrokenCount {
            stage: broken.stage,
            schema: broken.schema,
            records: broken.records,
        });
        Self {
            total_records: found.total_records,
            first_record_at: found.first_record_at,
            last_record_at: found.last_record_at,
            unreadable: found.unreadable,
            stages: stages.collect(),
            sites: sites.collect(),
            numbers: numbers.collect(),
            broken: broken.collect(),
            is_cut: found.is_cut,
        }
    }
}
