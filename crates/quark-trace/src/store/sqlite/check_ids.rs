//! Whether the rows of `qt_id` are those that the records make.

use std::collections::BTreeSet;

use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::Connection;

use super::check::Told;
use super::columns::{key_of, short};
use super::fault::Fault;
use super::scan::StoredEntry;
use super::statements as sql;
use super::sums::Sums;

/// Sums of the ids that records have.
#[derive(Debug)]
pub(super) struct Ids {
    size: u64,
    /// Entries before this one have rows.
    identified: u64,
    expected: Sums,
}

impl Ids {
    pub fn of_log(size: u64, identified: u64) -> Self {
        Self { size, identified, expected: Sums::of_log(size) }
    }

    /// Takes note of the id of a record, whose key is given if it is known already.
    pub fn expect(
        &mut self,
        stored: &StoredEntry<'_>,
        entry: Option<&Entry<'_>>,
        key: Option<Digest>,
    ) {
        let is_record = |entry: &&Entry<'_>| entry.kind.is_record();
        let Some(entry) = entry.filter(is_record).filter(|_| stored.index < self.identified) else {
            return;
        };
        // An object that was changed is a finding of its own.
        let own = || stored.own_object(Some(entry)).filter(|own| Digest::of(own) == entry.object);
        if let Some(key) = key.or_else(|| key_of(own()?)) {
            self.expected.add(stored.index, &[&short(&key)]);
        }
    }

    /// Compares with what is stored.
    pub fn compare(
        &self,
        connection: &Connection,
        log_id: i64,
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        if self.identified > self.size {
            told.log("the column identified in qt_log is outside the log");
        }
        let mut stored = self.expected.of_none();
        each_row(connection, log_id, &mut |index, key| stored.add(index, &[key]))?;
        for span in self.expected.differing(&stored) {
            self.locate(connection, log_id, span, told)?;
        }
        Ok(())
    }

    fn locate(
        &self,
        connection: &Connection,
        log_id: i64,
        span: usize,
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        let mut rows = BTreeSet::new();
        each_row(connection, log_id, &mut |index, key| {
            if self.expected.span(index) == span {
                rows.insert((index, key.to_vec()));
            }
        })?;
        let entries = self.expected.entries(span, self.identified);
        let mut statement = connection.prepare(sql::SPAN)?;
        let mut found = statement.query((log_id, entries.start as i64, entries.end as i64))?;
        while let Some(row) = found.next()? {
            let index = row.get::<_, i64>(0)? as u64;
            let line = row.get_ref(1)?.as_blob().unwrap_or_default();
            if !Entry::parse(line).is_ok_and(|entry| entry.kind.is_record()) {
                continue;
            }
            let key = row.get_ref(6)?.as_blob().ok().and_then(key_of);
            if key.is_some_and(|key| !rows.remove(&(index, short(&key).to_vec()))) {
                told.at(index, format!("the row of entry {index} in qt_id is missing or changed"));
            }
        }
        for (index, _) in rows {
            told.log(format!("a row in qt_id says of entry {index} what is not in it"));
        }
        Ok(())
    }
}

fn each_row(
    connection: &Connection,
    log_id: i64,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::IDS)?;
    let mut rows = statement.query([log_id])?;
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_blob().unwrap_or_default();
        each(row.get::<_, i64>(1)? as u64, key);
    }
    Ok(())
}
