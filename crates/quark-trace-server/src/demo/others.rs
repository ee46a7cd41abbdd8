//! A project in its first rounds, and one that has its sheet alone.

use std::sync::Arc;

use quark_trace::Result;
use quark_trace::core::payload::Payload;
use quark_trace::store::Store;

use super::{NODES, Writer, rounded};

pub(super) const RUNNING: &str = "sepsis-early-warning";
pub(super) const NEW: &str = "retina-screening";

/// 2026-05-18T06:00:00Z
const RUNNING_US: i64 = 1_779_084_000_000_000;
/// 2026-05-20T09:12:00Z
const NEW_US: i64 = 1_779_268_320_000_000;

/// The rounds that the running project has done.
const DONE: u32 = 6;

const RUNNING_SHEET: &str = "\
project_id: sepsis-early-warning
institution_id: nordstadt
purpose: Warn the ward six hours before sepsis becomes plain, from vital signs and laboratory values
domain: intensive care
ml_type: supervised
algorithm:
  - name: temporal convolutional network
input:
  - name: vital signs
    type: time_series
output:
  - name: risk in the next six hours
    type: score
performance_metrics:
  - area under the precision-recall curve
bias:
  type: measurement
  affected_group: patients on wards that measure rarely
  severity: medium
stakeholders:
  - name: Prof. Jonas Weidner
    role: head of intensive care
";

const NEW_SHEET: &str = "\
project_id: retina-screening
institution_id: nordstadt
purpose: Find diabetic retinopathy in fundus images of general practices
domain: ophthalmology
ml_type: supervised
algorithm:
  - name: vision transformer
input:
  - name: fundus image
    type: image
output:
  - name: grade of retinopathy
    type: label
performance_metrics:
  - quadratic weighted kappa
bias:
  type: representation
  affected_group: patients with cataract
  severity: medium
stakeholders:
  - name: Dr. Ines Carvalho
    role: ophthalmologist
";

pub(super) fn fill_running(store: Arc<dyn Store>) -> Result<()> {
    let mut writer = Writer::begin(store, RUNNING_SHEET, RUNNING_US)?;
    writer.log("project_start", &Payload::new().with("rounds", 40))?;
    for round in 1..=DONE {
        writer.wait(300);
        writer.log("round_start", &Payload::new().with("round", round))?;
        for node in NODES.iter().take(3) {
            writer.wait(20);
            let loss = 0.4 + 0.5 * (-f64::from(round) / 9.0).exp() + 0.04 * writer.jitter();
            let payload = Payload::new()
                .with("round", round)
                .with("site", node.id)
                .with("loss", rounded(loss, 4));
            writer.log("client_round", &payload)?;
        }
    }
    writer.project.seal().map(drop)
}

pub(super) fn fill_new(store: Arc<dyn Store>) -> Result<()> {
    Writer::begin(store, NEW_SHEET, NEW_US)?.project.seal().map(drop)
}
