//! Receipts: what a client keeps to show later that its record was taken.

use std::ops::ControlFlow;

use quark_trace::core::ledger::merkle::leaf_hash;
use quark_trace::core::ledger::{Digest, Kind, entry};
use quark_trace::core::stages::Fault;
use quark_trace::store::{Plan, Row};
use quark_trace::tree::LogTree;
use quark_trace::{Incoming, Record, TraceLog};
use serde::Serialize;

use crate::problem::{Code, PathFault, Problem};
use crate::writer::Written;

/// Where a record stands, and on request the proof.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Receipt {
    project_id: String,
    record_id: String,
    /// Index of its entry.
    index: u64,
    /// Whether it was there before.
    existing: bool,
    /// The size of the log behind it.
    size: u64,
    /// The entry: the leaf of the Merkle tree.
    entry: String,
    /// Its hash, in hex.
    leaf_hash: String,
    /// How safe the record is: always `sync`.
    durability: &'static str,
    /// How it breaks the schema of its stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<PathFault>,
    /// C2SP tlog-proof: audit path and checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    /// Verifier keys, one a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<String>,
}

/// The receipt of a record that was just appended, with this entry if it was new; with a tree, the
/// proof too.
pub fn of_written(
    log: &TraceLog,
    record_id: String,
    entry: Vec<u8>,
    written: &Written,
    size: u64,
    tree: Option<&LogTree>,
) -> Result<Receipt, Problem> {
    let line = match written.existing {
        false => entry,
        true => entry_at(log, written.index)?,
    };
    let mut receipt = bare(log, record_id, written.index, size, &line);
    receipt.existing = written.existing;
    receipt.faults = path_faults(&written.faults);
    if let Some(tree) = tree {
        add_proof(tree, &mut receipt)?;
    }
    Ok(receipt)
}

/// The receipt of a record that the log has, with its proof.
pub fn of_known(
    log: &TraceLog,
    tree: &LogTree,
    record: &Record,
    index: u64,
) -> Result<Receipt, Problem> {
    let size = log.store().head(log.project())?.map_or(0, |head| head.range.size());
    let mut receipt = bare(log, record.record_id(), index, size, &entry_at(log, index)?);
    receipt.existing = true;
    add_proof(tree, &mut receipt)?;
    Ok(receipt)
}

fn bare(log: &TraceLog, record_id: String, index: u64, size: u64, line: &[u8]) -> Receipt {
    Receipt {
        project_id: log.project().to_string(),
        record_id,
        index,
        existing: false,
        size,
        entry: String::from_utf8_lossy(line).into_owned(),
        leaf_hash: leaf_hash(line).to_string(),
        durability: "sync",
        faults: Vec::new(),
        proof: None,
        keys: None,
    }
}

fn add_proof(tree: &LogTree, receipt: &mut Receipt) -> Result<(), Problem> {
    let proven = tree.inclusion(receipt.index)?;
    receipt.proof = Some(proven.proof.to_string());
    receipt.keys = proven.keys;
    Ok(())
}

/// How a record breaks a schema, for clients.
pub fn path_faults(faults: &[Fault]) -> Vec<PathFault> {
    let fault = |fault: &Fault| PathFault { path: fault.path.clone(), message: fault.to_string() };
    faults.iter().map(fault).collect()
}

/// The hash of the leaf that a record gets.
pub fn leaf_hash_of(record: &Incoming<'_>, attributes: &str) -> Digest {
    leaf_hash(&entry_of(record, attributes))
}

/// The entry that a record gets.
pub fn entry_of(record: &Incoming<'_>, attributes: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(160);
    entry::write(&mut line, Kind::Record, record.digest());
    line.extend_from_slice(attributes.as_bytes());
    line
}

fn entry_at(log: &TraceLog, index: u64) -> Result<Vec<u8>, Problem> {
    let mut found = None;
    let plan = Plan { from: index, until: Some(index + 1), ..Plan::default() };
    log.store().scan(log.project(), &plan, &mut |row| {
        if let Row::Entry { line, .. } = row {
            found = Some(line.to_vec());
        }
        ControlFlow::Break(())
    })?;
    found.ok_or_else(|| Problem::new(Code::Integrity, "the entry of the record is missing"))
}
