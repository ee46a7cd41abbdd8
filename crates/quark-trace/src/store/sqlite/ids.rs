//! Which record ids a log has, for records whose id the caller chose.
//!
//! `qt_id` knows the records before `qt_log.identified`, by the first eight bytes of a digest of
//! their id. Keys are random, so that each would change a page of its own if it were put there with
//! its record: many are put there together, in their order. Those behind are kept in memory, and
//! read from the records themselves where somebody else wrote them.

use std::collections::HashMap;

use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::{CachedStatement, Connection};

use super::columns::{ShortKey, key_of, short};
use super::fault::Fault;
use super::pending::PendingEntry;
use super::statements as sql;
use crate::error::ErrorKind;

/// Ids that are kept although the index has them by now.
const KEPT: usize = 8192;

/// How many entries of a log of this size may be behind the index, and how many are put there in one
/// transaction: a part of all, since the more there are the more pages of the index are changed.
pub(super) fn most_behind(size: u64) -> u64 {
    (size / 16).clamp(4096, 64 * 1024)
}

/// Index and digest of a record.
type Known = (u64, Digest);

/// The ids of the records at the end of a log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    ids: HashMap<ShortKey, u64>,
    /// Records whose key is that of an earlier one: the id came again, or another has its key.
    again: Vec<(ShortKey, u64)>,
    from: u64,
    to: u64,
}

/// What a commit means for the ids of the log.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Records that are there already: place in the commit, index in the log.
    pub existing: Vec<(usize, u64)>,
    /// Places of the entries that are new.
    pub fresh: Vec<usize>,
}

impl Tail {
    /// Decides which entries of a commit are new; `size` is the index of the first that is.
    pub fn admit(
        &mut self,
        connection: &Connection,
        log_id: i64,
        entries: &[PendingEntry<'_>],
        identified: u64,
        size: u64,
    ) -> Result<Admission, Fault> {
        let mut admission = Admission::default();
        if entries.iter().all(|entry| entry.once.is_none()) {
            admission.fresh.extend(0..entries.len());
            return Ok(admission);
        }
        self.read_on(connection, log_id, identified, size)?;
        let mut seen: HashMap<Digest, Known> = HashMap::with_capacity(entries.len());
        let mut by_key = connection.prepare_cached(sql::BY_KEY)?;
        for (place, entry) in entries.iter().enumerate() {
            let known = match entry.once {
                None => None,
                Some(key) => match seen.get(&key) {
                    Some(known) => Some(*known),
                    None => self.find(connection, &mut by_key, log_id, key)?,
                },
            };
            match known {
                Some((index, digest)) if digest == entry.digest => {
                    admission.existing.push((place, index));
                }
                Some((index, _)) => {
                    let message = format!(
                        "entry {index} has the same record id with other content; give the new \
                         record its own id"
                    );
                    return Err(Fault::new(ErrorKind::RecordConflict, message));
                }
                None => {
                    let index = size.max(1) + admission.fresh.len() as u64;
                    seen.extend(entry.once.map(|key| (key, (index, entry.digest))));
                    admission.fresh.push(place);
                }
            }
        }
        Ok(admission)
    }

    /// Takes note of entries that were written behind `size`, if all their ids are known.
    pub fn note(&mut self, size: u64, written: &[&PendingEntry<'_>]) {
        let known = |entry: &&PendingEntry<'_>| entry.once.is_some() || !entry.is_record;
        if self.to != size || !written.iter().all(known) {
            return;
        }
        for entry in written {
            if let Some(key) = entry.once {
                self.keep(short(&key), self.to);
            }
            self.to += 1;
        }
    }

    /// Puts the ids of the oldest entries behind the index into it, of as many as are put there at
    /// once.
    pub fn put(
        &mut self,
        connection: &Connection,
        log_id: i64,
        identified: u64,
        size: u64,
    ) -> Result<(), Fault> {
        let until = size.min(identified + most_behind(size));
        self.read_on(connection, log_id, identified, until)?;
        let ids = self.ids.iter().map(|(key, index)| (*key, *index));
        let is_due = |(_, index): &(ShortKey, u64)| (identified..until).contains(index);
        let mut due: Vec<_> = ids.chain(self.again.iter().copied()).filter(is_due).collect();
        due.sort_unstable();
        let mut insert = connection.prepare_cached(sql::INSERT_ID)?;
        for (key, index) in due {
            insert.execute((log_id, &key[..], index as i64))?;
        }
        connection.prepare_cached(sql::IDENTIFIED)?.execute((log_id, until as i64))?;
        Ok(())
    }

    fn keep(&mut self, key: ShortKey, index: u64) {
        match self.ids.entry(key) {
            std::collections::hash_map::Entry::Occupied(_) => self.again.push((key, index)),
            std::collections::hash_map::Entry::Vacant(free) => drop(free.insert(index)),
        }
    }

    /// The first record that has an id, found by its key.
    fn find(
        &self,
        connection: &Connection,
        by_key: &mut CachedStatement<'_>,
        log_id: i64,
        key: Digest,
    ) -> Result<Option<Known>, Fault> {
        let short = short(&key);
        let mut indexes = Vec::new();
        let mut rows = by_key.query((log_id, &short[..], -1))?;
        while let Some(row) = rows.next()? {
            indexes.push(row.get::<_, i64>(0)?);
        }
        if let Some(index) = self.ids.get(&short) {
            indexes.push(*index as i64);
            let again = self.again.iter().filter(|(other, _)| *other == short);
            indexes.extend(again.map(|(_, index)| *index as i64));
        }
        for index in indexes {
            if let Some(known) = has_id(connection, log_id, index, key)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// Reads the records before `until` that came since and are not in the index.
    pub fn read_on(
        &mut self,
        connection: &Connection,
        log_id: i64,
        identified: u64,
        until: u64,
    ) -> Result<(), Fault> {
        if self.to < identified || self.from > identified {
            *self = Self { from: identified, to: identified, ..Self::default() };
        }
        if self.ids.len() > KEPT && self.from < identified {
            self.ids.retain(|_, index| *index >= identified);
            self.again.retain(|(_, index)| *index >= identified);
            self.from = identified;
        }
        if self.to >= until {
            return Ok(());
        }
        let mut statement = connection.prepare_cached(sql::SPAN)?;
        let mut rows = statement.query((log_id, self.to as i64, until as i64))?;
        while let Some(row) = rows.next()? {
            let index: i64 = row.get(0)?;
            let entry = row.get_ref(1)?.as_blob().ok().and_then(|line| Entry::parse(line).ok());
            let object = row.get_ref(6)?.as_blob().ok();
            if entry.is_some_and(|entry| entry.kind.is_record())
                && let Some(key) = object.and_then(key_of)
            {
                self.keep(short(&key), index as u64);
            }
        }
        self.to = until;
        Ok(())
    }
}

/// Whether the record at an index has the id of this key, asked of the record itself. One whose
/// bytes are gone or changed is taken to have it: nobody can tell.
fn has_id(
    connection: &Connection,
    log_id: i64,
    index: i64,
    key: Digest,
) -> Result<Option<Known>, Fault> {
    let mut statement = connection.prepare_cached(sql::SPAN)?;
    let mut rows = statement.query((log_id, index, index.saturating_add(1)))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let line = row.get_ref(1)?.as_blob().unwrap_or_default();
    let entry = Entry::parse(line)
        .map_err(|_| Fault::corrupted(&format!("entry {index} cannot be read")))?;
    let own = row.get_ref(6)?.as_blob().ok().filter(|object| Digest::of(object) == entry.object);
    let is_other = own.is_some_and(|object| key_of(object) != Some(key));
    let is_it = entry.kind.is_record() && !is_other;
    Ok(is_it.then_some((index as u64, entry.object)))
}
