//! Whether the rows of `qt_record` are those that the records make.

use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::Rows;

use super::check::Told;
use super::check_numbers::Numbers;
use super::columns::Columns;
use super::fault::Fault;
use super::scan::StoredEntry;

/// Goes along with the rows of `qt_record`.
#[derive(Debug)]
pub(super) struct Records {
    /// Entries before this one have rows.
    indexed: i64,
    pub numbers: Numbers,
    /// The row that was read last.
    ahead: Option<DerivedRow>,
    at_end: bool,
}

#[derive(Debug)]
struct DerivedRow {
    index: i64,
    record_key: Option<Vec<u8>>,
    stage: Option<String>,
    at_us: Option<i64>,
    numbers: Option<i64>,
}

impl Records {
    pub fn of_log(size: u64, indexed: u64) -> Self {
        let numbers = Numbers::of_log(size, indexed);
        let indexed = i64::try_from(indexed).unwrap_or(i64::MAX);
        Self { indexed, numbers, ahead: None, at_end: false }
    }

    /// The next row, left where it is.
    fn peek(&mut self, rows: &mut Rows<'_>) -> Result<Option<&DerivedRow>, Fault> {
        if self.ahead.is_none() && !self.at_end {
            let Some(row) = rows.next()? else {
                self.at_end = true;
                return Ok(None);
            };
            self.ahead = Some(DerivedRow {
                index: row.get(0)?,
                record_key: row.get(1)?,
                stage: row.get(2)?,
                at_us: row.get(3)?,
                numbers: row.get(4)?,
            });
        }
        Ok(self.ahead.as_ref())
    }

    /// Compares the row of `qt_record`; gives what was derived for that.
    pub fn compare(
        &mut self,
        stored: &StoredEntry<'_>,
        entry: Option<&Entry<'_>>,
        records: &mut Rows<'_>,
        told: &mut Told<'_, '_>,
    ) -> Result<Option<Columns>, Fault> {
        let index = stored.index as i64;
        while let Some(stray) = self.peek(records)?.filter(|row| row.index < index) {
            told.log(format!("the row of entry {} in qt_record belongs to no entry", stray.index));
            self.ahead = None;
        }
        let row = match self.peek(records)? {
            Some(row) if row.index == index => self.ahead.take(),
            _ => None,
        };
        let expected = entry.is_some_and(|entry| entry.kind.is_record()) && index < self.indexed;
        let Some(row) = row else {
            if expected {
                told.at(stored.index, format!("the row of entry {index} in qt_record is missing"));
            }
            return Ok(None);
        };
        if !expected {
            let what = "a row of qt_record is there that says something of no indexed record";
            told.at(stored.index, what);
            return Ok(None);
        }
        // An object that was changed is a finding of its own.
        let object = stored.own_object(entry).unwrap_or_default();
        if entry.is_none_or(|entry| Digest::of(object) != entry.object) {
            return Ok(None);
        }
        let derived = Columns::of_record(object);
        self.numbers.expect(stored.index, derived.numbers.as_ref());
        let key = derived.record_key.as_ref().map(|key| key.0.to_vec());
        let numbers = derived.numbers.as_ref().map(|numbers| numbers.len() as i64);
        for (column, fits) in [
            ("record_key", row.record_key == key),
            ("stage", row.stage == derived.stage),
            ("at_us", row.at_us == derived.at_us),
            ("numbers", row.numbers == numbers),
        ] {
            if !fits {
                let what =
                    format!("the column {column} in qt_record says otherwise than the record");
                told.at(stored.index, what);
            }
        }
        Ok(Some(derived))
    }

    /// Tells of rows behind the last entry.
    pub fn finish(&mut self, rows: &mut Rows<'_>, told: &mut Told<'_, '_>) -> Result<(), Fault> {
        while let Some(stray) = self.peek(rows)? {
            told.log(format!("the row of entry {} in qt_record belongs to no entry", stray.index));
            self.ahead = None;
        }
        Ok(())
    }
}
