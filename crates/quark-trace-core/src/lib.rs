//! The pure core of Quark Trace: what a record, a fact sheet and the ledger *are*, and how a ledger is checked.
//!
//! Absent on purpose: files, sockets, clocks, environment variables and randomness. Times, keys and
//! ids come in as arguments, so that every rule here gives the same answer for an auditor in ten
//! years as for the training run today. The format is specified in `spec/` of the repository.
//!
//! | module | what it holds |
//! |---|---|
//! | [`columns`] | records as typed columns |
//! | [`ids`] | project ids and stages, parsed once at the border |
//! | [`json`] | reading what the original wrote, writing what anyone can read |
//! | [`payload`], [`record`] | what a caller logs, and the one-line record object |
//! | [`ledger`] | entries, RFC 6962 tree, signed notes, checkpoints, proofs |
//! | [`query`] | the filter language, and what a filter means for a record |
//! | [`sheet`] | fact sheets: reading, validating, amending |
//! | [`stages`] | what records of a stage hold: schemas, the built-in vocabulary, faults |
//! | [`time`] | instants as records write them |
//! | [`verify`] | the verdict over a whole ledger |
//! | [`visible`] | text from outside, safe to show |
#![forbid(unsafe_code)]

pub mod columns;
pub mod ids;
pub mod json;
pub mod ledger;
pub mod payload;
pub mod query;
pub mod record;
pub mod sheet;
pub mod stages;
mod suggest;
pub mod time;
pub mod verify;
pub mod visible;
