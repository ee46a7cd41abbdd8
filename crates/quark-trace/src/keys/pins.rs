//! What was seen last of logs that others keep and sign.
//!
//! Whoever has once seen a checkpoint of a log takes no other history of it: the next one must be by
//! the same key, and the log must prove that it only grew. A file for each log keeps the key and the
//! last checkpoint; what contradicts it is written down beside it as evidence.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quark_trace_core::ledger::{Checkpoint, Digest, VerifierKey};

use super::locked::Locked;
use crate::error::{Error, ErrorKind, Result};
use crate::store::file::folder;

const FORMAT: &str = "quark-trace-pin/1";
const OPERATION: &str = "note the server's checkpoint";
/// Nobody holds a pin for longer than it takes to read and write it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The key of a log and the last checkpoint that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    pub key: VerifierKey,
    pub checkpoint: Checkpoint,
    /// The checkpoint as it was signed.
    pub note: String,
}

/// The pins of one folder.
#[derive(Debug, Clone)]
pub(crate) struct Pins(PathBuf);

/// A pin that nobody else changes meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    _locked: Locked,
}

impl Pins {
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// What was accepted last of the log that `name` stands for; `None` before the first time.
    pub fn read(&self, name: &str) -> Result<Option<Pin>> {
        read(&self.path(name))
    }

    /// Takes the pin of a log, and waits for others that have it. Whoever has it calls nobody.
    pub fn hold(&self, name: &str) -> Result<Held> {
        let path = self.path(name);
        let locked = Locked::take(&path, PATIENCE)
            .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
        Ok(Held { path, _locked: locked })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(Digest::of(name.as_bytes()).to_string())
    }
}

impl Held {
    /// What was accepted last; `None` before the first time.
    pub fn read(&self) -> Result<Option<Pin>> {
        read(&self.path)
    }

    /// Accepts a checkpoint.
    pub fn write(&self, pin: &Pin) -> Result<()> {
        let text = format!("{FORMAT}\n{}\n{}", pin.key, pin.note);
        folder::replace(&self.path, text.as_bytes(), true)
            .map_err(|error| Error::io(OPERATION, self.path.display().to_string(), error))
    }

    /// The file of the pin.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down what contradicts the pin; gives where. What is there already stays.
    pub fn write_evidence(&self, text: &str) -> Result<PathBuf> {
        let digest = Digest::of(text.as_bytes()).to_string();
        let path = self.path.with_extension(format!("fork-{}", &digest[..16]));
        folder::replace(&path, text.as_bytes(), true)
            .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
        Ok(path)
    }
}

fn read(path: &Path) -> Result<Option<Pin>> {
    let subject = || path.display().to_string();
    let bytes = folder::read_if_there(path);
    let Some(bytes) = bytes.map_err(|error| Error::io(OPERATION, subject(), error))? else {
        return Ok(None);
    };
    let pin = String::from_utf8(bytes).ok().and_then(|text| parse(&text));
    pin.map(Some).ok_or_else(|| {
        let message = "the file is damaged; restore it from a backup, or move it away to trust \
                       the server's next checkpoint without having seen one";
        Error::new(ErrorKind::Corrupted, OPERATION, message).on(subject())
    })
}

fn parse(text: &str) -> Option<Pin> {
    let rest = text.strip_prefix(FORMAT)?.strip_prefix('\n')?;
    let (key, note) = rest.split_once('\n')?;
    let key = VerifierKey::parse(key).ok()?;
    let checkpoint = Checkpoint::open(note, &key).ok()?;
    Some(Pin { key, checkpoint, note: note.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_trace_core::ledger::{CompactRange, Origin, SignerKey};

    fn pin() -> Pin {
        let signer = SignerKey::new("example.org/tlog/p", [7; 32]).unwrap();
        let mut range = CompactRange::new();
        range.push(Digest::of(b"leaf"));
        let origin = Origin::parse("example.org/tlog/p").unwrap();
        let checkpoint = Checkpoint::of(&origin, &range).unwrap();
        Pin { key: signer.verifier().clone(), note: checkpoint.sign(&signer), checkpoint }
    }

    #[test]
    fn a_pin_comes_back_and_a_damaged_one_is_no_first_time() {
        let folder = std::env::temp_dir().join(format!("quark-pins-{}", uuid::Uuid::new_v4()));
        let pins = Pins::new(&folder);
        let held = pins.hold("https://h p").unwrap();
        assert_eq!(held.read().unwrap(), None);
        held.write(&pin()).unwrap();
        assert_eq!(held.read().unwrap(), Some(pin()));
        assert_eq!(pins.read("https://h p").unwrap(), Some(pin()));
        let text = std::fs::read_to_string(&held.path).unwrap().replace("\n1\n", "\n2\n");
        std::fs::write(&held.path, text).unwrap();
        assert_eq!(held.read().unwrap_err().kind(), ErrorKind::Corrupted);
        drop(held);
        assert_eq!(pins.hold("https://h q").unwrap().read().unwrap(), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
