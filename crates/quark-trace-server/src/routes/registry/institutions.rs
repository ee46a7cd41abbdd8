//! Institutions: who may take part at all.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::{Answer, Change};
use crate::access::Granted;
use crate::app::App;
use crate::problem::Problem;
use crate::registry::Status;
use crate::routes::asked::Named;
use crate::routes::body;
use crate::routes::projects::identity;

/// An institution.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Institution {
    institution_id: String,
    /// What people call it.
    name: String,
    status: Status,
}

/// All institutions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Institutions {
    institutions: Vec<Institution>,
}

/// Lists the institutions.
#[utoipa::path(
    get,
    path = "/registry/institutions",
    tag = "Registry",
    operation_id = "listInstitutions",
    responses((status = 200, description = "All institutions.", body = Institutions))
)]
pub async fn institutions(State(app): State<Arc<App>>) -> Json<Institutions> {
    let state = app.registry.state();
    let all = state.institutions.iter().map(|(id, known)| Institution {
        institution_id: id.clone(),
        name: known.name.clone(),
        status: known.status,
    });
    Json(Institutions { institutions: all.collect() })
}

/// A new institution.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInstitution {
    #[schema(schema_with = crate::routes::openapi::id_of_holder)]
    institution_id: String,
    /// What people call it.
    #[serde(default)]
    #[schema(schema_with = crate::routes::openapi::name_of_holder)]
    name: String,
}

/// Lets an institution take part.
#[utoipa::path(
    post,
    path = "/registry/institutions",
    tag = "Registry",
    operation_id = "addInstitution",
    request_body = NewInstitution,
    responses(
        (status = 201, description = "It takes part from now on.", body = Institution),
        (status = 409, description = "`already_exists`: the id is taken.")
    )
)]
pub async fn add_institution(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<Institution>), Problem> {
    let new: NewInstitution = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let actor = identity(&granted)?.actor();
    let running = Arc::clone(&app);
    let NewInstitution { institution_id, name } = new;
    let added = app.blocking(move || {
        running.registry.add_institution(&actor, &institution_id, &name)?;
        Ok(Institution { institution_id, name, status: Status::Active })
    });
    Ok((StatusCode::CREATED, Json(added.await?)))
}

/// An institution and what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChangedInstitution {
    institution_id: String,
    status: Status,
}

/// Says whether an institution takes part.
#[utoipa::path(
    patch,
    path = "/registry/institutions/{institution}",
    tag = "Registry",
    operation_id = "changeInstitution",
    description = "The keys of an institution that is `inactive` are refused.",
    request_body = Change,
    responses((status = 200, description = "What it is from now on.", body = ChangedInstitution))
)]
pub async fn change_institution(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(id): Named<String>,
    headers: HeaderMap,
    content: Body,
) -> Answer<ChangedInstitution> {
    let Change { status } = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let actor = identity(&granted)?.actor();
    let running = Arc::clone(&app);
    let changed = app.blocking(move || {
        running.registry.set_institution(&actor, &id, status)?;
        Ok(ChangedInstitution { institution_id: id, status })
    });
    Ok(Json(changed.await?))
}
