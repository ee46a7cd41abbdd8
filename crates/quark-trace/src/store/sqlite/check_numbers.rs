//! Whether the rows of `qt_number` are those that the records make, in bounded memory: sums of
//! hashes over spans of entries, and only where these differ the rows themselves.

use std::collections::{BTreeMap, BTreeSet};

use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::Connection;

use super::check::Told;
use super::columns::Columns;
use super::fault::Fault;
use super::statements as sql;

const SPANS: u64 = 1024;

/// Sums of the numbers that records have, and of those that are stored, by span of entries.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Entries in a span.
    width: u64,
    /// Entries before this one have rows.
    indexed: u64,
    expected: Vec<u128>,
}

impl Numbers {
    pub fn of_log(size: u64, indexed: u64) -> Self {
        let width = size.div_ceil(SPANS).max(1);
        Self { width, indexed, expected: vec![0; SPANS as usize] }
    }

    /// Takes note of the numbers of an indexed record.
    pub fn expect(&mut self, index: u64, numbers: Option<&BTreeMap<String, f64>>) {
        let span = self.span(index);
        for (path, value) in numbers.into_iter().flatten() {
            self.expected[span] = self.expected[span].wrapping_add(hash(index, path, *value));
        }
    }

    /// The last span takes what lies behind the end of the log.
    fn span(&self, index: u64) -> usize {
        (index / self.width).min(SPANS - 1) as usize
    }

    /// Compares with what is stored.
    pub fn compare(
        &self,
        connection: &Connection,
        log_id: i64,
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        let mut stored = vec![0_u128; SPANS as usize];
        each_row(connection, log_id, &mut |index, path, value| {
            let span = self.span(index);
            stored[span] = stored[span].wrapping_add(hash(index, path, value));
        })?;
        let differing: BTreeSet<usize> =
            (0..stored.len()).filter(|span| stored[*span] != self.expected[*span]).collect();
        // A few are enough to know where.
        for span in differing.into_iter().take(4) {
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
            if self.span(index) == span {
                rows.insert((index, path.to_owned(), value.to_bits()));
            }
        })?;
        let mut missing = BTreeSet::new();
        let from = span as u64 * self.width;
        let mut entries = connection.prepare(sql::SPAN)?;
        let end = i64::try_from((from + self.width).min(self.indexed)).unwrap_or(i64::MAX);
        let mut found = entries.query((log_id, from as i64, end))?;
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

fn hash(index: u64, path: &str, value: f64) -> u128 {
    let mut bytes = Vec::with_capacity(16 + path.len());
    bytes.extend_from_slice(&index.to_be_bytes());
    bytes.extend_from_slice(&value.to_bits().to_be_bytes());
    bytes.extend_from_slice(path.as_bytes());
    let digest = Digest::of(&bytes).0;
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(first)
}
