//! The ledger and the records read side by side: each entry with the line it should be about.

use quark_trace_core::ledger::Entry;

use super::folder::{self, Names};
use super::lines::{Line, Lines};
use crate::error::{Error, Result};

const OPERATION: &str = "read the log";

/// One whole line of the ledger, and for a record the next line of the records.
pub(super) struct Pair<'a> {
    pub index: u64,
    /// The ledger's line.
    pub line: &'a [u8],
    /// The line read as an entry; `None` when it is none, or nobody asked for it.
    pub entry: Option<Entry<'a>>,
    /// The record line; `None` when the kind has none or the records are at their end.
    pub record: Option<Line<'a>>,
}

/// Reads pairs; what is left behind the last one stays in `ledger` and `records`.
pub(super) struct Pairs {
    pub ledger: Lines,
    pub records: Option<Lines>,
    /// Length of the ledger when reading began.
    pub limit: u64,
    index: u64,
    /// Whether entries about records are left unread.
    pub skim: bool,
}

impl Pairs {
    /// From the first entry. A missing file counts as empty.
    ///
    /// The ledger is read up to the length it has now, and the records are opened after that: what
    /// another process appends meanwhile cannot be seen as an entry without its line.
    pub fn open(names: &Names) -> Result<Self> {
        Self::open_at(names, 0, 0, 0)
    }

    /// As [`Pairs::open`], up to an earlier length of the ledger.
    pub fn open_until(names: &Names, limit: u64) -> Result<Self> {
        let mut pairs = Self::open(names)?;
        pairs.limit = pairs.limit.min(limit);
        pairs.ledger.limit(pairs.limit);
        Ok(pairs)
    }

    /// From an entry whose place in both files is known.
    pub fn open_at(names: &Names, index: u64, ledger: u64, records: u64) -> Result<Self> {
        let mut pairs = Self::open_ledger(names, index, ledger)?;
        pairs.records = open_lines(&names.records, records, false)?;
        Ok(pairs)
    }

    /// The ledger alone, from an entry whose place is known.
    pub fn open_ledger(names: &Names, index: u64, ledger: u64) -> Result<Self> {
        let path = names.ledger();
        let file = folder::open_read(&path)
            .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
        let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
        let limit = file.metadata().map_err(wrap)?.len();
        let mut ledger = Lines::strict(file, ledger).map_err(wrap)?;
        ledger.limit(limit);
        Ok(Self { ledger, records: None, limit, index, skim: false })
    }

    /// Index of the next entry.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Index and line of the next entry about a record, whose line nobody reads here; `None` at the
    /// end.
    pub fn next_record(&mut self) -> Result<Option<(u64, &[u8])>> {
        let wrap = |error| Error::io(OPERATION, "reading", error);
        // Found first and lent then, because a loop cannot lend.
        loop {
            let Some(line) = self.ledger.next_filled().map_err(wrap)?.filter(|line| line.whole)
            else {
                return Ok(None);
            };
            let is_record = is_record_word(line.bytes)
                || Entry::parse(line.bytes).is_ok_and(|entry| entry.kind.is_record());
            self.index += 1;
            if is_record {
                break;
            }
        }
        Ok(Some((self.index - 1, self.ledger.last())))
    }

    /// Passes over that many entries about records; whether there were so many.
    pub fn pass_over_records(&mut self, count: u64) -> Result<bool> {
        for _ in 0..count {
            if self.next_record()?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Index and line of the next entry, its record left alone; `None` at the end.
    pub fn next_entry(&mut self) -> Result<Option<(u64, &[u8])>> {
        let wrap = |error| Error::io(OPERATION, "reading", error);
        let Some(line) = self.ledger.next_filled().map_err(wrap)?.filter(|line| line.whole) else {
            return Ok(None);
        };
        self.index += 1;
        Ok(Some((self.index - 1, line.bytes)))
    }

    /// The next pair; `None` at the end or before a ledger line without LF.
    pub fn next_pair(&mut self) -> Result<Option<Pair<'_>>> {
        let wrap = |error| Error::io(OPERATION, "reading", error);
        let Some(line) = self.ledger.next_filled().map_err(wrap)?.filter(|line| line.whole) else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        // A reader of records alone needs no digests, and reading those costs most.
        let record_word = is_record_word(line.bytes);
        let entry = match self.skim && record_word {
            true => None,
            false => Entry::parse(line.bytes).ok(),
        };
        let is_record = entry.map_or(self.skim && record_word, |entry| entry.kind.is_record());
        let record = match &mut self.records {
            Some(records) if is_record => records.next_filled().map_err(wrap)?,
            _ => None,
        };
        Ok(Some(Pair { index, line: line.bytes, entry, record }))
    }
}

fn is_record_word(line: &[u8]) -> bool {
    line.starts_with(b"record ") || line.starts_with(b"record-adopted ")
}

/// Lines of a file from an offset; `None` when there is no file.
pub(super) fn open_lines(
    path: &std::path::Path,
    offset: u64,
    strict: bool,
) -> Result<Option<Lines>> {
    let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
    let file = match folder::open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrap(error)),
    };
    let lines = if strict { Lines::strict(file, offset) } else { Lines::new(file, offset) };
    lines.map(Some).map_err(wrap)
}
