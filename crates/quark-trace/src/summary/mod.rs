//! What there is of a project, counted: by stage and site, from when to when, and which numbers.

mod numbers;
mod tally;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use quark_trace_core::query::Number;
use quark_trace_core::stages::{Broken, Review};

use crate::batches::{Batch, in_batches};
use crate::error::Result;
use crate::log::TraceLog;
use crate::store::{Plan, Row, Select};
use tally::Tally;

/// Most sites and most numbers that are listed.
pub const LISTED: usize = 1000;

/// What there is of a project, counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// All records, those that cannot be read among them.
    pub total_records: u64,
    /// Records by stage, in the order of their first appearance.
    pub stages: Vec<StageSummary>,
    /// Time of the first record in the log.
    pub first_record_at: Option<String>,
    /// Time of the last record in the log.
    pub last_record_at: Option<String>,
    /// Lines that are no records.
    pub unreadable: u64,
    /// Records by site: the member `site` of the payload, or else `client_id`. In the order of their
    /// first appearance, [`LISTED`] at most.
    pub sites: Vec<(String, u64)>,
    /// The numbers in the payloads by their path; [`LISTED`] at most. None in arrays.
    pub numbers: Vec<NumberRange>,
    /// Whether there were more sites or numbers than are listed.
    pub is_cut: bool,
    /// Records that break the schemas of their time, by stage and schema.
    pub broken: Vec<Broken>,
}

/// The records of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageSummary {
    /// Its name.
    pub stage: String,
    /// How many records.
    pub records: u64,
    /// Time of its first record in the log.
    pub first_at: String,
    /// Time of its last record in the log.
    pub last_at: String,
}

/// The numbers at one path.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberRange {
    /// As a filter names it: `payload.metrics.loss`.
    pub field: String,
    /// How many records have a number there, NaN among them.
    pub count: u64,
    /// The least; `None` when all are NaN.
    pub min: Option<Number>,
    /// The greatest.
    pub max: Option<Number>,
    /// The last in the order of the log.
    pub last: Number,
}

impl Summary {
    /// Names and counts of the stages.
    pub fn stage_counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.stages.iter().map(|stage| (stage.stage.as_str(), stage.records))
    }
}

/// A summary that was made, and up to which entry.
#[derive(Debug, Default)]
struct Made {
    summary: Tally,
    /// Index behind the last entry that is in it.
    until: u64,
    review: Review,
    /// Index behind the last entry that is in the review.
    reviewed: u64,
}

impl Made {
    /// Holds the records that came since against the schemas of their time.
    fn go_on_with_review(&mut self, log: &TraceLog) -> Result<()> {
        if self.reviewed < self.until {
            let until = log.stages().review_from(self.reviewed, &mut self.review)?;
            self.reviewed = until.unwrap_or(self.until);
        }
        Ok(())
    }
}

/// The last summary of a log, so that the next one counts what came since alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<Made>>>);

/// Counts the records of a log. What this log counted before is not read again, because an entry
/// never changes; whether one did is for [`mod@crate::verify`] to say.
pub fn summary(log: &TraceLog) -> Result<Summary> {
    let mut kept = log.kept_summary().0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut made = kept.take().unwrap_or_default();
    let mut loose = Tally::default();
    let plan = Plan { from: made.until, select: Select::Records, ..Plan::default() };
    let Made { summary, until, .. } = &mut made;
    let read = |take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>| {
        log.store().scan(log.project(), &plan, &mut |row| match row {
            Row::Entry { index, object: Some(object), .. } => {
                *until = index + 1;
                take(&object)
            }
            // May be adopted, so that it is an entry the next time.
            Row::Loose { object, .. } => {
                loose.take(object);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        })
    };
    let work = |batch: &Batch| {
        let mut tally = Tally::default();
        batch.lines().for_each(|line| tally.take(line));
        tally
    };
    in_batches(read, &work, &mut |part| summary.join(part))?;
    made.go_on_with_review(log)?;
    let mut whole = made.summary.clone();
    let broken = made.review.broken().to_vec();
    *kept = Some(made);
    whole.join(loose);
    Ok(whole.into_summary(broken))
}
