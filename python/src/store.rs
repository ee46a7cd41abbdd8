//! A folder of logs, as `JsonBackend` holds it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use quark_trace::Error;
use quark_trace::core::ids::ProjectId;
use quark_trace::keys::Keyring;
use quark_trace::store::{Durability, FileStore, OpenOptions, Store as _, open_folder};

use crate::errors::{Doing, exception, raise};
use crate::fork;
use crate::log::Log;

/// A folder of logs.
#[pyclass(frozen, module = "quark_trace._core")]
pub struct Store {
    shared: Arc<Shared>,
}

/// What a store and its logs share, so that all of them survive a fork.
pub struct Shared {
    path: String,
    keys: Option<PathBuf>,
    file_type: String,
    pub durability: Durability,
    /// Replaced in the child of a fork. Held for an instant with the GIL held, never while waiting.
    open: Mutex<(u64, Option<Arc<FileStore>>)>,
}

impl Shared {
    /// The store of this process.
    pub fn store(&self) -> Result<Arc<FileStore>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = fork::generation();
        if open.0 != generation {
            // The parent's handle: dropping it would take its locks.
            std::mem::forget(open.1.take());
            open.0 = generation;
        }
        if let Some(store) = &open.1 {
            return Ok(Arc::clone(store));
        }
        let options = OpenOptions {
            // Without a key the log goes on unsigned, which `verify` says.
            keys: self.keys.as_deref().and_then(|folder| Keyring::load_or_create(folder).ok()),
            read_only: false,
            file_type: Some(self.file_type.clone()),
        };
        let store = Arc::new(open_folder(&self.path, options)?);
        fork::remember(&store);
        open.1 = Some(Arc::clone(&store));
        Ok(store)
    }
}

#[pymethods]
impl Store {
    /// Opens `path`; nothing is written. `keys` is the folder of the signing key.
    #[new]
    #[pyo3(signature = (path, *, keys=None, durability="os", file_type="jsonl"))]
    fn new(
        py: Python<'_>,
        path: String,
        keys: Option<PathBuf>,
        durability: &str,
        file_type: &str,
    ) -> PyResult<Self> {
        let durability = match durability {
            "sync" => Durability::Sync,
            "os" => Durability::Os,
            "buffered" => Durability::Buffered,
            other => {
                let message =
                    format!("{other:?} is no durability; give 'sync', 'os' or 'buffered'");
                return Err(raise(py, "invalid_input", &message, "opening", None, None, None));
            }
        };
        let file_type = file_type.to_owned();
        let open = Mutex::new((fork::generation(), None));
        let shared = Arc::new(Shared { path, keys, file_type, durability, open });
        shared.store().map_err(|error| exception(py, &error, Doing::Writing, &shared.path))?;
        Ok(Self { shared })
    }

    /// The log of a project.
    fn log(&self, py: Python<'_>, project_id: &str) -> PyResult<Log> {
        let project: ProjectId = project_id.parse().map_err(|fault| {
            raise(py, "project_id", &format!("{fault}"), "writing", None, None, Some(project_id))
        })?;
        Ok(Log::new(Arc::clone(&self.shared), project))
    }

    /// The ids of the projects in the folder.
    fn projects(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let found = self.shared.store().and_then(|store| py.detach(|| store.projects()));
        let projects =
            found.map_err(|error| exception(py, &error, Doing::Reading, &self.shared.path))?;
        Ok(projects.iter().map(ToString::to_string).collect())
    }

    /// Makes everything durable and signs checkpoints.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let flushed = self.shared.store().and_then(|store| py.detach(|| store.flush()));
        flushed.map_err(|error| exception(py, &error, Doing::Writing, &self.shared.path))
    }

    /// Makes everything durable, signs checkpoints and frees the locks; the store can be used again.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let closed = self.shared.store().and_then(|store| py.detach(|| store.close()));
        closed.map_err(|error| exception(py, &error, Doing::Writing, &self.shared.path))
    }

    fn __repr__(&self) -> String {
        format!("Store({:?})", self.shared.path)
    }
}
