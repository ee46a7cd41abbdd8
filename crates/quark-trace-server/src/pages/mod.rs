//! The pages: what people see of a server, made there, usable without a script.
//!
//! A page is a struct that is made from the library and rendered by a template of `templates/`. What
//! came from a log is a [`text::Shown`]; templates escape everything and mark nothing as safe.
//!
//! | file | what it holds |
//! |---|---|
//! | `visit`, `frame` | who asks for a page, and what stands around every one |
//! | `sign_in`, `projects`, `project`, `records`, `record`, `sheet`, `verification`, `registry`, `api`, `fault` | one page each |
//! | `registry_forms` | what the forms of the registry do |
//! | `chart/` | curves, lanes and sparks as SVG |
//! | `recent`, `newest` | reading the end of a log, and records backwards, within bounds |
//! | `text`, `payload`, `words`, `links` | hostile text, payloads, verdicts and addresses for people |
//! | `assets` | the style sheet, the script and the icon |

pub mod api;
pub mod assets;
pub mod chart;
pub mod fault;
pub mod frame;
pub mod links;
pub mod newest;
pub mod payload;
pub mod project;
pub mod projects;
pub mod recent;
pub mod record;
pub mod records;
pub mod registry;
mod registry_forms;
pub mod sheet;
pub mod sign_in;
pub mod text;
pub mod verification;
mod visit;
pub mod words;

use std::sync::Arc;

use axum::response::Response;

use crate::access::Policy;
use crate::app::App;
use crate::registry::{Opening, Role};
use crate::routes::Table;

const EVERYBODY: &[Role] = &[Role::Node, Role::Auditor, Role::Admin, Role::Operator];
const MANAGES: &[Role] = &[Role::Admin, Role::Operator];
const OPERATOR: &[Role] = &[Role::Operator];

/// Every route of the pages, each with what it asks of its visitor.
pub fn table(app: &Arc<App>) -> Table {
    let read = Policy::Read(Opening::Records);
    let manages = Policy::Roles(MANAGES);
    Table::new(app)
        .get("/", Policy::Public, begin)
        .get("/ui", Policy::Public, begin)
        .get("/ui/", Policy::Roles(EVERYBODY), projects::show)
        .get("/ui/sign-in", Policy::Public, sign_in::ask)
        .post("/ui/sign-in", Policy::Public, sign_in::take)
        .post("/ui/sign-out", Policy::Public, sign_in::leave)
        .get("/ui/assets/{name}", Policy::Public, assets::show)
        .get("/ui/projects/{project}", read, project::show)
        .get("/ui/projects/{project}/records", read, records::show)
        .get("/ui/projects/{project}/records/{record}", read, record::show)
        .get("/ui/projects/{project}/sheets/{version}", read, sheet::show)
        .get("/ui/projects/{project}/verify", read, verification::show)
        .get("/ui/registry", manages, registry_forms::show)
        .post("/ui/registry/institutions", Policy::Roles(OPERATOR), registry_forms::add_institution)
        .post("/ui/registry/nodes", manages, registry_forms::add_node)
        .post("/ui/registry/nodes/{node}/status", Policy::Manage, registry_forms::set_node)
        .post("/ui/registry/keys", manages, registry_forms::issue_key)
        .post("/ui/registry/keys/{key}/revoke", Policy::Manage, registry_forms::revoke_key)
}

/// Where somebody begins who typed the name of the server alone.
async fn begin() -> Response {
    visit::go_to(links::PROJECTS)
}
