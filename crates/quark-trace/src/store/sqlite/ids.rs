//! Which record ids a log has, for records whose id the caller chose.
//!
//! `qt_id` has a row for each 256 entries, with the first eight bytes of a digest of each record's
//! id, in the order of the log: to append there costs nothing, whereas an index by random keys would
//! change a page for each record. A handle reads all rows once and keeps a sieve of the keys, which
//! says of nearly every new id that it is new. Where it does not, the rows are looked through.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::Connection;

use super::columns::{NO_KEY, key_of, short};
use super::edge::WIDTH;
use super::fault::Fault;
use super::pending::PendingEntry;
use super::statements as sql;
use crate::error::ErrorKind;
use crate::store::sieve::{ShortKey, Sieve};

/// Index and digest of a record.
type Known = (u64, Digest);

/// The ids of the records of a log, as far as this handle has read them.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// The keys of the entries before `to`.
    sieve: Sieve,
    /// The keys of the entries between `from` and `to`, which have no row yet.
    rest: Vec<ShortKey>,
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

impl Ids {
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
        let mut known = self.look_up(connection, log_id, entries)?;
        for (place, entry) in entries.iter().enumerate() {
            match entry.once.and_then(|key| known.get(&key)) {
                Some((index, digest)) if *digest == entry.digest => {
                    admission.existing.push((place, *index));
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
                    known.extend(entry.once.map(|key| (key, (index, entry.digest))));
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
            let key = entry.once.filter(|_| entry.names_its_id);
            self.push(key.as_ref().map_or(NO_KEY, short));
        }
    }

    /// Writes rows of what is known, as far as they are full.
    pub fn write_rows(&mut self, connection: &Connection, log_id: i64) -> Result<(), Fault> {
        let (rows, _) = self.rest.as_chunks::<{ WIDTH as usize }>();
        let full = rows.len() as u64;
        if full == 0 {
            return Ok(());
        }
        let mut insert = connection.prepare_cached(sql::INSERT_IDS)?;
        for (keys, n) in rows.iter().zip(self.from / WIDTH..) {
            insert.execute((log_id, n as i64, keys.as_flattened()))?;
        }
        self.rest.drain(..rows.len() * WIDTH as usize);
        self.from += full * WIDTH;
        connection.prepare_cached(sql::IDENTIFIED)?.execute((log_id, self.from as i64))?;
        Ok(())
    }

    /// Reads the ids of the records before `until` that came since; the first `identified` have
    /// rows.
    pub fn read_on(
        &mut self,
        connection: &Connection,
        log_id: i64,
        identified: u64,
        until: u64,
    ) -> Result<(), Fault> {
        if self.to > until || self.from > identified {
            *self = Self::default();
        }
        if self.to < identified {
            self.read_rows(connection, log_id, identified)?;
        } else {
            self.rest.drain(..(identified - self.from) as usize);
            self.from = identified;
        }
        if self.to < until {
            let (from, until) = (self.to as i64, until as i64);
            each_key(connection, log_id, (from, until), &mut |key| {
                self.push(key);
                Ok(())
            })?;
        }
        if self.to != until {
            return Err(Fault::corrupted("entries are missing; run `quark-trace verify`"));
        }
        Ok(())
    }

    /// Reads rows up to this entry.
    fn read_rows(
        &mut self,
        connection: &Connection,
        log_id: i64,
        identified: u64,
    ) -> Result<(), Fault> {
        (self.rest, self.to) = (Vec::new(), self.from);
        each_kept(connection, log_id, self.from..identified, &mut |_, key| {
            self.push(key);
            self.rest.clear();
            Ok(())
        })?;
        self.from = identified;
        Ok(())
    }

    fn push(&mut self, key: ShortKey) {
        if key != NO_KEY {
            self.sieve.put(&key);
        }
        self.rest.push(key);
        self.to += 1;
    }

    /// What the log has of the ids that entries are to have; of several records the first counts.
    fn look_up(
        &self,
        connection: &Connection,
        log_id: i64,
        entries: &[PendingEntry<'_>],
    ) -> Result<HashMap<Digest, Known>, Fault> {
        let mut known = HashMap::with_capacity(entries.len());
        let chosen = entries.iter().filter_map(|entry| entry.once);
        let mut wanted: HashMap<ShortKey, HashSet<Digest>> = HashMap::new();
        for key in chosen.filter(|key| self.sieve.may_have(&short(key))) {
            wanted.entry(short(&key)).or_default().insert(key);
        }
        if wanted.is_empty() {
            return Ok(known);
        }
        let mut hit = |index: u64, short: ShortKey| {
            let Some(keys) = wanted.get_mut(&short) else { return Ok(()) };
            if let Some((key, digest)) = id_of(connection, log_id, index, keys)? {
                keys.remove(&key);
                known.insert(key, (index, digest));
            }
            Ok(())
        };
        each_kept(connection, log_id, 0..self.from, &mut hit)?;
        for (key, index) in self.rest.iter().zip(self.from..) {
            hit(index, *key)?;
        }
        Ok(known)
    }
}

/// Passes the keys of entries that should have rows to `each`, with their indexes: those of the
/// entries themselves where a row is missing or cannot be one.
pub(super) fn each_kept(
    connection: &Connection,
    log_id: i64,
    span: Range<u64>,
    each: &mut dyn FnMut(u64, ShortKey) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::IDS)?;
    let (first, last) = (span.start / WIDTH, span.end / WIDTH);
    let mut rows = statement.query((log_id, first as i64, last as i64))?;
    let mut at = span.start;
    let read = |from: u64, to: u64, each: &mut dyn FnMut(u64, ShortKey) -> _| {
        let mut index = from..to;
        each_key(connection, log_id, (from as i64, to as i64), &mut |key| {
            index.next().map_or(Ok(()), |index| each(index, key))
        })
    };
    while let Some(row) = rows.next()? {
        let begin = (row.get::<_, i64>(0)? as u64).saturating_mul(WIDTH);
        let (keys, _) = row.get_ref(1)?.as_blob().unwrap_or_default().as_chunks::<8>();
        if begin < at || keys.len() as u64 != WIDTH {
            continue;
        }
        if begin > at {
            read(at, begin, each)?;
        }
        keys.iter().zip(begin..).try_for_each(|(key, index)| each(index, *key))?;
        at = begin + WIDTH;
    }
    if at < span.end { read(at, span.end, each) } else { Ok(()) }
}

/// Passes the keys of the entries of a span to `each`.
pub(super) fn each_key(
    connection: &Connection,
    log_id: i64,
    (from, until): (i64, i64),
    each: &mut dyn FnMut(ShortKey) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::SPAN)?;
    let mut rows = statement.query((log_id, from, until))?;
    while let Some(row) = rows.next()? {
        let line = row.get_ref(1)?.as_blob().unwrap_or_default();
        let is_record = Entry::parse(line).is_ok_and(|entry| entry.kind.is_record());
        let object = row.get_ref(6)?.as_blob().ok().filter(|_| is_record);
        each(object.and_then(key_of).as_ref().map_or(NO_KEY, short))?;
    }
    Ok(())
}

/// Which of these ids the record at an index has, asked of the record itself. One whose bytes are
/// gone or changed is taken to have the first of them: nobody can tell.
fn id_of(
    connection: &Connection,
    log_id: i64,
    index: u64,
    keys: &HashSet<Digest>,
) -> Result<Option<(Digest, Digest)>, Fault> {
    let mut statement = connection.prepare_cached(sql::SPAN)?;
    let mut rows = statement.query((log_id, index as i64, index as i64 + 1))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let line = row.get_ref(1)?.as_blob().unwrap_or_default();
    let entry = Entry::parse(line)
        .map_err(|_| Fault::corrupted(&format!("entry {index} cannot be read")))?;
    let own = row.get_ref(6)?.as_blob().ok().filter(|object| Digest::of(object) == entry.object);
    let key = match own {
        Some(object) => key_of(object).filter(|key| keys.contains(key)),
        None => keys.iter().next().copied(),
    };
    Ok(key.filter(|_| entry.kind.is_record()).map(|key| (key, entry.object)))
}
