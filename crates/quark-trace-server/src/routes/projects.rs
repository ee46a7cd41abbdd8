//! Projects: beginning one, listing them, opening one to readers without a key.

use std::ops::Bound;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use quark_trace::TraceLog;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::sheet::FactSheet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asked::{Asked, is_of_type};
use super::records::attributes;
use super::{body, sheets};
use crate::access::{Granted, Identity};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::registry::{LEDGER, Opening, Registry};

/// Which projects are listed.
#[derive(Debug, Clone, Deserialize)]
pub struct Parameters {
    /// A part of the id.
    q: Option<String>,
    /// The id behind which to go on.
    after: Option<String>,
    /// Most projects.
    limit: Option<u64>,
}

/// A project in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Listed {
    project_id: String,
    institution_id: String,
    open: Opening,
    /// How many entries its log has.
    size: u64,
}

/// A page of projects.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Projects {
    projects: Vec<Listed>,
    /// What `after` must be for the next page.
    next: Option<String>,
}

/// Lists the projects of the caller's institution.
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Parameters>,
) -> Result<Json<Projects>, Problem> {
    let limit = super::read::page_limit(&app, asked.limit)?.unwrap_or(100) as usize;
    let identity = identity(&granted)?;
    let wanted = asked.q.unwrap_or_default().to_lowercase();
    let after = asked.after.map(|after| after.parse::<ProjectId>());
    let after = after.transpose().map_err(|_| Problem::invalid("after: no id of a project"))?;
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut found: Vec<(ProjectId, String, Opening)> = {
        let state = app.registry.state();
        let claims = state.projects.range((from, Bound::Unbounded));
        claims
            .filter(|(id, claim)| {
                identity.is_of(&claim.institution_id)
                    && id.as_str().to_lowercase().contains(&wanted)
            })
            .map(|(id, claim)| (id.clone(), claim.institution_id.clone(), claim.open))
            .take(limit + 1)
            .collect()
    };
    let next = (found.len() > limit).then(|| found[limit - 1].0.to_string());
    found.truncate(limit);
    let store = Arc::clone(&app.store);
    let projects = app.blocking(move || {
        let listed = found.into_iter().map(|(id, institution_id, open)| {
            let size = store.head(&id)?.map_or(0, |head| head.range.size());
            Ok(Listed { project_id: id.to_string(), institution_id, open, size })
        });
        listed.collect::<Result<Vec<_>, Problem>>()
    });
    Ok(Json(Projects { projects: projects.await?, next }))
}

/// Begins a project with its fact sheet.
pub async fn begin(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    let identity = identity(&granted)?.clone();
    let limits = &app.settings.limits;
    let (sheet, bytes) = if is_of_type(&headers, sheets::TYPE) {
        let content = body::read(&headers, content, limits.record, limits.body_wait).await?;
        let sheet = sheets::whole(&content.bytes)?;
        sheets::check_first(&sheet)?;
        (sheet, content.bytes.to_vec())
    } else {
        let sent: Value = body::json(&headers, content, limits.body_wait).await?;
        let sheet = sheets::of_client(sent, institution(&identity)?)?;
        let bytes = sheet.to_json_bytes();
        (sheet, bytes)
    };
    check_institution(&sheet, &identity)?;
    let id: ProjectId = sheet.project_id().parse().map_err(quark_trace::Error::from)?;
    let log = app.log(&id);
    let at = attributes(&granted.caller);
    let (answer, running) = (bytes.clone(), Arc::clone(&app));
    let size = app.blocking(move || {
        claim(&running.registry, &log, &identity)?;
        sheets::append_bytes(&log, &bytes, &at, 0).map_err(|problem| match problem.code {
            Code::Conflict => taken(&log),
            _ => problem,
        })
    });
    app.live.appended(&id, size.await?);
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::CREATED, kind, answer).into_response())
}

/// Gives a new project to the caller's institution. One that was claimed and got no sheet, because
/// somebody was interrupted, is begun again.
fn claim(registry: &Registry, log: &TraceLog, identity: &Identity) -> Result<(), Problem> {
    let id = log.project();
    registry.refresh()?;
    let known = registry.state().projects.get(id).cloned();
    let exists = log.store().head(id)?.is_some_and(|head| head.range.size() > 0);
    let is_ours = known.as_ref().is_some_and(|claim| identity.is_of(&claim.institution_id));
    match known {
        Some(_) if is_ours && !exists => Ok(()),
        // A log without a claim was there before the server; an operator says whose it is.
        None if !exists && id.as_str() != LEDGER => {
            Ok(registry.claim_project(&identity.actor(), id, institution(identity)?)?)
        }
        _ => Err(taken(log)),
    }
}

fn taken(log: &TraceLog) -> Problem {
    let detail = format!("a project {:?} exists already", log.project().as_str());
    Problem::new(Code::AlreadyExists, detail).not_written()
}

/// What is to become of a project.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What may be read without a key.
    open: Opening,
}

/// Says what may be read without a key.
pub async fn open(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<Json<Value>, Problem> {
    let wait = app.settings.limits.body_wait;
    let Change { open } = body::json(&headers, content, wait).await?;
    let (actor, id) = (identity(&granted)?.actor(), granted.log()?.project().clone());
    let running = Arc::clone(&app);
    let answer = json!({"project_id": id.as_str(), "open": open});
    app.blocking(move || Ok(running.registry.open_project(&actor, &id, open)?)).await?;
    Ok(Json(answer))
}

/// Counts what a project has.
pub async fn summary(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Json<Value>, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || Ok(quark_trace::project::summary(&log)?)).await?;
    let stages = found.stages.iter().map(|stage| {
        json!({"stage": stage.stage, "records": stage.records, "first_at": stage.first_at,
               "last_at": stage.last_at})
    });
    let sites = found.sites.iter().map(|(site, records)| json!({"site": site, "records": records}));
    let numbers = found.numbers.iter().map(|range| {
        let text = |number: &quark_trace::core::query::Number| number.to_string();
        json!({"field": range.field, "count": range.count, "min": range.min.as_ref().map(text),
               "max": range.max.as_ref().map(text), "last": text(&range.last)})
    });
    let broken = found.broken.iter().map(
        |broken| json!({"stage": broken.stage, "schema": broken.schema, "records": broken.records}),
    );
    Ok(Json(json!({
        "total_records": found.total_records,
        "first_record_at": found.first_record_at,
        "last_record_at": found.last_record_at,
        "unreadable": found.unreadable,
        "stages": stages.collect::<Vec<_>>(),
        "sites": sites.collect::<Vec<_>>(),
        "numbers": numbers.collect::<Vec<_>>(),
        "broken": broken.collect::<Vec<_>>(),
        "is_cut": found.is_cut,
    })))
}

/// The caller, who has a key.
pub fn identity(granted: &Granted) -> Result<&Identity, Problem> {
    granted.caller.identity().ok_or_else(|| Problem::new(Code::Unauthenticated, "a key is needed"))
}

fn institution(identity: &Identity) -> Result<&str, Problem> {
    identity.institution_id.as_deref().ok_or_else(Problem::forbidden)
}

fn check_institution(sheet: &FactSheet, identity: &Identity) -> Result<(), Problem> {
    if sheet.institution_id().is_none_or(|named| identity.is_of(named)) {
        return Ok(());
    }
    let detail = "the fact sheet names another institution than that of the key";
    Err(Problem::new(Code::Forbidden, detail).not_written())
}
