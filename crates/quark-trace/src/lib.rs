//! The flight recorder of machine learning.
//!
//! A project has a fact sheet (what the model is for) and trace records (what happened). Both are
//! entries of one append-only ledger, an RFC 6962 Merkle log that anyone can check.
//!
//! This crate is synchronous and starts no runtime: training processes fork. It prints nothing and
//! reads no environment variables; folders, keys and clocks are arguments.

mod batches;
pub mod clock;
pub mod copy;
#[cfg(feature = "http")]
pub mod delivery;
pub mod error;
pub mod history;
pub mod keys;
mod log;
pub mod process;
pub mod project;
pub mod prove;
pub mod query;
mod record;
mod record_ids;
pub mod signer;
pub mod stages;
pub mod store;
pub mod summary;
pub mod tree;
pub mod verify;

pub use error::{Error, ErrorKind, Outcome, Result};
pub use history::History;
pub use log::{Incoming, Received, TraceLog};
pub use project::{Project, SheetVersion};
pub use quark_trace_core as core;
pub use query::{AsOf, Cursor, Search};
pub use record::{Record, members};
pub use stages::Stages;
pub use summary::Summary;

/// The Rust examples of the README, which run with those of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Those of the guide to the query language.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/query.md")]
struct QueryGuide;
