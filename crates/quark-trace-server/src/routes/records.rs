//! `POST /projects/{project}/records`: one record, or a batch of lines.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::ids::{ProjectId, percent_encode};
use quark_trace::core::payload::Payload;
use quark_trace::core::record::{Field, View};
use quark_trace::{ErrorKind, Incoming};
use serde::Deserialize;

use super::asked::{Asked, is_of_type};
use super::{batch, body, receipt};
use crate::access::{Caller, Granted};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::writer::{Done, Job};

/// How records are to be appended.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The size that the log must have, in entries; refused with `conflict` when it moved.
    #[param(example = 7)]
    expected: Option<u64>,
    /// `proof` asks for a receipt with a proof; a batch has none.
    #[param(inline)]
    receipt: Option<Wanted>,
}

/// What a receipt is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The place of the record.
    Place,
    /// A proof too.
    Proof,
}

/// Appends a record, or a batch of them.
#[utoipa::path(
    post,
    path = "/projects/{project}/records",
    tag = "Records",
    operation_id = "appendRecords",
    description = "One record as `application/json`, or up to 1,000 lines as \
                   `application/x-ndjson`, which are appended all or none. Whoever sends the same \
                   record twice gets the first answer again, with `existing`.",
    params(Parameters),
    request_body(content(
        (ref("#/components/schemas/NewRecord") = "application/json"),
        (ref("#/components/schemas/Batch") = "application/x-ndjson")
    )),
    responses(
        (status = 200, description = "All of it was there before.",
         body = ref("#/components/schemas/Appended")),
        (status = 201, description = "It is on the medium.",
         body = ref("#/components/schemas/Appended")),
        (status = 409, description = "`record_conflict`: the log has this id with other bytes. \
                                      `conflict`: the log has another size; `actual` is it."),
        (status = 422, description = "`schema_broken`: `faults` says how a record breaks the \
                                      schema of its stage.")
    )
)]
pub async fn append(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(parameters): Asked<Parameters>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    let limits = &app.settings.limits;
    if is_of_type(&headers, "application/x-ndjson") {
        let content = body::read(&headers, content, limits.batch, limits.body_wait).await?;
        let (log, attributes) = (granted.log()?.clone(), attributes(&granted.caller));
        let (records, share) = batch::lines(&app, log.project(), content).await?;
        let job = Job { log, records, attributes, expected: parameters.expected, share };
        return batch::append(&app, job).await;
    }
    if !is_of_type(&headers, "application/json") {
        let detail = "send a record as application/json, or a batch as application/x-ndjson";
        return Err(Problem::new(Code::UnsupportedMediaType, detail).not_written());
    }
    let content = body::read(&headers, content, limits.record, limits.body_wait).await?;
    let log = granted.log()?.clone();
    let record = taken(log.project(), &content.bytes)?;
    let attributes = attributes(&granted.caller);
    let (id, entry) = (record.id().to_owned(), receipt::entry_of(&record, &attributes));
    let (expected, share) = (parameters.expected, content.share);
    let job = Job { log: log.clone(), records: vec![record], attributes, expected, share };
    let Done { records, size } = append_job(&app, job).await?;
    let Some(written) = records.into_iter().next() else {
        return Err(Problem::new(Code::Internal, "the record got no place").unknown());
    };
    let status = if written.existing { StatusCode::OK } else { StatusCode::CREATED };
    let tree = (parameters.receipt == Some(Wanted::Proof)).then(|| app.tree(log.project()));
    let make = move || {
        let tree = tree.as_deref();
        receipt::of_written(&log, id, entry, &written, size, tree)
    };
    // What needs nothing from the store takes no thread.
    let made = if status == StatusCode::CREATED && parameters.receipt != Some(Wanted::Proof) {
        make()?
    } else {
        app.blocking(make).await?
    };
    Ok((status, Json(made)).into_response())
}

/// Hands the records over and tells those who follow the project.
pub async fn append_job(app: &App, job: Job) -> Result<Done, Problem> {
    let project = job.log.project().clone();
    // Before it is known: they may be written after the client has gone away.
    app.indexing.note(&project);
    let done = app.writer.append(job).await?;
    let fresh = done.records.iter().filter(|written| !written.existing).count();
    metrics::counter!("quark_trace_records_total").increment(fresh as u64);
    app.live.appended(&project, done.size);
    Ok(done)
}

/// What an entry says of who sent it and when it came.
pub fn attributes(caller: &Caller) -> String {
    let at = SystemClock.now_us().div_euclid(1000).max(0);
    match caller.identity() {
        Some(identity) => format!(" by={} at={at}", percent_encode(identity.by().as_bytes())),
        None => format!(" at={at}"),
    }
}

/// Takes a record as it was sent; line ends in it become spaces, so that it is one line.
pub fn taken(project: &ProjectId, sent: &[u8]) -> Result<Incoming<'static>, Problem> {
    let mut line = sent.to_vec();
    for byte in &mut line {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    if std::str::from_utf8(&line).is_err() {
        return Err(Problem::invalid("the record is not UTF-8"));
    }
    match Incoming::read(project, line, check) {
        Ok(checked) => checked,
        // What is wrong is what came, not what is stored.
        Err(error) if error.kind() == ErrorKind::Corrupted => {
            Err(Problem::invalid(error.message()))
        }
        Err(error) => Err(Problem::from(error)),
    }
}

/// Checks what a server asks of a record: fields are texts, no key stands twice, the payload keeps
/// the limits.
fn check(view: &View<'_>) -> Result<(), Problem> {
    if view.repeated_keys {
        return Err(Problem::invalid("the record has a key twice; one value would be lost"));
    }
    for (name, field) in [
        ("record_id", view.record_id),
        ("project_id", view.project_id),
        ("stage", view.stage),
        ("timestamp", view.timestamp),
    ] {
        if !matches!(field, Field::Text(_)) {
            return Err(Problem::invalid(format!("{name} must be a text")));
        }
    }
    let id = view.record_id.to_str();
    if id.is_empty() || id.len() > 200 || id.chars().any(char::is_control) {
        return Err(Problem::invalid(
            "record_id must be 1 to 200 bytes without control characters",
        ));
    }
    let payload = Payload::check_json(view.payload);
    payload.map_err(|fault| Problem::from(quark_trace::Error::from(fault)))
}
