//! Checkpoints: signed only over what is durable, in a transaction of their own after the one that
//! made it so, never smaller than the last one and never with another root.

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Checkpoint, CompactRange, Digest, Note};

use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::statements as sql;
use crate::error::{Error, Outcome};
use crate::keys::Keyring;
use crate::signer::{Before, Signer, taken_over};
use crate::store::Beside;

/// Signs the tree of `durable` and puts the checkpoint in place of the one before, unless that
/// covers as much, or the log is signed by somebody else.
pub(super) fn seal(
    connection: &mut Connection,
    keys: &Keyring,
    project: &ProjectId,
    log_id: i64,
    durable: &CompactRange,
) -> Result<(), Fault> {
    connection.begin(sql::BEGIN)?;
    connection.rows(sql::LOCK_SEAL, &[(&log_id, Type::INT8)]).map_err(before)?;
    let rows = connection.rows(sql::SEALED, &[(&log_id, Type::INT8)]).map_err(before)?;
    let columns = rows.first().map(|row| (row.get(0), row.get(1)));
    let (known, last): (Option<&str>, Option<&str>) = columns.unwrap_or_default();
    let Some(signer) = Signer::of(keys, project, known).filter(|_| !rows.is_empty()) else {
        connection.roll_back();
        return Ok(());
    };
    let signed =
        signer.sign(durable, Before::of(last), &mut |sizes| roots_at(connection, log_id, sizes));
    let note = match signed {
        Ok(Some(note)) => note,
        other => {
            connection.roll_back();
            return other.map(drop).map_err(of_signer);
        }
    };
    let verifier_keys = known.map_or_else(|| signer.verifier_keys(), str::to_owned);
    put(connection, log_id, &note, &verifier_keys)
}

/// Puts the keys and the checkpoint of the original beside a copy.
pub(super) fn vouch(
    connection: &mut Connection,
    log_id: i64,
    beside: &Beside,
) -> Result<(), Fault> {
    connection.begin(sql::BEGIN)?;
    connection.rows(sql::LOCK_SEAL, &[(&log_id, Type::INT8)]).map_err(before)?;
    let rows = connection.rows(sql::SEALED, &[(&log_id, Type::INT8)]).map_err(before)?;
    let known = rows.first().map(|row| Beside { keys: row.get(0), checkpoint: row.get(1) });
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
    let wrap = |error| before(error).of_read("sign a checkpoint", "qt_entry");
    let end = sizes.last().copied().unwrap_or_default() as i64;
    let values: [Value<'_>; 2] = [(&log_id, Type::INT8), (&end, Type::INT8)];
    let mut lines = connection.stream(sql::LINES, &values).map_err(wrap)?;
    let mut range = CompactRange::new();
    let mut roots = Vec::with_capacity(sizes.len());
    for &size in sizes {
        while range.size() < size {
            let Some(row) = lines.next().map_err(wrap)? else { break };
            if row.get::<_, i64>(0) as u64 != range.size() {
                break;
            }
            range.push(leaf_hash(row.get(1)));
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
