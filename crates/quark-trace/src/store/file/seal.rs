//! Checkpoints: signed only over what is durable, never smaller than the last one.

use std::io::Write;
use std::path::Path;

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{CompactRange, Digest};

use super::folder::{self, Names};
use super::state::State;
use super::writer::Writer;
use super::{pairs, scan};
use crate::error::{Error, ErrorKind, Result};
use crate::signer::{Before, Signer, taken_over};
use crate::store::Beside;

const OPERATION: &str = "sign a checkpoint";

/// What this process knows of the log's checkpoints.
#[derive(Debug, Default)]
pub(super) struct Seal {
    /// Who signs; found out when it is first needed.
    signer: Option<Who>,
    /// Whether the log is bound to a key, so that the answer stays the same.
    bound: bool,
    /// Whether this process wrote the log's first entry.
    pub begun: bool,
    /// Whether the log had entries when this process came to it.
    pub found: bool,
    /// Why the last checkpoint could not be signed.
    pub refused: Option<String>,
}

#[derive(Debug)]
enum Who {
    Ours(Box<Signer>),
    /// The log is signed with a key that is not here.
    Others,
}

impl Writer {
    /// Signs the tree of `durable`, whose bytes were flushed to the medium, and shows it. `false`
    /// when there is nothing new to sign or no key to sign it with. The lock must be held.
    pub fn seal(&mut self, durable: &State) -> Result<bool> {
        let sealed = self.sign(durable);
        let refused = sealed.as_ref().err().filter(|error| error.kind() != ErrorKind::Busy);
        self.seal.refused = refused.map(|error| error.message().to_owned());
        sealed
    }

    fn sign(&mut self, durable: &State) -> Result<bool> {
        self.find_signer()?;
        let Some(Who::Ours(signer)) = &self.seal.signer else { return Ok(false) };
        let last = self.text(&self.names.checkpoint())?;
        let names = &self.names;
        let before = self.before(last.as_deref())?;
        let note = signer.sign(&durable.range, before, &mut |sizes| roots_at(names, sizes))?;
        let Some(note) = note else { return Ok(false) };
        let keys = signer.verifier_keys();
        self.publish(durable, &note, &keys)?;
        Ok(true)
    }

    /// Notes beside the key and beside the log that it is begun, so that it is not taken for one
    /// whose checkpoint was removed, and by whose key, so that no other one binds it. The lock must
    /// be held. Where it cannot be noted, this process can sign the log all the same.
    pub fn note_begin(&mut self) {
        if self.find_signer().is_err() {
            return;
        }
        let Some(Who::Ours(signer)) = &self.seal.signer else { return };
        let path = self.names.begun();
        let note = || {
            let number = signer.note_begun()?;
            let mut file = folder::open_write(&path)?;
            file.set_len(0)?;
            file.write_all(format!("{number}\n{}", signer.verifier_keys()).as_bytes())?;
            file.sync_data()
        };
        // The second try is for a fault that passes.
        let _ = note().or_else(|_| note());
    }

    /// What lies beside the log, when it is about to be signed.
    fn before<'n>(&self, last: Option<&'n str>) -> Result<Before<'n>> {
        if last.is_some() {
            return Ok(Before::of(last));
        }
        let begun = self.text(&self.names.begun())?.unwrap_or_default();
        let number = begun.lines().next().and_then(|line| Digest::from_hex(line.as_bytes()));
        Ok(match number {
            _ if self.seal.begun && number.is_none() => Before::Nothing,
            Some(number) => Before::Begun(number),
            None if self.seal.found => Before::Missing,
            None => Before::Nothing,
        })
    }

    /// Puts a checkpoint in place. Keys come with the first one: keys without a checkpoint say that
    /// one was removed.
    fn publish(&self, durable: &State, note: &str, keys: &str) -> Result<()> {
        let wrap =
            |error| Error::io(OPERATION, self.names.checkpoint().display().to_string(), error);
        let body = durable.to_text();
        let tag = self.keys.as_ref().map(|keys| keys.tag(&body)).unwrap_or_default();
        let state = format!("{body}tag {tag}\n");
        folder::replace(&self.names.state(), state.as_bytes(), false).map_err(wrap)?;
        let beside = self.names.verifier_keys();
        if folder::read_if_there(&beside).map_err(wrap)?.is_none() {
            folder::replace(&beside, keys.as_bytes(), true).map_err(wrap)?;
        }
        folder::replace(&self.names.checkpoint(), note.as_bytes(), true).map_err(wrap)?;
        // Of no use any more; should it stay, nothing goes by it.
        let _ = std::fs::remove_file(self.names.begun());
        Ok(())
    }

    /// Puts the keys and the checkpoint of the original beside a copy. The lock must be held.
    pub fn vouch(&self, beside: &Beside) -> Result<()> {
        let known = scan::beside(&self.names)?;
        let Some((keys, note)) = taken_over(&known, beside) else { return Ok(()) };
        for (path, text) in [(self.names.verifier_keys(), keys), (self.names.checkpoint(), note)] {
            folder::replace(&path, text.as_bytes(), true)
                .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
        }
        Ok(())
    }

    /// Finds out who signs this log: our key, unless it is bound to another. Another process may bind
    /// a log that nobody has bound yet.
    fn find_signer(&mut self) -> Result<()> {
        let Some(keys) = self.keys.as_ref().filter(|_| !self.seal.bound) else { return Ok(()) };
        let beside = match self.text(&self.names.verifier_keys())? {
            Some(keys) => Some(keys),
            // The key of whoever began the log stands behind the number.
            None => self.text(&self.names.begun())?.filter(|text| text.lines().count() > 1),
        };
        let signer = Signer::of(keys, &self.project, beside.as_deref());
        self.seal.bound = beside.is_some();
        self.seal.signer = Some(signer.map_or(Who::Others, |signer| Who::Ours(Box::new(signer))));
        Ok(())
    }

    /// A small file beside the log.
    fn text(&self, path: &Path) -> Result<Option<String>> {
        let bytes = folder::read_if_there(path)
            .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// The roots that the ledger has at these sizes, which rise.
fn roots_at(names: &Names, sizes: &[u64]) -> Result<Vec<Option<Digest>>> {
    let mut roots = Vec::with_capacity(sizes.len());
    let Some(mut lines) = pairs::open_lines(&names.ledger(), 0, true)? else {
        return Ok(vec![None; sizes.len()]);
    };
    let wrap = |error| Error::io(OPERATION, names.ledger().display().to_string(), error);
    let mut range = CompactRange::new();
    for &size in sizes {
        while range.size() < size {
            match lines.next_filled().map_err(wrap)?.filter(|line| line.whole) {
                Some(line) => range.push(leaf_hash(line.bytes)),
                None => break,
            }
        }
        roots.push((range.size() == size).then(|| range.root()));
    }
    Ok(roots)
}
