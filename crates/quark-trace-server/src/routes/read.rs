//! Reading records back: all of them, what a filter selects, one.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::InvalidHeaderValue;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quark_trace::core::query::{Field, Filter, Order, Query};
use quark_trace::{AsOf, Cursor, Error, ErrorKind, TraceLog};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::asked::{Asked, Named, wants};
use super::receipt::{self, Receipt};
use super::stream::{Gone, streamed};
use crate::access::Granted;
use crate::app::App;
use crate::problem::{Code, Problem};

/// Which records.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// What must be true of them, in the query language.
    #[param(
        format = "quark-trace-filter",
        example = "stage = 'client_round' AND payload.loss < 0.3"
    )]
    filter: Option<String>,
    /// What they are ordered by, as behind ORDER BY; needs a limit.
    #[param(format = "quark-trace-order", example = "payload.loss DESC")]
    order: Option<String>,
    /// Most records. Without one all are streamed.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    limit: Option<u64>,
    /// The cursor behind which to go on, as it came in `X-Next-Cursor`.
    #[param(format = "quark-trace-cursor")]
    after: Option<String>,
    /// The log as it was: an index, a time, or the text of a checkpoint.
    #[param(format = "quark-trace-as-of", example = "2026-01-31T12:00:00Z")]
    as_of: Option<String>,
}

/// How the records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Array,
    Lines,
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        if wants(headers, "application/x-ndjson") { Self::Lines } else { Self::Array }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Array => "application/json",
            Self::Lines => "application/x-ndjson",
        })
    }

    fn begin(self) -> &'static [u8] {
        if self == Self::Array { b"[" } else { b"" }
    }

    /// Adds the next record.
    fn add(self, out: &mut Vec<u8>, line: &[u8], is_first: bool) {
        if self == Self::Array && !is_first {
            out.extend_from_slice(b",\n");
        }
        out.extend_from_slice(line);
        if self == Self::Lines {
            out.push(b'\n');
        }
    }

    fn end(self) -> &'static [u8] {
        if self == Self::Array { b"]" } else { b"" }
    }
}

/// The records, at once or page by page.
#[utoipa::path(
    get,
    path = "/projects/{project}/records",
    tag = "Records",
    operation_id = "listRecords",
    description = "A JSON array, or one record a line for `Accept: application/x-ndjson`. With a \
                   limit the answer names the next page while there is one. A page ends early, at \
                   8 MiB of records: that it is short does not say that it is the last.",
    params(Parameters),
    responses((
        status = 200,
        description = "The records as they are stored.",
        headers(
            ("X-Next-Cursor" = Option<String>, description = "What `after` is for the next page."),
            ("Link" = Option<String>, description = "The next page, with `rel=\"next\"`.")
        ),
        content(
            (ref("#/components/schemas/Records") = "application/json"),
            (String = "application/x-ndjson")
        )
    ), (
        status = 413,
        description = "`too_large`: the filter or the order is longer or deeper than is read."
    ))
)]
pub async fn records(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Parameters>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let form = Form::of(&headers);
    let log = granted.log()?.clone();
    let question = Question::of(&app, &asked)?;
    let mut response = if question.query.limit.is_some() {
        page(&app, log, question, form, &uri).await?
    } else {
        all(&app, &granted, question, form).await?
    };
    response.headers_mut().insert(header::CONTENT_TYPE, form.content_type());
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// What is asked.
#[derive(Debug, Clone)]
struct Question {
    query: Query,
    after: Option<Cursor>,
    as_of: Option<AsOf>,
}

impl Question {
    fn of(app: &App, asked: &Parameters) -> Result<Self, Problem> {
        let filter = asked.filter.as_deref().map(Filter::parse).transpose();
        let order = asked.order.as_deref().map(Order::parse_list).transpose();
        let query = Query {
            filter: filter.map_err(Error::from)?,
            order: order.map_err(Error::from)?.unwrap_or_default(),
            limit: page_limit(app, asked.limit)?,
        };
        if !query.order.is_empty() && query.limit.is_none() {
            let detail = "an order needs a limit; go on with the cursor of each page";
            return Err(Problem::invalid(detail));
        }
        Ok(Self {
            query,
            after: asked.after.as_deref().map(str::parse).transpose()?,
            as_of: asked.as_of.as_deref().map(str::parse).transpose()?,
        })
    }

    fn search(self, log: &TraceLog) -> quark_trace::Search<'_> {
        let mut search = log.search(self.query);
        if let Some(after) = self.after {
            search = search.after(after);
        }
        if let Some(as_of) = self.as_of {
            search = search.as_of(as_of);
        }
        search
    }
}

/// A limit, if it is one.
pub fn page_limit(app: &App, limit: Option<u64>) -> Result<Option<u64>, Problem> {
    let most = app.settings.limits.page;
    match limit {
        Some(limit) if limit == 0 || limit > most => {
            Err(Problem::invalid(format!("limit must be 1 to {most}")))
        }
        limit => Ok(limit),
    }
}

async fn page(
    app: &App,
    log: TraceLog,
    question: Question,
    form: Form,
    uri: &Uri,
) -> Result<Response, Problem> {
    let most_bytes = app.settings.limits.page_bytes;
    let found = app
        .blocking(move || question.search(&log).most_bytes(most_bytes).page().map_err(problem_of));
    let page = found.await?;
    let mut out = form.begin().to_vec();
    for (at, found) in page.hits.iter().enumerate() {
        form.add(&mut out, found.record.line(), at == 0);
    }
    out.extend_from_slice(form.end());
    let mut response = out.into_response();
    if let Some(next) = page.next {
        let next = next.to_string();
        let link = format!("<{}>; rel=\"next\"", with_cursor(uri, &next));
        let headers = response.headers_mut();
        headers.insert("x-next-cursor", HeaderValue::from_str(&next).map_err(unfit)?);
        headers.insert(header::LINK, HeaderValue::from_str(&link).map_err(unfit)?);
    }
    Ok(response)
}

fn unfit(_: InvalidHeaderValue) -> Problem {
    Problem::new(Code::Internal, "the cursor cannot be sent")
}

/// The same address with another cursor.
fn with_cursor(uri: &Uri, cursor: &str) -> String {
    let kept = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    let cursor = utf8_percent_encode(cursor, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = kept.map(str::to_owned).chain([format!("after={cursor}")]).collect();
    format!("{}?{}", uri.path(), pairs.join("&"))
}

/// Streams everything that is asked for. What is wrong with the question shows before the first
/// record: until then nothing is answered, so that it can be answered with a problem.
async fn all(
    app: &App,
    granted: &Granted,
    question: Question,
    form: Form,
) -> Result<Response, Problem> {
    let log = granted.log()?.clone();
    let (begin, begun) = oneshot::channel();
    let response = streamed(app, granted, move |out| {
        let mut begin = Some(begin);
        out.write(form.begin())?;
        let mut is_first = true;
        let mut failed = Ok(());
        let found = question.search(&log).each(|hit| {
            tell(&mut begin, Ok(()));
            let written = out.write_with(|out| form.add(out, hit.line, is_first));
            is_first = false;
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(gone) => {
                    failed = Err(gone);
                    ControlFlow::Break(())
                }
            }
        });
        match found {
            Ok(_) => tell(&mut begin, Ok(())),
            Err(error) if begin.is_some() => {
                tell(&mut begin, Err(problem_of(error)));
                return Err(Gone);
            }
            Err(error) => return Err(out.failed(&error)),
        }
        failed?;
        out.write(form.end())
    })?;
    match begun.await {
        Ok(Ok(())) => Ok(response),
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(Problem::new(Code::Internal, "the server failed; try again")),
    }
}

/// Says once whether the answer goes on.
fn tell(begin: &mut Option<oneshot::Sender<Result<(), Problem>>>, how: Result<(), Problem>) {
    if let Some(begin) = begin.take() {
        // Nobody waits any more when the client went away.
        let _ = begin.send(how);
    }
}

/// A checkpoint that the log does not lead to is the caller's, and anybody may write one: what is
/// stored need not be wrong.
fn problem_of(error: Error) -> Problem {
    match error.kind() {
        ErrorKind::Integrity("E-TRUNC" | "E-ROOT") => Problem::invalid(error.message()),
        _ => error.into(),
    }
}

/// One record, its stored bytes.
#[utoipa::path(
    get,
    path = "/projects/{project}/records/{record}",
    tag = "Records",
    operation_id = "readRecord",
    responses((status = 200, description = "The record.",
               body = ref("#/components/schemas/Record")))
)]
pub async fn record(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    named: Named<(String, String)>,
) -> Result<Response, Problem> {
    let (log, id) = (granted.log()?.clone(), named.0.1);
    let (_, record) = app.blocking(move || find(&log, &id)).await?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, record.into_line()).into_response())
}

/// The receipt of a record, with its proof.
#[utoipa::path(
    get,
    path = "/projects/{project}/records/{record}/receipt",
    tag = "Records",
    operation_id = "readReceipt",
    responses((status = 200, description = "The receipt.", body = Receipt))
)]
pub async fn receipt(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    named: Named<(String, String)>,
) -> Result<Json<Receipt>, Problem> {
    let (log, id) = (granted.log()?.clone(), named.0.1);
    let tree = app.tree(log.project());
    let receipt = app.blocking(move || {
        let (index, record) = find(&log, &id)?;
        receipt::of_known(&log, &tree, &record, index)
    });
    Ok(Json(receipt.await?))
}

/// The record with this id, and the index of its entry.
pub fn find(log: &TraceLog, id: &str) -> Result<(u64, quark_trace::Record), Problem> {
    let query = Query { filter: Some(Field::RecordId.is(id)), limit: Some(1), ..Query::default() };
    let found = log.search(query).page()?.hits.pop().ok_or_else(Problem::missing)?;
    let index = found.index.ok_or_else(|| {
        let message = "the record has no entry yet; seal the log";
        Error::new(ErrorKind::NotFound, "find a record", message)
    })?;
    Ok((index, found.record))
}
