//! The server that the tests use, and places in it that nobody else knows.

use std::path::PathBuf;
use std::sync::Arc;

use postgres::{Client, NoTls};
use quark_trace::core::ledger::Kind;
use quark_trace::keys::Keyring;
use quark_trace::store::{Commit, Durability, NewEntry, PostgresStore, Store};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run these tests with tools/with-postgres, or make test-postgres")
    })
}

/// The URL of the server, for a superuser.
pub fn url() -> String {
    variable("QUARK_TRACE_TEST_POSTGRES")
}

/// A plain connection.
pub fn client(url: &str) -> Client {
    Client::connect(url, NoTls).expect("the server takes a connection")
}

/// A schema of its own, with a folder for keys; both go with it.
pub struct Schema {
    pub name: String,
    pub url: String,
    pub keys: PathBuf,
}

impl Schema {
    pub fn new() -> Self {
        let name = format!("qt_{}", uuid::Uuid::new_v4().simple());
        client(&url()).batch_execute(&format!("CREATE SCHEMA {name}")).unwrap();
        let keys = std::env::temp_dir().join(format!("quark-keys-{name}"));
        Self { url: format!("{}?options=-c%20search_path%3D{name}", url()), name, keys }
    }

    pub fn open(&self) -> PostgresStore {
        PostgresStore::new(&self.url).unwrap()
    }

    pub fn open_signing(&self) -> PostgresStore {
        self.open().with_keys(Keyring::load_or_create(&self.keys).unwrap())
    }

    pub fn client(&self) -> Client {
        let mut client = client(&url());
        client.batch_execute(&format!("SET search_path = {}", self.name)).unwrap();
        client
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.keys);
        if let Ok(mut client) = Client::connect(&url(), NoTls) {
            let _ = client.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.name));
        }
    }
}

/// As a store of the contract.
pub fn shared(store: PostgresStore) -> Arc<dyn Store> {
    Arc::new(store)
}

/// The URL of a standby that follows it.
pub fn standby_url() -> String {
    variable("QUARK_TRACE_TEST_POSTGRES_STANDBY")
}

/// Where certificates lie, and a small disk.
pub fn folder() -> PathBuf {
    variable("QUARK_TRACE_TEST_POSTGRES_FOLDER").into()
}

/// How often a record id is in the ledger.
pub fn count(schema: &Schema, id: &str) -> i64 {
    let query = "SELECT count(*) FROM qt_entry WHERE record_key = sha256($1)";
    schema.client().query_one(query, &[&id.as_bytes()]).unwrap().get(0)
}

/// Appends a record with so many bytes that no compression makes fewer.
pub fn append_large(store: &PostgresStore, id: &str, length: usize) -> quark_trace::Result<u64> {
    let mut noise = String::with_capacity(length + 32);
    while noise.len() < length {
        noise.push_str(&uuid::Uuid::new_v4().simple().to_string());
    }
    let line = format!(
        "{{\"record_id\": \"{id}\", \"project_id\": \"demo\", \"stage\": \"s\", \"timestamp\": \
         \"t\", \"payload\": {{\"noise\": \"{noise}\"}}}}"
    );
    let new = NewEntry::new(Kind::Record, line.as_bytes());
    let entries = [NewEntry { record_id: Some(id), ..new }];
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
    store.append(&"demo".parse()?, &commit).map(|appended| appended.size)
}
