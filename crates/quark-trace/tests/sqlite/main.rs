//! The SQLite store.

mod backup;
mod conformance;
mod failures;
mod filters;
mod folder;
mod indexing;
mod older;
mod schema;
mod tampering;
