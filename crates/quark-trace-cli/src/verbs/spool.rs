//! `spool`: what waits on this machine for a server, and sending it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quark_trace::delivery::{Delivery, DeliveryOptions, Mode, Waiting, list};
use quark_trace::store::http::HttpOptions;
use quark_trace::store::{HttpStore, Password};
use serde_json::json;

use crate::environment;
use crate::failure::{FAILED, Failure};
use crate::output::{Output, shown, table};

pub fn run(
    send: bool,
    server: Option<&str>,
    wait: Duration,
    output: &Output,
) -> Result<u8, Failure> {
    let folder = environment::spool_folder().ok_or_else(|| {
        Failure::usage("there is no folder for records that wait")
            .with_help("set QUARK_TRACE_SPOOL to the folder")
    })?;
    let is_meant = |waiting: &Waiting| match server {
        Some(url) => waiting.server.trim_end_matches('/') == url.trim_end_matches('/'),
        None => true,
    };
    let look = || -> Result<Vec<Waiting>, Failure> {
        Ok(list(&folder)?.into_iter().filter(is_meant).collect())
    };
    if send {
        send_all(&folder, &look()?, wait)?;
    }
    let found = look()?;
    show(&folder, &found, output)?;
    let left = found.iter().any(is_due);
    Ok(if send && left { FAILED } else { 0 })
}

/// Whether the server has to be told something.
fn is_due(waiting: &Waiting) -> bool {
    waiting.records > 0 || waiting.untold > 0
}

/// Sends what waits, for each server and node in turn.
fn send_all(folder: &Path, found: &[Waiting], wait: Duration) -> Result<(), Failure> {
    let waiting = found.iter().filter(|waiting| is_due(waiting));
    let places: BTreeSet<_> = waiting.map(|waiting| (&waiting.server, &waiting.node)).collect();
    if places.iter().map(|(server, _)| server).collect::<BTreeSet<_>>().len() > 1 {
        // One server must not get the key of another.
        return Err(Failure::usage("records wait for several servers")
            .with_help("say which one with --server URL; the key is for one of them"));
    }
    let api_key = environment::text(environment::API_KEY).map(Password::new);
    for (server, node) in places {
        let options = HttpOptions { api_key: api_key.clone(), ..HttpOptions::default() };
        let store = Arc::new(HttpStore::new(server, options)?);
        let options = DeliveryOptions {
            mode: Mode::Background,
            drain: Duration::ZERO,
            ..DeliveryOptions::new(folder)
        };
        let delivery = Delivery::new(store, server, node, options);
        let status = delivery.flush(wait)?;
        delivery.close()?;
        let left = status.waiting + status.untold;
        if let Some(reason) = status.reason.filter(|_| left > 0) {
            let left = match status.waiting {
                0 => format!("{} missing records are not told of yet", status.untold),
                waiting => format!("{waiting} records wait still"),
            };
            return Err(Failure::failed(format!("{left}: {reason}"))
                .with_help("they are kept; try again, or look at the server and the key"));
        }
    }
    Ok(())
}

fn show(folder: &Path, found: &[Waiting], output: &Output) -> Result<(), Failure> {
    if output.json {
        let rows: Vec<_> = found.iter().map(row).collect();
        return output.json(&json!({ "spool": folder.display().to_string(), "waiting": rows }));
    }
    let is_shown =
        |waiting: &&Waiting| is_due(waiting) || waiting.refused + waiting.refused_gaps > 0;
    let kept: Vec<_> = found.iter().filter(is_shown).collect();
    if kept.is_empty() {
        output.say("nothing waits");
        return Ok(());
    }
    let mut drawn = table(&[
        "server",
        "node",
        "project",
        "records",
        "bytes",
        "left out",
        "refused",
        "refused gaps",
        "in use",
    ]);
    for waiting in kept {
        drawn.add_row([
            shown(&waiting.server, 200),
            shown(&waiting.node, 100),
            shown(&waiting.project, 200),
            waiting.records.to_string(),
            waiting.bytes.to_string(),
            waiting.untold.to_string(),
            waiting.refused.to_string(),
            waiting.refused_gaps.to_string(),
            if waiting.in_use { "yes" } else { "no" }.to_owned(),
        ]);
    }
    output.line(drawn)
}

fn row(waiting: &Waiting) -> serde_json::Value {
    json!({
        "server": waiting.server,
        "node": waiting.node,
        "project": waiting.project,
        "records": waiting.records,
        "bytes": waiting.bytes,
        "untold": waiting.untold,
        "refused": waiting.refused,
        "refused_gaps": waiting.refused_gaps,
        "in_use": waiting.in_use,
        "folder": waiting.folder.display().to_string(),
    })
}
