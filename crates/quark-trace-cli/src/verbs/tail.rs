//! `tail`: the last records, and with `-f` those that come.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use quark_trace::TraceLog;

use super::row::RecordRow;
use crate::failure::Failure;
use crate::output::{FAINT, Output, STRONG};
use crate::target::{Access, Target};

const PAUSE: Duration = Duration::from_millis(200);
const PAYLOAD: usize = 2000;

pub fn run(words: &[String], follow: bool, lines: usize, output: &Output) -> Result<u8, Failure> {
    let target = Target::open(words, Access::Read, output)?;
    let log = if follow { target.log() } else { target.existing_log()? };
    let mut seen = 0u64;
    let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
    log.each_line(|line, _| {
        seen += 1;
        if kept.len() == lines {
            kept.pop_front();
        }
        if lines > 0 {
            kept.push_back(line.to_vec());
        }
        ControlFlow::Continue(())
    })?;
    kept.iter().try_for_each(|line| show(line, output))?;
    if follow { follow_on(&log, seen, output) } else { Ok(0) }
}

/// Shows what comes until nobody reads it any more.
fn follow_on(log: &TraceLog, mut seen: u64, output: &Output) -> Result<u8, Failure> {
    loop {
        std::thread::sleep(PAUSE);
        let mut at = 0;
        let mut result = Ok(());
        log.each_line(|line, _| {
            at += 1;
            if at > seen {
                result = show(line, output);
            }
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        result?;
        seen = seen.max(at);
    }
}

fn show(line: &[u8], output: &Output) -> Result<(), Failure> {
    if output.json {
        output.bytes(line)?;
        return output.bytes(b"\n");
    }
    let row = RecordRow::of(line, PAYLOAD);
    output.line(format!(
        "{FAINT}{}{FAINT:#} {STRONG}{}{STRONG:#} {}",
        row.time, row.stage, row.payload
    ))
}
