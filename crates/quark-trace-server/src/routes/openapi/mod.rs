//! The API as an OpenAPI 3.1 document.
//!
//! What a call is stands beside its handler. What follows from its route is added from the table
//! of routes itself, so that it cannot say anything else: what varies in the path, which keys are
//! asked for, which errors can come.
//!
//! | file | what it holds |
//! |---|---|
//! | `complete` | what follows from a route and its policy |
//! | `shapes` | schemas of what is stored as it was sent |
//! | `shared` | parameters, errors and keys, which many calls have |

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::OpenApi;

use super::{Route, Table};
use super::{
    batch, projects, proofs, read, receipt, records, registry, rows, schemas, server, sheets,
    stream, summary, tlog,
};
use crate::access::Policy;
use crate::problem::Details;

mod complete;
mod shapes;
mod shared;

pub use shapes::{content_fields, id_of_holder, name_of_holder};

const PATH: &str = "/openapi.json";

/// Calls as their handlers say what they are.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Quark Trace",
        description = "A flight recorder for machine learning: projects with their fact sheets, \
                       records that nobody can change unseen, and proofs of it. A key goes along as \
                       `X-API-Key` or as a bearer token; what belongs to another institution is \
                       answered as what does not exist. Errors are problem details (RFC 9457).",
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "Projects", description = "What is logged, and by whom."),
        (name = "Records", description = "What happened."),
        (name = "Sheets", description = "What a model is for, version by version."),
        (name = "Schemas", description = "What records of a stage are held to."),
        (name = "Ledger", description = "For stores and verifiers."),
        (name = "Registry", description = "Institutions, nodes and keys."),
        (name = "Server", description = "The server itself.")
    ),
    components(schemas(Details, receipt::Receipt, batch::BatchReceipt)),
    paths(
        projects::list,
        projects::begin,
        sheets::current,
        projects::open,
        summary::summary,
        records::append,
        read::records,
        read::record,
        read::receipt,
        stream::stream,
        sheets::versions,
        sheets::append,
        sheets::version,
        sheets::amend,
        schemas::in_force,
        schemas::append,
        rows::head,
        rows::entries,
        rows::seal,
        proofs::inclusion,
        proofs::consistency,
        tlog::checkpoint,
        tlog::keys,
        tlog::tile,
        tlog::object,
        registry::institutions,
        registry::add_institution,
        registry::change_institution,
        registry::nodes,
        registry::add_node,
        registry::node,
        registry::change_node,
        registry::keys,
        registry::issue_key,
        registry::revoke_key,
        registry::rotate_key,
        server::health,
        server::ready,
        server::about,
        server::metrics,
        answer
    )
)]
struct Calls;

/// The document of a server that has these routes.
///
/// ```
/// let document = quark_trace_server::routes::openapi::document(&[]);
/// assert_eq!(document["openapi"], "3.1.0");
/// ```
pub fn document(routes: &[Route]) -> Value {
    let mut document = serde_json::to_value(Calls::openapi()).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    shared::add(&mut document);
    shapes::add(&mut document);
    for route in routes {
        complete::complete(&mut document, route);
    }
    document
}

/// Adds the call that gives the document of all of them.
pub fn served(table: Table) -> Table {
    let mut routes = table.routes().to_vec();
    routes.push(Route { method: Method::GET, path: PATH, policy: Policy::Public });
    let text = Text(document(&routes).to_string().into());
    table.get(PATH, Policy::Public, move || answer(State(text)))
}

/// The document as it is sent.
#[derive(Debug, Clone)]
struct Text(Bytes);

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Server",
    operation_id = "readOpenApi",
    responses((status = 200, description = "OpenAPI 3.1.",
               body = ref("#/components/schemas/Document")))
)]
async fn answer(State(document): State<Text>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.0).into_response()
}
