//! Batches: records one a line, appended all or none.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use quark_trace::Record;
use serde::Serialize;

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

/// Takes the lines of a batch.
pub fn lines(app: &App, bytes: &[u8]) -> Result<Vec<Record>, Problem> {
    let limits = &app.settings.limits;
    let mut records = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        if records.len() == limits.batch_records {
            let detail = format!("a batch has at most {} records", limits.batch_records);
            return Err(Problem::new(Code::TooLarge, detail).not_written());
        }
        if line.len() > limits.record {
            let detail = format!("line {}: longer than {} bytes", number + 1, limits.record);
            return Err(Problem::new(Code::TooLarge, detail).not_written());
        }
        let record = taken(line).map_err(|mut problem| {
            problem.detail = format!("line {}: {}", number + 1, problem.detail);
            problem
        })?;
        records.push(record);
    }
    if records.is_empty() {
        return Err(Problem::invalid("the batch has no record"));
    }
    Ok(records)
}

/// Appends a batch.
pub async fn append(app: &App, job: Job) -> Result<Response, Problem> {
    let project_id = job.log.project().to_string();
    let attributes = job.attributes.clone();
    let leaves: Vec<(String, String)> = job
        .records
        .iter()
        .map(|record| (record.record_id(), leaf_hash_of(record, &attributes).to_string()))
        .collect();
    let done = append_job(app, job).await?;
    let places = leaves.into_iter().zip(done.records).map(|((record_id, leaf), written)| Place {
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
