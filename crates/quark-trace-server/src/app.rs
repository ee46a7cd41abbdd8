//! What all requests share.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::ids::ProjectId;
use quark_trace::store::{Durability, Store};
use quark_trace::tree::LogTree;
use quark_trace::{Result, TraceLog};

use crate::access::audit::Audit;
use crate::access::last_used::LastUsed;
use crate::access::rate::Rates;
use crate::access::session::Sessions;
use crate::access::share::{Holder, Places};
use crate::indexing::Indexing;
use crate::live::Live;
use crate::problem::Problem;
use crate::registry::Registry;
use crate::seals::Seals;
use crate::serve::connections::Admission;
use crate::settings::Settings;
use crate::writer::Writer;

/// Most logs that are kept open; the summaries and schemas that each keeps are made anew later.
const OPEN_LOGS: usize = 1000;

/// Most trees that are kept in memory, a quarter of a byte for each entry of theirs.
const OPEN_TREES: usize = 200;

/// Most calls that read from the store at a time.
const READERS: usize = 16;

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// Where everything lies.
    pub store: Arc<dyn Store>,
    /// Who takes part.
    pub registry: Registry,
    /// Who is signed in to the pages.
    pub sessions: Sessions,
    /// Who is connected.
    pub admission: Arc<Admission>,
    /// How often somebody may call.
    pub rates: Rates,
    /// What was refused.
    pub audit: Audit,
    /// When keys were used.
    pub last_used: LastUsed,
    /// Who writes records.
    pub writer: Writer,
    /// Who follows projects.
    pub live: Live,
    /// Answers that are written while they are read. Each has a thread.
    pub long_answers: Places,
    /// Which logs cannot be signed.
    pub seals: Seals,
    /// What was appended and is to be taken up for queries.
    pub indexing: Indexing,
    /// What the operator decided.
    pub settings: Settings,
    logs: Mutex<HashMap<ProjectId, TraceLog>>,
    trees: Mutex<HashMap<ProjectId, Arc<LogTree>>>,
    readers: Places,
    is_ending: AtomicBool,
}

impl App {
    /// Opens the registry and starts the threads that write.
    ///
    /// `secret` is what sessions are signed with.
    pub fn new(store: Arc<dyn Store>, settings: Settings, secret: [u8; 32]) -> Result<Self> {
        let registry = Registry::open(Arc::clone(&store))?;
        // One transaction at a time is what the file stores have; a server of a database takes more.
        let shards = if store.info().kind == "postgres" { 4 } else { 1 };
        let shards = NonZeroUsize::new(shards).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            registry,
            sessions: Sessions::new(secret, settings.tls.is_some() || settings.allow_plain),
            admission: Admission::new(&settings.limits),
            rates: Rates::new(&settings.limits),
            audit: Audit::default(),
            last_used: LastUsed::new(SystemClock.now_us()),
            writer: Writer::start(shards, settings.limits.waiting),
            live: Live::new(settings.limits.streams),
            long_answers: Places::new(settings.limits.long_answers),
            seals: Seals::default(),
            indexing: Indexing::default(),
            logs: Mutex::default(),
            trees: Mutex::default(),
            readers: Places::new(READERS),
            is_ending: AtomicBool::new(false),
            store,
            settings,
        })
    }

    /// The log of a project, whether it exists or not.
    pub fn log(&self, project: &ProjectId) -> TraceLog {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = logs.get(project) {
            return known.clone();
        }
        if logs.len() >= OPEN_LOGS {
            logs.clear();
        }
        let log = TraceLog::new(Arc::clone(&self.store), project.clone())
            .with_durability(Durability::Sync);
        logs.insert(project.clone(), log.clone());
        log
    }

    /// The tree of a project's log, from which proofs and tiles are made.
    pub fn tree(&self, project: &ProjectId) -> Arc<LogTree> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = trees.get(project) {
            return Arc::clone(known);
        }
        if trees.len() >= OPEN_TREES {
            trees.clear();
        }
        let tree = Arc::new(LogTree::new(Arc::clone(&self.store), project.clone()));
        trees.insert(project.clone(), Arc::clone(&tree));
        tree
    }

    /// Does what waits for a disk or a database on a thread that may wait. Turns are shared out: who
    /// has many requests under way waits for itself.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.readers.wait(&Holder::of_request()).await.map_err(|_| ending())?;
        // The turn ends with the work, not with the client who may go away before.
        let work = move || {
            let _turn = turn;
            work()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(panicked) => {
                tracing::error!(%panicked, "a request failed");
                Err(Problem::new(crate::problem::Code::Internal, "the server failed; try again")
                    .unknown())
            }
        }
    }

    /// Whether the server is going down.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Says that the server is going down: `/ready` says so, and streams end.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.live.end();
    }
}

fn ending() -> Problem {
    Problem::busy("the server is going down; try another, or later")
}
