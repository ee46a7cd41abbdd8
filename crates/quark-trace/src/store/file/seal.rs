//! Checkpoints: signed only over what is durable, never smaller than the last one.

use quark_trace_core::ledger::{Checkpoint, Origin, SignerKey, VerifierKey};

use super::folder;
use super::state::State;
use super::writer::Writer;
use crate::error::{Error, ErrorKind, Result};

const OPERATION: &str = "sign a checkpoint";

/// What this process knows of the log's checkpoints.
#[derive(Debug, Default)]
pub(super) struct Seal {
    /// Who signs; found out when it is first needed.
    signer: Option<Signer>,
    /// The size that was sealed last.
    pub size: u64,
}

#[derive(Debug)]
enum Signer {
    Ours {
        origin: Origin,
        key: Box<SignerKey>,
    },
    /// The log is signed with a key that is not here.
    Others,
}

impl Writer {
    /// Signs the tree of `durable`, whose bytes were flushed to the medium, and shows it. `false`
    /// when there is nothing new to sign or no key to sign it with. The lock must be held.
    pub fn seal(&mut self, durable: &State) -> Result<bool> {
        let Some(signer) = self.signer()? else { return Ok(false) };
        let Signer::Ours { origin, key } = signer else { return Ok(false) };
        let Some(checkpoint) = Checkpoint::of(origin, &durable.range) else { return Ok(false) };
        let note = checkpoint.sign(key);
        if let Some(last) = self.sealed()? {
            if last.size == checkpoint.size && last.root != checkpoint.root {
                let message = format!(
                    "a checkpoint with another root was signed at size {}; the log was changed or \
                     is a copy that went its own way, run `quark-trace verify`",
                    last.size
                );
                return Err(Error::new(ErrorKind::Integrity("E-FORK"), OPERATION, message));
            }
            if last.size >= checkpoint.size {
                self.seal.size = last.size;
                return Ok(false);
            }
        }
        self.publish(durable, &note)?;
        self.seal.size = checkpoint.size;
        Ok(true)
    }

    fn publish(&self, durable: &State, note: &str) -> Result<()> {
        let wrap =
            |error| Error::io(OPERATION, self.names.checkpoint().display().to_string(), error);
        let body = durable.to_text();
        let tag = self.keys.as_ref().map(|keys| keys.tag(&body)).unwrap_or_default();
        let state = format!("{body}tag {tag}\n");
        folder::replace(&self.names.state(), state.as_bytes(), false).map_err(wrap)?;
        folder::replace(&self.names.checkpoint(), note.as_bytes(), true).map_err(wrap)
    }

    /// The key for this log, bound to it on first use.
    fn signer(&mut self) -> Result<Option<&Signer>> {
        if self.seal.signer.is_none() {
            let Some(keys) = &self.keys else { return Ok(None) };
            let path = self.names.verifier_keys();
            let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
            let signer = match folder::read_if_there(&path).map_err(wrap)? {
                None => {
                    let origin = keys.origin(&self.project);
                    let key = keys.signer(&origin);
                    let line = format!("{}\n", key.verifier());
                    folder::replace(&path, line.as_bytes(), true).map_err(wrap)?;
                    Signer::Ours { origin, key: Box::new(key) }
                }
                Some(bytes) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let ours = text
                        .lines()
                        .filter_map(|line| VerifierKey::parse(line).ok())
                        .find(|known| known.public_key() == keys.public_key())
                        .and_then(|known| Origin::parse(known.name()));
                    match ours {
                        Some(origin) => {
                            Signer::Ours { key: Box::new(keys.signer(&origin)), origin }
                        }
                        None => Signer::Others,
                    }
                }
            };
            self.seal.signer = Some(signer);
        }
        Ok(self.seal.signer.as_ref())
    }
}
