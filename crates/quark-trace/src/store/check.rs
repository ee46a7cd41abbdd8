//! What no ledger could hold is refused by every store in the same way, before anything is written.

use quark_trace_core::ledger::{Entry, Kind, entry};
use quark_trace_core::record::RECORD_LIMIT;

use super::{Commit, NewEntry};
use crate::error::{Error, ErrorKind, Outcome, Result};

const OPERATION: &str = "append to the log";

impl Commit<'_> {
    /// Refuses objects over the limit, records that are not one filled line, a second header, and
    /// kinds and attributes outside the grammar. Every store calls it first.
    pub fn check(&self) -> Result<()> {
        self.entries.iter().try_for_each(check)
    }
}

fn check(new: &NewEntry<'_>) -> Result<()> {
    if new.object.len() > RECORD_LIMIT {
        let size = new.object.len();
        let message = format!(
            "it is {size} bytes, the limit is {RECORD_LIMIT}; log a digest or a path instead"
        );
        return refuse(ErrorKind::TooLarge, message);
    }
    if new.kind.is_record() && !is_one_line(new.object) {
        let message = "a record is one line that is not blank, without CR and LF";
        return refuse(ErrorKind::InvalidInput, message);
    }
    if new.kind == Kind::Log {
        return refuse(ErrorKind::InvalidInput, "the store writes the header itself");
    }
    if new.attributes.is_empty() && !matches!(new.kind, Kind::Other(_)) {
        return Ok(());
    }
    let mut line = Vec::new();
    entry::write(&mut line, new.kind, new.digest);
    line.extend_from_slice(new.attributes.as_bytes());
    match Entry::parse(&line) {
        Ok(entry) if entry.kind == new.kind => Ok(()),
        // A word that is known, given as one that is not, would be read as something else.
        Ok(_) => refuse(ErrorKind::InvalidInput, "its kind is not what its word means"),
        Err(fault) => refuse(ErrorKind::InvalidInput, format!("its entry is {fault}")),
    }
}

fn refuse(kind: ErrorKind, message: impl Into<String>) -> Result<()> {
    Err(Error::new(kind, OPERATION, message).with_outcome(Outcome::NotWritten))
}

fn is_one_line(object: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', object).is_none() && !is_blank(object)
}

/// Whether the original would have passed over a line: nothing but white space.
pub(super) fn is_blank(line: &[u8]) -> bool {
    if line.first().is_some_and(u8::is_ascii_graphic) {
        return false;
    }
    std::str::from_utf8(line).is_ok_and(|text| text.chars().all(is_python_space))
}

/// White space as Python's `str.strip` has it.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}
