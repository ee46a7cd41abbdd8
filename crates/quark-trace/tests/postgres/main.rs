//! The PostgreSQL store against a real server, which `tools/with-postgres` starts.

mod backup;
mod conformance;
mod cuts;
mod faults;
mod filters;
mod fork;
mod hostile;
mod older;
mod protection;
mod schema;
mod server;
mod sharing;
mod tampering;
