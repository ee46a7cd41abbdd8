//! Whether the rows of `qt_id` are those that the records make.

use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::{Connection, OptionalExtension};

use super::check::Told;
use super::columns::{NO_KEY, key_of, short};
use super::edge::WIDTH;
use super::fault::Fault;
use super::scan::StoredEntry;
use super::statements as sql;
use crate::store::sieve::ShortKey;

/// Goes along with the entries, 256 at a time.
#[derive(Debug)]
pub(super) struct RowsOfIds {
    size: u64,
    /// Entries before this one have rows.
    identified: u64,
    /// The entries since the last row, with what it should have of them; `None` where the record was
    /// changed, which is a finding of its own.
    open: Vec<(u64, Option<ShortKey>)>,
}

impl RowsOfIds {
    pub fn of_log(size: u64, identified: u64) -> Self {
        Self { size, identified, open: Vec::new() }
    }

    /// Takes an entry, and the key of its id if it is known already; compares a row when it is the
    /// last of it.
    pub fn entry(
        &mut self,
        connection: &Connection,
        log_id: i64,
        stored: &StoredEntry<'_>,
        (entry, key): (Option<&Entry<'_>>, Option<Digest>),
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        if stored.index >= self.identified {
            return Ok(());
        }
        let key = key.map(|key| short(&key)).or_else(|| expected(stored, entry?));
        self.open.push((stored.index, key));
        if stored.index % WIDTH == WIDTH - 1 {
            self.compare(connection, log_id, stored.index / WIDTH, told)?;
        }
        Ok(())
    }

    fn compare(
        &mut self,
        connection: &Connection,
        log_id: i64,
        n: u64,
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        let mut statement = connection.prepare_cached(sql::IDS)?;
        let row = statement.query_row((log_id, n as i64, n as i64 + 1), |row| row.get(1));
        let row: Vec<u8> = row.optional()?.unwrap_or_default();
        let (keys, _) = row.as_chunks::<8>();
        let is_whole = row.len() as u64 == WIDTH * 8;
        for (index, expected) in self.open.drain(..) {
            let found = keys.get((index % WIDTH) as usize).filter(|_| is_whole);
            if expected.is_some_and(|expected| found != Some(&expected)) {
                told.at(index, format!("what qt_id has of entry {index} is missing or changed"));
                break;
            }
        }
        self.open.clear();
        Ok(())
    }

    /// Tells of rows behind the last entry that has one.
    pub fn finish(
        &self,
        connection: &Connection,
        log_id: i64,
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        if self.identified > self.size || !self.identified.is_multiple_of(WIDTH) {
            told.log("the column identified in qt_log is outside the log");
        }
        let mut statement = connection.prepare(sql::STRAY_IDS)?;
        let mut rows = statement.query((log_id, self.identified.div_ceil(WIDTH) as i64))?;
        while let Some(row) = rows.next()? {
            let n: i64 = row.get(0)?;
            told.log(format!("row {n} of the log in qt_id belongs to no entries"));
        }
        Ok(())
    }
}

fn expected(stored: &StoredEntry<'_>, entry: &Entry<'_>) -> Option<ShortKey> {
    if !entry.kind.is_record() {
        return Some(NO_KEY);
    }
    let own = stored.own_object(Some(entry)).filter(|own| Digest::of(own) == entry.object)?;
    Some(key_of(own).as_ref().map_or(NO_KEY, short))
}
