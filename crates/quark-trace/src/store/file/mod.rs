//! The file store: records and fact sheet under the names of quark-trace 0.1.0, the ledger beside
//! them in `{P}.qtlog`.
//!
//! | file | what it holds | who reads it |
//! |---|---|---|
//! | [`folder`] | names and opening of files | everyone here |
//! | `lines`, `pairs` | reading the records and the ledger side by side | recover, scan |
//! | `files` | the open files and the lock on them | writer |
//! | `write` | both files or none | writer |
//! | `writer` | the append path | open_log |
//! | `buffered` | records that wait in memory | writer |
//! | `owed` | entries that follow their records a moment later | writer |
//! | `pending`, `span` | encoded entries; writing bytes and taking them back | writer |
//! | `batch`, `ids` | keeping a batch whole; a record id is taken once | writer |
//! | `lease` | the lock between processes | writer |
//! | `recover` | opening, catching up, adopting, torn ends | writer |
//! | `schemas` | which schemas of stages are in force | writer, state, scan |
//! | `seal`, `state` | checkpoints, and the cache that makes opening fast | writer |
//! | `open_log`, `background` | threads, flushing together; the thread that flushes and signs | this file |
//! | `scan`, `align`, `loose` | reading rows, and pairing them again after tampering | this file |
//! | `entries` | reading entries alone | this file |
//! | `mark`, `steps` | where a reader of records came to; where every thousandth entry stands | scan |
//! | `sifted`, `sieve`, `needles` | reading on several threads what a filter may select | scan |

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use quark_trace_core::ids::ProjectId;

use super::{
    Appended, Beside, Commit, Head, Plan, Row, Schemas, Select, Store, StoreInfo, Unsigned,
};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::keys::Keyring;

mod align;
mod background;
mod batch;
mod buffered;
mod entries;
mod files;
pub(crate) mod folder;
mod ids;
mod lease;
mod lines;
mod loose;
mod mark;
mod needles;
mod open_log;
mod owed;
mod pairs;
mod pending;
mod recover;
mod scan;
mod schemas;
mod seal;
mod sieve;
mod sifted;
mod span;
mod state;
mod steps;
mod write;
mod writer;

use folder::Names;
use mark::Mark;
use open_log::OpenLog;
use steps::Steps;
use writer::Writer;

/// Keeps each project in a few files of one folder.
///
/// ```
/// # fn main() -> quark_trace::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("quark-{}", uuid::Uuid::new_v4()));
/// use quark_trace::store::{Commit, FileStore, NewEntry, Store};
/// use quark_trace::core::ledger::Kind;
///
/// let store = FileStore::new(&folder);
/// let project = "demo".parse()?;
/// let entries = [NewEntry::new(Kind::Record, br#"{"record_id": "1"}"#)];
/// let commit = Commit { entries: &entries, expected: None, durability: Default::default() };
/// assert_eq!(store.append(&project, &commit)?.size, 2); // the header entry and the record
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    extension: String,
    keys: Option<Keyring>,
    read_only: bool,
    forked: bool,
    logs: Mutex<HashMap<ProjectId, Arc<OpenLog>>>,
    /// Where readers of records came to.
    marks: Mutex<HashMap<ProjectId, Mark>>,
    steps: Mutex<HashMap<ProjectId, Arc<Steps>>>,
}

impl FileStore {
    /// A store in `folder`, which is made when something is written. It signs no checkpoints.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            extension: "jsonl".to_owned(),
            keys: None,
            read_only: false,
            forked: false,
            logs: Mutex::default(),
            marks: Mutex::default(),
            steps: Mutex::default(),
        }
    }

    /// Signs checkpoints with this key.
    #[must_use]
    pub fn with_keys(mut self, keys: Keyring) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Refuses every write.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Writes every entry together with its record, because a child made by `fork` may end without
    /// closing anything, and what it logged would then be adopted.
    #[must_use]
    pub fn in_forked_child(mut self) -> Self {
        self.forked = true;
        self
    }

    /// Ends the names of record files with `.extension` instead of `.jsonl`, as the original's
    /// `file_type` did: 1 to 16 of `a-z` and `0-9`.
    pub fn with_extension(mut self, extension: &str) -> Result<Self> {
        let valid = (1..=16).contains(&extension.len())
            && extension.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !valid {
            let message = "a file type is 1 to 16 of the characters a-z and 0-9, such as jsonl";
            return Err(Error::new(ErrorKind::InvalidInput, "open the folder", message)
                .on(extension.to_owned()));
        }
        extension.clone_into(&mut self.extension);
        Ok(self)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn each_log(&self, act: impl Fn(&Arc<OpenLog>) -> Result<()>) -> Result<()> {
        let logs: Vec<_> = self.logs().values().cloned().collect();
        logs.iter().map(act).fold(Ok(()), Result::and)
    }

    fn logs(&self) -> std::sync::MutexGuard<'_, HashMap<ProjectId, Arc<OpenLog>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn marks(&self) -> std::sync::MutexGuard<'_, HashMap<ProjectId, Mark>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn steps(&self, project: &ProjectId) -> Arc<Steps> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(steps.entry(project.clone()).or_default())
    }

    fn names(&self, project: &ProjectId) -> Names {
        Names::new(&self.folder, project, &self.extension)
    }

    fn writer(&self, project: &ProjectId) -> Writer {
        let writer = Writer::new(project.clone(), self.names(project), self.keys.clone());
        if self.forked { writer.with_entries_at_once() } else { writer }
    }

    fn log(&self, project: &ProjectId) -> Result<Arc<OpenLog>> {
        if self.read_only {
            let message = "the store was opened for reading only";
            return Err(Error::new(ErrorKind::ReadOnly, "append to the log", message)
                .with_outcome(Outcome::NotWritten));
        }
        let mut logs = self.logs();
        if let Some(log) = logs.get(project) {
            return Ok(Arc::clone(log));
        }
        let log = OpenLog::new(self.writer(project));
        Ok(Arc::clone(logs.entry(project.clone()).or_insert(log)))
    }
}

impl Store for FileStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            kind: "file",
            url: format!("file:{}", self.folder.display()),
            persistent: true,
            shared: true,
            signs: self.keys.is_some(),
        }
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        let wrap = |error| Error::io("list projects", self.folder.display().to_string(), error);
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrap(error)),
        };
        let mut projects = Vec::new();
        for entry in entries {
            let name = entry.map_err(wrap)?.file_name();
            projects
                .extend(name.to_str().and_then(|name| folder::project_of(name, &self.extension)));
        }
        projects.sort();
        projects.dedup();
        // One that cannot be looked into is listed, so that somebody finds out why.
        projects.retain(|project| !scan::is_absent(&self.names(project)).unwrap_or(false));
        Ok(projects)
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.flush_buffered(project)?;
        scan::head(&self.names(project))
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        let names = self.names(project);
        if scan::is_absent(&names)? { Ok(None) } else { scan::beside(&names).map(Some) }
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        self.log(project)?.append(commit)
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        if scan::is_absent(&self.names(project))? {
            return Ok(None);
        }
        self.log(project)?.seal().map(Some)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.flush_buffered(project)?;
        let (names, steps) = (self.names(project), self.steps(project));
        if plan.select == Select::Entries {
            return entries::scan(&names, plan, &steps, sink);
        }
        let mark = self.marks().get(project).copied();
        if let Some(mark) = scan::scan(&names, plan, mark, &steps, sink)? {
            self.marks().insert(project.clone(), mark);
        }
        Ok(())
    }

    /// The file of the name that 0.1.0 uses, without reading the log. Whether it is the last sheet
    /// of the ledger is checked by the next append, and by `verify`.
    fn sheet(&self, project: &ProjectId) -> Result<Option<Vec<u8>>> {
        let path = self.names(project).sheet;
        folder::read_if_there(&path)
            .map_err(|error| Error::io("read the fact sheet", path.display().to_string(), error))
    }

    /// A writer keeps along which they are; a reader has to look for them.
    fn schemas(&self, project: &ProjectId) -> Result<Schemas> {
        if self.read_only {
            return Schemas::read(self, project);
        }
        if scan::is_absent(&self.names(project))? {
            return Ok(Schemas::default());
        }
        self.log(project)?.schemas()
    }

    fn vouch(&self, project: &ProjectId, beside: &Beside) -> Result<()> {
        if self.keys.is_some() { Ok(()) } else { self.log(project)?.vouch(beside) }
    }

    fn append_if_quick(
        &self,
        project: &ProjectId,
        commit: &Commit<'_>,
    ) -> Option<Result<Appended>> {
        let log = self.logs.try_lock().ok()?.get(project).cloned()?;
        log.append_if_quick(commit)
    }

    fn flush(&self) -> Result<()> {
        self.each_log(|log| log.seal_if_needed())
    }

    fn unsigned(&self) -> Vec<Unsigned> {
        let logs: Vec<_> = self.logs().iter().map(|(id, log)| (id.clone(), log.clone())).collect();
        let refused = logs
            .into_iter()
            .filter_map(|(project, log)| log.refused().map(|reason| Unsigned { project, reason }));
        refused.collect()
    }

    fn close(&self) -> Result<()> {
        self.each_log(|log| log.close())
    }

    fn before_fork(&self) -> Result<()> {
        self.each_log(|log| log.release())
    }

    fn after_fork(&self) -> Result<()> {
        self.each_log(OpenLog::resume)
    }
}

impl FileStore {
    /// What this process buffered is part of what it reads.
    fn flush_buffered(&self, project: &ProjectId) -> Result<()> {
        let log = self.logs().get(project).cloned();
        log.map_or(Ok(()), |log| log.flush())
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        // Nobody is left to tell; `close` is for those who want to know.
        let _ = self.close();
    }
}
