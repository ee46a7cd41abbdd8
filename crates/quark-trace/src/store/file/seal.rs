//! Checkpoints: signed only over what is durable, never smaller than the last one.

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{CompactRange, Digest};

use super::files::sync_both;
use super::folder::{self, Names};
use super::state::State;
use super::writer::Writer;
use super::{pairs, scan};
use crate::error::{Error, Result};
use crate::signer::{Before, Signer, taken_over};
use crate::store::Beside;

const OPERATION: &str = "sign a checkpoint";

/// What this process knows of the log's checkpoints.
#[derive(Debug, Default)]
pub(super) struct Seal {
    /// Who signs; found out when it is first needed.
    signer: Option<Who>,
    /// Whether this process wrote the log's first entry.
    begun: bool,
    /// Whether the first checkpoint is still to be signed by this process.
    due: bool,
    /// Whether the log had entries and no checkpoint when this process came to it.
    missing: bool,
}

impl Seal {
    pub fn note_begun(&mut self) {
        (self.begun, self.due) = (true, true);
    }

    pub fn note_missing(&mut self) {
        self.missing = !self.begun;
    }
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
        self.find_signer()?;
        let Some(Who::Ours(signer)) = &self.seal.signer else { return Ok(false) };
        let path = self.names.checkpoint();
        let last = folder::read_if_there(&path)
            .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
        let last = last.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let names = &self.names;
        let before = match &last {
            None if self.seal.missing => Before::Missing,
            last => Before::of(last.as_deref()),
        };
        let note = signer.sign(&durable.range, before, &mut |sizes| roots_at(names, sizes))?;
        let Some(note) = note else { return Ok(false) };
        let keys = signer.verifier_keys();
        self.publish(durable, &note, &keys)?;
        Ok(true)
    }

    /// Signs a log that was just begun, before another process can come to it: one that has entries
    /// and no checkpoint is then one whose checkpoint was removed. The lock must be held. What fails
    /// here is tried again in the background.
    pub fn seal_beginning(&mut self) {
        if !std::mem::take(&mut self.seal.due) || self.keys.is_none() {
            return;
        }
        let Some(files) = &self.files else { return };
        match sync_both(&files.records, &files.ledger) {
            Ok(()) => drop(self.seal(&self.at.clone())),
            Err(error) => self.break_off(&error),
        }
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
        folder::replace(&self.names.checkpoint(), note.as_bytes(), true).map_err(wrap)
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

    /// Finds out who signs this log: our key, unless it is bound to another.
    fn find_signer(&mut self) -> Result<()> {
        let Some(keys) = self.keys.as_ref().filter(|_| self.seal.signer.is_none()) else {
            return Ok(());
        };
        let path = self.names.verifier_keys();
        let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
        let beside = folder::read_if_there(&path).map_err(wrap)?;
        let text = beside.as_deref().map(String::from_utf8_lossy);
        let signer = Signer::of(keys, &self.project, text.as_deref());
        self.seal.signer = Some(signer.map_or(Who::Others, |signer| Who::Ours(Box::new(signer))));
        Ok(())
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
