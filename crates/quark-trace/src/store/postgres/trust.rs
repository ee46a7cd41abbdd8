//! Whether the end of a log, as its row has it, is the one of its entries: nothing is built on an
//! end that contradicts the last checkpoint, and nothing is signed that does not follow from the
//! entries.

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Checkpoint, CompactRange, VerifierKey};

use super::connection::{Connection, Value};
use super::edge::range_at;
use super::fault::{Fault, Moment};
use super::row::value;
use super::statements as sql;
use crate::error::{ErrorKind, Outcome};

/// Entries behind the last checkpoint that are read when a log is opened, at most; more are read
/// when it is signed.
const SOON: u64 = 16 * 1024;

/// What a handle knows of a log, so that it need not believe the row of the log.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Whether the log was held against its last checkpoint when it was first used here.
    opened: bool,
    /// An end of the log that follows from its entries.
    proven: Option<CompactRange>,
}

impl Trust {
    /// Refuses, when a log is first used here, to go on from an end that does not follow from the
    /// last checkpoint, as far as that can be told soon. For whoever holds the lock of the log.
    pub fn open(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        end: &CompactRange,
    ) -> Result<(), Fault> {
        if self.opened {
            return Ok(());
        }
        let sealed = Sealed::read(connection, log_id)?;
        if let Some(last) = sealed.and_then(|sealed| sealed.checkpoint(sealed.keys.as_deref())) {
            if last.size > end.size() {
                let message = format!(
                    "the log has {} entries and a checkpoint over {}; it was cut off, run \
                     `quark-trace verify`",
                    end.size(),
                    last.size
                );
                let kind = ErrorKind::Integrity("E-TRUNC");
                return Err(Fault::new(kind, message, Outcome::NotWritten));
            }
            if end.size() - last.size <= SOON {
                self.prove(connection, log_id, Some(&last), end)?;
            }
        }
        self.opened = true;
        Ok(())
    }

    /// Whether this end is known to follow from the entries.
    pub fn holds(&self, end: &CompactRange) -> bool {
        end.size() == 0 || self.proven.as_ref() == Some(end)
    }

    /// Takes note that entries of ours led from an end that `held`, or not, to this one.
    pub fn go_on(&mut self, held: bool, end: &CompactRange) {
        self.proven = held.then(|| end.clone());
    }

    /// Makes sure that an end is the one of the entries: built from the last checkpoint on, or from
    /// nothing.
    pub fn prove(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        last: Option<&Checkpoint>,
        end: &CompactRange,
    ) -> Result<(), Fault> {
        if self.holds(end) {
            return Ok(());
        }
        let mut built = CompactRange::new();
        if let Some(last) = last.filter(|last| last.size <= end.size()) {
            built = range_at(connection, log_id, last.size)?
                .filter(|built| built.root() == last.root)
                .ok_or_else(|| altered("the tiles do not lead to the root that was signed last"))?;
        }
        let (from, to) = (built.size() as i64, end.size() as i64);
        let values: [Value<'_>; 3] =
            [(&log_id, Type::INT8), (&from, Type::INT8), (&to, Type::INT8)];
        let mut lines = connection.stream(sql::LINES, &values).map_err(before)?;
        while let Some(row) = lines.next().map_err(before)? {
            built.push(leaf_hash(value(&row, 1)?));
        }
        if built != *end {
            return Err(altered("size and frontier in qt_log do not follow from the entries"));
        }
        self.proven = Some(built);
        Ok(())
    }
}

/// Who vouches for a log, as its rows have it.
#[derive(Debug)]
pub(super) struct Sealed {
    pub keys: Option<String>,
    pub note: Option<String>,
}

impl Sealed {
    /// Takes the lock of the log, and reads it only then; `None` when there is no row of the log.
    pub fn lock(connection: &mut Connection, log_id: i64) -> Result<Option<Self>, Fault> {
        connection.rows(sql::LOCK_SEAL, &[(&log_id, Type::INT8)]).map_err(before)?;
        Self::read(connection, log_id)
    }

    fn read(connection: &mut Connection, log_id: i64) -> Result<Option<Self>, Fault> {
        let rows = connection.rows(sql::SEALED, &[(&log_id, Type::INT8)]).map_err(before)?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Self { keys: value(row, 0)?, note: value(row, 1)? }))
    }

    /// The last checkpoint, if one of these keys signed it.
    pub fn checkpoint(&self, keys: Option<&str>) -> Option<Checkpoint> {
        let note = self.note.as_deref()?;
        let keys = keys?.lines().filter_map(|key| VerifierKey::parse(key).ok());
        keys.into_iter().find_map(|key| Checkpoint::open(note, &key).ok())
    }
}

fn altered(what: &str) -> Fault {
    let message = format!("{what}; run `quark-trace verify`");
    Fault::new(ErrorKind::Integrity("E-ALTERED"), message, Outcome::NotWritten)
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
