//! Checkpoints: signed only over what is durable, in a transaction of their own after the one that
//! made it so, never smaller than the last one and never with another root.

use postgres::types::Type;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Checkpoint, CompactRange, Note, Origin, SignerKey, VerifierKey};

use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::statements as sql;
use crate::error::{ErrorKind, Outcome};
use crate::keys::Keyring;

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
    let rows = connection.rows(sql::SEALED, &[(&log_id, Type::INT8)]).map_err(before)?;
    let Some(row) = rows.first() else {
        connection.roll_back();
        return Ok(());
    };
    let (known, last): (Option<&str>, Option<&str>) = (row.get(0), row.get(1));
    let signed = sign(keys, project, known, last, durable);
    let Some(signed) = signed.inspect_err(|_| connection.roll_back())? else {
        connection.roll_back();
        return Ok(());
    };
    let size = durable.size() as i64;
    let values: [Value<'_>; 5] = [
        (&log_id, Type::INT8),
        (&size, Type::INT8),
        (&signed.note, Type::TEXT),
        (&signed.origin, Type::TEXT),
        (&signed.keys, Type::TEXT),
    ];
    connection.rows(sql::SEAL, &values).map_err(before)?;
    connection.commit()
}

struct Signed {
    note: String,
    origin: String,
    keys: String,
}

/// Signs, if there is anything to sign and it is for this key to do so.
fn sign(
    keys: &Keyring,
    project: &ProjectId,
    known: Option<&str>,
    last: Option<&str>,
    durable: &CompactRange,
) -> Result<Option<Signed>, Fault> {
    let Some((origin, key)) = signer(keys, project, known) else { return Ok(None) };
    let Some(checkpoint) = Checkpoint::of(&origin, durable) else { return Ok(None) };
    if let Some(note) = last {
        let read = Note::parse(note).and_then(|note| Checkpoint::parse(note.text()));
        let last =
            read.map_err(|fault| refuse("E-SIG", format!("the last checkpoint is {fault}")))?;
        if last.size == checkpoint.size && last.root != checkpoint.root {
            let message = format!(
                "a checkpoint with another root was signed at size {}; the log was changed or is a \
                 copy that went its own way, run `quark-trace verify`",
                last.size
            );
            return Err(refuse("E-FORK", message));
        }
        if last.size >= checkpoint.size {
            return Ok(None);
        }
    }
    let line = || format!("{}\n", key.verifier());
    Ok(Some(Signed {
        note: checkpoint.sign(&key),
        origin: origin.as_str().to_owned(),
        keys: known.map_or_else(line, str::to_owned),
    }))
}

/// The key for this log, which is bound to the first one that seals it; `None` when that was
/// another.
fn signer(keys: &Keyring, project: &ProjectId, known: Option<&str>) -> Option<(Origin, SignerKey)> {
    let origin = match known {
        None => keys.origin(project),
        Some(text) => text
            .lines()
            .filter_map(|line| VerifierKey::parse(line).ok())
            .find(|known| known.public_key() == keys.public_key())
            .and_then(|known| Origin::parse(known.name()))?,
    };
    let key = keys.signer(&origin);
    Some((origin, key))
}

fn refuse(code: &'static str, message: String) -> Fault {
    Fault::new(ErrorKind::Integrity(code), message, Outcome::NotWritten)
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
