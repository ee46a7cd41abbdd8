//! Institutions, nodes and keys.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use quark_trace::clock::{Clock, SystemClock, timestamp};
use quark_trace::core::time::typed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asked::Named;
use super::body;
use super::projects::identity;
use crate::access::{Granted, Identity};
use crate::app::App;
use crate::problem::Problem;
use crate::registry::{Issued, KeyEntry, KeyRequest, Role, Status};

/// Longest time that an old key goes on beside the new one, in seconds.
const LONGEST_OVERLAP_S: i64 = 30 * 24 * 3600;

type Answer<T> = Result<Json<T>, Problem>;

/// Lists the institutions.
pub async fn institutions(State(app): State<Arc<App>>) -> Json<Value> {
    let state = app.registry.state();
    let all = state.institutions.iter().map(
        |(id, known)| json!({"institution_id": id, "name": known.name, "status": known.status}),
    );
    Json(json!({"institutions": all.collect::<Vec<_>>()}))
}

/// A new institution.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInstitution {
    institution_id: String,
    /// What people call it.
    #[serde(default)]
    name: String,
}

/// Lets an institution take part.
pub async fn add_institution(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new: NewInstitution = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let actor = identity(&granted)?.actor();
    let answer = json!({"institution_id": new.institution_id, "name": new.name,
                        "status": Status::Active});
    let running = Arc::clone(&app);
    let NewInstitution { institution_id, name } = new;
    app.blocking(move || Ok(running.registry.add_institution(&actor, &institution_id, &name)?))
        .await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// What is to become of an institution or a node.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    status: Status,
}

/// Says whether an institution takes part.
pub async fn change_institution(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(id): Named<String>,
    headers: HeaderMap,
    content: Body,
) -> Answer<Value> {
    let Change { status } = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let actor = identity(&granted)?.actor();
    let answer = json!({"institution_id": id, "status": status});
    let running = Arc::clone(&app);
    app.blocking(move || Ok(running.registry.set_institution(&actor, &id, status)?)).await?;
    Ok(Json(answer))
}

/// Lists the nodes that the caller manages.
pub async fn nodes(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Answer<Value> {
    let identity = identity(&granted)?;
    let state = app.registry.state();
    let mine = state.nodes.iter().filter(|(_, node)| manages(identity, &node.institution_id));
    let listed = mine.map(|(id, node)| {
        json!({"node_id": id, "institution_id": node.institution_id, "name": node.name,
               "status": node.status})
    });
    Ok(Json(json!({"nodes": listed.collect::<Vec<_>>()})))
}

/// A new node.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNode {
    node_id: String,
    /// Whose it is; an admin's own institution unless given.
    institution_id: Option<String>,
    /// What people call it.
    #[serde(default)]
    name: String,
}

/// Lets a node take part.
pub async fn add_node(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new: NewNode = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let identity = identity(&granted)?.clone();
    let institution = own_institution(&identity, new.institution_id)?;
    let answer = json!({"node_id": new.node_id, "institution_id": institution, "name": new.name,
                        "status": Status::Active});
    let running = Arc::clone(&app);
    let NewNode { node_id, name, .. } = new;
    app.blocking(move || {
        Ok(running.registry.add_node(&identity.actor(), &node_id, &institution, &name)?)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// A node.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NodeOf {
    node_id: String,
    institution_id: String,
    name: String,
    status: Status,
}

/// A node, for itself and those who manage it.
pub async fn node(State(app): State<Arc<App>>, Named(id): Named<String>) -> Answer<NodeOf> {
    let state = app.registry.state();
    let known = state.nodes.get(&id).ok_or_else(Problem::missing)?.clone();
    Ok(Json(NodeOf {
        node_id: id,
        institution_id: known.institution_id,
        name: known.name,
        status: known.status,
    }))
}

/// Says whether a node takes part.
pub async fn change_node(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(id): Named<String>,
    headers: HeaderMap,
    content: Body,
) -> Answer<Value> {
    let Change { status } = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let actor = identity(&granted)?.actor();
    let answer = json!({"node_id": id, "status": status});
    let running = Arc::clone(&app);
    app.blocking(move || Ok(running.registry.set_node(&actor, &id, status)?)).await?;
    Ok(Json(answer))
}

/// Lists the keys that the caller manages.
pub async fn keys(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Answer<Value> {
    let identity = identity(&granted)?;
    let state = app.registry.state();
    let mut mine: Vec<&KeyEntry> = state
        .keys
        .values()
        .filter(|key| match &key.institution_id {
            Some(institution) => manages(identity, institution),
            None => identity.role == Role::Operator,
        })
        .collect();
    mine.sort_by(|one, other| {
        (&one.issued_at, &one.key_id).cmp(&(&other.issued_at, &other.key_id))
    });
    let now_us = SystemClock.now_us();
    let listed = mine.into_iter().map(|key| shown(key, state.is_good(key, now_us)));
    Ok(Json(json!({"keys": listed.collect::<Vec<_>>()})))
}

/// A key without the key.
fn shown(key: &KeyEntry, is_good: bool) -> Value {
    json!({
        "key_id": key.key_id,
        "role": key.role,
        "institution_id": key.institution_id,
        "node_id": key.node_id,
        "name": key.name,
        "issued_at": key.issued_at,
        "ends_at": key.ends_us.map(timestamp),
        "status": if is_good { Status::Active } else { Status::Inactive },
    })
}

/// A key that is wanted.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    role: Role,
    /// For auditors and admins; an admin's own institution unless given.
    institution_id: Option<String>,
    /// For nodes.
    node_id: Option<String>,
    /// What it is for.
    #[serde(default)]
    name: String,
    /// When it ends by itself, as ISO 8601.
    expires_at: Option<String>,
}

/// Makes a key.
pub async fn issue_key(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new: NewKey = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let identity = identity(&granted)?.clone();
    let running = Arc::clone(&app);
    let issued = app.blocking(move || {
        let wanted = wanted(&running, &identity, new)?;
        Ok(running.registry.issue_key(&identity.actor(), &wanted)?)
    });
    Ok((StatusCode::CREATED, Json(revealed(&issued.await?))))
}

/// What an admin may ask for is of the own institution; a node elsewhere does not exist.
fn wanted(app: &App, identity: &Identity, new: NewKey) -> Result<KeyRequest, Problem> {
    let institution_id = match new.role {
        Role::Auditor | Role::Admin => Some(own_institution(identity, new.institution_id)?),
        Role::Node | Role::Operator => new.institution_id,
    };
    if identity.role != Role::Operator {
        if new.role == Role::Operator {
            return Err(Problem::forbidden().not_written());
        }
        let state = app.registry.state();
        let foreign = |node: &String| {
            state.nodes.get(node).is_none_or(|known| !identity.is_of(&known.institution_id))
        };
        if new.node_id.as_ref().is_some_and(foreign) {
            return Err(Problem::missing().not_written());
        }
    }
    let expires_us = match new.expires_at.as_deref() {
        None => None,
        Some(text) => Some(typed(text).ok_or_else(|| {
            Problem::invalid("expires_at must be a time such as 2027-01-31T00:00:00Z")
        })?),
    };
    Ok(KeyRequest {
        role: new.role,
        institution_id,
        node_id: new.node_id,
        name: new.name,
        expires_us,
    })
}

/// Ends a key at once.
pub async fn revoke_key(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(key_id): Named<String>,
) -> Answer<Value> {
    let actor = identity(&granted)?.actor();
    let running = Arc::clone(&app);
    let answer = json!({"key_id": key_id, "status": Status::Inactive});
    let now_us = SystemClock.now_us();
    app.blocking(move || Ok(running.registry.end_key(&actor, &key_id, now_us)?)).await?;
    Ok(Json(answer))
}

/// How long the old key goes on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// In seconds; an hour unless given.
    #[serde(default = "an_hour")]
    overlap_s: i64,
}

fn an_hour() -> i64 {
    3600
}

/// Makes a key in place of another one.
pub async fn rotate_key(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(key_id): Named<String>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Rotation { overlap_s } =
        body::json(&headers, content, app.settings.limits.body_wait).await?;
    if !(0..=LONGEST_OVERLAP_S).contains(&overlap_s) {
        return Err(Problem::invalid(format!("overlap_s must be 0 to {LONGEST_OVERLAP_S}")));
    }
    let actor = identity(&granted)?.actor();
    let running = Arc::clone(&app);
    let ends_us = SystemClock.now_us().saturating_add(overlap_s * 1_000_000);
    let issued =
        app.blocking(move || Ok(running.registry.rotate_key(&actor, &key_id, ends_us)?)).await?;
    Ok((StatusCode::CREATED, Json(revealed(&issued))))
}

/// The only answer that has a key.
fn revealed(issued: &Issued) -> Value {
    let mut document = shown(&issued.entry, true);
    if let Some(members) = document.as_object_mut() {
        members.insert("key".to_owned(), issued.key.reveal().into());
    }
    document
}

fn manages(identity: &Identity, institution: &str) -> bool {
    identity.role == Role::Operator || identity.is_of(institution)
}

/// The institution that an admin or operator means.
fn own_institution(identity: &Identity, named: Option<String>) -> Result<String, Problem> {
    match (&identity.institution_id, named) {
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Problem::invalid("institution_id is missing")),
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(named)) if *own == named => Ok(named),
        (Some(_), Some(_)) => Err(Problem::missing().not_written()),
    }
}
