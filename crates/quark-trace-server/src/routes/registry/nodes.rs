//! Nodes: what writes records for an institution.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::{Answer, Change, manages, own_institution};
use crate::access::Granted;
use crate::app::App;
use crate::problem::Problem;
use crate::registry::Status;
use crate::routes::asked::Named;
use crate::routes::body;
use crate::routes::projects::identity;

/// A node.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Node)]
pub struct NodeOf {
    node_id: String,
    institution_id: String,
    /// What people call it.
    name: String,
    status: Status,
}

/// The nodes that the caller manages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Nodes {
    nodes: Vec<NodeOf>,
}

/// Lists the nodes that the caller manages.
#[utoipa::path(
    get,
    path = "/registry/nodes",
    tag = "Registry",
    operation_id = "listNodes",
    description = "An admin gets the nodes of its institution, an operator all.",
    responses((status = 200, description = "The nodes.", body = Nodes))
)]
pub async fn nodes(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Answer<Nodes> {
    let identity = identity(&granted)?;
    let state = app.registry.state();
    let mine = state.nodes.iter().filter(|(_, node)| manages(identity, &node.institution_id));
    let listed = mine.map(|(id, node)| NodeOf {
        node_id: id.clone(),
        institution_id: node.institution_id.clone(),
        name: node.name.clone(),
        status: node.status,
    });
    Ok(Json(Nodes { nodes: listed.collect() }))
}

/// A new node.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNode {
    #[schema(schema_with = crate::routes::openapi::id_of_holder)]
    node_id: String,
    /// Whose it is; an admin's own institution unless given. An operator has to give it.
    institution_id: Option<String>,
    /// What people call it.
    #[serde(default)]
    #[schema(schema_with = crate::routes::openapi::name_of_holder)]
    name: String,
}

/// Lets a node take part.
#[utoipa::path(
    post,
    path = "/registry/nodes",
    tag = "Registry",
    operation_id = "addNode",
    request_body = NewNode,
    responses(
        (status = 201, description = "It takes part from now on.", body = NodeOf),
        (status = 404, description = "`not_found`: there is no such institution, or it is not \
                                      the caller's."),
        (status = 409, description = "`already_exists`: the id is taken.")
    )
)]
pub async fn add_node(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<(StatusCode, Json<NodeOf>), Problem> {
    let new: NewNode = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let identity = identity(&granted)?.clone();
    let institution_id = own_institution(&identity, new.institution_id)?;
    let running = Arc::clone(&app);
    let NewNode { node_id, name, .. } = new;
    let added = app.blocking(move || {
        running.registry.add_node(&identity.actor(), &node_id, &institution_id, &name)?;
        Ok(NodeOf { node_id, institution_id, name, status: Status::Active })
    });
    Ok((StatusCode::CREATED, Json(added.await?)))
}

/// Shows a node to itself and to those who manage it.
#[utoipa::path(
    get,
    path = "/registry/nodes/{node}",
    tag = "Registry",
    operation_id = "readNode",
    responses((status = 200, description = "The node.", body = NodeOf))
)]
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

/// A node and what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChangedNode {
    node_id: String,
    status: Status,
}

/// Says whether a node takes part.
#[utoipa::path(
    patch,
    path = "/registry/nodes/{node}",
    tag = "Registry",
    operation_id = "changeNode",
    description = "The keys of a node that is `inactive` are refused.",
    request_body = Change,
    responses((status = 200, description = "What it is from now on.", body = ChangedNode))
)]
pub async fn change_node(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named(id): Named<String>,
    headers: HeaderMap,
    content: Body,
) -> Answer<ChangedNode> {
    let Change { status } = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let actor = identity(&granted)?.actor();
    let running = Arc::clone(&app);
    let changed = app.blocking(move || {
        running.registry.set_node(&actor, &id, status)?;
        Ok(ChangedNode { node_id: id, status })
    });
    Ok(Json(changed.await?))
}
