//! Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, signed as a note.

use std::fmt;

use super::note::{Note, NoteFault, SignerKey, VerifierKey};
use super::{CompactRange, Digest};
use crate::ids::ProjectId;

/// Longest origin, in bytes.
const ORIGIN_LIMIT: usize = 255;

/// The name of a log, chosen once: `authority/tlog/project`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin of a project's log under an authority, such as a server's public host.
    pub fn new(authority: &str, project: &ProjectId) -> Self {
        let origin = format!("{authority}/tlog/{}", project.percent_encoded());
        if origin.len() <= ORIGIN_LIMIT {
            return Self(origin);
        }
        Self(format!("{authority}/tlog/~{}", Digest::of(project.as_str().as_bytes())))
    }

    /// The origin of a log kept on this machine, from the raw public key that signs it.
    pub fn local(public_key: [u8; 32], project: &ProjectId) -> Self {
        let key = Digest::of(&public_key).to_string();
        Self::new(&format!("l-{}.quark-trace.invalid", &key[..16]), project)
    }

    /// Takes up an origin that was read from a checkpoint or key.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        let fits = !text.is_empty() && text.len() <= ORIGIN_LIMIT && text.chars().all(visible);
        fits.then(|| Self(text.to_owned()))
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the origin: the id of the log on a chain and in head logs.
    pub fn log_id(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a log says of itself at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The checkpoint of a tree; `None` for the empty tree, which is never signed.
    pub fn of(origin: &Origin, range: &CompactRange) -> Option<Self> {
        let size = range.size();
        (size > 0).then(|| Self { origin: origin.clone(), size, root: range.root() })
    }

    /// The text that is signed: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// Signs it; the key must be named as the origin.
    pub fn sign(&self, key: &SignerKey) -> String {
        key.sign(&self.text())
    }

    /// Reads the text of a note: exactly three lines, no extension lines.
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(NoteFault::Form("a checkpoint has three lines"));
        let (origin, size, root, rest) = (line()?, line()?, line()?, line()?);
        if !rest.is_empty() || lines.next().is_some() {
            return Err(NoteFault::Form("a checkpoint has three lines"));
        }
        let origin = Origin::parse(origin).ok_or(NoteFault::Form("the origin is malformed"))?;
        let canonical = size.bytes().all(|b| b.is_ascii_digit()) && !size.starts_with('0');
        let size = size.parse().ok().filter(|_| canonical);
        let size = size.ok_or(NoteFault::Form("the size is not a positive decimal number"))?;
        let root = Digest::from_base64(root).ok_or(NoteFault::Form("the root is not base64"))?;
        Ok(Self { origin, size, root })
    }

    /// Reads a note and checks its signature by `key`, which must be named as the origin.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteFault> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin.as_str() != key.name() {
            return Err(NoteFault::Unsigned);
        }
        key.verify(&note)?;
        Ok(checkpoint)
    }
}
