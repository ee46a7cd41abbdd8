//! Proofs of inclusion in a file (C2SP tlog-proof): everything a third party needs for one entry.

use super::merkle::verify_inclusion;
use super::note::{Note, NoteFault, VerifierKey};
use super::{Checkpoint, Digest};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An entry's place in a log, with the checkpoint that covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the entry.
    pub index: u64,
    /// The audit path, from the leaf upwards.
    pub path: Vec<Digest>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// Why a proof was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofFault {
    /// Not in the form of a tlog-proof.
    #[error("not a tlog-proof: {0}")]
    Form(&'static str),
    /// The checkpoint in it is refused.
    #[error("the checkpoint in the proof: {0}")]
    Checkpoint(#[from] NoteFault),
    /// The hashes do not lead to the root.
    #[error(transparent)]
    Path(#[from] super::merkle::ProofFault),
}

impl TlogProof {
    /// Reads the text of a proof.
    pub fn parse(text: &str) -> Result<Self, TlogProofFault> {
        let form = TlogProofFault::Form;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(form("no blank line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(form("the first line is not c2sp.org/tlog-proof@v1"));
        }
        lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.filter(|text| canonical(text)).and_then(|text| text.parse().ok());
        let index = index.ok_or(form("no index line"))?;
        let path = lines.map(Digest::from_base64).collect::<Option<Vec<_>>>();
        let path = path.ok_or(form("a line is not a base64 hash"))?;
        if path.len() > 64 {
            return Err(form("more hashes than a tree can need"));
        }
        Ok(Self { index, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that `leaf` stands at [`TlogProof::index`] of the log that `key` signs.
    ///
    /// Returns the checkpoint, so that the caller can say which size was proven.
    pub fn verify(&self, leaf: Digest, key: &VerifierKey) -> Result<Checkpoint, TlogProofFault> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, checkpoint.root)?;
        Ok(checkpoint)
    }

    /// The checkpoint as it stands in the proof, its signature not checked.
    pub fn checkpoint_unverified(&self) -> Result<Checkpoint, NoteFault> {
        Checkpoint::parse(Note::parse(&self.checkpoint)?.text())
    }
}

fn canonical(text: &str) -> bool {
    text == "0" || !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl std::fmt::Display for TlogProof {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "{HEADER}\nindex {}", self.index)?;
        for hash in &self.path {
            writeln!(formatter, "{}", hash.to_base64())?;
        }
        write!(formatter, "\n{}", self.checkpoint)
    }
}
