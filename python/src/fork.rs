//! Forks: the parent lets go of locks, the child opens anew.
//!
//! The package registers both functions with `os.register_at_fork`. The child never touches a lock
//! of the parent: another thread may have held it at the moment of the fork.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use quark_trace::delivery::Delivery;
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

/// As `OPEN`, for what sends records from a thread of its own.
static DELIVERIES: Mutex<Vec<Weak<Delivery>>> = Mutex::new(Vec::new());

/// Remembers a delivery whose thread must end before a fork.
pub fn remember_delivery(delivery: &Arc<Delivery>) {
    let mut known = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|known| known.strong_count() > 0);
    known.push(Arc::downgrade(delivery));
}

fn deliveries() -> Vec<Arc<Delivery>> {
    let known = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().filter_map(Weak::upgrade).collect()
}

/// How many threads are at work in a store, and how many wait to fork. Atomics and no lock, which the
/// child could not free.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);
static FORKING: AtomicUsize = AtomicUsize::new(0);
/// How long a fork waits for threads that are at work; one may wait for a server.
const PATIENCE: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_micros(100);

/// Runs without the GIL, and never while another thread forks: a child can use no library, such as
/// SQLite, in whose midst another thread was at that moment.
pub fn at_work<T: Send>(py: Python<'_>, act: impl Send + FnOnce() -> T) -> T {
    py.detach(|| {
        let _working = Working::begin();
        act()
    })
}

/// Whether a thread is about to fork, so that nothing may be begun with the GIL held.
pub fn is_near() -> bool {
    FORKING.load(Ordering::Acquire) > 0
}

struct Working;

impl Working {
    fn begin() -> Self {
        loop {
            AT_WORK.fetch_add(1, Ordering::AcqRel);
            if !is_near() {
                return Self;
            }
            AT_WORK.fetch_sub(1, Ordering::AcqRel);
            sleep(MOMENT);
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::AcqRel);
    }
}

fn open_stores() -> Vec<Arc<dyn Store>> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.iter().filter_map(Weak::upgrade).collect()
}

/// Lets every store hand over what it buffers and free its locks.
#[pyfunction]
pub fn before_fork(py: Python<'_>) {
    let (stores, deliveries) = (open_stores(), deliveries());
    FORKING.fetch_add(1, Ordering::AcqRel);
    py.detach(|| {
        let begun = Instant::now();
        while AT_WORK.load(Ordering::Acquire) > 0 && begun.elapsed() < PATIENCE {
            sleep(MOMENT);
        }
        // A store that cannot write now keeps its buffer and tells its next caller.
        stores.iter().for_each(|store| drop(store.before_fork()));
        deliveries.iter().for_each(|delivery| delivery.before_fork());
    });
}

/// Lets every store go on in the parent.
#[pyfunction]
pub fn after_fork_in_parent(py: Python<'_>) {
    let (stores, deliveries) = (open_stores(), deliveries());
    py.detach(|| {
        stores.iter().for_each(|store| drop(store.after_fork()));
        // One that cannot start its thread now does so with its next record.
        deliveries.iter().for_each(|delivery| drop(delivery.after_fork()));
    });
    FORKING.fetch_sub(1, Ordering::AcqRel);
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
    // The threads that were counted are not in this process.
    AT_WORK.store(0, Ordering::Release);
    FORKING.store(0, Ordering::Release);
    // What the parent has open is its own. A list that another thread was just changing stays; what
    // is in it knows that this is another process.
    if let Ok(mut open) = OPEN.try_lock() {
        open.clear();
    }
    if let Ok(mut deliveries) = DELIVERIES.try_lock() {
        deliveries.clear();
    }
    GENERATION.fetch_add(1, Ordering::AcqRel);
}
