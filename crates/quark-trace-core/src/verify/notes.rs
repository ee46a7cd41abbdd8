//! Checkpoints and the keys that they are checked with.

use super::{Beside, Code, Place, Severity, Verifier};
use crate::ledger::{Checkpoint, Note, VerifierKey};

impl Verifier<'_> {
    pub(super) fn take_keys(&mut self, beside: Beside<'_>) {
        if !self.keys.is_empty() {
            self.verdict.pinned = true;
        }
        for line in beside.keys.unwrap_or_default().lines() {
            match VerifierKey::parse(line) {
                Ok(key) if !self.verdict.pinned => self.keys.push(key),
                Ok(_) => {}
                Err(fault) => {
                    self.error(Code::Key, None, format!("a verifier key beside the log: {fault}"))
                }
            }
        }
    }

    /// Reads a note and checks that one of the keys signed it.
    pub(super) fn open(&mut self, text: &str, what: &str) -> Option<Checkpoint> {
        let checkpoint = match Note::parse(text).and_then(|note| Checkpoint::parse(note.text())) {
            Ok(checkpoint) => checkpoint,
            Err(fault) => {
                self.error(Code::Sig, None, format!("{what} is {fault}"));
                return None;
            }
        };
        let key = self.keys.iter().find(|key| key.name() == checkpoint.origin.as_str());
        let Some(key) = key else {
            let (severity, message) = self.no_key(&checkpoint, what);
            self.find(Code::Key, severity, None, Place::default(), message);
            return Some(checkpoint);
        };
        match Checkpoint::open(text, key) {
            Ok(_) => {
                let key = key.to_string();
                if !self.verdict.keys.contains(&key) {
                    self.verdict.keys.push(key);
                }
            }
            Err(fault) if self.verdict.pinned => {
                let message = format!("{what}: {fault} (with the key you gave, {})", key.name());
                self.error(Code::Sig, None, message);
            }
            Err(fault) => self.error(Code::Sig, None, format!("{what}: {fault}")),
        }
        Some(checkpoint)
    }

    /// What it means that no checkpoint lies beside the log. Whoever has a key expects its signature,
    /// and removing a checkpoint must not turn a log that was changed into one that was never signed.
    pub(super) fn no_checkpoint(&mut self) {
        let whose = match (self.keys.is_empty(), self.verdict.pinned) {
            (true, _) => return,
            (false, true) => "you gave a key",
            (false, false) => "a key lies beside the log",
        };
        let message = format!(
            "{whose} and there is no checkpoint that it signed: it was removed, or a crash came \
             before the first one; ask whoever keeps the log for it"
        );
        self.find(Code::Sig, Severity::Unknown, None, Place::default(), message);
    }

    /// What it means that none of the keys has the name of the log.
    fn no_key(&self, checkpoint: &Checkpoint, what: &str) -> (Severity, String) {
        let origin = &checkpoint.origin;
        if !self.verdict.pinned {
            let message = format!(
                "there is no key beside the log to check {what} of {origin} with; get the key from \
                 whoever keeps the log"
            );
            return (Severity::Unknown, message);
        }
        let given: Vec<_> = self.keys.iter().map(VerifierKey::name).collect();
        let message = format!(
            "{what} is of {origin}, the key you gave of {}: it is another log or was signed with \
             another key, or the key you gave is not the right one",
            given.join(", ")
        );
        (Severity::Error, message)
    }
}
