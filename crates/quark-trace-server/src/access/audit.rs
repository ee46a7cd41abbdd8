//! What was refused and what auditors read, as records of the server's own ledger.
//!
//! Whoever is refused a thousand times a second must not fill the disk: refusals of one kind are
//! counted and written once a second, with how many there were. Kinds beyond [`KINDS`] within a second
//! are counted together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use quark_trace::core::ids::ProjectId;
use quark_trace::core::payload::Payload;
use quark_trace::{Result, TraceLog};

/// Most kinds of refusals, and of reads, that are told apart within a second.
const KINDS: usize = 100;

/// A refused access.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// Why.
    pub reason: &'static str,
    /// The route, not the path: what stands in a path may be a slip with a secret in it.
    pub route: &'static str,
    /// The method.
    pub method: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// The public part of the key, if it has the form of one.
    pub key_id: Option<String>,
}

/// A read by an auditor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reading {
    key_id: String,
    project: ProjectId,
    route: &'static str,
}

#[derive(Debug, Default)]
struct Counts {
    refusals: HashMap<Refusal, u64>,
    other_refusals: u64,
    readings: HashMap<Reading, u64>,
    other_readings: HashMap<String, u64>,
}

/// Counts what is to be written.
#[derive(Debug, Default)]
pub struct Audit(Mutex<Counts>);

impl Audit {
    /// Counts a refused access.
    pub fn refused(&self, refusal: Refusal) {
        metrics::counter!("quark_trace_refused_total", "reason" => refusal.reason).increment(1);
        let counts = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut counts.refusals, &mut counts.other_refusals, refusal, 1);
    }

    /// Counts a read by an auditor.
    pub fn read(&self, key_id: &str, project: &ProjectId, route: &'static str) {
        let reading = Reading { key_id: key_id.to_owned(), project: project.clone(), route };
        let counts = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = 0;
        count(&mut counts.readings, &mut others, reading, 1);
        if others > 0 {
            // There are no more keys than were issued: who it was is always told.
            *counts.other_readings.entry(key_id.to_owned()).or_default() += others;
        }
    }

    /// Writes what was counted. What cannot be written is counted again.
    pub fn write(&self, log: &TraceLog) -> Result<()> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let written = write(&counts, log);
        if written.is_err() {
            let known = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (refusal, times) in counts.refusals {
                count(&mut known.refusals, &mut known.other_refusals, refusal, times);
            }
            for (reading, times) in counts.readings {
                let mut others = 0;
                let key_id = reading.key_id.clone();
                count(&mut known.readings, &mut others, reading, times);
                if others > 0 {
                    *known.other_readings.entry(key_id).or_default() += others;
                }
            }
            known.other_refusals += counts.other_refusals;
            for (key_id, times) in counts.other_readings {
                *known.other_readings.entry(key_id).or_default() += times;
            }
        }
        written
    }
}

fn count<T: std::hash::Hash + Eq>(
    kinds: &mut HashMap<T, u64>,
    others: &mut u64,
    kind: T,
    times: u64,
) {
    let is_full = kinds.len() >= KINDS;
    match kinds.get_mut(&kind) {
        Some(known) => *known += times,
        None if is_full => *others += times,
        None => drop(kinds.insert(kind, times)),
    }
}

fn write(counts: &Counts, log: &TraceLog) -> Result<()> {
    let mut records = Vec::new();
    let mut draft = |stage: &str, payload: Payload| {
        log.draft(stage, payload.as_bytes()).map(|record| records.push(record))
    };
    for (refusal, times) in &counts.refusals {
        let payload = Payload::new()
            .with("reason", refusal.reason)
            .with("method", refusal.method.as_str())
            .with("route", refusal.route)
            .with("address", refusal.address.map(|address| address.to_string()))
            .with("key_id", refusal.key_id.clone())
            .with("times", *times);
        draft("access_refused", payload)?;
    }
    if counts.other_refusals > 0 {
        let others = Payload::new().with("reason", "others").with("times", counts.other_refusals);
        draft("access_refused", others)?;
    }
    for (reading, times) in &counts.readings {
        let payload = Payload::new()
            .with("key_id", reading.key_id.as_str())
            .with("project_id", reading.project.as_str())
            .with("route", reading.route)
            .with("times", *times);
        draft("read_by_auditor", payload)?;
    }
    for (key_id, times) in &counts.other_readings {
        let payload = Payload::new().with("key_id", key_id.as_str()).with("times", *times);
        draft("read_by_auditor", payload)?;
    }
    if records.is_empty() {
        return Ok(());
    }
    log.append_all(&records).map(drop)
}
