//! Reading entries alone: lines of the ledger, without their records and objects.

use super::folder::Names;
use super::owed::wait_for_entries;
use super::scan::Sink;
use super::steps::Steps;
use crate::error::{ErrorKind, Result};
use crate::store::{Plan, Row};

/// Passes the lines of the entries of a plan to a sink.
pub(super) fn scan(names: &Names, plan: &Plan<'_>, steps: &Steps, sink: Sink<'_>) -> Result<()> {
    wait_for_entries(names);
    let mut ledger = match steps.open_ledger(names, plan.from) {
        Ok(ledger) => ledger,
        // Files of quark-trace 0.1.0 alone have no entries.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    loop {
        steps.pass(&ledger);
        let Some((index, line)) = ledger.next_entry()? else { return Ok(()) };
        if plan.ends_before(index) {
            return Ok(());
        }
        if index >= plan.from && sink(Row::line(index, line)).is_break() {
            return Ok(());
        }
    }
}
