//! A real server and the client of this project: the store, and delivery through a spool.

mod conformance;
mod filters;
#[cfg(target_os = "linux")]
mod full_disk;
mod refusals;
mod running;
