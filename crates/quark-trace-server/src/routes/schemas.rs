//! Schemas of stages: those in force, and a new one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use quark_trace::core::ids::Stage;
use quark_trace::core::ledger::{Digest, Kind};
use quark_trace::core::stages::{StageSchema, stage_attribute};
use quark_trace::store::{Commit, Durability, NewEntry};
use quark_trace::{Error, Outcome};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::body;
use super::records::attributes;
use super::sheets::Placed;
use crate::access::Granted;
use crate::app::App;
use crate::problem::Problem;

/// A schema in force.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SchemaInForce)]
pub struct InForce {
    stage: String,
    /// `off`, `warn` or `strict`; null for one that cannot be used.
    mode: Option<&'static str>,
    /// Index of its entry.
    index: u64,
    /// SHA-256 of its bytes, in hex; null when they are missing.
    sha256: Option<String>,
}

/// Lists the schemas in force.
#[utoipa::path(
    get,
    path = "/projects/{project}/schemas",
    tag = "Schemas",
    operation_id = "listSchemas",
    responses((status = 200, description = "One for each stage that has one.",
               body = Vec<InForce>))
)]
pub async fn in_force(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Json<Vec<InForce>>, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || Ok(log.store().schemas(log.project())?)).await?;
    let in_force = found.in_force.into_iter().map(|entry| {
        let schema = entry.object.as_deref().map(StageSchema::read);
        InForce {
            stage: entry.stage,
            mode: schema.and_then(Result::ok).map(|schema| schema.mode().as_str()),
            index: entry.index,
            sha256: entry.object.map(|object| Digest::of(&object).to_string()),
        }
    });
    Ok(Json(in_force.collect()))
}

/// Which stage, and at which place.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The stage, or `*` for all; at most 200 bytes.
    #[param(max_length = 200, pattern = r"\S", example = "client_round")]
    stage: String,
    /// The size that the log must have, in entries; refused with `conflict` when it moved.
    #[param(example = 7)]
    expected: Option<u64>,
}

/// Holds the records of a stage to a schema.
#[utoipa::path(
    post,
    path = "/projects/{project}/schemas",
    tag = "Schemas",
    operation_id = "appendSchema",
    description = "The document is stored as it was sent: a JSON Schema (draft 2020-12) for the \
                   payload, with `x-quark-mode`.",
    params(Parameters),
    request_body(content = ref("#/components/schemas/StageSchema")),
    responses(
        (status = 201, description = "Where it stands; it holds for what comes behind it.",
         body = Placed),
        (status = 409, description = "`conflict`: the log has another size; `actual` is it.")
    )
)]
pub async fn append(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Parameters>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    Stage::check(&asked.stage).map_err(Error::from)?;
    let limits = &app.settings.limits;
    let content = body::read(&headers, content, limits.record, limits.body_wait).await?;
    StageSchema::read(&content.bytes).map_err(Error::from)?;
    let at = format!("{}{}", stage_attribute(&asked.stage), attributes(&granted.caller));
    let log = granted.log()?.clone();
    let project = log.project().clone();
    let appended = app.blocking(move || {
        let entry = NewEntry::new(Kind::Schema, &content.bytes);
        let entries = [NewEntry { attributes: &at, ..entry }];
        let durability = Durability::Sync;
        let commit = Commit { entries: &entries, expected: asked.expected, durability };
        let appended = log.store().append(log.project(), &commit);
        Ok(appended.map_err(|error| error.or_outcome(Outcome::Unknown))?)
    });
    let size = appended.await?.size;
    app.live.appended(&project, size);
    Ok((StatusCode::CREATED, Json(Placed { index: size - 1, size })).into_response())
}
