//! What the forms of the registry do.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use quark_trace::clock::{Clock, SystemClock, timestamp};
use serde::Deserialize;

use super::frame::Frame;
use super::links::{REGISTRY, key_revoke, node_status};
use super::registry::{InstitutionRow, KeyRow, NewKey, NodeRow, RegistryPage};
use super::text::{Shown, time};
use super::visit::{Form, Visit, go_to, html, render, role_name};
use crate::access::Identity;
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::registry::{Issued, KeyEntry, Role, Status};
use crate::routes::asked::{Asked, Named};
use crate::routes::registry as api;

/// What the page is told.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    done: Option<String>,
}

/// Shows the registry.
pub async fn show(visit: Visit, Asked(asked): Asked<Parameters>) -> Result<Response, Problem> {
    let identity = visit.identity()?;
    let mut frame = visit.frame;
    frame.notice = asked.done.as_deref().and_then(done_words).map(Shown::of);
    Ok(html(StatusCode::OK, render(&page(frame, &visit.app, &identity))?))
}

/// What a form has done; other words than these are not taken from an address.
fn done_words(done: &str) -> Option<&'static str> {
    match done {
        "institution" => Some("The institution takes part now."),
        "node" => Some("The node takes part now. Issue a key for it, so that it can log."),
        "status" => Some("The status of the node was changed."),
        "revoked" => Some("The key has ended; within five seconds no server takes it any more."),
        _ => None,
    }
}

/// Adds an institution.
pub async fn add_institution(visit: Visit, content: Body) -> Result<Response, Problem> {
    let form = visit.form(content).await?;
    change(visit, "institution", move |app, identity| {
        let (id, name) = (form.text("institution_id").trim(), form.text("name").trim());
        Ok(app.registry.add_institution(&identity.actor(), id, name)?)
    })
    .await
}

/// Adds a node.
pub async fn add_node(visit: Visit, content: Body) -> Result<Response, Problem> {
    let form = visit.form(content).await?;
    change(visit, "node", move |app, identity| {
        let institution = api::own_institution(identity, form.filled("institution_id"))?;
        let (id, name) = (form.text("node_id").trim(), form.text("name").trim());
        Ok(app.registry.add_node(&identity.actor(), id, &institution, name)?)
    })
    .await
}

/// Says whether a node takes part.
pub async fn set_node(
    visit: Visit,
    Named(node_id): Named<String>,
    content: Body,
) -> Result<Response, Problem> {
    let form = visit.form(content).await?;
    change(visit, "status", move |app, identity| {
        let status = match form.text("status") {
            "active" => Status::Active,
            "inactive" => Status::Inactive,
            _ => return Err(Problem::invalid("the status is active or inactive")),
        };
        Ok(app.registry.set_node(&identity.actor(), &node_id, status)?)
    })
    .await
}

/// Ends a key.
pub async fn revoke_key(
    visit: Visit,
    Named(key_id): Named<String>,
    content: Body,
) -> Result<Response, Problem> {
    visit.form(content).await?;
    change(visit, "revoked", move |app, identity| {
        let now_us = SystemClock.now_us();
        Ok(app.registry.revoke_key(&identity.actor(), &key_id, now_us)?)
    })
    .await
}

/// Makes a key and shows it, this once.
pub async fn issue_key(visit: Visit, content: Body) -> Result<Response, Problem> {
    let form = visit.form(content).await?;
    let identity = visit.identity()?;
    let (app, asker) = (Arc::clone(&visit.app), identity.clone());
    let issued = visit.app.blocking(move || {
        let wanted = api::wanted(&app, &asker, wanted(&form)?)?;
        Ok(app.registry.issue_key(&asker.actor(), &wanted)?)
    });
    match issued.await {
        Ok(issued) => {
            let mut page = page(visit.frame, &visit.app, &identity);
            page.new_key = Some(new_key(&issued));
            Ok(html(StatusCode::CREATED, render(&page)?))
        }
        Err(problem) => refused(visit.frame, &visit.app, &identity, problem),
    }
}

fn wanted(form: &Form) -> Result<api::NewKey, Problem> {
    let role = match form.text("role") {
        "node" => Role::Node,
        "auditor" => Role::Auditor,
        "admin" => Role::Admin,
        "operator" => Role::Operator,
        _ => return Err(Problem::invalid("choose a role")),
    };
    // The form has fields for every role; those of the others count for nothing.
    let is_node = role == Role::Node;
    let is_limited = matches!(role, Role::Auditor | Role::Admin);
    Ok(api::NewKey {
        role,
        institution_id: form.filled("institution_id").filter(|_| is_limited),
        node_id: form.filled("node_id").filter(|_| is_node),
        name: form.text("name").trim().to_owned(),
        expires_at: form.filled("expires_at"),
    })
}

fn new_key(issued: &Issued) -> NewKey {
    let owner = owner(&issued.entry);
    NewKey { key: issued.key.reveal().to_owned(), owner: Shown::within(&owner, 80) }
}

/// Makes a change, and shows the registry after it or why it was not made.
async fn change(
    visit: Visit,
    done: &'static str,
    make: impl FnOnce(&App, &Identity) -> Result<(), Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let identity = visit.identity()?;
    let (app, asker) = (Arc::clone(&visit.app), identity.clone());
    match visit.app.blocking(move || make(&app, &asker)).await {
        Ok(()) => Ok(go_to(&format!("{REGISTRY}?done={done}"))),
        Err(problem) => refused(visit.frame, &visit.app, &identity, problem),
    }
}

/// Tells on the page what the visitor can do something about; the rest is a fault.
fn refused(
    frame: Frame,
    app: &App,
    identity: &Identity,
    problem: Problem,
) -> Result<Response, Problem> {
    if !matches!(problem.code, Code::InvalidInput | Code::AlreadyExists | Code::NotFound) {
        return Err(problem);
    }
    let mut page = page(frame, app, identity);
    page.refusal = Some(Shown::within(&problem.detail, 400));
    Ok(html(problem.code.status(), render(&page)?))
}

/// The registry as this visitor may see it.
fn page(frame: Frame, app: &App, identity: &Identity) -> RegistryPage {
    let state = app.registry.state();
    let is_operator = identity.role == Role::Operator;
    let mut page = RegistryPage::new(frame);
    page.may_add_institutions = is_operator;
    page.roles = vec!["node", "auditor", "admin"];
    if is_operator {
        page.roles.push("operator");
    }
    let mine = |institution: &str| api::manages(identity, institution);
    for (id, known) in state.institutions.iter().filter(|(id, _)| mine(id)) {
        let name = if known.name.is_empty() { id } else { &known.name };
        page.institutions.push(InstitutionRow {
            id: Shown::within(id, 80),
            name: Shown::within(name, 80),
            value: id.clone(),
            is_active: known.status == Status::Active,
        });
    }
    for (id, node) in state.nodes.iter().filter(|(_, node)| mine(&node.institution_id)) {
        page.nodes.push(NodeRow {
            id: Shown::within(id, 80),
            name: Shown::within(&node.name, 80),
            institution: Shown::within(&node.institution_id, 80),
            value: id.clone(),
            action: node_status(id),
            is_active: node.status == Status::Active,
        });
    }
    let is_seen = |key: &&KeyEntry| key.institution_id.as_deref().map_or(is_operator, mine);
    let mut keys: Vec<_> = state.keys.values().filter(is_seen).collect();
    keys.sort_by(|one, other| {
        (&other.issued_at, &other.key_id).cmp(&(&one.issued_at, &one.key_id))
    });
    let now_us = SystemClock.now_us();
    let row = |key| key_row(key, state.is_good(key, now_us), app.last_used.of(key));
    page.keys = keys.into_iter().map(row).collect();
    page
}

fn key_row(key: &KeyEntry, is_good: bool, last_used_us: Option<i64>) -> KeyRow {
    KeyRow {
        id: Shown::within(&key.key_id, 40),
        name: Shown::within(&key.name, 80),
        role: Shown::of(role_name(key.role)),
        owner: Shown::within(&owner(key), 80),
        created: time(&key.issued_at),
        expires: key.ends_us.map(|ends| time(&timestamp(ends))).unwrap_or_default(),
        used: last_used_us.map(|used| time(&timestamp(used))).unwrap_or_default(),
        status: if is_good { "active" } else { "ended" },
        action: key_revoke(&key.key_id),
    }
}

/// The node or institution that a key belongs to.
fn owner(key: &KeyEntry) -> String {
    let owner = key.node_id.clone().or_else(|| key.institution_id.clone());
    owner.unwrap_or_else(|| "this server".to_owned())
}
