//! Connections: how they are opened, set up and kept, and that no process ever uses one that
//! another opened.
//!
//! SQLite keeps the locks on a file in the memory of the process. A child made by `fork` has a copy
//! of that, but not the locks: whatever it did with an inherited connection, or with a new one on
//! the same file, could damage the file. Connections are counted, so that this is refused.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::{Fault, Moment};
use super::migrations::{self, Schema};
use super::{paths, statements as sql};
use crate::error::ErrorKind;
use crate::process;

/// Older ones have faults in WAL that lose data.
const OLDEST: i32 = 3_051_003;
/// Connections for reading that are kept open while nobody reads.
const KEPT: usize = 4;
/// Pages kept in memory by a connection, in KiB, at most.
const CACHE_KIB: i64 = 32 * 1024;

/// The file, and connections to it that nobody uses now.
#[derive(Debug)]
pub(super) struct Place {
    pub path: PathBuf,
    pub url: String,
    /// How long to wait for other processes.
    pub patience: Duration,
    /// How long the write-ahead log was after our last commit, in pages.
    pub log_pages: Arc<AtomicU64>,
    process: u32,
    idle: Mutex<Vec<Open>>,
}

impl Place {
    pub fn new(path: PathBuf, url: String, patience: Duration) -> Self {
        Self {
            path,
            url,
            patience,
            log_pages: Arc::default(),
            process: process::id(),
            idle: Mutex::default(),
        }
    }

    /// Whether this is a copy of a place in the memory of a child made by `fork`.
    pub fn is_forked(&self) -> bool {
        self.process != process::id()
    }

    pub fn check_process(&self) -> Result<(), Fault> {
        if self.is_forked() {
            let message = "the store was opened before this process was forked; open it again here";
            return Err(Fault::new(ErrorKind::Unsupported, message));
        }
        Ok(())
    }

    /// A connection for reading; `None` when there is no file, or nothing in it.
    pub fn reader(&self) -> Result<Option<Open>, Fault> {
        self.check_process()?;
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if kept.is_some() {
            return Ok(kept);
        }
        if !paths::is_there(&self.path)? {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = Open::new(&self.path, flags, self.patience)
            .and_then(|open| migrations::look(&open).map(|schema| (open, schema)));
        let (open, schema) = match open {
            // A folder in which not even the locks of readers can be kept.
            Err(fault) if fault.kind == ErrorKind::PermissionDenied => self.unchanging(fault)?,
            other => other?,
        };
        open.pragma_update(None, "query_only", true)?;
        Ok((schema != Schema::Absent).then_some(open))
    }

    /// Reads a file that nobody can write to, if all of the log is in it.
    fn unchanging(&self, fault: Fault) -> Result<(Open, Schema), Fault> {
        let rest = std::fs::metadata(paths::wal(&self.path));
        if rest.is_ok_and(|rest| rest.len() > 0) || paths::is_writable(&self.path) {
            return Err(fault);
        }
        let url = paths::unchanging_url(&self.path).ok_or(fault)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let open = Open::new(Path::new(&url), flags, self.patience)?;
        let schema = migrations::look(&open)?;
        Ok((open, schema))
    }

    /// Keeps a connection for the next reader.
    pub fn give_back(&self, open: Open) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && open.is_autocommit() {
            idle.push(open);
        }
    }

    /// A connection for writing to a database with our tables, which are made where they are
    /// missing.
    pub fn writer(&self) -> Result<Open, Fault> {
        self.check_process()?;
        paths::create_if_missing(&self.path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut open = Open::new(&self.path, flags, self.patience)?;
        if open.is_readonly(rusqlite::MAIN_DB)? {
            let message = "the file is write-protected; give this user the right to write it";
            return Err(Fault::new(ErrorKind::PermissionDenied, message));
        }
        let mut schema = migrations::look(&open)?;
        self.keep_a_write_ahead_log(&open)?;
        if matches!(schema, Schema::Absent | Schema::Older { differs: None }) {
            open.pragma_update(None, "synchronous", "FULL")?;
            migrations::migrate(&open)?;
            paths::sync_folder(&self.path).map_err(|error| Fault::io(&error))?;
            schema = migrations::look(&open)?;
        }
        if let Some(what) = schema.differs() {
            let message = format!("{what}; nothing is written to a schema of unknown making");
            return Err(Fault::new(ErrorKind::Corrupted, message));
        }
        open.pragma_update(None, "synchronous", "NORMAL")?;
        open.tell_pages(&self.log_pages)?;
        Ok(open)
    }

    /// A connection that moves the write-ahead log into the database.
    pub fn mover(&self) -> Result<Open, Fault> {
        self.check_process()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Open::new(&self.path, flags, super::mover::PATIENCE)
    }

    fn keep_a_write_ahead_log(&self, open: &Connection) -> Result<(), Fault> {
        let deadline = Instant::now() + self.patience;
        loop {
            // SQLite does not wait by itself for the lock that this takes.
            let mode = open.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
            match mode.map_err(|error| Fault::of(&error, Moment::Before)) {
                Ok::<String, _>(mode) if mode == "wal" => return Ok(()),
                Err(fault) if fault.kind == ErrorKind::Busy && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(fault) => return Err(fault),
                Ok(mode) => {
                    let message = format!(
                        "the file system keeps no write-ahead log (journal mode {mode}); put the \
                         database on a local disk"
                    );
                    return Err(Fault::new(ErrorKind::Unsupported, message));
                }
            }
        }
    }

    /// Closes what nobody uses.
    pub fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Ends a transaction by writing it.
pub(super) fn commit(connection: &Connection) -> Result<(), Fault> {
    let done = connection.prepare_cached(sql::COMMIT)?.execute([]);
    done.map(drop).map_err(|error| {
        let fault = Fault::of(&error, Moment::Commit);
        roll_back(connection);
        fault
    })
}

/// Ends a transaction without writing it.
pub(super) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // A transaction that cannot be rolled back goes with its connection.
        let _ = connection.execute_batch(sql::ROLLBACK);
    }
}

/// The process that has connections open, and how many: see the head of this file.
static COUNTED: AtomicU64 = AtomicU64::new(0);

fn count(change: i64) -> Result<(), Fault> {
    let own = u64::from(process::id());
    let counted = |before: u64| {
        let (holder, open) = (before >> 32, before & u64::from(u32::MAX));
        let open = if holder == own { open } else { 0 };
        let foreign = holder != own && before & u64::from(u32::MAX) > 0;
        (!foreign).then(|| own << 32 | open.saturating_add_signed(change))
    };
    match COUNTED.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) {
        Ok(_) => Ok(()),
        Err(_) => {
            let message = "an SQLite store was open when this process was forked; call \
                           `before_fork` on it first, or open this store in a process of its own";
            Err(Fault::new(ErrorKind::Unsupported, message))
        }
    }
}

/// A connection of this process.
#[derive(Debug)]
pub(super) struct Open {
    connection: Option<Connection>,
    process: u32,
}

impl Open {
    fn new(path: &Path, flags: OpenFlags, patience: Duration) -> Result<Self, Fault> {
        if rusqlite::version_number() < OLDEST {
            let message = format!(
                "SQLite {} may lose data; this program needs 3.51.3 or newer",
                rusqlite::version()
            );
            return Err(Fault::new(ErrorKind::Unsupported, message));
        }
        count(1)?;
        let opened = Connection::open_with_flags(path, flags).map_err(Fault::from);
        let mut connection = opened.inspect_err(|_| drop(count(-1)))?;
        let set_up = set_up(&mut connection, patience);
        let open = Self { connection: Some(connection), process: process::id() };
        set_up.map(|()| open)
    }
}

impl Open {
    /// Keeps in `pages` how long the write-ahead log is after each commit.
    fn tell_pages(&mut self, pages: &Arc<AtomicU64>) -> Result<(), Fault> {
        let pages = Arc::clone(pages);
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, length| {
            pages.store(u64::try_from(length).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(())
    }
}

fn set_up(connection: &mut Connection, patience: Duration) -> Result<(), Fault> {
    connection.busy_handler(Some(waiting(patience)))?;
    connection.set_prepared_statement_cache_capacity(64);
    // What stands in a file is nothing that runs.
    for (what, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(what, on)?;
    }
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // The background thread does it, so that no append waits for it.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(())
}

/// Waits for a lock in short, uneven steps, so that several processes get their turns.
fn waiting(patience: Duration) -> impl FnMut(i32) -> bool + Send + 'static {
    let mut since = Instant::now();
    move |count| {
        if count == 0 {
            since = Instant::now();
        }
        let waited = since.elapsed();
        let longest = if count < 20 { 100 } else { 2000 };
        let uneven = u64::from(waited.subsec_nanos()) % longest;
        std::thread::sleep(Duration::from_micros(20 + uneven));
        waited < patience
    }
}

impl Deref for Open {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("taken when it is dropped, and not before")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Closing one of the parent would take from the parent what is the parent's.
        if self.process == process::id() {
            drop(self.connection.take());
            // It was counted when it was opened.
            let _ = count(-1);
        } else {
            std::mem::forget(self.connection.take());
        }
    }
}
