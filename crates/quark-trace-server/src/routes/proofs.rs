//! Proofs: that an entry stands in the log, and that one log is the beginning of another.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use quark_trace::core::ledger::merkle::leaf_hash;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, wants};
use super::{read, tlog};
use crate::access::Granted;
use crate::app::App;
use crate::problem::{Code, Problem};

/// Which entry.
#[derive(Debug, Clone, Deserialize)]
pub struct Parameters {
    /// Its index.
    index: Option<u64>,
    /// The id of the record that it is about.
    record_id: Option<String>,
}

/// A proof as JSON.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Inclusion {
    /// Index of the entry.
    index: u64,
    /// The entry.
    entry: String,
    /// Its hash, in hex.
    leaf_hash: String,
    /// The audit path in base64, from the leaf upwards.
    path: Vec<String>,
    /// The signed checkpoint that it leads to.
    checkpoint: String,
    /// All of it as C2SP tlog-proof.
    proof: String,
    /// Verifier keys, one a line.
    keys: Option<String>,
}

/// Proves that an entry stands in the log.
pub async fn inclusion(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let log = granted.log()?.clone();
    let tree = app.tree(log.project());
    let proven = app.blocking(move || {
        let index = match (asked.index, asked.record_id) {
            (Some(index), None) => index,
            (None, Some(id)) => read::find(&log, &id)?.0,
            _ => return Err(Problem::invalid("ask for either index or record_id")),
        };
        Ok(tree.inclusion(index)?)
    });
    let proven = proven.await?;
    if !wants(&headers, "application/json") {
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok((kind, proven.proof.to_string()).into_response());
    }
    Ok(Json(Inclusion {
        index: proven.proof.index,
        entry: String::from_utf8_lossy(&proven.entry).into_owned(),
        leaf_hash: leaf_hash(&proven.entry).to_string(),
        path: proven.proof.path.iter().map(|hash| hash.to_base64()).collect(),
        proof: proven.proof.to_string(),
        checkpoint: proven.proof.checkpoint,
        keys: proven.keys,
    })
    .into_response())
}

/// Between which sizes.
#[derive(Debug, Clone, Deserialize)]
pub struct Sizes {
    /// The earlier one.
    from: u64,
    /// The later one; that of the last checkpoint unless given.
    to: Option<u64>,
}

/// A proof that the log of one size begins with that of another (RFC 9162, 2.1.4).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Consistency {
    from: u64,
    to: u64,
    /// Hashes in base64.
    path: Vec<String>,
}

/// Proves that nothing was changed between two sizes of the log.
pub async fn consistency(
    State(app): State<Arc<App>>,
    Extension(granted): Extension<Granted>,
    Asked(asked): Asked<Sizes>,
) -> Result<Json<Consistency>, Problem> {
    let tree = app.tree(granted.log()?.project());
    let made = app.blocking(move || {
        let sealed = tlog::signed(&tree.refresh()?)?.size;
        let (from, to) = (asked.from, asked.to.unwrap_or(sealed));
        if from == 0 || from > to || to > sealed {
            let detail = format!("sizes must rise from 1 to {sealed}, that of the checkpoint");
            return Err(Problem::new(Code::InvalidInput, detail));
        }
        Ok((from, to, tree.consistency(from, to)?))
    });
    let (from, to, path) = made.await?;
    let path = path.iter().map(|hash| hash.to_base64()).collect();
    Ok(Json(Consistency { from, to, path }))
}
