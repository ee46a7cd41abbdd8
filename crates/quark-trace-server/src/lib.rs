//! The server of Quark Trace: the HTTP API of `docs/http-api.md`, and pages.
//!
//! | place | what it holds |
//! |---|---|
//! | `settings` | what an operator decides |
//! | `serve` | listening, TLS, going down |
//! | `app` | what all requests share |
//! | `access/` | who calls and what they may do |
//! | `registry/` | institutions, nodes, keys, projects, as records of the server's own ledger |
//! | `routes/` | the API, one file a room |
//! | `pages/` | what people see |
//! | `demo/` | a federation to look at |
//! | `writer`, `live` | threads that write; those who follow projects |
//! | `seals` | which logs cannot be signed |
//! | `indexing` | what was appended, taken up for queries |
//! | `problem` | errors as clients get them |
//!
//! Everything is kept in one store. Several servers may share it, if it is PostgreSQL.

pub mod access;
mod app;
pub mod demo;
mod indexing;
mod live;
pub mod pages;
mod problem;
pub mod registry;
pub mod routes;
mod seals;
pub mod serve;
mod settings;
mod writer;

pub use app::App;
pub use problem::{Code, Details, PathFault, Problem};
pub use serve::Server;
pub use settings::{Limits, Settings, Tls};
