//! The SQLite store.

mod conformance;
mod folder;
mod schema;
