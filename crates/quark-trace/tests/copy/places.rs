//! The stores that are copied between, each in an empty place of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quark_trace::keys::Keyring;
use quark_trace::store::{MemoryStore, OpenOptions, Store, open};

/// A place that goes in the end.
pub struct Place {
    folder: PathBuf,
    pub store: Arc<dyn Store>,
    #[cfg(feature = "postgres")]
    _schema: Option<Schema>,
}

impl Place {
    /// Where its files are, if it has any.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.store.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Which stores there are to test with. PostgreSQL needs a server, which `tools/with-postgres`
/// starts; the suite `postgres` runs these tests there.
pub fn kinds() -> Vec<&'static str> {
    let mut kinds = vec!["file", "memory", "sqlite"];
    if cfg!(feature = "postgres") && std::env::var_os(SERVER).is_some() {
        kinds.push("postgres");
    }
    kinds
}

const SERVER: &str = "QUARK_TRACE_TEST_POSTGRES";

/// A schema of its own in the server, which goes with it.
#[cfg(feature = "postgres")]
struct Schema(String);

#[cfg(feature = "postgres")]
impl Schema {
    fn new() -> Self {
        let schema = Self(format!("qt_{}", uuid::Uuid::new_v4().simple()));
        schema.run(&format!("CREATE SCHEMA {}", schema.0));
        schema
    }

    fn url(&self) -> String {
        format!("{}?options=-c%20search_path%3D{}", std::env::var(SERVER).unwrap(), self.0)
    }

    fn run(&self, statement: &str) {
        let url = std::env::var(SERVER).unwrap();
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        client.batch_execute(statement).unwrap();
    }
}

#[cfg(feature = "postgres")]
impl Drop for Schema {
    fn drop(&mut self) {
        self.run(&format!("DROP SCHEMA {} CASCADE", self.0));
    }
}

/// An empty store, signed for with `keys`.
pub fn place(kind: &'static str, keys: Option<Keyring>) -> Place {
    let folder = std::env::temp_dir().join(format!("quark-copy-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let options = OpenOptions { keys: keys.clone(), ..OpenOptions::default() };
    #[cfg(feature = "postgres")]
    let schema = (kind == "postgres").then(Schema::new);
    let store = match kind {
        "memory" => {
            let store = MemoryStore::new();
            Arc::new(match keys {
                Some(keys) => store.with_keys(keys),
                None => store,
            })
        }
        "file" => open(&format!("file:{}", folder.join("traces").display()), options).unwrap(),
        "sqlite" => {
            open(&format!("sqlite:{}", folder.join("trace.db").display()), options).unwrap()
        }
        #[cfg(feature = "postgres")]
        "postgres" => open(&schema.as_ref().unwrap().url(), options).unwrap(),
        other => panic!("no store is called {other}"),
    };
    Place {
        folder,
        store,
        #[cfg(feature = "postgres")]
        _schema: schema,
    }
}

/// A key that goes with the test.
pub struct Keys {
    folder: PathBuf,
    pub ring: Keyring,
}

impl Keys {
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("quark-copy-{}", uuid::Uuid::new_v4()));
        let ring = Keyring::load_or_create(&folder).unwrap();
        Self { folder, ring }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
