//! The HTTP store: logs on a server of ours, by the API of `docs/http-api.md`.
//!
//! | file | what it holds |
//! |---|---|
//! | `address`, `settings` | which server, and how it is talked to |
//! | `connection` | connections, time-outs and limits; one call and its answer |
//! | `fault` | what the server said, or why it did not, as an error with an outcome |
//! | `head`, `pin` | size and checkpoint of a log; which history it is held to |
//! | `scan`, `lines` | reading rows |
//! | `write` | appending, and the receipts |
//! | `calls` | the calls of 0.1.0, and what delivery needs |
//!
//! What it relies on: nothing but its own pins. An answer is held to what was asked; who reads a log
//! to its end can [verify](crate::verify) it as if it lay here.

use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use serde_json::Value;

use super::{Appended, Beside, Commit, Head, Plan, Row, Store, StoreInfo};
use crate::error::{ErrorKind, Outcome, Result};
use crate::keys::Pins;

mod address;
mod calls;
mod connection;
mod fault;
mod head;
mod lines;
mod names;
mod pin;
mod scan;
mod settings;
mod write;

pub use calls::{Node, Receipt};
pub use fault::Answered;
pub use settings::HttpOptions;

use connection::{Call, Connection};
use fault::malformed;
use pin::Known;

const APPEND: &str = "append to the log";
const READ: &str = "read the log";
const SEAL: &str = "sign a checkpoint";
/// Pages of projects that are read at most, so that no server keeps a client reading for ever.
const PAGES: usize = 100_000;

/// Logs on a server.
///
/// Nothing is connected to before the first call. The key goes with every call and nowhere else:
/// redirects are not followed, and no proxy, `.netrc` or variable is looked for.
///
/// ```no_run
/// use quark_trace::store::http::HttpOptions;
/// use quark_trace::store::{HttpStore, Password, Store};
///
/// let options = HttpOptions { api_key: Some(Password::new("qt_…")), ..HttpOptions::default() };
/// let store = HttpStore::new("https://trace.example.org", options)?;
/// println!("{:?}", store.projects()?);
/// # Ok::<(), quark_trace::Error>(())
/// ```
#[derive(Debug)]
pub struct HttpStore {
    connection: Connection,
    known: Known,
}

impl HttpStore {
    /// A store on the server of a URL. Plain `http:` is refused but for this machine, unless the
    /// options allow it.
    pub fn new(url: &str, options: HttpOptions) -> Result<Self> {
        let pins = options.pins.as_deref().map(Pins::new);
        let connection = Connection::new(url, options)?;
        let known = Known::new(connection.url(), pins);
        Ok(Self { connection, known })
    }

    /// The URL, which holds no secret.
    pub fn url(&self) -> &str {
        self.connection.url()
    }

    fn accepted(
        &self,
        project: &ProjectId,
        read: &mut dyn FnMut() -> Result<Option<Head>>,
    ) -> Result<Option<Head>> {
        let mut consistency = |from, to| head::consistency(&self.connection, project, from, to);
        self.known.accept(project, read, &mut consistency)
    }
}

impl Store for HttpStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            kind: "http",
            url: self.url().to_owned(),
            persistent: true,
            shared: true,
            signs: true,
        }
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        let mut projects: Vec<ProjectId> = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let query: Vec<_> =
                after.as_deref().map(|after| ("after", after)).into_iter().collect();
            let call = Call { query: &query, ..Call::read(READ, &["projects", ""]) };
            let answer: Value = serde_json::from_slice(&self.connection.call(&call)?)
                .map_err(|_| malformed(READ, "it is no JSON"))?;
            let page = answer["projects"].as_array();
            let page = page.ok_or_else(|| malformed(READ, "it lists no projects"))?;
            // A name that is none cannot be asked for.
            let names = page.iter().filter_map(|one| one["project_id"].as_str()?.parse().ok());
            projects.extend(names);
            let next = answer["next"].as_str().map(ToOwned::to_owned);
            if next.is_none() || page.is_empty() || next == after {
                break;
            }
            after = next;
        }
        projects.sort();
        projects.dedup();
        Ok(projects)
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.accepted(project, &mut || head::read(&self.connection, project))
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        Ok(self.head(project)?.map(|head| head.beside))
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        self.check_writable()?;
        commit.check()?;
        let appended = write::append(&self.connection, project, commit);
        if appended.is_ok() {
            self.known.note_ours();
        }
        appended.map_err(|error| error.or_outcome(Outcome::Unknown))
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        if self.connection.options().read_only {
            return self.head(project);
        }
        self.accepted(project, &mut || {
            let path = ["projects", project.as_str(), "seal"];
            match self.connection.call(&Call::write(SEAL, &path)) {
                Ok(answer) => head::parse(SEAL, &answer).map(Some),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        scan::scan(&self.connection, project, plan, sink)
    }

    fn sheet(&self, project: &ProjectId) -> Result<Option<Vec<u8>>> {
        self.sheet_document(project.as_str())
    }

    fn close(&self) -> Result<()> {
        self.connection.close();
        Ok(())
    }

    fn before_fork(&self) -> Result<()> {
        self.close()
    }
}
