//! The HTTP API: one file a room of it.
//!
//! | file | what it answers |
//! |---|---|
//! | `table` | how a route is made: never without a policy |
//! | `asked`, `body` | reading parameters and bodies, within the limits |
//! | `boundary` | what is the same for all: hosts, origins, headers, request ids |
//! | `projects`, `summary`, `sheets`, `schemas` | projects and what they say of themselves |
//! | `records`, `batch`, `receipt` | appending |
//! | `read`, `rows`, `stream` | reading back, following |
//! | `proofs`, `tlog` | what anybody can check with standard tools |
//! | `registry` | institutions, nodes, keys |
//! | `server` | health, metrics, what this is |
//! | `openapi/` | what all of this is, for programs |

use std::sync::Arc;

use axum::Router;

use crate::access::Policy;
use crate::app::App;
use crate::registry::{Opening, Role};

pub(crate) mod asked;
mod batch;
pub(crate) mod body;
pub mod boundary;
pub mod openapi;
mod projects;
mod proofs;
mod read;
mod receipt;
mod records;
pub(crate) mod registry;
mod rows;
mod schemas;
mod server;
mod sheets;
mod stream;
mod summary;
mod table;
mod tlog;

pub use body::forget_senders;
pub use server::{install_metrics, sum_up_metrics};
pub use table::{Route, Table};

/// Whoever sees projects.
const SEES: &[Role] = &[Role::Node, Role::Auditor, Role::Admin];
/// Whoever writes records.
const WRITES: &[Role] = &[Role::Node];
/// Whoever begins and amends projects.
const AMENDS: &[Role] = &[Role::Node, Role::Admin];
const ADMIN: &[Role] = &[Role::Admin];
const MANAGES: &[Role] = &[Role::Admin, Role::Operator];
const OPERATOR: &[Role] = &[Role::Operator];

/// Every route of the API, each with what it asks of its caller.
pub fn table(app: &Arc<App>) -> Table {
    let calls = openapi::served(calls(app));
    let document = openapi::document(calls.routes());
    calls.merge(crate::pages::table(app, document))
}

fn calls(app: &Arc<App>) -> Table {
    let read = Policy::Read(Opening::Records);
    let ledger = Policy::Read(Opening::Ledger);
    let write = Policy::Project(WRITES);
    Table::new(app)
        .get("/health", Policy::Public, server::health)
        .get("/ready", Policy::Public, server::ready)
        .get("/about", Policy::Public, server::about)
        .get("/metrics", metrics_policy(app), server::metrics)
        .get("/projects/", Policy::Roles(SEES), projects::list)
        .post("/projects/", Policy::Roles(AMENDS), projects::begin)
        .get("/projects/{project}", read, sheets::current)
        .patch("/projects/{project}", Policy::Project(ADMIN), projects::open)
        .get("/projects/{project}/sheets", read, sheets::versions)
        .post("/projects/{project}/sheets", Policy::Project(AMENDS), sheets::append)
        .get("/projects/{project}/sheets/{version}", read, sheets::version)
        .post("/projects/{project}/amendments", Policy::Project(AMENDS), sheets::amend)
        .get("/projects/{project}/summary", read, summary::summary)
        .get("/projects/{project}/schemas", read, schemas::in_force)
        .post("/projects/{project}/schemas", Policy::Project(AMENDS), schemas::append)
        .get("/projects/{project}/records", read, read::records)
        .post("/projects/{project}/records", write, records::append)
        .get("/projects/{project}/records/{record}", read, read::record)
        .get("/projects/{project}/records/{record}/receipt", read, read::receipt)
        .get("/projects/{project}/stream", read, stream::stream)
        .get("/projects/{project}/head", read, rows::head)
        .get("/projects/{project}/entries", read, rows::entries)
        .post("/projects/{project}/seal", Policy::Project(AMENDS), rows::seal)
        .get("/projects/{project}/proof", read, proofs::inclusion)
        .get("/projects/{project}/consistency", ledger, proofs::consistency)
        .get("/tlog/{project}/checkpoint", ledger, tlog::checkpoint)
        .get("/tlog/{project}/log.vkey", ledger, tlog::keys)
        .get("/tlog/{project}/tile/{*tile}", ledger, tlog::tile)
        .get("/tlog/{project}/objects/{sha256}", read, tlog::object)
        .get("/registry/institutions", Policy::Roles(OPERATOR), registry::institutions)
        .post("/registry/institutions", Policy::Roles(OPERATOR), registry::add_institution)
        .patch(
            "/registry/institutions/{institution}",
            Policy::Roles(OPERATOR),
            registry::change_institution,
        )
        .get("/registry/nodes", Policy::Roles(MANAGES), registry::nodes)
        .post("/registry/nodes", Policy::Roles(MANAGES), registry::add_node)
        .get("/registry/nodes/{node}", Policy::OwnNode, registry::node)
        .patch("/registry/nodes/{node}", Policy::Manage, registry::change_node)
        .get("/registry/keys", Policy::Roles(MANAGES), registry::keys)
        .post("/registry/keys", Policy::Roles(MANAGES), registry::issue_key)
        .post("/registry/keys/{key}/revoke", Policy::Manage, registry::revoke_key)
        .post("/registry/keys/{key}/rotate", Policy::OwnKey, registry::rotate_key)
}

/// The routes with what is the same for all of them.
pub fn router(app: &Arc<App>) -> Router {
    boundary::around(app, table(app).into_router())
}

fn metrics_policy(app: &App) -> Policy {
    if app.settings.open_metrics { Policy::Machine } else { Policy::Roles(OPERATOR) }
}
