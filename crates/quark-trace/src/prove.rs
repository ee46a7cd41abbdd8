//! Proofs for third parties: that one entry stands in a log that a key has signed.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::proof::TlogProof;

use crate::error::Result;
use crate::store::Store;
use crate::tree::LogTree;

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
/// the entry and the store can sign. It reads all entries; whoever wants several proofs of one log
/// keeps a [`LogTree`].
pub fn prove(store: &dyn Store, project: &ProjectId, index: u64) -> Result<Proof> {
    LogTree::new(store, project.clone()).inclusion(index)
}
