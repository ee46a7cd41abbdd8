//! The HTTP store and delivery against servers of these tests, most of which do not keep to the API.

mod answers;
mod forks;
mod server;
mod transport;
