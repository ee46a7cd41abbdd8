//! `serve`: the server.

mod demo;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use quark_trace::keys::Keyring;
use quark_trace::store::Store;
use quark_trace_server::routes::install_metrics;
use quark_trace_server::{Limits, Server, Settings, Tls};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::arguments::serve::Serve;
use crate::environment;
use crate::failure::Failure;
use crate::output::{GOOD, Output};
use crate::target::{Access, keys, open_with};

/// Open files that are no connections of clients: the store, the log, the libraries.
#[cfg(unix)]
const FILES_BESIDE: u64 = 256;

pub fn run(asked: &Serve, output: &Output) -> Result<u8, Failure> {
    let level = asked.log.parse::<tracing_subscriber::filter::LevelFilter>();
    let level = level.map_err(|_| {
        Failure::usage("the log level is one of off, error, warn, info, debug and trace")
    })?;
    write_log(level, output.json);
    install_metrics();
    allow_files(asked.connections, output);
    let scratch = demo::Scratch::wanted(asked)?;
    let keys = match &scratch {
        Some(scratch) => Some(scratch.keys()?),
        None => keys(output),
    };
    let keys = named(keys, asked)?;
    let secret = secret(keys.as_ref())?;
    let store = match &scratch {
        Some(scratch) => open_with(&scratch.url(), Access::Write, keys)?,
        None => store(asked, keys, output)?,
    };
    let server = Server::bind(Arc::clone(&store), settings(asked), secret)?;
    let key = if asked.demo { Some(demo::fill(&server)?) } else { None };
    announce(asked, &server, key.as_deref(), output)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("no threads: {error}")))?;
    let ended = runtime.block_on(async { server.run(stopped()).await });
    say_how_it_ended(ended.is_ok(), store.as_ref(), output);
    ended?;
    Ok(0)
}

/// The last line: what became of that which was acknowledged.
fn say_how_it_ended(is_well: bool, store: &dyn Store, output: &Output) {
    let unsigned = store.unsigned().len();
    let signed = match unsigned {
        _ if !store.info().signs => "not signed, because there is no key".to_owned(),
        0 if is_well => "sealed".to_owned(),
        // The error that follows says why.
        0 => return,
        1 => "1 log could not be signed".to_owned(),
        count => format!("{count} logs could not be signed"),
    };
    let but = if unsigned == 0 { "and" } else { "but" };
    output.say(format!("stopped; everything that was acknowledged is written {but} {signed}"));
}

/// The server's log, one line an event, on the error output.
fn write_log(level: tracing_subscriber::filter::LevelFilter, as_json: bool) {
    // What the libraries below us say may hold headers, and with them keys.
    let ours = format!("off,quark_trace_server={level},quark_trace={level}");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(ours))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    if as_json { builder.json().init() } else { builder.compact().init() }
}

/// The key, which names new logs after the first public host.
fn named(keys: Option<Keyring>, asked: &Serve) -> Result<Option<Keyring>, Failure> {
    match (keys, asked.host.first()) {
        (Some(keys), Some(host)) => Ok(Some(keys.with_authority(host)?)),
        (keys, _) => Ok(keys),
    }
}

/// Allows as many open files as there may be connections: most systems start programs with 1,024,
/// and who holds them all would keep the server from its database, too.
#[cfg(unix)]
fn allow_files(connections: usize, output: &Output) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let needed = connections as u64 + FILES_BESIDE;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
    let is_enough = limit.current == Some(needed);
    if setrlimit(Resource::Nofile, limit).is_err() || !is_enough {
        output.say(format!(
            "warning: {connections} connections need {needed} open files, which this system does \
             not allow; raise the limit (`ulimit -n`) or lower --connections"
        ));
    }
}

#[cfg(not(unix))]
fn allow_files(_connections: usize, _output: &Output) {}

/// What sessions are signed with: the same on every server that has the key.
fn secret(keys: Option<&Keyring>) -> Result<[u8; 32], Failure> {
    if let Some(keys) = keys {
        return Ok(keys.derived("sessions"));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::failed(format!("the system gives no random bytes: {error}")))?;
    Ok(secret)
}

fn store(asked: &Serve, keys: Option<Keyring>, output: &Output) -> Result<Arc<dyn Store>, Failure> {
    let url = asked.store.clone().or_else(|| environment::text(environment::STORE));
    let url = url.ok_or_else(|| {
        Failure::usage("no store is named").with_help(
            "name a database, such as `quark-trace serve sqlite:server.db`, or set \
             QUARK_TRACE_STORE",
        )
    })?;
    let store = open_with(&url, Access::Write, keys)?;
    if store.info().kind == "file" {
        output.say("warning: a folder serves one project at a time well; a database serves many");
    }
    Ok(store)
}

fn settings(asked: &Serve) -> Settings {
    let tls = asked.certificate.clone().zip(asked.private_key.clone());
    Settings {
        listen: asked.listen,
        tls: tls.map(|(certificates, key)| Tls { certificates, key }),
        allow_plain: asked.allow_plain,
        hosts: asked.host.clone(),
        open_metrics: !asked.closed_metrics,
        limits: Limits {
            key_rate: asked.key_rate,
            address_rate: asked.address_rate,
            connections: asked.connections,
            connections_per_address: asked.connections_per_address,
            record: asked.record_limit,
            ..Limits::default()
        },
    }
}

/// Says where it listens; programs that start it wait for this line.
fn announce(
    asked: &Serve,
    server: &Server,
    demo_key: Option<&str>,
    output: &Output,
) -> Result<(), Failure> {
    let address = server.address().map_err(|error| Failure::failed(error.to_string()))?;
    let scheme = if asked.certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    if output.json {
        let store = server.app().store.info().url;
        output.json(&json!({"url": url, "store": store, "demo_key": demo_key}))?;
    } else {
        output.talk(format!("{GOOD}listening{GOOD:#}     {url}"))?;
        if let Some(key) = demo_key {
            output.talk(format!("sign in with  {key}"))?;
        }
    }
    if server.app().registry.state().keys.is_empty() {
        output.say(
            "nobody has a key yet: `quark-trace registry STORE add-institution …`, `add-node …`, \
             `issue-key …`",
        );
    }
    Ok(())
}

/// Waits until somebody ends the server.
async fn stopped() {
    let interrupted = async {
        // Without it only SIGTERM is left.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => tokio::select! {
                () = interrupted => {}
                _ = terminated.recv() => {}
            },
            Err(_) => interrupted.await,
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}
