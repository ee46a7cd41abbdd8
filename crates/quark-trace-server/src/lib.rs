//! The server of Quark Trace: the HTTP API and the pages.

pub mod demo;
pub mod pages;
