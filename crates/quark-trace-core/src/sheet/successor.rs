//! Checking that one version of a sheet lawfully follows another; verification asks this.

use std::collections::BTreeSet;

use serde_json::Value;

use super::FactSheet;
use super::amendment::ContentField;
use super::diff::diff;

/// Why a sheet does not follow the one before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuccessorFault {
    /// The version is not the next one.
    #[error("version {found} follows version {previous}")]
    Version {
        /// The version before.
        previous: u64,
        /// The version that claims to follow it.
        found: u64,
    },
    /// A field that can never be changed differs.
    #[error("`{field}` differs, and it can never be changed")]
    Immutable {
        /// The field.
        field: String,
    },
    /// The log is not the old one with exactly one entry more.
    #[error("the amendment log is not the previous one with one entry more")]
    Log,
    /// The new log entry lacks something or is about another version.
    #[error("the last entry of the amendment log has no proper `{key}`")]
    Entry {
        /// The key that is absent or wrong.
        key: &'static str,
    },
    /// The new log entry names other fields than those that differ.
    #[error("the amendment log names {named:?} as changed, and {changed:?} differ")]
    FieldsChanged {
        /// What the entry names.
        named: Vec<String>,
        /// What differs.
        changed: Vec<String>,
    },
}

/// Checks that `new` is `old` after one amendment.
///
/// The times are not compared with each other: release 0.1.0 took two readings of the clock for
/// one amendment, and what it wrote is adopted as it is.
///
/// # Errors
/// The first rule that is broken: version plus one; no immutable or unknown field differs; the
/// log grew by exactly one entry, for this version, with an actor and a reason, that names exactly
/// the fields that differ.
pub fn check_successor(old: &FactSheet, new: &FactSheet) -> Result<(), SuccessorFault> {
    if old.version().checked_add(1) != Some(new.version()) {
        return Err(SuccessorFault::Version { previous: old.version(), found: new.version() });
    }
    let changed: BTreeSet<String> = diff(old, new).into_iter().map(|change| change.field).collect();
    let content = ContentField::ALL.map(ContentField::name);
    if let Some(field) = changed.iter().find(|field| !content.contains(&field.as_str())) {
        return Err(SuccessorFault::Immutable { field: field.clone() });
    }
    match new.amendment_log().split_last() {
        Some((entry, before)) if before == old.amendment_log() => {
            check_entry(entry, new.version(), &changed)
        }
        _ => Err(SuccessorFault::Log),
    }
}

fn check_entry(
    entry: &Value,
    version: u64,
    changed: &BTreeSet<String>,
) -> Result<(), SuccessorFault> {
    if entry["version"].as_u64() != Some(version) {
        return Err(SuccessorFault::Entry { key: "version" });
    }
    for key in ["amended_at", "amended_by", "reason"] {
        if entry[key].as_str().is_none_or(|text| text.trim().is_empty()) {
            return Err(SuccessorFault::Entry { key });
        }
    }
    let fields = entry["fields_changed"].as_array();
    let named: Option<BTreeSet<String>> = fields
        .and_then(|fields| fields.iter().map(|field| field.as_str().map(str::to_owned)).collect());
    let Some(named) = named else {
        return Err(SuccessorFault::Entry { key: "fields_changed" });
    };
    if named != *changed {
        return Err(SuccessorFault::FieldsChanged {
            named: named.into_iter().collect(),
            changed: changed.iter().cloned().collect(),
        });
    }
    Ok(())
}
