//! What can be typed behind `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

pub const HELP: &str = "Examples:
  quark-trace serve sqlite:server.db
  quark-trace serve postgres://trace@db/traces --listen 0.0.0.0:443 --host trace.example.org \\
      --certificate chain.pem --private-key key.pem
  quark-trace serve --demo

Before anybody can use it, say who may: `quark-trace registry --help`.
It ends with Ctrl-C or SIGTERM; requests that are under way get their answers first.";

/// What `serve` is told.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The store: a database such as sqlite:server.db or postgres://user@host/database (else from the environment)
    pub store: Option<String>,
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8750")]
    pub listen: SocketAddr,
    /// A name by which clients call this server; the first one names new logs
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// The certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "private_key")]
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM, readable by nobody else
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub private_key: Option<PathBuf>,
    /// Speak plain HTTP to other machines, because a proxy in front ends TLS
    #[arg(long, conflicts_with = "certificate")]
    pub allow_plain: bool,
    /// Fill a fresh database with a federated training run to look at; without a store, one that is
    /// gone afterwards
    #[arg(long)]
    pub demo: bool,
    /// Show /metrics to operators alone, not to everybody on this machine
    #[arg(long)]
    pub closed_metrics: bool,
    /// Most requests of one key in a second; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 5000)]
    pub key_rate: u32,
    /// Most requests without a good key of one address in a second; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub address_rate: u32,
    /// Most connections at a time
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub connections: usize,
    /// Most connections of one address at a time
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub connections_per_address: usize,
    /// Largest record, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    pub record_limit: usize,
    /// What is written to the error output: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log: String,
}
