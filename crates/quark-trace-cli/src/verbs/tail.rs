//! `tail`: the last records, and with `-f` those that come.

use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use quark_trace::core::ledger::Digest;
use quark_trace::{ErrorKind, TraceLog};

use super::row::{RecordRow, each_record};
use crate::failure::Failure;
use crate::output::{FAINT, Output, STRONG};
use crate::target::{Access, Target};

const PAUSE: Duration = Duration::from_millis(200);
const PAYLOAD: usize = 2000;

pub fn run(words: &[String], follow: bool, lines: usize, output: &Output) -> Result<u8, Failure> {
    let target = Target::open(words, Access::Read, output)?;
    let log = if follow { target.log() } else { target.existing_log()? };
    let mut seen = Seen::default();
    let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
    let read = each_record(&log, 0, |index, line| {
        seen.is_new(index, line);
        if kept.len() == lines {
            kept.pop_front();
        }
        if lines > 0 {
            kept.push_back(line.to_vec());
        }
        ControlFlow::Continue(())
    });
    match read {
        // It may not have begun yet.
        Err(error) if follow && error.kind() == ErrorKind::NotFound => {}
        read => read?,
    }
    kept.iter().try_for_each(|line| show(line, output))?;
    if follow { follow_on(&log, seen, output) } else { Ok(0) }
}

/// How far a reader came. A line without an entry is shown once, also when it has one later.
#[derive(Debug, Default)]
struct Seen {
    /// Index of the next entry.
    next: u64,
    /// Lines that were shown before they had an entry.
    loose: HashSet<Digest>,
}

impl Seen {
    fn is_new(&mut self, index: Option<u64>, line: &[u8]) -> bool {
        let Some(index) = index else { return self.loose.insert(Digest::of(line)) };
        self.next = index + 1;
        self.loose.is_empty() || !self.loose.remove(&Digest::of(line))
    }
}

/// Shows what comes until nobody reads it any more.
fn follow_on(log: &TraceLog, mut seen: Seen, output: &Output) -> Result<u8, Failure> {
    let mut pause = PAUSE;
    loop {
        if !wait(pause) {
            return Err(Failure::BrokenPipe);
        }
        let began = Instant::now();
        let mut result = Ok(());
        let read = each_record(log, seen.next, |index, line| {
            if seen.is_new(index, line) {
                result = show(line, output);
            }
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => read?,
        }
        result?;
        // A long log takes a while to read, and must not keep a processor busy.
        pause = PAUSE.max(began.elapsed() * 10);
    }
}

/// Waits until it is time to look again; `false` when nobody reads the output any more, which no
/// write would tell as long as there is nothing to write.
#[cfg(unix)]
fn wait(pause: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let stdout = std::io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let told = pause.try_into().is_ok_and(|timeout| poll(&mut watched, Some(&timeout)).is_ok());
    let [stdout] = &watched;
    if told && stdout.revents().intersects(PollFlags::ERR | PollFlags::HUP) {
        return false;
    }
    // What cannot be watched answers at once.
    if !told || !stdout.revents().is_empty() {
        std::thread::sleep(pause);
    }
    true
}

#[cfg(not(unix))]
fn wait(pause: Duration) -> bool {
    std::thread::sleep(pause);
    true
}

fn show(line: &[u8], output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.stored(line);
    }
    let row = RecordRow::of(line, PAYLOAD);
    output.line(format!(
        "{FAINT}{}{FAINT:#} {STRONG}{}{STRONG:#} {}",
        row.time, row.stage, row.payload
    ))
}
