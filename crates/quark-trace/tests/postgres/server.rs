//! The server that the tests use, and places in it that nobody else knows.

use std::path::PathBuf;
use std::sync::Arc;

use postgres::{Client, NoTls};
use quark_trace::keys::Keyring;
use quark_trace::store::{PostgresStore, Store};

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
