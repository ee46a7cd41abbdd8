//! Logs that were begun and are not signed yet.
//!
//! A log without a checkpoint is new, or it is one whose checkpoint was removed by somebody who
//! changed it and has no key. So whoever begins a log puts a random number beside it and an empty
//! file of that name beside the key; the first signature takes that file away.

use std::path::PathBuf;

use quark_trace_core::ledger::{Digest, Origin};

use super::Keyring;
use crate::store::file::folder;

impl Keyring {
    /// Notes that a log is begun; gives the number that is to lie beside it.
    pub(crate) fn note_begun(&self, origin: &Origin) -> std::io::Result<Digest> {
        let number = Digest::of(uuid::Uuid::new_v4().as_bytes());
        folder::create_private_folder(&self.folder.join("tips"))?;
        folder::create_new(&self.begun_file(origin, number)).map(|_| number)
    }

    /// Whether a log with this number beside it was begun with this key and never signed.
    pub(crate) fn is_begun(&self, origin: &Origin, number: Digest) -> bool {
        self.begun_file(origin, number).is_file()
    }

    /// Takes note that it is signed now, or that nothing came of it.
    pub(crate) fn forget_begun(&self, origin: &Origin, number: Digest) {
        // Should it stay, the log is taken for one that was never signed, as before.
        let _ = std::fs::remove_file(self.begun_file(origin, number));
    }

    fn begun_file(&self, origin: &Origin, number: Digest) -> PathBuf {
        self.folder.join("tips").join(format!("{}.{number}.begun", origin.log_id()))
    }
}
