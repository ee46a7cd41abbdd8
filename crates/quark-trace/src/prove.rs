//! Proofs for third parties: that one entry stands in a log that a key has signed.

use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::{Levels, leaf_hash};
use quark_trace_core::ledger::proof::TlogProof;
use quark_trace_core::ledger::{Checkpoint, Note};

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Plan, Row, Store};

const OPERATION: &str = "prove the entry";

/// What a third party needs: the entry, its object, and the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The entry's line in the ledger.
    pub entry: Vec<u8>,
    /// The object, if it is there; the proof does not need it.
    pub object: Option<Vec<u8>>,
    /// The proof in the form of C2SP tlog-proof.
    pub proof: TlogProof,
    /// Verifier keys that lie beside the log, one a line.
    pub keys: Option<String>,
}

/// Proves entry `index` against the last checkpoint, which is renewed first when it does not cover
/// the entry and the store can sign.
pub fn prove(store: &dyn Store, project: &ProjectId, index: u64) -> Result<Proof> {
    let mut head = store.head(project)?.ok_or_else(|| not_found(project))?;
    if index >= head.range.size() {
        let message = format!("entry {index} does not exist; the log has {}", head.range.size());
        return Err(Error::new(ErrorKind::NotFound, OPERATION, message));
    }
    let covers = |note: &Option<String>| sealed(note).filter(|sealed| sealed.size > index);
    if covers(&head.beside.checkpoint).is_none() && store.info().signs {
        head = store.seal(project)?.ok_or_else(|| not_found(project))?;
    }
    let Some(sealed) = covers(&head.beside.checkpoint) else {
        let message = format!("no signed checkpoint covers entry {index}; seal the log first");
        return Err(Error::new(ErrorKind::NotFound, OPERATION, message));
    };
    let mut levels = Levels::new();
    let mut found = None;
    store.scan(project, &Plan::default(), &mut |row| {
        let Row::Entry { index: at, line, object, .. } = row else {
            return ControlFlow::Continue(());
        };
        levels.push(leaf_hash(line));
        if at == index {
            found = Some((line.to_vec(), object.map(|bytes| bytes.into_owned())));
        }
        if at + 1 == sealed.size { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let root_fits = levels.root(sealed.size) == Some(sealed.root);
    let path = levels.inclusion_proof(index, sealed.size).filter(|_| root_fits);
    let (Some(path), Some((entry, object)), Some(checkpoint)) =
        (path, found, head.beside.checkpoint)
    else {
        let message = "the ledger does not lead to the root of its checkpoint; verify the log";
        return Err(Error::new(ErrorKind::Integrity("E-ROOT"), OPERATION, message));
    };
    let proof = TlogProof { index, path, checkpoint };
    Ok(Proof { entry, object, proof, keys: head.beside.keys })
}

fn sealed(note: &Option<String>) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note.as_deref()?).ok()?.text()).ok()
}

fn not_found(project: &ProjectId) -> Error {
    let message = format!("there is no project {:?}", project.as_str());
    Error::new(ErrorKind::NotFound, OPERATION, message)
}
