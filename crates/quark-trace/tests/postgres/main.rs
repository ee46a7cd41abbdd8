//! The PostgreSQL store against a real server, which `tools/with-postgres` starts.

mod conformance;
mod schema;
mod server;
mod sharing;
