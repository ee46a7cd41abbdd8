//! The SQLite store.

mod conformance;
mod failures;
mod filters;
mod folder;
mod schema;
mod tampering;
