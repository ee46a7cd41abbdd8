//! Where a reader of records came to, so that whoever asks for what follows begins there and not at
//! the first record again. It is kept in memory and belongs to one store.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::folder::{self, Names};
use super::pairs::Pairs;
use crate::error::Result;
use crate::store::{Plan, Select};

/// A place between two entries, in both files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Index behind the last record before it.
    pub after: u64,
    /// Index of the next entry.
    index: u64,
    /// Offset of its line in the ledger.
    ledger: u64,
    /// Offset of the next line of the records, and how many come before it.
    records: u64,
    lines: u64,
}

impl Mark {
    /// The place behind what was read; `None` when something unfinished stands there.
    pub fn behind(pairs: &Pairs, names: &Names, after: u64) -> Option<Self> {
        let records = pairs.records.as_ref().map_or(0, |records| records.offset());
        let lines = pairs.records.as_ref().map_or(0, |records| records.number());
        let (index, ledger) = (pairs.index(), pairs.ledger.offset());
        Some(Self { after, index, ledger, records, lines }).filter(|mark| mark.is_in(names))
    }

    /// Whether reading can begin here for this plan.
    pub fn serves(&self, plan: &Plan<'_>, names: &Names) -> bool {
        plan.select == Select::Records && plan.from >= self.after && self.is_in(names)
    }

    pub fn open(&self, names: &Names) -> Result<Pairs> {
        let mut pairs = Pairs::open_at(names, self.index, self.ledger, self.records)?;
        if let Some(records) = &mut pairs.records {
            records.count_from(self.lines);
        }
        Ok(pairs)
    }

    /// Whether lines end there in both files; else they are not what was read.
    fn is_in(&self, names: &Names) -> bool {
        ends_line(&names.ledger(), self.ledger) && ends_line(&names.records, self.records)
    }
}

/// Whether a line ends at this offset of a file.
pub(super) fn ends_line(path: &Path, offset: u64) -> bool {
    let Some(before) = offset.checked_sub(1) else { return true };
    let read = || {
        let mut file = folder::open_read(path)?;
        file.seek(SeekFrom::Start(before))?;
        let mut byte = [0];
        file.read_exact(&mut byte).map(|()| byte)
    };
    read().is_ok_and(|byte| byte == *b"\n")
}
