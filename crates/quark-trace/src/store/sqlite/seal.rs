//! Checkpoints: signed only over what is durable and proven, never smaller than the last one and
//! never with another root.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Checkpoint, CompactRange, Digest, Note, VerifierKey};
use rusqlite::{Connection, OptionalExtension};

use super::connection::{commit, roll_back};
use super::edge::{range_at, range_of};
use super::fault::Fault;
use super::statements as sql;
use crate::error::{Error, ErrorKind};
use crate::keys::Keyring;
use crate::signer::{Before, Signer, taken_over};
use crate::store::Beside;

/// What the database says of a log's end and of who vouches for it.
#[derive(Debug)]
pub(super) struct Sealed {
    pub range: CompactRange,
    keys: Option<String>,
    note: Option<String>,
}

impl Sealed {
    /// Reads it; `None` when there is no row of the log.
    pub fn read(connection: &Connection, log_id: i64) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached(sql::SEALED)?
            .query_row([log_id], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((keys, size, frontier, note)) = row else { return Ok(None) };
        let range = range_of(size, &frontier)
            .ok_or_else(|| Fault::corrupted("size and frontier in qt_log do not fit each other"))?;
        Ok(Some(Self { range, keys, note }))
    }

    /// The last checkpoint, if one of these keys signed it.
    fn checkpoint(&self, keys: Option<&str>) -> Option<Checkpoint> {
        let note = self.note.as_deref()?;
        let keys = keys?.lines();
        keys.filter_map(|key| VerifierKey::parse(key).ok())
            .find_map(|key| Checkpoint::open(note, &key).ok())
    }

    /// Refuses to go on from an end that does not follow from the last checkpoint, as far as that
    /// can be told soon.
    pub fn check_soon(&self, connection: &Connection, log_id: i64) -> Result<(), Fault> {
        const SOON: u64 = 16 * 1024;
        let Some(last) = self.checkpoint(self.keys.as_deref()) else { return Ok(()) };
        if last.size > self.range.size() {
            let message = format!(
                "the log has {} entries and a checkpoint over {}; it was cut off, run \
                 `quark-trace verify`",
                self.range.size(),
                last.size
            );
            return Err(Fault::new(ErrorKind::Integrity("E-TRUNC"), message));
        }
        if self.range.size() - last.size > SOON {
            return Ok(());
        }
        prove(connection, log_id, Some(&last), &self.range)
    }
}

/// Whether a tree is the one of the entries: built from the last checkpoint on, or from nothing.
fn prove(
    connection: &Connection,
    log_id: i64,
    last: Option<&Checkpoint>,
    range: &CompactRange,
) -> Result<(), Fault> {
    let altered = |what: &str| {
        let message = format!("{what}; run `quark-trace verify`");
        Fault::new(ErrorKind::Integrity("E-ALTERED"), message)
    };
    let mut built = CompactRange::new();
    if let Some(last) = last.filter(|last| last.size <= range.size()) {
        built = range_at(connection, log_id, last.size)?
            .filter(|built| built.root() == last.root)
            .ok_or_else(|| altered("the tiles do not lead to the root that was signed last"))?;
    }
    let mut lines = connection.prepare_cached(sql::LINES)?;
    let mut rows = lines.query((log_id, built.size() as i64, range.size() as i64))?;
    while let Some(row) = rows.next()? {
        built.push(leaf_hash(row.get_ref(1)?.as_blob().unwrap_or_default()));
    }
    if built == *range {
        return Ok(());
    }
    Err(altered("size and frontier in qt_log do not follow from the entries"))
}

/// Signs the tree of `durable` and puts the checkpoint in place of the one before, unless that
/// covers as much, or the log is signed by somebody else. A tree that is not `proven` is proven
/// first; answers whether it is.
pub(super) fn seal(
    connection: &Connection,
    keys: &Keyring,
    project: &ProjectId,
    log_id: i64,
    durable: &CompactRange,
    proven: bool,
) -> Result<bool, Fault> {
    connection.prepare_cached(sql::BEGIN)?.execute([])?;
    let done = seal_within(connection, keys, project, log_id, durable, proven)
        .and_then(|proven| commit(connection).map(|()| proven));
    roll_back(connection);
    done
}

fn seal_within(
    connection: &Connection,
    keys: &Keyring,
    project: &ProjectId,
    log_id: i64,
    durable: &CompactRange,
    proven: bool,
) -> Result<bool, Fault> {
    let Some(sealed) = Sealed::read(connection, log_id)? else { return Ok(proven) };
    let signer = Signer::of(keys, project, sealed.keys.as_deref());
    let Some(signer) = signer else { return Ok(proven) };
    // By this key: somebody may have put another beside it.
    let last = sealed.checkpoint(Some(&signer.verifier_keys()));
    // Where another process signed as much meanwhile, nothing is signed and nothing need be proven.
    let covered = last.as_ref().is_some_and(|last| last.size >= durable.size());
    if !proven && !covered {
        prove(connection, log_id, last.as_ref(), durable)?;
    }
    let proven = proven || !covered;
    let mut roots = |sizes: &[u64]| roots_at(connection, log_id, sizes).map_err(as_error);
    let Some(note) = signer.sign(durable, Before::of(sealed.note.as_deref()), &mut roots)? else {
        return Ok(proven);
    };
    let keys = sealed.keys.is_none().then(|| signer.verifier_keys());
    put(connection, log_id, durable.size(), &note, keys.as_deref()).map(|()| proven)
}

/// Puts a checkpoint in place of the one before, and the keys of a log that has none yet.
fn put(
    connection: &Connection,
    log_id: i64,
    size: u64,
    note: &str,
    keys: Option<&str>,
) -> Result<(), Fault> {
    let size = size as i64;
    connection.prepare_cached(sql::DROP_CHECKPOINTS)?.execute((log_id, size))?;
    connection.prepare_cached(sql::INSERT_CHECKPOINT)?.execute((log_id, size, note))?;
    if let Some(keys) = keys {
        let origin = keys.lines().next().and_then(|key| VerifierKey::parse(key).ok());
        let origin = origin.map(|key| key.name().to_owned());
        connection.prepare_cached(sql::BIND)?.execute((log_id, origin, keys))?;
    }
    Ok(())
}

/// Puts the keys and the checkpoint of the original beside a copy.
pub(super) fn vouch(connection: &Connection, log_id: i64, beside: &Beside) -> Result<(), Fault> {
    connection.prepare_cached(sql::BEGIN)?.execute([])?;
    let done = vouch_within(connection, log_id, beside).and_then(|()| commit(connection));
    roll_back(connection);
    done
}

fn vouch_within(connection: &Connection, log_id: i64, beside: &Beside) -> Result<(), Fault> {
    let Some(sealed) = Sealed::read(connection, log_id)? else { return Ok(()) };
    let bound = sealed.keys.is_some();
    let known = Beside { keys: sealed.keys, checkpoint: sealed.note };
    let Some((keys, note)) = taken_over(&known, beside) else { return Ok(()) };
    let checkpoint = Note::parse(note).and_then(|note| Checkpoint::parse(note.text()));
    let Ok(checkpoint) = checkpoint else { return Ok(()) };
    put(connection, log_id, checkpoint.size, note, (!bound).then_some(keys))
}

/// The roots that the entries have at these sizes, which rise.
fn roots_at(
    connection: &Connection,
    log_id: i64,
    sizes: &[u64],
) -> Result<Vec<Option<Digest>>, Fault> {
    let last = sizes.last().copied().unwrap_or_default();
    let mut lines = connection.prepare_cached(sql::LINES)?;
    let mut rows = lines.query((log_id, 0, i64::try_from(last).unwrap_or(i64::MAX)))?;
    let (mut roots, mut range) = (Vec::with_capacity(sizes.len()), CompactRange::new());
    for &size in sizes {
        while range.size() < size {
            let Some(row) = rows.next()? else { break };
            range.push(leaf_hash(row.get_ref(1)?.as_blob().unwrap_or_default()));
        }
        roots.push((range.size() == size).then(|| range.root()));
    }
    Ok(roots)
}

fn as_error(fault: Fault) -> Error {
    fault.of_read("sign a checkpoint", "qt_entry")
}
