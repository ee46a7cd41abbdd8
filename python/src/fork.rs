//! Forks: the parent lets go of locks, the child opens anew.
//!
//! The package registers both functions with `os.register_at_fork`. The child never touches a lock
//! of the parent: another thread may have held it at the moment of the fork.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::prelude::*;
use quark_trace::store::Store;

static GENERATION: AtomicU64 = AtomicU64::new(0);
/// Only touched with the GIL held, so that no other thread holds it when this one forks.
static OPEN: Mutex<Vec<Weak<dyn Store>>> = Mutex::new(Vec::new());

/// How often this process is the child of a fork; handles of an older generation are not used.
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// Remembers a store that must let go before a fork.
pub fn remember(store: &Arc<dyn Store>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|known| known.strong_count() > 0);
    open.push(Arc::downgrade(store));
}

fn open_stores() -> Vec<Arc<dyn Store>> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.iter().filter_map(Weak::upgrade).collect()
}

/// Lets every store hand over what it buffers and free its locks.
#[pyfunction]
pub fn before_fork(py: Python<'_>) {
    let stores = open_stores();
    // A store that cannot write now keeps its buffer and tells its next caller.
    py.detach(|| stores.iter().for_each(|store| drop(store.before_fork())));
}

/// Lets every store go on in the parent.
#[pyfunction]
pub fn after_fork_in_parent(py: Python<'_>) {
    let stores = open_stores();
    py.detach(|| stores.iter().for_each(|store| drop(store.after_fork())));
}

/// Says that the other functions here are called at every fork.
#[pyfunction]
pub fn told_of_forks() {
    quark_trace::process::remember();
}

/// Makes every handle open its store anew.
#[pyfunction]
pub fn after_fork_in_child() {
    quark_trace::process::remember();
    GENERATION.fetch_add(1, Ordering::AcqRel);
}
