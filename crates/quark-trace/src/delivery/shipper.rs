//! The thread that sends what waits: batch after batch, and later again when it does not go.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lane::{Batch, Lane, Refused};
use super::receiver::Verdict;
use super::settings::Notice;
use super::state::{Shared, State};
use crate::error::Error;

/// The first wait after a failure, doubled with each one that follows.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// The longest time that a server may ask to be left alone.
const MOST_ASKED: Duration = Duration::from_secs(600);
/// How long what was appended may be with the operating system alone.
const FLUSH: Duration = Duration::from_millis(50);

/// Ships until it is told to end.
pub(super) fn run(shared: &Shared) {
    let mut state = shared.state();
    let mut flushed = Instant::now();
    while !state.ending {
        if flushed.elapsed() >= FLUSH {
            state = flush(shared, state);
            flushed = Instant::now();
        }
        let now = shared.options.pace.now();
        match choose(&state, now) {
            Some(name) => state = ship(shared, state, &name),
            None => state = wait(shared, state, now),
        }
    }
    state = flush(shared, state);
    state.running = false;
    shared.changed.notify_all();
}

/// Flushes what was appended, while callers go on.
fn flush<'s>(shared: &'s Shared, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
    let files: Vec<_> = state.lanes.values_mut().flat_map(Lane::take_dirty).collect();
    if files.is_empty() {
        return state;
    }
    drop(state);
    // The system tells of a failed flush once, and nothing more can be done about it here: what was
    // lost shows as a segment that ends too early, whose torn end is moved aside.
    files.iter().for_each(|file| drop(file.sync_data()));
    shared.state()
}

/// A project of which something is due: the one that waited longest.
fn choose(state: &State, now: Duration) -> Option<String> {
    if state.due > now {
        return None;
    }
    let due = state.lanes.iter().filter(|(_, lane)| lane.due <= now && !lane.is_empty());
    due.min_by_key(|(_, lane)| lane.due).map(|(name, _)| name.clone())
}

fn wait<'s>(
    shared: &'s Shared,
    state: MutexGuard<'s, State>,
    now: Duration,
) -> MutexGuard<'s, State> {
    let pace = shared.options.pace;
    let waiting = state.lanes.values().filter(|lane| !lane.is_empty());
    let next = waiting.map(|lane| lane.due.max(state.due)).min();
    let until = next.map_or(LONGEST, |due| due.saturating_sub(now));
    let dirty = state.lanes.values().any(Lane::is_dirty);
    let really = pace.really(until).max(Duration::from_millis(1));
    let really = if dirty { really.min(FLUSH) } else { really };
    let waited = shared.changed.wait_timeout(state, really);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// Sends the next batch of a project.
fn ship<'s>(
    shared: &'s Shared,
    mut state: MutexGuard<'s, State>,
    name: &str,
) -> MutexGuard<'s, State> {
    let now = shared.options.pace.now();
    let Some(lane) = state.lanes.get_mut(name) else { return state };
    let project = lane.project().clone();
    let batch = match lane.next() {
        Ok(Some(batch)) if !batch.lines.is_empty() => batch,
        Ok(_) => {
            lane.due = now + LONGEST;
            return state;
        }
        Err(error) => {
            put_off(lane, now, None);
            let reason = format!("the spool cannot be read: {error}");
            state.reason = Some(reason.clone());
            state.note(Notice::Held { project: name.to_owned(), reason });
            return state;
        }
    };
    drop(state);
    let lines: Vec<&[u8]> = batch.lines.iter().map(Vec::as_slice).collect();
    let received = shared.receiver.receive(&project, &lines);
    state = shared.state();
    match received {
        Ok(()) => {
            state.failures = 0;
            state.reason = None;
            if let Some(lane) = state.lanes.get_mut(name) {
                lane.note_shipped(&batch);
            }
        }
        Err(error) => take_refusal(shared, &mut state, name, &batch, &error),
    }
    shared.changed.notify_all();
    state
}

fn take_refusal(shared: &Shared, state: &mut State, name: &str, batch: &Batch, error: &Error) {
    let now = shared.options.pace.now();
    let reason = error.message().to_owned();
    let verdict = Verdict::of(error);
    if !matches!(verdict, Verdict::Never(_)) {
        state.reason = Some(reason.clone());
    }
    let project = name.to_owned();
    match verdict {
        Verdict::Unreachable { after } => {
            state.failures += 1;
            state.due = now + pause(state.failures).max(asked(after));
            state.note(Notice::Spooling { reason });
        }
        Verdict::Later { after } => {
            state.note(Notice::Held { project, reason });
            if let Some(lane) = state.lanes.get_mut(name) {
                put_off(lane, now, after);
            }
        }
        Verdict::Never(word) => {
            let Some(lane) = state.lanes.get_mut(name) else { return };
            match lane.note_refused(batch, word) {
                Ok(Refused::OneOfMany) => {}
                Ok(Refused::Record) => {
                    state.refused += 1;
                    state.note(Notice::Refused { project, reason });
                }
                Ok(Refused::Gap) => {
                    state.refused_gaps += 1;
                    state.note(Notice::RefusedGap { project, reason });
                }
                // It is not passed over before it is kept.
                Err(_) => put_off(lane, now, None),
            }
        }
    }
}

fn put_off(lane: &mut Lane, now: Duration, after: Option<Duration>) {
    lane.failures += 1;
    lane.due = now + pause(lane.failures).max(asked(after));
}

fn asked(after: Option<Duration>) -> Duration {
    after.unwrap_or_default().min(MOST_ASKED)
}

/// The wait after so many failures, between half of it and all, so that nodes do not call together.
fn pause(failures: u32) -> Duration {
    let whole = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let mut random = [0; 2];
    // Without randomness all of it is waited.
    let part = match getrandom::fill(&mut random) {
        Ok(()) => u32::from(u16::from_le_bytes(random)),
        Err(_) => u32::from(u16::MAX),
    };
    whole / 2 + (whole / 2) * part / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute() {
        for (failures, longest) in [(1, 500), (2, 1000), (4, 4000), (7, 30_000), (1000, 30_000)] {
            let longest = Duration::from_millis(longest);
            for _ in 0..100 {
                let pause = pause(failures);
                assert!(pause >= longest / 2 && pause <= longest, "{failures}: {pause:?}");
            }
        }
    }
}
