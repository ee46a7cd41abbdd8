//! The key that signs checkpoints of logs kept on this machine.
//!
//! It lives in a folder of the user's configuration, outside the data folder, so that a copy of the
//! data does not carry the key and a backup that is rolled back does not carry the last signed size.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Digest, Origin, SignerKey, note};

use crate::error::{Error, ErrorKind, Result};
use crate::store::file::folder;

mod begun;
mod locked;
#[cfg(feature = "http")]
mod pins;
mod tips;

#[cfg(feature = "http")]
pub(crate) use pins::{Pin, Pins};
pub(crate) use tips::Tip;

const KEY_FILE: &str = "log.key";
/// Longest host, so that an origin has room for a project.
const AUTHORITY_LIMIT: usize = 100;
const OPERATION: &str = "read the log key";

/// The seed of the log key and where it is kept. Neither `Debug` nor any error shows the seed.
#[derive(Clone)]
pub struct Keyring {
    folder: PathBuf,
    seed: [u8; 32],
    authority: Option<String>,
}

impl Keyring {
    /// Reads the key from `folder`, or makes one on first use (mode 0600, folder 0700).
    ///
    /// The file is PKCS #8 in PEM, so that `openssl pkey -in log.key -pubout` reads it.
    pub fn load_or_create(folder: &Path) -> Result<Self> {
        let path = folder.join(KEY_FILE);
        match read_plain(&path) {
            Ok(text) => Self::from_pem(folder, &path, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Self::create(folder, &path)
            }
            Err(error) => Err(Error::io(OPERATION, path.display().to_string(), error)),
        }
    }

    fn from_pem(folder: &Path, path: &Path, text: &str) -> Result<Self> {
        let seed = note::seed_from_pem(text).ok_or_else(|| {
            Error::new(
                ErrorKind::Corrupted,
                OPERATION,
                "the file is not an Ed25519 private key in PEM (PKCS #8); restore it from a \
                 backup, or move it away to have a new key made",
            )
            .on(path.display().to_string())
        })?;
        Ok(Self { folder: folder.to_owned(), seed, authority: None })
    }

    fn create(folder: &Path, path: &Path) -> Result<Self> {
        let wrap = |error| Error::io("create the log key", path.display().to_string(), error);
        folder::create_private_folder(folder).map_err(wrap)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| Error::new(ErrorKind::Io, "create the log key", error.to_string()))?;
        let pem = note::seed_to_pem(&seed);
        let staged = folder.join(format!("{KEY_FILE}.{}", uuid::Uuid::new_v4()));
        let mut file = folder::create_new(&staged).map_err(wrap)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(wrap)?;
        // A hard link fails when another process was first; its key then counts for both.
        let linked = fs::hard_link(&staged, path);
        fs::remove_file(&staged).map_err(wrap)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(wrap(error)),
            _ => {
                folder::sync_folder(folder).map_err(wrap)?;
                let text = read_plain(path).map_err(wrap)?;
                Self::from_pem(folder, path, &text)
            }
        }
    }

    /// The raw public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.signer_named("key").verifier().public_key()
    }

    /// Names new logs after a server's public host. Logs that this key signs under their local name
    /// keep it: an origin is chosen once.
    pub fn with_authority(mut self, host: &str) -> Result<Self> {
        let visible = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if host.is_empty() || host.len() > AUTHORITY_LIMIT || !host.chars().all(visible) {
            let message =
                "a public host is a name such as trace.example.org, with a port or without";
            return Err(Error::new(ErrorKind::InvalidInput, "name the server", message));
        }
        self.authority = Some(host.to_owned());
        Ok(self)
    }

    /// A secret for another purpose, which tells nothing about the key.
    pub fn derived(&self, purpose: &str) -> [u8; 32] {
        Digest::keyed(&self.seed, format!("quark-trace secret\n{purpose}").as_bytes()).0
    }

    /// The origin of a new log of this key.
    pub fn origin(&self, project: &ProjectId) -> Origin {
        match &self.authority {
            Some(host) => Origin::new(host, project),
            None => Origin::local(self.public_key(), project),
        }
    }

    /// The names under which this key signs the log of a project, that of a new log first.
    pub(crate) fn origins(&self, project: &ProjectId) -> impl Iterator<Item = Origin> + use<> {
        let local = Origin::local(self.public_key(), project);
        let public = self.authority.as_ref().map(|host| Origin::new(host, project));
        public.into_iter().chain([local])
    }

    /// The key under the name of a log.
    pub fn signer(&self, origin: &Origin) -> SignerKey {
        self.signer_named(origin.as_str())
    }

    /// A tag that only the holder of this key can make; the cache of a log carries one.
    pub(crate) fn tag(&self, text: &str) -> Digest {
        Digest::keyed(&self.seed, format!("quark-trace cache\n{text}").as_bytes())
    }

    fn signer_named(&self, name: &str) -> SignerKey {
        SignerKey::new(name, self.seed).expect("an origin and the word key are valid key names")
    }
}

/// Reads a key file, behind a link too: keys are often mounted so. A FIFO or device is refused
/// before it is opened, because reading it may never end.
fn read_plain(path: &Path) -> std::io::Result<String> {
    if fs::metadata(path)?.is_file() {
        return fs::read_to_string(path);
    }
    Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a plain file"))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keyring").field("folder", &self.folder).finish_non_exhaustive()
    }
}
