//! The stores that are copied between, each in an empty place of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quark_trace::keys::Keyring;
use quark_trace::store::{MemoryStore, OpenOptions, Store, open};

/// A place that goes in the end.
pub struct Place {
    folder: PathBuf,
    pub store: Arc<dyn Store>,
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

/// Which stores there are to test with.
pub fn kinds() -> Vec<&'static str> {
    vec!["file", "memory"]
}

/// An empty store, signed for with `keys`.
pub fn place(kind: &'static str, keys: Option<Keyring>) -> Place {
    let folder = std::env::temp_dir().join(format!("quark-copy-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let options = OpenOptions { keys: keys.clone(), ..OpenOptions::default() };
    let store = match kind {
        "memory" => {
            let store = MemoryStore::new();
            Arc::new(match keys {
                Some(keys) => store.with_keys(keys),
                None => store,
            })
        }
        "file" => open(&format!("file:{}", folder.join("traces").display()), options).unwrap(),
        other => panic!("no store is called {other}"),
    };
    Place { folder, store }
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
