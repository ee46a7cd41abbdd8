//! What stores elsewhere read: the edge of the tree, and the rows of the log as they are.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quark_trace::Error;
use quark_trace::core::json::write;
use quark_trace::core::query::Filter;
use quark_trace::store::{Head, Plan, Row, Select};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::stream::{Gone, Out, streamed};
use crate::access::Granted;
use crate::app::App;
use crate::problem::Problem;

/// The state of a log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Head)]
pub struct HeadOf {
    /// How many entries.
    size: u64,
    /// The right-hand edge of the tree in base64, the largest subtree first.
    hashes: Vec<String>,
    /// The last checkpoint, a signed note.
    checkpoint: Option<String>,
    /// Verifier keys, one a line.
    keys: Option<String>,
}

impl From<Head> for HeadOf {
    fn from(head: Head) -> Self {
        let hashes = head.range.hashes().iter().map(|hash| hash.to_base64());
        Self {
            size: head.range.size(),
            hashes: hashes.collect(),
            checkpoint: head.beside.checkpoint,
            keys: head.beside.keys,
        }
    }
}

/// The edge of the tree: size, hashes, and the last checkpoint.
#[utoipa::path(
    get,
    path = "/projects/{project}/head",
    tag = "Ledger",
    operation_id = "readHead",
    responses((status = 200, description = "The state of the log.", body = HeadOf))
)]
pub async fn head(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Json<HeadOf>, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || Ok(log.store().head(log.project())?)).await?;
    Ok(Json(found.ok_or_else(Problem::missing)?.into()))
}

/// Signs a checkpoint over everything.
#[utoipa::path(
    post,
    path = "/projects/{project}/seal",
    tag = "Ledger",
    operation_id = "sealProject",
    responses((status = 200, description = "The state of the log.", body = HeadOf))
)]
pub async fn seal(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Json<HeadOf>, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || Ok(log.store().seal(log.project())?)).await?;
    Ok(Json(found.ok_or_else(Problem::missing)?.into()))
}

/// Which rows.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Index of the first entry.
    #[serde(default)]
    #[param(example = 0)]
    from: u64,
    /// Index of the first entry that is left out.
    #[param(example = 1000)]
    until: Option<u64>,
    /// Which entries.
    #[serde(default)]
    #[param(inline)]
    select: Selected,
    /// What is asked about each record; rows that cannot match may be left out.
    #[param(format = "quark-trace-filter", example = "stage = 'client_round'")]
    filter: Option<String>,
}

/// Which entries.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Selected {
    #[default]
    All,
    Entries,
    Records,
    Sheets,
    Schemas,
}

impl From<Selected> for Select {
    fn from(selected: Selected) -> Self {
        match selected {
            Selected::All => Self::All,
            Selected::Entries => Self::Entries,
            Selected::Records => Self::Records,
            Selected::Sheets => Self::Sheets,
            Selected::Schemas => Self::Schemas,
        }
    }
}

/// Rows of the log, one a line, in ledger order.
#[utoipa::path(
    get,
    path = "/projects/{project}/entries",
    tag = "Ledger",
    operation_id = "listEntries",
    description = "Each line has `index`, `entry`, and `object`, or `object64` with base64 where \
                   the bytes are no UTF-8. The last line is `{\"end\": true}`: an answer without it \
                   was cut off.",
    params(Parameters),
    responses(
        (status = 200, description = "The rows.", body = String,
         content_type = "application/x-ndjson"),
        (status = 413, description = "`too_large`: the filter is longer or deeper than is read.")
    )
)]
pub async fn entries(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let filter = asked.filter.as_deref().map(Filter::parse).transpose().map_err(Error::from)?;
    let log = granted.log()?.clone();
    let mut response = streamed(&app, &granted, move |out| {
        let plan = Plan {
            from: asked.from,
            until: asked.until,
            select: asked.select.into(),
            filter: filter.as_ref(),
        };
        let mut failed = Ok(());
        let scanned =
            log.store().scan(log.project(), &plan, &mut |row| match write_row(out, row) {
                Ok(()) => ControlFlow::Continue(()),
                Err(gone) => {
                    failed = Err(gone);
                    ControlFlow::Break(())
                }
            });
        scanned.map_err(|error| out.failed(&error))?;
        failed?;
        out.write(b"{\"end\": true}\n")
    })?;
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn write_row(out: &mut Out, row: Row<'_>) -> Result<(), Gone> {
    // Whatever else a scan finds is about files of this server, and for its operator to mend.
    let Row::Entry { index, line, object, .. } = row else { return Ok(()) };
    out.write_with(|out| {
        out.extend_from_slice(format!("{{\"index\": {index}, \"entry\": ").as_bytes());
        write::string(out, &String::from_utf8_lossy(line));
        match object.as_deref().map(|object| (object, std::str::from_utf8(object))) {
            None => {}
            Some((_, Ok(text))) => {
                out.extend_from_slice(b", \"object\": ");
                write::string(out, text);
            }
            Some((bytes, Err(_))) => {
                out.extend_from_slice(b", \"object64\": ");
                write::string(out, &STANDARD.encode(bytes));
            }
        }
        out.extend_from_slice(b"}\n");
    })
}
