//! Whether the columns beside an entry are those that its record makes.

use std::ops::ControlFlow;

use quark_trace_core::ledger::{Digest, Entry};

use super::check::{Sink, differs};
use super::columns::Columns;
use super::scan::StoredEntry;

/// The columns that an entry should have; `None` where its object is gone, or was changed, which is
/// a finding of its own.
pub(super) fn derived(stored: &StoredEntry<'_>, entry: &Entry<'_>) -> Option<Columns> {
    if !entry.kind.is_record() {
        return Some(Columns::default());
    }
    let object = stored.object.filter(|object| Digest::of(object) == entry.object)?;
    Some(Columns::of_record(object))
}

/// Compares the columns of an entry.
pub(super) fn columns(
    stored: &StoredEntry<'_>,
    entry: &Entry<'_>,
    derived: Option<Columns>,
    sink: Sink<'_>,
) -> ControlFlow<()> {
    let at = Some(stored.index);
    if stored.kind != entry.kind.as_str() {
        differs(sink, at, "the column kind says otherwise than the entry")?;
    }
    if !StoredEntry::holds(stored.object_digest, &entry.object) {
        differs(sink, at, "the column object says otherwise than the entry")?;
    }
    if stored.erased_by.is_some() && stored.object.is_some() {
        differs(sink, at, "the column erased_by says that an object is gone that is there")?;
    }
    let Some(derived) = derived.filter(|_| stored.object.is_some()) else {
        return ControlFlow::Continue(());
    };
    let fits = match (stored.record_key, &derived.record_key) {
        (Some(column), Some(key)) => StoredEntry::holds(column, key),
        (None, None) => true,
        _ => false,
    };
    if !fits {
        differs(sink, at, "the column record_key says otherwise than the record")?;
    }
    if stored.stage != derived.stage.as_deref() {
        differs(sink, at, "the column stage says otherwise than the record")?;
    }
    if stored.at_us != derived.at_us {
        differs(sink, at, "the column at_us says otherwise than the record")?;
    }
    ControlFlow::Continue(())
}
