//! Verifying what a store holds.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Digest, Entry};
use quark_trace_core::verify::{Beside, Found, Place, Verifier};

pub use quark_trace_core::verify::{Code, Counts, Finding, Level, Policy, Severity, Verdict};

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Plan, Row, Store};

/// How long a writer may take between a line and its entry before the line is reported.
const MOMENT: Duration = Duration::from_millis(50);
const MOMENTS: u32 = 4;

/// Reads the whole log of a project and says what is proven, and where it fails.
///
/// Streams: memory does not grow with the log as long as nothing was changed. An error means that
/// the store could not be read; a tampered log is a [`Verdict`].
pub fn verify(store: &dyn Store, project: &ProjectId, policy: &Policy) -> Result<Verdict> {
    verify_with_progress(store, project, policy, &mut |_| {})
}

/// As [`verify`]; `progress` is told how many entries are done, now and then.
pub fn verify_with_progress(
    store: &dyn Store,
    project: &ProjectId,
    policy: &Policy,
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict> {
    let Some(found) = store.beside(project)? else {
        let message = format!("there is no project {:?} in {}", project.as_str(), store.info().url);
        return Err(Error::new(ErrorKind::NotFound, "verify the log", message));
    };
    let beside = Beside { checkpoint: found.checkpoint.as_deref(), keys: found.keys.as_deref() };
    let mut verifier = Verifier::new(project, policy, beside);
    let mut loose = Vec::new();
    let mut unlike = None;
    store.scan(project, &Plan::default(), &mut |row| {
        match row {
            Row::Entry { index, line, object, digest, place, displaced } => {
                let object = object.as_deref();
                verifier.entry(&Found { index, line, object, digest, place, displaced });
                if index % 4096 == 0 {
                    progress(index);
                }
            }
            Row::Loose { object, place, inside } => loose.push((Digest::of(object), place, inside)),
            Row::Torn { what, place, length, entered } => {
                verifier.torn(what, place, length, entered);
            }
            Row::Differs { index, what } => verifier.differs(index, &what),
            Row::SheetDiffers { found } => unlike = Some(found),
        }
        ControlFlow::Continue(())
    })?;
    if let Some(found) = unlike
        && (verifier.has_errors() || !shows_last_sheet(store, project, &verifier, found)?)
    {
        verifier.sheet_differs(found);
    }
    let mut repeated = HashMap::new();
    for moment in 0..=MOMENTS {
        let settled =
            loose.iter().all(|(digest, _, inside)| *inside || repeated.contains_key(digest));
        if settled || verifier.size() == 0 || verifier.has_errors() {
            break;
        }
        if moment > 0 {
            std::thread::sleep(MOMENT);
        }
        // A line that a writer is just appending gets its entry a moment later.
        repeated = repeats(store, project, verifier.size(), &loose)?;
    }
    if loose.iter().any(|(digest, ..)| !repeated.contains_key(digest)) {
        repeated = repeats(store, project, 0, &loose)?;
    }
    for (digest, place, inside) in loose {
        match repeated.get(&digest) {
            // Appended by somebody while the log was read: its entry came behind what was read.
            Some(&index) if index >= verifier.size() => {}
            repeats => verifier.loose(place, inside, repeats.copied()),
        }
    }
    Ok(verifier.finish())
}

/// Whether the sheet that people see turns out to be the last of the log. One that a writer may be
/// about to show is given a moment.
fn shows_last_sheet(
    store: &dyn Store,
    project: &ProjectId,
    verifier: &Verifier<'_>,
    found: Option<Digest>,
) -> Result<bool> {
    let plan = Plan { from: verifier.size(), ..Plan::default() };
    let moments = if verifier.is_sheet_due(found) { MOMENTS } else { 0 };
    for moment in 0..=moments {
        if moment > 0 {
            std::thread::sleep(MOMENT);
        }
        let (mut differs, mut came_later) = (false, false);
        store.scan(project, &plan, &mut |row| {
            match row {
                Row::SheetDiffers { .. } => differs = true,
                // Appended and shown while the log was read, and perhaps amended again by now.
                Row::Entry { line, .. } => came_later |= is_sheet(line, found),
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        if !differs || came_later {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_sheet(line: &[u8], shown: Option<Digest>) -> bool {
    let entry = Entry::parse(line).ok().filter(|entry| entry.kind.is_sheet());
    entry.is_some_and(|entry| Some(entry.object) == shown)
}

/// The first entry from `from` on with the same record as a line that has none.
fn repeats(
    store: &dyn Store,
    project: &ProjectId,
    from: u64,
    loose: &[(Digest, Place, bool)],
) -> Result<HashMap<Digest, u64>> {
    let wanted: std::collections::HashSet<Digest> = loose.iter().map(|row| row.0).collect();
    let mut found = HashMap::new();
    let plan = Plan { from, ..Plan::default() };
    store.scan(project, &plan, &mut |row| {
        if let Row::Entry { index, line, .. } = row
            && let Ok(entry) = Entry::parse(line)
            && wanted.contains(&entry.object)
        {
            found.entry(entry.object).or_insert(index);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
