//! Which record ids a log has, for records whose id the caller chose.
//!
//! The index knows the records before `qt_log.indexed`. The few behind it are read here, each once.

use std::collections::HashMap;

use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::{Connection, OptionalExtension};

use super::columns::key_of;
use super::fault::Fault;
use super::pending::PendingEntry;
use super::statements as sql;
use crate::error::ErrorKind;

/// Ids that are kept although the index has them by now.
const KEPT: usize = 8192;

/// Index and digest of a record.
type Known = (u64, Digest);

/// The ids of the records at the end of a log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    ids: HashMap<Digest, Known>,
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
    /// Decides which entries of a commit are new; `next` is the index of the first that is.
    pub fn admit(
        &mut self,
        connection: &Connection,
        log_id: i64,
        entries: &[PendingEntry<'_>],
        indexed: u64,
        size: u64,
    ) -> Result<Admission, Fault> {
        let mut admission = Admission::default();
        let mut seen: HashMap<Digest, Known> = HashMap::new();
        if entries.iter().any(|entry| entry.once.is_some()) {
            self.read_on(connection, log_id, indexed, size)?;
        }
        for (place, entry) in entries.iter().enumerate() {
            let known = match entry.once {
                None => None,
                Some(key) => match seen.get(&key) {
                    Some(known) => Some(*known),
                    None => self.find(connection, log_id, key)?,
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
                self.ids.entry(key).or_insert((self.to, entry.digest));
            }
            self.to += 1;
        }
    }

    fn find(
        &self,
        connection: &Connection,
        log_id: i64,
        key: Digest,
    ) -> Result<Option<Known>, Fault> {
        let mut statement = connection.prepare_cached(sql::KNOWN)?;
        let found = statement
            .query_row((log_id, &key.0[..]), |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
            .optional()?;
        let Some((index, line)): Option<(i64, Vec<u8>)> = found else {
            return Ok(self.ids.get(&key).copied());
        };
        let entry = Entry::parse(&line)
            .map_err(|_| Fault::corrupted(&format!("entry {index} cannot be read")))?;
        Ok(Some((index as u64, entry.object)))
    }

    /// Reads the records that came since and are not in the index.
    fn read_on(
        &mut self,
        connection: &Connection,
        log_id: i64,
        indexed: u64,
        size: u64,
    ) -> Result<(), Fault> {
        let has_many = self.ids.len() > KEPT && self.from < indexed;
        if self.to < indexed || self.to > size || self.from > indexed || has_many {
            *self = Self { ids: HashMap::new(), from: indexed, to: indexed };
        }
        if self.to == size {
            return Ok(());
        }
        let mut statement = connection.prepare_cached(sql::SPAN)?;
        let mut rows = statement.query((log_id, self.to as i64, size as i64))?;
        while let Some(row) = rows.next()? {
            let index: i64 = row.get(0)?;
            let entry = row.get_ref(1)?.as_blob().ok().and_then(|line| Entry::parse(line).ok());
            let object = row.get_ref(6)?.as_blob().ok();
            if let Some(entry) = entry.filter(|entry| entry.kind.is_record())
                && let Some(key) = object.and_then(key_of)
            {
                self.ids.entry(key).or_insert((index as u64, entry.object));
            }
        }
        self.to = size;
        Ok(())
    }
}
