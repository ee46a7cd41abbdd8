//! What records say beside the schemas of their time: a warning, never tampering.

use super::Place;
use super::verdict::{Code, Finding, Severity};
use crate::stages::{Broken, Review};
use crate::visible::shortened;

/// Adds a finding for each stage whose records break a schema, and for each schema of no use.
pub(super) fn tell(review: &Review, findings: &mut Vec<Finding>) {
    let mut push = |index, message| {
        let (code, severity) = (Code::Schema, Severity::Warning);
        findings.push(Finding { code, severity, index, place: Place::default(), message });
    };
    for (index, why) in review.unusable() {
        push(Some(*index), format!("nothing is checked with the schema of entry {index}: {why}"));
    }
    for Broken { stage, schema, records, first, faults, .. } in review.broken() {
        let stage = shortened(stage, 60);
        let mut message = format!(
            "{records} record(s) of stage {stage:?} break the schema of entry {schema}, the first \
             is entry {first}"
        );
        if let Some(fault) = faults.first() {
            message.push_str(&format!(": {fault}"));
        }
        push(Some(*first), message);
    }
    if review.further() > 0 {
        push(None, format!("{} further record(s) break the schema of theirs", review.further()));
    }
}
