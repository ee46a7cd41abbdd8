//! Fact sheets: the one in force, its versions, and the next one.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use quark_trace::clock::now;
use quark_trace::core::ledger::Kind;
use quark_trace::core::sheet::{Amendment, FactSheet, check_successor};
use quark_trace::project::{each_sheet, last_sheet};
use quark_trace::store::{Commit, Durability, NewEntry};
use quark_trace::{Outcome, SheetVersion, TraceLog};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::asked::{Asked, Named, is_of_type};
use super::body;
use super::records::attributes;
use crate::access::Granted;
use crate::app::App;
use crate::problem::{Code, Problem};

/// The type of a sheet that is stored as it is sent.
pub const TYPE: &str = "application/vnd.quark-trace.sheet+json";

/// How often an amendment is tried again while others append.
const ATTEMPTS: u32 = 100;

/// The fact sheet in force, its stored bytes.
#[utoipa::path(
    get,
    path = "/projects/{project}",
    tag = "Projects",
    operation_id = "readProject",
    responses((status = 200, description = "The sheet.",
               body = ref("#/components/schemas/FactSheet")))
)]
pub async fn current(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Response, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || Ok(log.store().sheet(log.project())?)).await?;
    Ok(sheet_response(found.ok_or_else(Problem::missing)?))
}

/// A version in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SheetVersion)]
pub struct Version {
    version: u64,
    /// Index of its entry.
    index: Option<u64>,
    /// SHA-256 of its bytes, in hex.
    sha256: String,
}

/// Lists the versions of the fact sheet.
#[utoipa::path(
    get,
    path = "/projects/{project}/sheets",
    tag = "Sheets",
    operation_id = "listSheets",
    responses((status = 200, description = "The versions, the oldest first.", body = Vec<Version>))
)]
pub async fn versions(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Json<Vec<Version>>, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || {
        let mut versions = Vec::new();
        each_sheet(&log, |found| {
            versions.push(Version {
                version: found.sheet.version(),
                index: found.index,
                sha256: found.digest.to_string(),
            });
            ControlFlow::Continue(())
        })?;
        Ok(versions)
    });
    Ok(Json(found.await?))
}

/// A version of the fact sheet, its stored bytes.
#[utoipa::path(
    get,
    path = "/projects/{project}/sheets/{version}",
    tag = "Sheets",
    operation_id = "readSheet",
    responses((status = 200, description = "The sheet.",
               body = ref("#/components/schemas/FactSheet")))
)]
pub async fn version(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    named: Named<(String, String)>,
) -> Result<Response, Problem> {
    let version: u64 = named.0.1.parse().map_err(|_| Problem::missing())?;
    let log = granted.log()?.clone();
    let found = app.blocking(move || {
        let mut bytes = None;
        each_sheet(&log, |found| {
            if found.sheet.version() != version {
                return ControlFlow::Continue(());
            }
            bytes = Some(found.bytes);
            ControlFlow::Break(())
        })?;
        Ok(bytes)
    });
    Ok(sheet_response(found.await?.ok_or_else(Problem::missing)?))
}

/// The size that the log must have.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Expected {
    /// The size that the log must have, in entries; refused with `conflict` when it moved.
    #[param(example = 7)]
    expected: Option<u64>,
}

/// Where an entry stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Placed {
    /// Index of the entry.
    pub index: u64,
    /// Size of the log behind it.
    pub size: u64,
}

/// Appends the next version of the fact sheet as it was sent.
#[utoipa::path(
    post,
    path = "/projects/{project}/sheets",
    tag = "Sheets",
    operation_id = "appendSheet",
    description = "It must be the successor of the last, in the form in which the server gives it.",
    params(Expected),
    request_body(
        content = ref("#/components/schemas/FactSheet"),
        content_type = "application/vnd.quark-trace.sheet+json"
    ),
    responses(
        (status = 201, description = "Where it stands.", body = Placed),
        (status = 409, description = "`conflict`: the log has another size; `actual` is it.")
    )
)]
pub async fn append(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Expected>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    if !is_of_type(&headers, TYPE) {
        let detail = format!("send a sheet as {TYPE}, or what changes to …/amendments");
        return Err(Problem::new(Code::UnsupportedMediaType, detail).not_written());
    }
    let limits = &app.settings.limits;
    let content = body::read(&headers, content, limits.record, limits.body_wait).await?;
    let sheet = whole(&content.bytes)?;
    let (log, at) = (granted.log()?.clone(), attributes(&granted.caller));
    let project = log.project().clone();
    let bytes = content.bytes.to_vec();
    let placed = app.blocking(move || append_next(&log, &sheet, &bytes, &at, asked.expected));
    let placed = placed.await?;
    app.live.appended(&project, placed.size);
    Ok((StatusCode::CREATED, Json(placed)).into_response())
}

fn append_next(
    log: &TraceLog,
    sheet: &FactSheet,
    bytes: &[u8],
    attributes: &str,
    expected: Option<u64>,
) -> Result<Placed, Problem> {
    for _ in 0..ATTEMPTS {
        let size = log.store().head(log.project())?.map_or(0, |head| head.range.size());
        let last = in_force(log)?;
        check_successor(&last.sheet, sheet).map_err(|fault| {
            Problem::invalid(format!("this is not the next version of the sheet: {fault}"))
        })?;
        match append_bytes(log, bytes, attributes, expected.unwrap_or(size)) {
            Err(problem) if problem.code == Code::Conflict && expected.is_none() => {}
            done => return done.map(|size| Placed { index: size - 1, size }),
        }
    }
    Err(Problem::busy("others keep appending; try again"))
}

/// What is to change.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Amendment)]
pub struct Wanted {
    /// New values of content fields.
    #[schema(schema_with = super::openapi::content_fields)]
    changes: Map<String, Value>,
    /// Who makes the change.
    #[schema(max_length = 1000, pattern = r"\S")]
    amended_by: String,
    /// Why.
    #[schema(max_length = 1000, pattern = r"\S")]
    reason: String,
}

/// Makes the next version of the fact sheet from what is to change.
#[utoipa::path(
    post,
    path = "/projects/{project}/amendments",
    tag = "Sheets",
    operation_id = "amendSheet",
    description = "Refused (400) when it changes nothing.",
    request_body = Wanted,
    responses((status = 201, description = "The new version as it is stored.",
               body = ref("#/components/schemas/FactSheet")))
)]
pub async fn amend(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    let wanted: Wanted = body::json(&headers, content, app.settings.limits.body_wait).await?;
    let amendment = Amendment::parse(&wanted.changes, &wanted.amended_by, &wanted.reason)
        .map_err(|fault| Problem::invalid(fault.to_string()))?;
    let (log, at) = (granted.log()?.clone(), attributes(&granted.caller));
    let project = log.project().clone();
    let (bytes, size) = app.blocking(move || append_amended(&log, &amendment, &at)).await?;
    app.live.appended(&project, size);
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::CREATED, kind, bytes).into_response())
}

fn append_amended(
    log: &TraceLog,
    amendment: &Amendment,
    attributes: &str,
) -> Result<(Vec<u8>, u64), Problem> {
    for _ in 0..ATTEMPTS {
        let size = log.store().head(log.project())?.map_or(0, |head| head.range.size());
        let last = in_force(log)?;
        let next = last.sheet.amend(amendment, &now());
        let next = next.map_err(|fault| Problem::invalid(fault.to_string()))?;
        let bytes = next.to_json_bytes();
        match append_bytes(log, &bytes, attributes, size) {
            Err(problem) if problem.code == Code::Conflict => {}
            done => return done.map(|size| (bytes, size)),
        }
    }
    Err(Problem::busy("others keep appending; try again"))
}

/// The sheet that the next one follows.
fn in_force(log: &TraceLog) -> Result<SheetVersion, Problem> {
    let last = last_sheet(log).map_err(|error| error.or_outcome(Outcome::NotWritten))?;
    last.ok_or_else(Problem::missing)
}

/// Appends a sheet to a log of this size; gives the size behind it.
pub fn append_bytes(
    log: &TraceLog,
    bytes: &[u8],
    attributes: &str,
    expected: u64,
) -> Result<u64, Problem> {
    let entries = [NewEntry { attributes, ..NewEntry::new(Kind::Sheet, bytes) }];
    let commit =
        Commit { entries: &entries, expected: Some(expected), durability: Durability::Sync };
    let appended = log.store().append(log.project(), &commit);
    let appended = appended.map_err(|error| error.or_outcome(Outcome::Unknown))?;
    Ok(appended.size)
}

/// Takes a whole sheet whose bytes are stored as they are.
pub fn whole(bytes: &[u8]) -> Result<FactSheet, Problem> {
    let sheet = FactSheet::from_json(bytes)
        .map_err(|fault| Problem::invalid(format!("the fact sheet: {fault}")))?;
    if sheet.to_json_bytes() != bytes {
        let detail = "the fact sheet is not in the form of {project}_fact_sheet.json; send it as \
                      application/json to have it written here";
        return Err(Problem::invalid(detail));
    }
    Ok(sheet)
}

/// Refuses what is not the first version.
pub fn check_first(sheet: &FactSheet) -> Result<(), Problem> {
    let is_first = sheet.version() == 1 && sheet.amendment_log().is_empty();
    match is_first && !sheet.created_at().is_empty() {
        true => Ok(()),
        false => Err(Problem::invalid("a project begins with version 1 of its fact sheet")),
    }
}

/// Makes the first version from what a client sent, as 0.1.0 does: content, and an institution that
/// counts only if it is the caller's.
pub fn of_client(sent: Value, institution: &str) -> Result<FactSheet, Problem> {
    let Value::Object(mut content) = sent else {
        return Err(Problem::invalid("the fact sheet is not a JSON object"));
    };
    let created_at = content.get("created_at").and_then(Value::as_str).map(str::to_owned);
    let named = ["institution_id", "institution"].map(|key| content.remove(key));
    let foreign = |named: &Value| !named.is_null() && named != institution && named != "";
    if named.iter().flatten().any(foreign) {
        let detail = "the fact sheet names another institution than that of the key";
        return Err(Problem::new(Code::Forbidden, detail).not_written());
    }
    for given in ["sheet_id", "version", "created_at", "amended_at", "amendment_log"] {
        content.remove(given);
    }
    content.insert("institution_id".to_owned(), institution.into());
    let (sheet, _) = FactSheet::from_content(content, &created_at.unwrap_or_else(now))
        .map_err(|faults| Problem::invalid(faults.to_string()))?;
    Ok(sheet)
}

fn sheet_response(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}
