//! Checkpoints: signed only over what is durable and proven, in a transaction of their own after the
//! one that made it so, never smaller than the last one and never with another root.

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Checkpoint, CompactRange, Digest, Note};

use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::row::value;
use super::statements as sql;
use super::trust::{Sealed, Trust};
use crate::error::{Error, Outcome};
use crate::keys::Keyring;
use crate::signer::{Before, Signer, taken_over};
use crate::store::Beside;

/// Signs the tree of `durable` and puts the checkpoint in place of the one before, unless that
/// covers as much, or the log is signed by somebody else. What the handle does not `trust` yet is
/// proven first.
pub(super) fn seal(
    connection: &mut Connection,
    keys: &Keyring,
    project: &ProjectId,
    log_id: i64,
    durable: &CompactRange,
    trust: &mut Trust,
) -> Result<(), Fault> {
    connection.begin(sql::BEGIN)?;
    let sealed = Sealed::lock(connection, log_id)?;
    let keys_there = sealed.as_ref().and_then(|sealed| sealed.keys.as_deref());
    let signer = sealed.as_ref().and_then(|_| Signer::of(keys, project, keys_there));
    let (Some(sealed), Some(signer)) = (&sealed, signer) else {
        connection.roll_back();
        return Ok(());
    };
    // By this key: somebody may have put another beside it.
    let last = sealed.checkpoint(Some(&signer.verifier_keys()));
    // Where another handle signed as much meanwhile, nothing is signed and nothing need be proven.
    let covered = last.as_ref().is_some_and(|last| last.size >= durable.size());
    let proven = match covered {
        true => Ok(()),
        false => trust.prove(connection, log_id, last.as_ref(), durable),
    };
    let signed = proven.and_then(|()| {
        let mut roots = |sizes: &[u64]| roots_at(connection, log_id, sizes);
        signer.sign(durable, Before::of(sealed.note.as_deref()), &mut roots).map_err(of_signer)
    });
    let note = match signed {
        Ok(Some(note)) => note,
        other => {
            connection.roll_back();
            return other.map(drop);
        }
    };
    let verifier_keys = keys_there.map_or_else(|| signer.verifier_keys(), str::to_owned);
    put(connection, log_id, &note, &verifier_keys)
}

/// Puts the keys and the checkpoint of the original beside a copy.
pub(super) fn vouch(
    connection: &mut Connection,
    log_id: i64,
    beside: &Beside,
) -> Result<(), Fault> {
    connection.begin(sql::BEGIN)?;
    let sealed = Sealed::lock(connection, log_id)?;
    let known = sealed.map(|sealed| Beside { keys: sealed.keys, checkpoint: sealed.note });
    match known.and_then(|known| taken_over(&known, beside)) {
        Some((keys, note)) => put(connection, log_id, note, keys),
        None => {
            connection.roll_back();
            Ok(())
        }
    }
}

/// Puts a checkpoint in place and ends the transaction.
fn put(connection: &mut Connection, log_id: i64, note: &str, keys: &str) -> Result<(), Fault> {
    let checkpoint = Note::parse(note).and_then(|note| Checkpoint::parse(note.text()));
    let origin = checkpoint.as_ref().ok().map(|checkpoint| checkpoint.origin.as_str());
    let size = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size) as i64;
    let values: [Value<'_>; 5] = [
        (&log_id, Type::INT8),
        (&size, Type::INT8),
        (&note, Type::TEXT),
        (&origin, Type::TEXT),
        (&keys, Type::TEXT),
    ];
    connection.rows(sql::SEAL, &values).map_err(before)?;
    connection.commit()
}

/// The roots that the log has at these sizes, which rise; worked out from the entries themselves.
fn roots_at(
    connection: &mut Connection,
    log_id: i64,
    sizes: &[u64],
) -> Result<Vec<Option<Digest>>, Error> {
    let as_error = |fault: Fault| fault.of_read("sign a checkpoint", "qt_entry");
    let wrap = |error| as_error(before(error));
    let end = sizes.last().copied().unwrap_or_default() as i64;
    let values: [Value<'_>; 3] = [(&log_id, Type::INT8), (&0_i64, Type::INT8), (&end, Type::INT8)];
    let mut lines = connection.stream(sql::LINES, &values).map_err(wrap)?;
    let mut range = CompactRange::new();
    let mut roots = Vec::with_capacity(sizes.len());
    for &size in sizes {
        while range.size() < size {
            let Some(row) = lines.next().map_err(wrap)? else { break };
            if value::<i64>(&row, 0).map_err(as_error)? as u64 != range.size() {
                break;
            }
            range.push(leaf_hash(value(&row, 1).map_err(as_error)?));
        }
        roots.push((range.size() == size).then(|| range.root()));
    }
    Ok(roots)
}

fn of_signer(error: Error) -> Fault {
    Fault::new(error.kind(), error.message(), Outcome::NotWritten)
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
