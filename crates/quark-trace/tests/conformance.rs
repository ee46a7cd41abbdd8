//! The memory store and the file store keep the contract.

use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::keys::Keyring;
use quark_trace::store::{FileStore, MemoryStore, Store, conformance};

/// A folder that goes with the last handle on it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder() -> Folder {
    Folder(std::env::temp_dir().join(format!("quark-conformance-{}", uuid::Uuid::new_v4())))
}

#[test]
fn memory_store() {
    conformance::run(&|| {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        Box::new(move || store.clone())
    });
}

#[test]
fn memory_store_with_a_key() {
    let keys = folder();
    let keyring = Keyring::load_or_create(&keys.0).unwrap();
    conformance::run(&|| {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new().with_keys(keyring.clone()));
        Box::new(move || store.clone())
    });
}

#[test]
fn file_store() {
    conformance::run(&|| {
        let folder = folder();
        Box::new(move || Arc::new(FileStore::new(&folder.0)))
    });
}

#[test]
fn file_store_with_a_key() {
    conformance::run(&|| {
        let folder = folder();
        Box::new(move || {
            let keys = Keyring::load_or_create(&folder.0.join("keys")).unwrap();
            Arc::new(FileStore::new(folder.0.join("data")).with_keys(keys))
        })
    });
}

#[test]
#[ignore = "ten thousand filters; the soak suite runs it"]
fn filters_of_the_memory_store() {
    let make = || -> conformance::Place {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        Box::new(move || store.clone())
    };
    conformance::run_filters(&make, 10_000);
}

#[test]
#[ignore = "ten thousand filters; the soak suite runs it"]
fn filters_of_the_file_store() {
    let make = || -> conformance::Place {
        let folder = folder();
        Box::new(move || Arc::new(FileStore::new(&folder.0)))
    };
    conformance::run_filters(&make, 10_000);
}
