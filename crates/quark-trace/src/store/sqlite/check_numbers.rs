//! Whether the rows of `qt_number` are those that the records make.

use std::collections::{BTreeMap, BTreeSet};

use quark_trace_core::ledger::Entry;
use rusqlite::Connection;

use super::check::Told;
use super::columns::Columns;
use super::fault::Fault;
use super::statements as sql;
use super::sums::Sums;

/// Sums of the numbers that records have.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Entries before this one have rows.
    indexed: u64,
    expected: Sums,
}

impl Numbers {
    pub fn of_log(size: u64, indexed: u64) -> Self {
        Self { indexed, expected: Sums::of_log(size) }
    }

    /// Takes note of the numbers of an indexed record.
    pub fn expect(&mut self, index: u64, numbers: Option<&BTreeMap<String, f64>>) {
        for (path, value) in numbers.into_iter().flatten() {
            add(&mut self.expected, index, path, *value);
        }
    }

    /// Compares with what is stored.
    pub fn compare(
        &self,
        connection: &Connection,
        log_id: i64,
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        let mut stored = self.expected.of_none();
        each_row(connection, log_id, &mut |index, path, value| {
            add(&mut stored, index, path, value);
        })?;
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
        each_row(connection, log_id, &mut |index, path, value| {
            if self.expected.span(index) == span {
                rows.insert((index, path.to_owned(), value.to_bits()));
            }
        })?;
        let mut missing = BTreeSet::new();
        let entries = self.expected.entries(span, self.indexed);
        let mut statement = connection.prepare(sql::SPAN)?;
        let mut found = statement.query((log_id, entries.start as i64, entries.end as i64))?;
        while let Some(row) = found.next()? {
            let index = row.get::<_, i64>(0)? as u64;
            let line = row.get_ref(1)?.as_blob().unwrap_or_default();
            let object = row.get_ref(6)?.as_blob().unwrap_or_default();
            if !Entry::parse(line).is_ok_and(|entry| entry.kind.is_record()) {
                continue;
            }
            for (path, value) in Columns::of_record(object).numbers.unwrap_or_default() {
                let number = (index, path, value.to_bits());
                if !rows.remove(&number) {
                    missing.insert(index);
                }
            }
        }
        for index in missing {
            told.at(index, format!("a row of entry {index} in qt_number is missing or changed"));
        }
        for (index, ..) in rows {
            told.log(format!("a row in qt_number says of entry {index} what is not in it"));
        }
        Ok(())
    }
}

fn each_row(
    connection: &Connection,
    log_id: i64,
    each: &mut dyn FnMut(u64, &str, f64),
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::NUMBERS)?;
    let mut rows = statement.query([log_id])?;
    while let Some(row) = rows.next()? {
        let path = row.get_ref(0)?.as_str().unwrap_or("\0");
        each(row.get::<_, i64>(2)? as u64, path, row.get(1)?);
    }
    Ok(())
}

fn add(sums: &mut Sums, index: u64, path: &str, value: f64) {
    sums.add(index, &[&value.to_bits().to_be_bytes(), path.as_bytes()]);
}
