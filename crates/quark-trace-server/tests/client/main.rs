//! A real server and the client of this project: the store, and delivery through a spool.

mod conformance;
mod filters;
mod refusals;
mod running;
