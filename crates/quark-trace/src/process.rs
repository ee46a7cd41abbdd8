//! Which process this is: what a child made by `fork` must not share with its parent asks here.

use std::sync::atomic::{AtomicU32, Ordering};

/// The id that was remembered; 0 is no process of a program.
static REMEMBERED: AtomicU32 = AtomicU32::new(0);

/// The id of this process.
pub fn id() -> u32 {
    match REMEMBERED.load(Ordering::Relaxed) {
        0 => std::process::id(),
        known => known,
    }
}

/// Remembers the id, so that asking for it is no system call. Only for bindings to a language that
/// tells of every fork: they call it once at first, and again in each child before anything else.
pub fn remember() {
    REMEMBERED.store(std::process::id(), Ordering::Relaxed);
}
