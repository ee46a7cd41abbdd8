//! The SQLite store.

mod conformance;
mod failures;
mod folder;
mod schema;
mod tampering;
