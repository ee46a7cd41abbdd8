//! Keys: made, listed, ended, and replaced.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use quark_trace::clock::{Clock, SystemClock, timestamp};
use quark_trace::core::time::typed;
use serde::{Deserialize, Serialize, Serializer};

use super::{Answer, manages, own_institution};
use crate::access::{ApiKey, Granted, Identity};
use crate::app::App;
use crate::problem::Problem;
use crate::registry::{Issued, KeyEntry, KeyRequest, Role, Status};
use crate::routes::asked::Named;
use crate::routes::body;
use crate::routes::projects::identity;

/// Longest time that an old key goes on beside the new one, in seconds.
const LONGEST_OVERLAP_S: i64 = 30 * 24 * 3600;

/// A key without the key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Key)]
pub struct KeyOf {
    /// Its public part.
    key_id: String,
    role: Role,
    /// The institution it is limited to; an operator has none.
    institution_id: Option<String>,
    /// The node that holds it.
    node_id: Option<String>,
    /// What it is for.
    name: String,
    /// When it was issued, as ISO 8601.
    issued_at: String,
    /// When it ends by itself or has ended, as ISO 8601.
    ends_at: Option<String>,
    /// When it was last used, as ISO 8601, to the minute; what other servers saw may come an hour
    /// later. Null when it was not.
    last_used_at: Option<String>,
    status: Status,
}

/// The keys that the caller manages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Keys {
    keys: Vec<KeyOf>,
}

/// A key that was made, with the key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct IssuedKey {
    #[serde(flatten)]
    entry: KeyOf,
    /// The key. It is shown this once.
    #[serde(serialize_with = "reveal")]
    #[schema(value_type = String, example = "qt_…")]
    key: ApiKey,
}

fn reveal<S: Serializer>(key: &ApiKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.reveal())
}

/// Lists the keys that the caller manages.
#[utoipa::path(
    get,
    path = "/registry/keys",
    tag = "Registry",
    operation_id = "listKeys",
    description = "An admin gets the keys of its institution, an operator all.",
    responses((status = 200, description = "The keys, the oldest first.", body = Keys))
)]
pub async fn keys(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Answer<Keys> {
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
    let listed =
        mine.into_iter().map(|key| shown(key, state.is_good(key, now_us), app.last_used.of(key)));
    Ok(Json(Keys { keys: listed.collect() }))
}

fn shown(key: &KeyEntry, is_good: bool, last_used_us: Option<i64>) -> KeyOf {
    KeyOf {
        key_id: key.key_id.clone(),
        role: key.role,
        institution_id: key.institution_id.clone(),
        node_id: key.node_id.clone(),
        name: key.name.clone(),
        issued_at: key.issued_at.clone(),
        ends_at: key.ends_us.map(timestamp),
        last_used_at: last_used_us.map(timestamp),
        status: if is_good { Status::Active } else { Status::Inactive },
    }
}

/// A key that is wanted.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    pub(crate) role: Role,
    /// For auditors and admins; an admin's own institution unless given.
    pub(crate) institution_id: Option<String>,
    /// For nodes.
    pub(crate) node_id: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(schema_with = crate::routes::openapi::name_of_holder)]
    pub(crate) name: String,
    /// When it ends by itself, as ISO 8601.
    #[schema(format = DateTime)]
    pub(crate) expires_at: Option<String>,
}

/// Makes a key.
#[utoipa::path(
    post,
    path = "/registry/keys",
    tag = "Registry",
    operation_id = "issueKey",
    description = "A key of a node names the node, one of an auditor or admin the institution, \
                   one of an operator neither. Only operators make operators.",
    request_body = NewKey,
    responses(
        (status = 201, description = "The key, this once.", body = IssuedKey),
        (status = 404, description = "`not_found`: there is no such node or institution, or it \
                                      is not the caller's.")
    )
)]
pub async fn issue_key(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<IssuedKey>), Problem> {
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
pub(crate) fn wanted(app: &App, identity: &Identity, new: NewKey) -> Result<KeyRequest, Problem> {
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

/// A key that has ended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EndedKey {
    key_id: String,
    status: Status,
}

/// Ends a key.
#[utoipa::path(
    post,
    path = "/registry/keys/{key}/revoke",
    tag = "Registry",
    operation_id = "revokeKey",
    description = "At once on this server, within 5 seconds on others that share its store.",
    responses((status = 200, description = "The key has ended.", body = EndedKey))
)]
pub async fn revoke_key(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(key_id): Named<String>,
) -> Answer<EndedKey> {
    let actor = identity(&granted)?.actor();
    let running = Arc::clone(&app);
    let now_us = SystemClock.now_us();
    let ended = app.blocking(move || {
        running.registry.revoke_key(&actor, &key_id, now_us)?;
        Ok(EndedKey { key_id, status: Status::Inactive })
    });
    Ok(Json(ended.await?))
}

/// How long the old key goes on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// In seconds; an hour unless given.
    #[serde(default = "an_hour", deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 2_592_000, default = 3600)]
    overlap_s: i64,
}

/// A whole number, which JSON may write as `3600.0`.
fn whole<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let number = f64::deserialize(from)?;
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return Ok(number as i64);
    }
    Err(serde::de::Error::custom("a whole number of seconds was expected"))
}

fn an_hour() -> i64 {
    3600
}

/// Makes a key in place of another one.
#[utoipa::path(
    post,
    path = "/registry/keys/{key}/rotate",
    tag = "Registry",
    operation_id = "rotateKey",
    description = "The holder of a key may do it, too. The old key ends after the overlap, the new \
                   one when the old one would have.",
    request_body = Rotation,
    responses(
        (status = 201, description = "The new key, this once.", body = IssuedKey),
        (status = 409, description = "`already_exists`: another key was made in its place already.")
    )
)]
pub async fn rotate_key(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(key_id): Named<String>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<IssuedKey>), Problem> {
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
fn revealed(issued: &Issued) -> IssuedKey {
    IssuedKey { entry: shown(&issued.entry, true, None), key: issued.key.clone() }
}
