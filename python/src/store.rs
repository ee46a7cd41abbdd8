//! A store of logs, as a backend of the package holds it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use quark_trace::Error;
use quark_trace::copy::{copy, is_signed_elsewhere};
use quark_trace::core::ids::ProjectId;
use quark_trace::keys::Keyring;
use quark_trace::store::{self, Durability, Head, OpenOptions, Password, StoreInfo};

use crate::errors::{Doing, exception, raise};
use crate::fork;
use crate::log::Log;

/// A store of logs: a folder, or what a URL names.
#[pyclass(frozen, module = "quark_trace._core")]
pub struct Store {
    shared: Arc<Shared>,
}

/// What a store and its logs share, so that all of them survive a fork.
pub struct Shared {
    url: String,
    keys: Option<PathBuf>,
    file_type: Option<String>,
    password: Option<Password>,
    api_key: Option<Password>,
    pins: Option<PathBuf>,
    read_only: bool,
    pub durability: Durability,
    /// Replaced in the child of a fork. Held for an instant with the GIL held, never while waiting.
    open: Mutex<(u64, Option<Arc<dyn store::Store>>)>,
}

impl Shared {
    /// The store of this process.
    pub fn store(&self) -> Result<Arc<dyn store::Store>, Error> {
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
        let store = self.open_with(self.keyring())?;
        fork::remember(&store);
        open.1 = Some(Arc::clone(&store));
        Ok(store)
    }

    /// Without a key the log goes on unsigned, which `verify` says.
    fn keyring(&self) -> Option<Keyring> {
        self.keys.as_deref().and_then(|folder| Keyring::load_or_create(folder).ok())
    }

    fn open_with(&self, keys: Option<Keyring>) -> Result<Arc<dyn store::Store>, Error> {
        let options = OpenOptions {
            keys,
            read_only: self.read_only,
            file_type: self.file_type.clone(),
            password: self.password.clone(),
            api_key: self.api_key.clone(),
            pins: self.pins.clone(),
            forked: fork::generation() > 0,
        };
        store::open(&self.url, options)
    }

    /// Copies what this store does not have yet of a project.
    fn take_copy(&self, from: &dyn store::Store, project: &ProjectId) -> Result<Head, Error> {
        let mut to = self.store()?;
        if let Some(keys) = self.keyring()
            && is_signed_elsewhere(from, to.as_ref(), project, &keys)?
        {
            to = self.open_with(None)?;
        }
        copy(from, to.as_ref(), project, &mut |_, _| {})
    }
}

#[pymethods]
impl Store {
    /// Opens the store that `url` names; nothing is written. `keys` is the folder of the signing key.
    #[new]
    #[pyo3(signature = (url, *, keys=None, durability="os", file_type=None, password=None, api_key=None, pins=None, read_only=false))]
    #[allow(clippy::too_many_arguments, reason = "Python gives them by name")]
    fn new(
        py: Python<'_>,
        url: String,
        keys: Option<PathBuf>,
        durability: &str,
        file_type: Option<String>,
        password: Option<String>,
        api_key: Option<String>,
        pins: Option<PathBuf>,
        read_only: bool,
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
        // Reading needs no key, and must not make one.
        let keys = keys.filter(|_| !read_only);
        let open = Mutex::new((fork::generation(), None));
        let (password, api_key) = (password.map(Password::new), api_key.map(Password::new));
        let shared =
            Shared { url, keys, file_type, password, api_key, pins, read_only, durability, open };
        let shared = Arc::new(shared);
        shared.store().map_err(|error| exception(py, &error, Doing::Opening, ""))?;
        Ok(Self { shared })
    }

    /// The log of a project.
    fn log(&self, py: Python<'_>, project_id: &str) -> PyResult<Log> {
        Ok(Log::new(Arc::clone(&self.shared), parse_project(py, project_id)?))
    }

    /// The ids of the projects in the store.
    fn projects(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let found = self.shared.store().and_then(|store| fork::at_work(py, || store.projects()));
        let projects = found.map_err(|error| exception(py, &error, Doing::Reading, ""))?;
        Ok(projects.iter().map(ToString::to_string).collect())
    }

    /// Copies what `target` does not have yet of a project; gives `(size, root)`, which both have.
    fn copy_project(
        &self,
        py: Python<'_>,
        target: &Self,
        project_id: &str,
    ) -> PyResult<(u64, String)> {
        let project = parse_project(py, project_id)?;
        let copied = self.shared.store().and_then(|from| {
            fork::at_work(py, || target.shared.take_copy(from.as_ref(), &project))
        });
        let head = copied.map_err(|error| exception(py, &error, Doing::Writing, project_id))?;
        Ok((head.range.size(), head.range.root().to_string()))
    }

    /// Makes everything durable and signs checkpoints.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let flushed = self.shared.store().and_then(|store| fork::at_work(py, || store.flush()));
        flushed.map_err(|error| exception(py, &error, Doing::Writing, ""))
    }

    /// Makes everything durable, signs checkpoints and frees the locks; the store can be used again.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let closed = self.shared.store().and_then(|store| fork::at_work(py, || store.close()));
        closed.map_err(|error| exception(py, &error, Doing::Writing, ""))
    }

    /// What kind of store it is: `file`, for instance.
    #[getter]
    fn kind(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.info(py).map(|info| info.kind)
    }

    /// The URL without secrets.
    #[getter]
    fn url(&self, py: Python<'_>) -> PyResult<String> {
        self.info(py).map(|info| info.url)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.info(py).map(|info| format!("Store({:?})", info.url))
    }
}

impl Store {
    fn info(&self, py: Python<'_>) -> PyResult<StoreInfo> {
        let store = self.shared.store();
        let store = store.map_err(|error| exception(py, &error, Doing::Opening, ""))?;
        Ok(store.info())
    }
}

fn parse_project(py: Python<'_>, project_id: &str) -> PyResult<ProjectId> {
    project_id.parse().map_err(|fault| {
        raise(py, "project_id", &format!("{fault}"), "writing", None, None, Some(project_id))
    })
}
