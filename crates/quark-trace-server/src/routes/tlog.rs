//! The tlog prefix (C2SP tlog-tiles): what witnesses, monitors and other people's tools read.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use quark_trace::TraceLog;
use quark_trace::core::ledger::{Checkpoint, Digest, Entry, Note, Tile};
use quark_trace::store::{Beside, Plan, Row, Select};

use super::asked::Named;
use crate::access::Granted;
use crate::app::App;
use crate::problem::{Code, Problem};

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// The last checkpoint.
pub async fn checkpoint(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Response, Problem> {
    let note = beside(&app, &granted).await?.checkpoint;
    Ok(typed(TEXT, note.ok_or_else(Problem::missing)?))
}

/// The verifier keys, one a line.
pub async fn keys(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
) -> Result<Response, Problem> {
    let keys = beside(&app, &granted).await?.keys;
    Ok(typed(TEXT, keys.ok_or_else(Problem::missing)?))
}

/// A tile of hashes, or a bundle of entries.
pub async fn tile(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named((_, rest)): Named<(String, String)>,
) -> Result<Response, Problem> {
    let tile: Tile = format!("tile/{rest}").parse().map_err(|_| Problem::missing())?;
    let tree = app.tree(granted.log()?.project());
    let bytes = app.blocking(move || {
        // Nothing that no checkpoint covers is published.
        let sealed = signed(&tree.refresh()?)?;
        Ok(tree.tile(tile, sealed.size)?)
    });
    let mut response = typed(BYTES, bytes.await?.ok_or_else(Problem::missing)?);
    // A tile never changes, also one that is not full.
    let ever = HeaderValue::from_static("private, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, ever);
    Ok(response)
}

/// An object by its digest.
pub async fn object(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Named((_, digest)): Named<(String, String)>,
) -> Result<Response, Problem> {
    let digest: Digest = digest.parse().map_err(|_| Problem::missing())?;
    let log = granted.log()?.clone();
    let found = app.blocking(move || named(&log, digest)).await?;
    // What was logged must not be taken for a page.
    Ok(typed(BYTES, found.ok_or_else(Problem::missing)?))
}

async fn beside(app: &App, granted: &Granted) -> Result<Beside, Problem> {
    let log = granted.log()?.clone();
    let found = app.blocking(move || Ok(log.store().beside(log.project())?)).await?;
    found.ok_or_else(Problem::missing)
}

/// What the last checkpoint says.
pub fn signed(beside: &Beside) -> Result<Checkpoint, Problem> {
    let note = beside.checkpoint.as_deref().ok_or_else(Problem::missing)?;
    let read = Note::parse(note).and_then(|note| Checkpoint::parse(note.text()));
    read.map_err(|fault| Problem::new(Code::Integrity, format!("the checkpoint is {fault}")))
}

/// The object that an entry names.
fn named(log: &TraceLog, digest: Digest) -> Result<Option<Vec<u8>>, Problem> {
    let mut place = None;
    let lines = Plan { select: Select::Entries, ..Plan::default() };
    log.store().scan(log.project(), &lines, &mut |row| {
        if let Row::Entry { index, line, .. } = row
            && Entry::parse(line).is_ok_and(|entry| entry.object == digest)
        {
            place = Some(index);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    let Some(from) = place else { return Ok(None) };
    let mut found = None;
    let one = Plan { from, until: Some(from + 1), ..Plan::default() };
    log.store().scan(log.project(), &one, &mut |row| {
        if let Row::Entry { object: Some(object), .. } = row {
            found = Some(object.into_owned());
        }
        ControlFlow::Break(())
    })?;
    // Other bytes than those that were named are not handed out in their place.
    Ok(found.filter(|object| Digest::of(object) == digest))
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}
