//! The client of a server, as `HttpBackend` holds it: calls, and delivery through the spool.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use quark_trace::delivery::{Delivered, Delivery, DeliveryOptions, Notice, Status, Waiting, list};
use quark_trace::store::http::HttpOptions;
use quark_trace::store::{HttpStore, Password, Store};
use quark_trace::{Error, Record};

use crate::errors::{Doing, exception};
use crate::fork;
use crate::record::TraceRecord;

/// How long no signal is looked for.
const MOMENT: Duration = Duration::from_millis(100);

/// A server, and the records that are on their way to it.
#[pyclass(frozen, module = "quark_trace._core")]
pub struct Client {
    url: String,
    node: String,
    settings: HttpOptions,
    delivery: DeliveryOptions,
    /// Replaced in the child of a fork.
    open: Mutex<(u64, Option<Arc<Open>>)>,
}

struct Open {
    store: Arc<HttpStore>,
    delivery: Arc<Delivery>,
}

impl Client {
    fn open(&self) -> Result<Arc<Open>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = fork::generation();
        if open.0 != generation {
            // The parent's: its thread and its connections are not in this process.
            std::mem::forget(open.1.take());
            open.0 = generation;
        }
        if let Some(known) = &open.1 {
            return Ok(Arc::clone(known));
        }
        let store = Arc::new(HttpStore::new(&self.url, self.settings.clone())?);
        let receiver = Arc::clone(&store);
        let options = self.delivery.clone();
        let delivery = Arc::new(Delivery::new(receiver, store.url(), &self.node, options));
        let as_store: Arc<dyn Store> = store.clone();
        fork::remember(&as_store);
        fork::remember_delivery(&delivery);
        let fresh = Arc::new(Open { store, delivery });
        open.1 = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    fn run<T: Send>(
        &self,
        py: Python<'_>,
        doing: Doing,
        project: &str,
        act: impl Send + FnOnce(&Open) -> Result<T, Error>,
    ) -> PyResult<T> {
        let done = self.open().and_then(|open| fork::at_work(py, || act(&open)));
        done.map_err(|error| exception(py, &error, doing, project))
    }
}

impl Client {
    /// Waits for the server a moment at a time, so that Ctrl-C is heard.
    fn flushed(&self, py: Python<'_>, timeout: Duration) -> PyResult<Status> {
        let end = Instant::now() + timeout;
        self.run(py, Doing::Writing, "", |open| open.delivery.hurry())?;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let moment = left.min(MOMENT);
            let status = self.run(py, Doing::Reading, "", |open| Ok(open.delivery.wait(moment)))?;
            py.check_signals()?;
            if left <= MOMENT || status.waiting + status.untold == 0 {
                return Ok(status);
            }
        }
    }
}

#[pymethods]
impl Client {
    /// Prepares the way to a server; nothing is called or written. Times are in seconds.
    #[new]
    #[pyo3(signature = (
        url, node_id, api_key, *, delivery="auto", spool, on_full="raise", limit=1 << 30, drain=5.0,
        deadline=60.0, connect_timeout=5.0, read_timeout=30.0, allow_plain=false, proxy=None,
        roots=None, pins=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "Python gives them by name")]
    fn new(
        py: Python<'_>,
        url: String,
        node_id: String,
        api_key: String,
        delivery: &str,
        spool: PathBuf,
        on_full: &str,
        limit: u64,
        drain: f64,
        deadline: f64,
        connect_timeout: f64,
        read_timeout: f64,
        allow_plain: bool,
        proxy: Option<String>,
        roots: Option<PathBuf>,
        pins: Option<PathBuf>,
    ) -> PyResult<Self> {
        let invalid = |error: Error| exception(py, &error, Doing::Opening, "");
        let settings = HttpOptions {
            api_key: Some(Password::new(api_key)),
            connect_timeout: seconds(connect_timeout),
            read_timeout: seconds(read_timeout),
            deadline: seconds(deadline),
            allow_plain,
            proxy,
            roots,
            pins,
            ..HttpOptions::default()
        };
        let delivery = DeliveryOptions {
            mode: delivery.parse().map_err(invalid)?,
            on_full: on_full.parse().map_err(invalid)?,
            limit,
            drain: seconds(drain),
            ..DeliveryOptions::new(spool)
        };
        let open = Mutex::new((fork::generation(), None));
        let client = Self { url, node: node_id, settings, delivery, open };
        client.open().map_err(invalid)?;
        Ok(client)
    }

    /// What the registry says of a node: `(active, institution_id)`.
    fn node(&self, py: Python<'_>, node_id: &str) -> PyResult<(bool, String)> {
        let node = self.run(py, Doing::Reading, "", |open| open.store.node(node_id))?;
        Ok((node.active, node.institution_id))
    }

    /// Whether the server has the whole API, and not only the calls of 0.1.0.
    fn is_current(&self, py: Python<'_>) -> PyResult<bool> {
        self.run(py, Doing::Reading, "", |open| open.store.is_current())
    }

    /// Delivers a record: `stored`, `spooled` or `dropped`.
    fn save(&self, py: Python<'_>, record: &TraceRecord) -> PyResult<&'static str> {
        let line = record.to_line(py)?;
        let delivered = self
            .run(py, Doing::Writing, "", move |open| open.delivery.send(&Record::from_line(line)?));
        let delivered = delivered.inspect_err(|error| {
            if let Ok(record) = record.again(py) {
                // The exception is raised all the same when it cannot carry the record.
                let _ = error.value(py).setattr("record", record);
            }
        })?;
        Ok(match delivered {
            Delivered::Stored => "stored",
            Delivered::Spooled => "spooled",
            Delivered::Dropped => "dropped",
        })
    }

    /// All records of a project that the server has.
    fn records(&self, py: Python<'_>, project_id: &str) -> PyResult<Vec<TraceRecord>> {
        let lines = self.run(py, Doing::Reading, project_id, |open| {
            open.store.record_lines(project_id)?.into_iter().map(Record::from_line).collect()
        });
        let lines: Vec<Record> = lines?;
        Ok(lines.into_iter().map(|record| TraceRecord::from_line(record.into_line())).collect())
    }

    /// The fact sheet in force as the server gives it, or `None`.
    fn sheet<'py>(
        &self,
        py: Python<'py>,
        project_id: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let found =
            self.run(py, Doing::Reading, project_id, |open| open.store.sheet_document(project_id))?;
        Ok(found.map(|document| PyBytes::new(py, &document)))
    }

    /// Begins a project with its fact sheet, given as JSON.
    fn begin(&self, py: Python<'_>, project_id: &str, document: &[u8]) -> PyResult<()> {
        self.run(py, Doing::Writing, project_id, |open| open.store.begin(document))
    }

    /// Waits until nothing waits for the server, but no longer than `timeout` seconds; gives what
    /// is left.
    fn flush<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyDict>> {
        let status = self.flushed(py, seconds(timeout))?;
        as_dict(py, &status)
    }

    /// What waits, and what became of what does not.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let status = self.run(py, Doing::Reading, "", |open| Ok(open.delivery.status()))?;
        as_dict(py, &status)
    }

    /// What the user should be told, each once: `(kind, project, reason)`.
    fn notices(&self, py: Python<'_>) -> PyResult<Vec<(&'static str, String, String)>> {
        let notices = self.run(py, Doing::Reading, "", |open| Ok(open.delivery.notices()))?;
        let told = notices.into_iter().map(|notice| match notice {
            Notice::Spooling { reason } => ("spooling", String::new(), reason),
            Notice::Held { project, reason } => ("held", project, reason),
            Notice::Refused { project, reason } => ("refused", project, reason),
            Notice::RefusedGap { project, reason } => ("refused_gap", project, reason),
            Notice::Dropping { project, reason } => ("dropping", project, reason),
        });
        Ok(told.collect())
    }

    /// Waits for the server as long as `drain` says, and frees what is held; the client can be used
    /// again. Gives what is left.
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        if self.run(py, Doing::Reading, "", |open| Ok(open.delivery.is_open()))? {
            self.flushed(py, self.delivery.drain)?;
        }
        let status = self.run(py, Doing::Writing, "", |open| {
            let left = open.delivery.close_within(Duration::ZERO);
            open.store.close()?;
            left
        })?;
        as_dict(py, &status)
    }

    /// The URL of the server.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    fn __repr__(&self) -> String {
        format!("Client({:?}, {:?})", self.url, self.node)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
        if open.0 != fork::generation() {
            std::mem::forget(open.1.take());
        }
    }
}

/// What waits in a spool: a dictionary for each server, node and project.
#[pyfunction]
pub fn spooled(py: Python<'_>, folder: PathBuf) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let found = fork::at_work(py, || list(&folder));
    let found = found.map_err(|error| exception(py, &error, Doing::Reading, ""))?;
    found.iter().map(|waiting| as_row(py, waiting)).collect()
}

fn as_row<'py>(py: Python<'py>, waiting: &Waiting) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("server", &waiting.server)?;
    row.set_item("node", &waiting.node)?;
    row.set_item("project", &waiting.project)?;
    row.set_item("records", waiting.records)?;
    row.set_item("bytes", waiting.bytes)?;
    row.set_item("refused", waiting.refused)?;
    row.set_item("refused_gaps", waiting.refused_gaps)?;
    row.set_item("untold", waiting.untold)?;
    row.set_item("in_use", waiting.in_use)?;
    Ok(row)
}

fn as_dict<'py>(py: Python<'py>, status: &Status) -> PyResult<Bound<'py, PyDict>> {
    let told = PyDict::new(py);
    told.set_item("waiting", status.waiting)?;
    told.set_item("waiting_bytes", status.waiting_bytes)?;
    told.set_item("refused", status.refused)?;
    told.set_item("refused_gaps", status.refused_gaps)?;
    told.set_item("dropped", status.dropped)?;
    told.set_item("untold", status.untold)?;
    told.set_item("reason", status.reason.as_deref())?;
    Ok(told)
}

/// A time in seconds; what is none is no time, and no wait is longer than ten years.
fn seconds(given: f64) -> Duration {
    Duration::try_from_secs_f64(given.clamp(0.0, 3.2e8)).unwrap_or_default()
}
