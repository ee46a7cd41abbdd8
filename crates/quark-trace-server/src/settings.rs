//! What an operator decides, with values that suit a small server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where the server listens, what it accepts, and how much of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate chain and key, in PEM; `None` speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Speaks plain HTTP on other addresses than those of this machine, for a server behind a proxy
    /// which ends TLS: browsers are told to send session cookies over TLS alone.
    pub allow_plain: bool,
    /// Names by which clients may call this server, such as `trace.example.org`. Addresses of this
    /// machine are always accepted.
    pub hosts: Vec<String>,
    /// Whether `/metrics` is shown to whoever asks from this machine without a key.
    pub open_metrics: bool,
    /// How much is accepted.
    pub limits: Limits,
}

/// A certificate of one's own.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain, the server's own certificate first.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How much the server takes. Each has a documented answer (see `docs/http-api.md`).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest record, in bytes of its line.
    pub record: usize,
    /// Largest body of a batch, in bytes.
    pub batch: usize,
    /// Most records of a batch.
    pub batch_records: usize,
    /// Most records on a page.
    pub page: u64,
    /// Most bytes of records on a page, which has one record at least.
    pub page_bytes: usize,
    /// Largest header of a request, in bytes.
    pub header: usize,
    /// How long a client may take for a header.
    pub header_wait: Duration,
    /// How long a client may take for a body.
    pub body_wait: Duration,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// Most connections at a time.
    pub connections: usize,
    /// Most connections of one address at a time.
    pub connections_per_address: usize,
    /// Most requests of one key in a second; 0 for any number.
    pub key_rate: u32,
    /// Most refused keys of one address in a second, and most requests without a key.
    pub address_rate: u32,
    /// Most records that wait to be written, over all clients.
    pub waiting: usize,
    /// Most streams that follow projects at a time.
    pub streams: usize,
    /// Most answers at a time that are written while they are read: whole histories.
    pub long_answers: usize,
    /// How long clients may take to finish when the server goes down.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record: 1024 * 1024,
            batch: 16 * 1024 * 1024,
            batch_records: 1000,
            page: 1000,
            page_bytes: 8 * 1024 * 1024,
            header: 16 * 1024,
            header_wait: Duration::from_secs(10),
            body_wait: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            connections: 1024,
            connections_per_address: 512,
            key_rate: 5000,
            address_rate: 50,
            waiting: 64,
            streams: 256,
            long_answers: 16,
            drain: Duration::from_secs(10),
        }
    }
}

impl Default for Settings {
    /// Plain HTTP on this machine alone.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8750)),
            tls: None,
            allow_plain: false,
            hosts: Vec::new(),
            open_metrics: true,
            limits: Limits::default(),
        }
    }
}
