//! Batches: records one a line, appended all or none.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use quark_trace::Incoming;
use quark_trace::core::ids::ProjectId;
use serde::Serialize;

use super::body::{Content, Share};
use super::receipt::{leaf_hash_of, path_faults};
use super::records::{append_job, taken};
use crate::app::App;
use crate::problem::{Code, PathFault, Problem};
use crate::writer::Job;

/// What became of a batch.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchReceipt {
    project_id: String,
    /// The size of the log behind it.
    size: u64,
    /// How safe it is: always `sync`.
    durability: &'static str,
    /// Each record in its order.
    records: Vec<Place>,
}

/// Where a record of a batch stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Place {
    record_id: String,
    /// Index of its entry.
    index: u64,
    /// Whether it was there before.
    existing: bool,
    /// The hash of its leaf, in hex; not for one that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_hash: Option<String>,
    /// How it breaks the schema of its stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<PathFault>,
}

/// Below so many lines a second thread costs more than it saves.
const PARALLEL_FROM: usize = 200;

/// The records of a batch.
type Records = Vec<Incoming<'static>>;

/// Takes the lines of a batch, and the memory that they take.
pub async fn lines(
    app: &App,
    project: &ProjectId,
    content: Content,
) -> Result<(Records, Option<Share>), Problem> {
    let (most, longest) = (app.settings.limits.batch_records, app.settings.limits.record);
    let project = project.clone();
    // Reading a thousand records takes milliseconds, in which others must not wait.
    let read = tokio::task::spawn_blocking(move || {
        Ok((read(&project, &content.bytes, most, longest)?, content.share))
    });
    read.await.map_err(|_| Problem::new(Code::Internal, "the batch could not be read"))?
}

fn read(
    project: &ProjectId,
    bytes: &[u8],
    most: usize,
    longest: usize,
) -> Result<Records, Problem> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.map(|(at, line)| (at + 1, line.strip_suffix(b"\r").unwrap_or(line)));
    let lines: Vec<_> = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).collect();
    if lines.is_empty() {
        return Err(Problem::invalid("the batch has no record"));
    }
    if lines.len() > most {
        let detail = format!("a batch has at most {most} records");
        return Err(Problem::new(Code::TooLarge, detail).not_written());
    }
    let read_part = |part: &[(usize, &[u8])]| {
        part.iter().map(|(number, line)| read_line(project, *number, line, longest)).collect()
    };
    if lines.len() < PARALLEL_FROM {
        return read_part(&lines);
    }
    let (first, second) = lines.split_at(lines.len() / 2);
    let (one, other): (Result<Records, _>, Result<Records, _>) = std::thread::scope(|scope| {
        let other = scope.spawn(|| read_part(second));
        let one = read_part(first);
        (one, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let mut all = one?;
    all.extend(other?);
    Ok(all)
}

fn read_line(
    project: &ProjectId,
    number: usize,
    line: &[u8],
    longest: usize,
) -> Result<Incoming<'static>, Problem> {
    if line.len() > longest {
        let detail = format!("line {number}: longer than {longest} bytes");
        return Err(Problem::new(Code::TooLarge, detail).not_written());
    }
    taken(project, line).map_err(|mut problem| {
        problem.detail = format!("line {number}: {}", problem.detail);
        problem
    })
}

/// Appends a batch.
pub async fn append(app: &App, job: Job) -> Result<Response, Problem> {
    let project_id = job.log.project().to_string();
    let known = |record: &Incoming<'_>| {
        (record.id().to_owned(), leaf_hash_of(record, &job.attributes).to_string())
    };
    let known: Vec<_> = job.records.iter().map(known).collect();
    let done = append_job(app, job).await?;
    let places = known.into_iter().zip(done.records);
    let places = places.map(|((record_id, leaf), written)| Place {
        record_id,
        index: written.index,
        existing: written.existing,
        leaf_hash: (!written.existing).then_some(leaf),
        faults: path_faults(&written.faults),
    });
    let records: Vec<Place> = places.collect();
    let is_new = records.iter().any(|place| !place.existing);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let receipt = BatchReceipt { project_id, size: done.size, durability: "sync", records };
    Ok((status, Json(receipt)).into_response())
}
