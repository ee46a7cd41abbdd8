//! Answers that are written while they are read: long lists, and projects that are followed.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use quark_trace::TraceLog;
use quark_trace::store::{Plan, Row, Select};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::asked::Asked;
use crate::access::share::{Place, for_holder};
use crate::access::{Caller, Granted};
use crate::app::App;
use crate::live::Follower;
use crate::problem::Problem;

/// Bytes that are sent together.
const CHUNK: usize = 64 * 1024;
/// Chunks that may wait for a slow client.
const WAITING: usize = 2;
/// How long a client may take for a chunk.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same when half of the long answers, or of the share of who asks, are taken.
const LITTLE_PATIENCE: Duration = Duration::from_secs(10);
/// Most records that are read for a follower at a time.
const TOGETHER: usize = 500;
/// And most bytes of them, but for the last: each follower waits for its client with so many.
const TOGETHER_BYTES: usize = 1024 * 1024;

/// What a long answer is written into, on a thread that may wait.
#[derive(Debug)]
pub struct Out {
    chunk: Vec<u8>,
    sender: mpsc::Sender<std::io::Result<Bytes>>,
    place: Place,
}

/// The client went away or the answer cannot go on.
#[derive(Debug)]
pub struct Gone;

impl Out {
    /// Writes bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.write_with(|chunk| chunk.extend_from_slice(bytes))
    }

    /// Has something added to what is written.
    pub fn write_with(&mut self, add: impl FnOnce(&mut Vec<u8>)) -> Result<(), Gone> {
        add(&mut self.chunk);
        if self.chunk.len() < CHUNK { Ok(()) } else { self.send() }
    }

    fn send(&mut self) -> Result<(), Gone> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk);
        let patience = if self.place.is_crowded() { LITTLE_PATIENCE } else { PATIENCE };
        let handle = tokio::runtime::Handle::current();
        let sent = handle.block_on(async {
            tokio::time::timeout(patience, self.sender.send(Ok(chunk.into()))).await
        });
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    /// Cuts the answer off, so that the client sees that it is not whole.
    pub fn failed(&mut self, error: &quark_trace::Error) -> Gone {
        tracing::error!(%error, "a long answer was cut off");
        let cut = std::io::Error::other("the answer was cut off");
        let _ = self.sender.try_send(Err(cut));
        Gone
    }
}

/// An answer that `write` writes.
///
/// # Errors
/// `busy` when there are too many of them, `too_many_requests` when who asks has its share of them.
pub fn streamed(
    app: &App,
    granted: &Granted,
    write: impl FnOnce(&mut Out) -> Result<(), Gone> + Send + 'static,
) -> Result<Response, Problem> {
    let place = app.long_answers.take(&granted.holder).map_err(|full| {
        full.problem("long answers under way", "ask for pages, or wait, then go on")
    })?;
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut out = Out { chunk: Vec::with_capacity(CHUNK), sender, place };
        if write(&mut out).is_ok() {
            // Nobody is left to tell.
            let _ = out.send();
        }
    });
    Ok(Body::from_stream(ReceiverStream::new(receiver)).into_response())
}

/// Where to begin.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Index of the last entry that the client has; without it the stream begins with what comes.
    #[param(example = 6)]
    after: Option<u64>,
}

/// Follows a project: an event for each record.
#[utoipa::path(
    get,
    path = "/projects/{project}/stream",
    tag = "Records",
    operation_id = "followRecords",
    description = "Server-sent events. The first is `begin`, then one `record` for each, with the \
                   index as its id.",
    params(
        Parameters,
        ("Last-Event-ID" = Option<String>, Header,
         description = "As browsers send it when they connect again; counts before `after`.")
    ),
    responses((status = 200, description = "The events, without an end.", body = ref("#/components/schemas/StreamEvent"),
               content_type = "text/event-stream"))
)]
pub async fn stream(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let log = granted.log()?.clone();
    let known = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let from = match known.or(asked.after) {
        Some(index) => index.saturating_add(1),
        None => {
            let log = log.clone();
            app.blocking(move || Ok(log.store().head(log.project())?))
                .await?
                .map_or(0, |head| head.range.size())
        }
    };
    let follower = app.live.follow(log.project(), &granted.holder).map_err(|full| {
        full.problem("streams open", "close one, or ask for the records now and then")
    })?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let reader = Reader { app: Arc::clone(&app), caller: granted.caller, log };
    tokio::spawn(for_holder(granted.holder, follow(reader, from, follower, sender)));
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    let mut response =
        Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Who follows what.
struct Reader {
    app: Arc<App>,
    caller: Caller,
    log: TraceLog,
}

async fn follow(
    reader: Reader,
    mut from: u64,
    mut follower: Follower,
    sender: mpsc::Sender<Result<Event, Infallible>>,
) {
    // Says that the stream is there before anything happens.
    let hello = Event::default().event("begin").data(from.to_string());
    if sender.send(Ok(hello)).await.is_err() {
        return;
    }
    while reader.caller.may_still_read(reader.log.project(), &reader.app.registry) {
        let reading = reader.log.clone();
        let read = reader.app.blocking(move || Ok(newer(&reading, from)?)).await;
        let Ok(Newer { events, next, more }) = read else {
            tracing::warn!("a stream ended, because the log could not be read");
            return;
        };
        for event in events {
            match tokio::time::timeout(PATIENCE, sender.send(Ok(event))).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
        from = next;
        tokio::select! {
            () = sender.closed() => return,
            goes_on = follower.wait(), if !more => if !goes_on { return },
            () = std::future::ready(()), if more => {}
        }
    }
}

/// What is read for a follower at a time.
struct Newer {
    events: Vec<Event>,
    /// The index behind the last of them.
    next: u64,
    /// Whether there is more already.
    more: bool,
}

/// Events for the records from an index on.
fn newer(log: &TraceLog, from: u64) -> quark_trace::Result<Newer> {
    let head = log.store().head(log.project())?;
    let size = head.map_or(0, |head| head.range.size());
    let mut found = Newer { events: Vec::new(), next: size.max(from), more: false };
    if size <= from {
        return Ok(found);
    }
    let mut bytes = 0;
    let plan = Plan { from, until: Some(size), select: Select::Records, filter: None };
    log.store().scan(log.project(), &plan, &mut |row| {
        if let Row::Entry { index, object: Some(object), .. } = row {
            if found.events.len() == TOGETHER || bytes >= TOGETHER_BYTES {
                (found.next, found.more) = (index, true);
                return ControlFlow::Break(());
            }
            bytes += object.len();
            // A carriage return in old data would end the event's line.
            let data = String::from_utf8_lossy(&object).replace('\r', " ");
            found.events.push(Event::default().event("record").id(index.to_string()).data(data));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
