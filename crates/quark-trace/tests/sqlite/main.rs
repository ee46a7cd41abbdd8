//! The SQLite store.

mod backup;
mod conformance;
mod failures;
mod filters;
mod folder;
mod older;
mod schema;
mod tampering;
