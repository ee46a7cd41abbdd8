//! Where a ledger lives: one small contract, many stores.

use std::fmt;
use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{CompactRange, Digest, Kind};

pub use quark_trace_core::verify::Place;

use crate::error::Result;

mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod file;
#[cfg(feature = "http")]
pub mod http;
pub mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod narrow;
mod open;
#[cfg(feature = "postgres")]
pub mod postgres;
mod rows;
mod schemas;
mod sheets;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sieve;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod spans;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod unsigned;

pub use file::FileStore;
#[cfg(feature = "http")]
pub use http::HttpStore;
pub use memory::MemoryStore;
pub use open::{OpenOptions, Password, is_url, open};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use rows::{Plan, Row, Select};
pub use schemas::{SchemaEntry, Schemas};
pub use sheets::StoredSheet;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use unsigned::Unsigned;

/// Keeps the ledgers of projects.
///
/// # Contract
///
/// - **Atomic**: of one [`Commit`] all entries are appended or none.
/// - **Durable on return**, as [`Commit::durability`] asked. What was acknowledged is found by
///   every later [`Store::scan`], also by another process.
/// - **Ordered**: entries get consecutive indexes in the order of the commit; indexes are never
///   given twice and never left out.
/// - **Safe under concurrent callers**, in other threads and, where [`StoreInfo::shared`] says so,
///   in other processes.
/// - **Never rewrites**: an entry and its object keep their bytes for ever.
/// - A write that fails says in [`crate::Error::outcome`] whether it may have happened. After an
///   error the next write works, unless the error is of kind `Integrity`.
/// - A caller may not assume that [`Store::head`] is still true when it returns; one that depends
///   on it passes [`Commit::expected`].
pub trait Store: fmt::Debug + Send + Sync {
    /// What this store is and can do.
    fn info(&self) -> StoreInfo;

    /// The projects in it, sorted.
    fn projects(&self) -> Result<Vec<ProjectId>>;

    /// Size and edge of the project's tree and its last checkpoint; `None` when the store has
    /// nothing of the project. Content without a ledger (written by quark-trace 0.1.0) has size 0.
    fn head(&self, project: &ProjectId) -> Result<Option<Head>>;

    /// The last checkpoint and the keys that lie beside the log, without reading the log; `None`
    /// when the store has nothing of the project.
    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>>;

    /// Appends the entries of a commit. The header entry is put before the first of them.
    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended>;

    /// Makes everything appended so far durable and signs a checkpoint over it, if the store was
    /// opened with a key. Content without a ledger is adopted first.
    fn seal(&self, project: &ProjectId) -> Result<Option<Head>>;

    /// Reads rows in ledger order into `sink` until it breaks off or no more are left.
    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()>;

    /// The last version of the fact sheet, for whoever is about to amend it; `None` when there is none,
    /// and an error of kind `Corrupted` when its bytes are not there as the ledger names them.
    /// A store that can look it up does: each version tells of all amendments before it, so that to
    /// read all of them takes long.
    fn last_sheet(&self, project: &ProjectId) -> Result<Option<StoredSheet>> {
        StoredSheet::last(self, project)
    }

    /// The fact sheet in force as people see it, its bytes unchecked; `None` when there is none.
    fn sheet(&self, project: &ProjectId) -> Result<Option<Vec<u8>>> {
        let mut last = None;
        let plan = Plan { select: Select::Sheets, ..Plan::default() };
        self.scan(project, &plan, &mut |row| {
            if let Row::Entry { object: Some(object), .. } = row {
                last = Some(object.into_owned());
            }
            ControlFlow::Continue(())
        })?;
        Ok(last)
    }

    /// The `schema` entries that no later one of their stage has replaced, for whoever is about to
    /// append. A store that can tell without reading the log does.
    fn schemas(&self, project: &ProjectId) -> Result<Schemas> {
        Schemas::read(self, project)
    }

    /// Appends plain records of callers that hold a lock of their own (Python's, say) meanwhile;
    /// `None`, with nothing done, when it would have to wait. A store whose writes always wait
    /// leaves this out.
    fn append_if_quick(
        &self,
        _project: &ProjectId,
        _commit: &Commit<'_>,
    ) -> Option<Result<Appended>> {
        None
    }

    /// Takes over what vouches for the log that this one is a copy of: its verifier keys and its
    /// checkpoint. For a store without a key of its own; a log that is bound to other keys, or has
    /// a checkpoint that covers as much, stays as it is. The caller has checked that the signature
    /// holds and that the entries here lead to its root.
    fn vouch(&self, _project: &ProjectId, _beside: &Beside) -> Result<()> {
        Ok(())
    }

    /// Takes up all of a project that the indexes for queries do not hold yet. Queries answer the
    /// same before and after, and read less after. Stores do so by themselves while nobody appends
    /// and, for a short time, on [`Store::seal`], [`Store::flush`] and [`Store::close`]; this is for
    /// logs that grew by more at once.
    ///
    /// Others read and append meanwhile; what is appended after the call began is left to the next.
    /// A project that is not there, and a store without such indexes, leave nothing to do. Where
    /// there are some, a store that was opened for reading only refuses with `ReadOnly`.
    fn index(&self, _project: &ProjectId) -> Result<()> {
        Ok(())
    }

    /// Makes everything that was appended here durable and signs checkpoints over it.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Logs that were appended to here and whose last checkpoint could not be signed, until one is
    /// signed or nothing is left to sign: stores sign by themselves while records come, and only
    /// [`Store::seal`], [`Store::flush`] and [`Store::close`] could tell. A store that signs when it
    /// is told to, or not itself, leaves this out.
    fn unsigned(&self) -> Vec<Unsigned> {
        Vec::new()
    }

    /// As [`Store::flush`], and lets go of locks, files and connections. The store can be used again
    /// afterwards. Dropping the store does the same, but cannot report.
    fn close(&self) -> Result<()> {
        self.flush()
    }

    /// Hands over what is buffered, lets go of locks and connections and ends threads, so that a
    /// forked child inherits none of them. Call it before `fork`; the child opens its own store and
    /// never touches or drops this one.
    fn before_fork(&self) -> Result<()> {
        Ok(())
    }

    /// Lets go once more of what another thread may have taken in between, and goes on. Call it in
    /// the parent after `fork`.
    fn after_fork(&self) -> Result<()> {
        self.before_fork()
    }
}

/// What a store is and can do; tests ask this, never the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// The scheme of its URL: `file`, `memory`.
    pub kind: &'static str,
    /// Its URL without secrets.
    pub url: String,
    /// Whether what it keeps outlives the process.
    pub persistent: bool,
    /// Whether several processes may append to one project in turn.
    pub shared: bool,
    /// Whether it signs checkpoints.
    pub signs: bool,
}

/// How safe a write is when the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// On the medium: survives a power cut.
    Sync,
    /// With the operating system: survives the death of the process at once and a power cut after
    /// 50 ms.
    #[default]
    Os,
    /// In memory of the process, handed to the operating system within a few milliseconds.
    Buffered,
}

impl Durability {
    /// `sync`, `os` or `buffered`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Os => "os",
            Self::Buffered => "buffered",
        }
    }
}

/// The state of a project's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Size of the tree and its right-hand edge.
    pub range: CompactRange,
    /// What lies beside the log.
    pub beside: Beside,
}

/// What lies beside a log and vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beside {
    /// The last checkpoint, a signed note.
    pub checkpoint: Option<String>,
    /// The verifier keys, one a line.
    pub keys: Option<String>,
}

/// Entries to append together.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// What is appended, in this order.
    pub entries: &'a [NewEntry<'a>],
    /// The size of the log that the entries depend on; refused with `Conflict` when it moved.
    /// Records depend on nothing before them, because a leaf does not hold its index.
    pub expected: Option<u64>,
    /// When to return.
    pub durability: Durability,
}

/// One entry to append.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// What it is about; a kind of a later version of the format keeps its word.
    pub kind: Kind<'a>,
    /// The object: for a record its line without terminator.
    pub object: &'a [u8],
    /// SHA-256 of `object`.
    pub digest: Digest,
    /// Attributes, each with its leading space, as the grammar has them; mostly empty.
    pub attributes: &'a str,
    /// The id of a record that the caller chose: it is appended once, however often it is tried.
    pub record_id: Option<&'a str>,
    /// Whether that id was read off the record, so that no store has to look. Untrue, the store may
    /// take the record's own id a second time.
    pub is_own_id: bool,
    /// For a record that was checked: what [`Schemas::until`] was. Refused with `Conflict` when
    /// another schema came meanwhile. A store may check buffered records against what it knows.
    pub schemas: Option<u64>,
}

impl<'a> NewEntry<'a> {
    /// An entry without attributes for an object.
    pub fn new(kind: Kind<'a>, object: &'a [u8]) -> Self {
        Self {
            kind,
            object,
            digest: Digest::of(object),
            attributes: "",
            record_id: None,
            is_own_id: false,
            schemas: None,
        }
    }
}

/// What an append did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// The size of the log after it. The new entries are the last ones.
    pub size: u64,
    /// Records of the commit that the log had already: place in the commit, index in the log.
    pub existing: Vec<(usize, u64)>,
}
