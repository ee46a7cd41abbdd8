//! Who vouches for a copy: the key of whoever copies, or what vouches for the original.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Checkpoint, VerifierKey};

use crate::error::{Error, Result};
use crate::keys::Keyring;
use crate::store::{Beside, Store};

/// A checkpoint whose signature holds, and what lies beside the log with it.
pub(super) type Vouching = (Checkpoint, Beside);

/// What vouches for the first `size` entries of a log, if its signature holds.
pub(super) fn vouching(beside: Beside, size: u64) -> Option<Vouching> {
    let note = beside.checkpoint.as_deref()?;
    let keys = beside.keys.as_deref()?.lines().filter_map(|line| VerifierKey::parse(line).ok());
    let mut opened = keys.filter_map(|key| Checkpoint::open(note, &key).ok());
    let checkpoint = opened.find(|checkpoint| checkpoint.size <= size)?;
    Some((checkpoint, beside))
}

/// Whether a copy to `to` is better made without the key: the source is signed with another one,
/// and `to` is not bound to this one yet. Its checkpoint and keys then go along.
pub fn is_signed_elsewhere(
    from: &dyn Store,
    to: &dyn Store,
    project: &ProjectId,
    keys: &Keyring,
) -> Result<bool> {
    let bound = |store: &dyn Store| {
        let beside = store.beside(project)?.unwrap_or_default();
        let known = beside.keys.unwrap_or_default();
        let known: Vec<_> =
            known.lines().filter_map(|line| VerifierKey::parse(line).ok()).collect();
        let ours = |key: &VerifierKey| key.public_key() == keys.public_key();
        Ok::<_, Error>((!known.is_empty()).then(|| known.iter().any(ours)))
    };
    Ok(bound(to)? != Some(true) && bound(from)? == Some(false))
}
