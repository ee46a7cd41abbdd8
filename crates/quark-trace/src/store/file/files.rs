//! The open files of one log, and the lock on them.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

use super::folder::{self, Names};
use super::lease::Lease;
use super::owed::Mark;
use super::state::State;

#[derive(Debug)]
pub(super) struct Files {
    pub records: Arc<File>,
    pub ledger: Arc<File>,
    pub lease: Lease,
    pub batch: File,
    pub owed: Mark,
    /// Whether the files were read up to their end once.
    pub loaded: bool,
}

impl Files {
    pub fn open(names: &Names) -> io::Result<Self> {
        folder::create_private_folder(names.log.parent().unwrap_or(&names.log))?;
        folder::create_private_folder(&names.log)?;
        if std::fs::symlink_metadata(&names.log)?.is_symlink() {
            let message = "the .qtlog folder is a symbolic link, and links are not followed";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let lease = Lease::open(&names.log)?;
        let records = Arc::new(folder::open_append(&names.records)?);
        let ledger = Arc::new(folder::open_append(&names.ledger())?);
        let batch = folder::open_write(&names.batch())?;
        let owed = Mark::open(&names.owed())?;
        folder::sync_folder(&names.log)?;
        folder::sync_folder(names.log.parent().unwrap_or(&names.log))?;
        Ok(Self { records, ledger, lease, batch, owed, loaded: false })
    }

    /// Whether somebody wrote since. The ledger has no writers but ours, so that it cannot have
    /// moved while the lock was held; the records may have been written by 0.1.0 at any time.
    pub fn moved(&self, at: &State, fresh: bool) -> io::Result<bool> {
        let end = |mut file: &File| file.seek(SeekFrom::End(0));
        Ok(end(&self.records)? != at.records_end || fresh && end(&self.ledger)? != at.ledger_end)
    }
}

/// The records first: the ledger must not be ahead of them on the medium. Should a power cut make
/// it so all the same, the entries without their lines are moved aside by the next writer.
pub(super) fn sync_both(records: &File, ledger: &File) -> io::Result<()> {
    begin_writing_back(ledger);
    records.sync_data()?;
    ledger.sync_data()
}

/// Has the system write out the end of a file while another one is flushed; the flush of this one
/// then finds less to do. Only a hint: on Linux this advice begins to write what is dirty.
fn begin_writing_back(file: &File) {
    #[cfg(target_os = "linux")]
    if let Ok(found) = file.metadata() {
        let start = found.len().saturating_sub(END_OF_FILE);
        let _ = rustix::fs::fadvise(file, start, None, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// More than is appended between two flushes, mostly.
#[cfg(target_os = "linux")]
const END_OF_FILE: u64 = 1024 * 1024;
