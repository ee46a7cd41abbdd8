//! The HTTP store and delivery against servers of these tests, most of which do not keep to the API.

mod answers;
mod delivery;
mod forks;
#[cfg(unix)]
mod kills;
mod server;
mod transport;
