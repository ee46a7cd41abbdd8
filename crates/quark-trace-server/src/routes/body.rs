//! Bodies of requests, never more of one than is allowed and never more of all than fits.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::asked::is_of_type;
use crate::access::share::{Holder, Place, Places};
use crate::access::throttle::{Throttle, Unpaid};
use crate::problem::{Code, Problem};

/// Most bytes of all bodies together, in KiB, which are shared out. What comes above it is asked to
/// come again.
const ALL_KIB: usize = 128 * 1024;
/// Below so many KiB a body counts for nothing, so that a few big ones do not stop all others.
const SMALL_KIB: usize = 16;
const JSON_LIMIT: usize = 1024 * 1024;
/// How long a client may send nothing, and how long it may be slower than [`LEAST_PER_SECOND`].
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes in a second below which nobody waits for a body.
const LEAST_PER_SECOND: f64 = 1024.0;

/// KiB of bodies that a key, or without one a network, may send in a second; more than a client that
/// catches up sends, and less than keeps a small server from others.
const KIB_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(64 * 1024 - 1);

static THROTTLE: LazyLock<Throttle> = LazyLock::new(|| Throttle::new(KIB_PER_SECOND));
static MEMORY: LazyLock<Places> = LazyLock::new(|| Places::new(ALL_KIB));

/// A share of the memory for bodies, given back when it is dropped.
pub type Share = Place;

/// A body, and its share of the memory for bodies.
#[derive(Debug)]
pub struct Content {
    /// The bytes.
    pub bytes: Bytes,
    /// Its share; kept as long as what was made of the bytes.
    pub share: Option<Share>,
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// `too_large`, `unsupported_media_type` for one that is compressed, `request_timeout` when it takes
/// longer than `wait`, `busy` when there is no memory for it now, `too_many_requests` when who sends
/// it has its share of that.
pub async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    wait: Duration,
) -> Result<Content, Problem> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let detail = "the body must not be compressed; send it as it is";
        return Err(Problem::new(Code::UnsupportedMediaType, detail).not_written());
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()) > Some(limit as u64) {
        return Err(too_large(limit));
    }
    match tokio::time::timeout(wait, collect(body, limit)).await {
        Ok(collected) => collected,
        Err(_) => Err(too_slow(&format!("the body took longer than {} s", wait.as_secs()))),
    }
}

/// Forgets who has sent no large body for a while.
pub fn forget_senders() {
    THROTTLE.forget();
}

fn too_slow(detail: &str) -> Problem {
    Problem::new(Code::RequestTimeout, detail).not_written()
}

/// The next part of a body, unless it comes too slowly.
async fn next_part(
    body: &mut Body,
    began: Instant,
    so_far: usize,
) -> Result<Option<Bytes>, Problem> {
    let late = began.elapsed().saturating_sub(PATIENCE).as_secs_f64();
    let next = match (so_far as f64) < late * LEAST_PER_SECOND {
        true => None,
        false => tokio::time::timeout(PATIENCE, body.frame()).await.ok(),
    };
    let frame = next.ok_or_else(|| too_slow("the body comes too slowly"))?;
    let frame = frame.transpose().map_err(|_| Problem::invalid("the body was cut off"))?;
    // Trailers say nothing.
    Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

async fn collect(mut body: Body, limit: usize) -> Result<Content, Problem> {
    let mut bytes = Vec::new();
    let mut share: Option<Share> = None;
    let holder = Holder::of_request();
    let mut held = SMALL_KIB;
    let (began, mut unpaid) = (Instant::now(), Unpaid::default());
    while let Some(data) = next_part(&mut body, began, bytes.len()).await? {
        if bytes.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&data);
        THROTTLE.wait(&holder, &mut unpaid, data.len()).await;
        let needed = bytes.len().div_ceil(1024);
        if needed > held {
            let more = u32::try_from(needed - held).unwrap_or(u32::MAX);
            let more = MEMORY
                .take_many(&holder, more)
                .map_err(|full| full.problem("KiB of bodies on their way", "wait, then go on"))?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
            held = needed;
        }
    }
    Ok(Content { bytes: bytes.into(), share })
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than {limit} bytes; log a digest or a path instead");
    Problem::new(Code::TooLarge, detail).not_written()
}

/// Reads a body of JSON as what it should be; the problem says where it is not.
pub async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    wait: Duration,
) -> Result<T, Problem> {
    if !is_of_type(headers, "application/json") {
        let detail = "the body must be application/json";
        return Err(Problem::new(Code::UnsupportedMediaType, detail).not_written());
    }
    let content = read(headers, body, JSON_LIMIT, wait).await?;
    let mut reader = serde_json::Deserializer::from_slice(&content.bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { "the body".to_owned() } else { place };
        Problem::invalid(format!("{place}: {}", error.inner()))
    })?;
    reader.end().map_err(|_| Problem::invalid("the body has something behind its JSON"))?;
    Ok(read)
}
