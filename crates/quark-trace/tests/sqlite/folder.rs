//! A folder for a database and keys, which goes with the last handle on it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::keys::Keyring;
use quark_trace::store::{Commit, Durability, NewEntry, Plan, Row, SqliteStore, Store};

pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("quark-sqlite-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("trace.db")
    }

    pub fn open(&self) -> SqliteStore {
        SqliteStore::new(self.database()).unwrap()
    }

    pub fn keys(&self) -> Keyring {
        Keyring::load_or_create(&self.0.join("keys")).unwrap()
    }

    pub fn open_signing(&self) -> SqliteStore {
        self.open().with_keys(self.keys())
    }

    /// A plain connection, as somebody with another program has it.
    pub fn connect(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn project() -> ProjectId {
    "demo".parse().unwrap()
}

pub fn record(id: &str) -> Vec<u8> {
    format!(
        "{{\"record_id\": \"{id}\", \"project_id\": \"demo\", \"stage\": \"round\", \
         \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": {{\"loss\": 0.5}}}}"
    )
    .into_bytes()
}

/// Appends a record whose id was chosen, so that it may be tried again.
pub fn append(store: &dyn Store, id: &str) -> quark_trace::Result<u64> {
    let line = record(id);
    let entries = [NewEntry { record_id: Some(id), ..NewEntry::new(Kind::Record, &line) }];
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
    store.append(&project(), &commit).map(|appended| appended.size)
}

pub type Ledger = Vec<(u64, Vec<u8>, Option<Vec<u8>>)>;

/// Every entry with its object; nothing else may be there.
pub fn ledger(store: &dyn Store) -> Ledger {
    let found = try_ledger(store).unwrap();
    assert_eq!(found.1, Vec::<String>::new());
    found.0
}

/// Every entry with its object, and what else a scan tells.
pub fn try_ledger(store: &dyn Store) -> quark_trace::Result<(Ledger, Vec<String>)> {
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    store.scan(&project(), &Plan::default(), &mut |row| {
        match row {
            Row::Entry { index, line, object, .. } => {
                rows.push((index, line.to_vec(), object.map(|object| object.into_owned())));
            }
            other => told.push(format!("{other:?}")),
        }
        ControlFlow::Continue(())
    })?;
    Ok((rows, told))
}

/// As a store of the contract.
pub fn shared(store: SqliteStore) -> Arc<dyn Store> {
    Arc::new(store)
}
