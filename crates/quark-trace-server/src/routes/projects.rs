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
use serde_json::Value;

use super::asked::{Asked, is_of_type};
use super::records::attributes;
use super::{body, sheets};
use crate::access::{Granted, Identity};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::registry::{LEDGER, Opening, Registry};

/// Which projects are listed.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// A part of the id, upper and lower case alike.
    #[param(example = "scan")]
    q: Option<String>,
    /// The id behind which to go on.
    #[param(
        example = "demo",
        max_length = 200,
        pattern = r"^(?!\.)(?=.*\S)[^/\\\u0000-\u001f\u007f-\u009f]+$"
    )]
    after: Option<String>,
    /// Most projects; 100 unless given.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    limit: Option<u64>,
}

/// A project in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ListedProject)]
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
#[utoipa::path(
    get,
    path = "/projects/",
    tag = "Projects",
    operation_id = "listProjects",
    params(Parameters),
    responses((status = 200, description = "A page of projects.", body = Projects))
)]
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
#[utoipa::path(
    post,
    path = "/projects/",
    tag = "Projects",
    operation_id = "beginProject",
    description = "A sheet that is sent as `application/json` gets the time of the server, version \
                   1 and an empty `amendment_log`. One that is sent as \
                   `application/vnd.quark-trace.sheet+json` is stored as it is and must be a whole \
                   first version.",
    request_body(content(
        (ref("#/components/schemas/NewFactSheet") = "application/json"),
        (ref("#/components/schemas/FactSheet") = "application/vnd.quark-trace.sheet+json")
    )),
    responses(
        (status = 201, description = "The sheet as it is stored.",
         body = ref("#/components/schemas/FactSheet")),
        (status = 409, description = "`already_exists`: the id is taken.")
    )
)]
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
#[schema(as = ProjectChange)]
pub struct Change {
    /// What may be read without a key.
    open: Opening,
}

/// What a project shows without a key from now on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChangedProject {
    project_id: String,
    open: Opening,
}

/// Says what may be read without a key.
#[utoipa::path(
    patch,
    path = "/projects/{project}",
    tag = "Projects",
    operation_id = "openProject",
    description = "`nobody`: nothing. `ledger`: checkpoints, tiles and entries, which name digests \
                   and no content. `records`: everything.",
    request_body = Change,
    responses((status = 200, description = "What it is from now on.", body = ChangedProject))
)]
pub async fn open(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<Json<ChangedProject>, Problem> {
    let wait = app.settings.limits.body_wait;
    let Change { open } = body::json(&headers, content, wait).await?;
    let (actor, id) = (identity(&granted)?.actor(), granted.log()?.project().clone());
    let running = Arc::clone(&app);
    let answer = ChangedProject { project_id: id.to_string(), open };
    app.blocking(move || Ok(running.registry.open_project(&actor, &id, open)?)).await?;
    Ok(Json(answer))
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
