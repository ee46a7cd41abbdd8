//! Keeping a commit of several entries whole when the process is killed while it writes.
//!
//! Records and ledger are two files, and the system may stop a large write in its middle. So the
//! ledger lines of a batch are put down in `batch` first; whoever opens the log next finds out from
//! it whether all of the batch is there, and then finishes it, or not, and then moves it aside.
//!
//! This holds for the death of a process. A power cut does not keep the order of writes, and may
//! leave the beginning of a batch that was never acknowledged.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use quark_trace_core::ledger::{Digest, Entry};

use super::folder::{self, Names};
use super::pairs;
use super::pending::Pending;
use super::state::State;
use super::writer::Writer;
use crate::error::{Error, Result};

const FORMAT: &str = "quark-trace-batch/1";

/// What a batch is about to write, and where.
#[derive(Debug)]
struct Plan {
    ledger_start: u64,
    records_start: u64,
    lines: Vec<u8>,
}

impl Plan {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = split_line(bytes)?;
        let fields: Vec<&str> = std::str::from_utf8(head).ok()?.split(' ').collect();
        let [FORMAT, ledger, records, length, digest] = fields[..] else { return None };
        let lines = rest.get(..length.parse().ok()?)?;
        // A plan that was not written to its end is no plan: nothing of the batch was written then.
        let sound = Digest::of(lines).to_string() == digest;
        let (ledger_start, records_start) = (ledger.parse().ok()?, records.parse().ok()?);
        sound.then(|| Self { ledger_start, records_start, lines: lines.to_vec() })
    }

    /// The digests of the batch's records, in their order.
    fn records(&self) -> impl Iterator<Item = Digest> {
        let lines = self.lines.split(|&byte| byte == b'\n');
        let entries = lines.filter_map(|line| Entry::parse(line).ok());
        entries.filter(|entry| entry.kind.is_record()).map(|entry| entry.object)
    }
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'\n', bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// Puts down what is about to be written behind `at`.
pub(super) fn plan(mut file: &File, at: &State, pending: &Pending) -> io::Result<()> {
    let lines = &pending.ledger;
    let mut text = format!(
        "{FORMAT} {} {} {} {}\n",
        at.ledger_end,
        at.records_end,
        lines.len(),
        Digest::of(lines)
    )
    .into_bytes();
    text.extend_from_slice(lines);
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)
}

/// What the records have of a planned batch.
#[derive(PartialEq, Eq)]
enum Found {
    /// Nothing, or something else.
    Nothing,
    Part,
    Whole,
}

impl Writer {
    /// Finishes the batch that a killed process left, or moves what there is of it aside.
    pub fn mend_batch(&self) -> Result<()> {
        let bytes = folder::read_if_there(&self.names.batch()).map_err(|error| self.io(error))?;
        let Some(plan) = bytes.as_deref().and_then(Plan::parse) else { return Ok(()) };
        let ledger = self.length(&self.names.ledger())?;
        let written = ledger.checked_sub(plan.ledger_start).map(|written| written as usize);
        let Some(written) = written.filter(|written| *written < plan.lines.len()) else {
            return Ok(());
        };
        let tail = tail(&self.names, plan.ledger_start).map_err(|error| self.io(error))?;
        if tail != plan.lines[..written] {
            return Ok(());
        }
        // The ledger is written after all records, so that a part of these with entries behind it
        // is another's: the records of a batch that failed, appended again one by one.
        match self.found(&plan, written)? {
            Found::Whole => self.finish_batch(&plan.lines[written..]),
            Found::Part if written == 0 => {
                self.cut_off(&self.names.records, plan.records_start, "records")
            }
            _ => Ok(()),
        }
    }

    fn found(&self, plan: &Plan, written: usize) -> Result<Found> {
        let opened = pairs::open_lines(&self.names.records, plan.records_start, false)?;
        let Some(mut lines) = opened else { return Ok(Found::Nothing) };
        let mut found = if written > 0 { Found::Part } else { Found::Nothing };
        for digest in plan.records() {
            let Some(line) = lines.next_filled().map_err(|error| self.io(error))? else {
                return Ok(found);
            };
            if !line.whole {
                return Ok(found);
            }
            if Digest::of(line.bytes) != digest {
                return Ok(Found::Nothing);
            }
            found = Found::Part;
        }
        Ok(if found == Found::Nothing { found } else { Found::Whole })
    }

    fn finish_batch(&self, rest: &[u8]) -> Result<()> {
        let path = self.names.ledger();
        let write = || folder::open_append(&path)?.write_all(rest);
        write().map_err(|error| Error::io("finish a batch", path.display().to_string(), error))
    }
}

/// The bytes of the ledger from `start` on.
fn tail(names: &Names, start: u64) -> io::Result<Vec<u8>> {
    let mut file = folder::open_read(&names.ledger())?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
