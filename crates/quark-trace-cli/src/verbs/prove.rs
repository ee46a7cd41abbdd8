//! `prove`: a proof for a third party, and how to check it by hand.

use std::path::Path;

use quark_trace::ErrorKind;
use quark_trace::core::ledger::merkle::leaf_hash;
use quark_trace::core::visible::visible;
use quark_trace::prove::prove;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{FAINT, GOOD, Output};
use crate::target::{Access, Target};

pub fn run(words: &[String], out: Option<&Path>, output: &Output) -> Result<u8, Failure> {
    let Some((wanted, names)) = words.split_last() else {
        return Err(Failure::usage("no record is named"));
    };
    let target = Target::open(names, Access::Read, output)?;
    let log = target.existing_log()?;
    let index = match wanted.parse::<u64>() {
        Ok(index) => index,
        Err(_) => {
            let found = log.find(wanted)?;
            found.map(|(index, _)| index).ok_or_else(|| {
                Failure::failed(format!("no record has the id {wanted:?}"))
                    .with_help("`quark-trace history --json` shows the ids")
            })?
        }
    };
    let made = match prove(target.store.as_ref(), &target.project, index) {
        // No checkpoint covers the entry yet: the writer of the log can sign one now.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let target = Target::open(names, Access::Write, output)?;
            prove(target.store.as_ref(), &target.project, index)?
        }
        made => made?,
    };
    let entry = String::from_utf8_lossy(&made.entry).into_owned();
    let text = made.proof.to_string();
    if let Some(file) = out {
        std::fs::write(file, &text).map_err(|error| {
            Failure::failed(format!("could not write {}: {error}", file.display()))
        })?;
    }
    if output.json {
        output.json(&json!({
            "index": index,
            "entry": entry,
            "leaf_hash": leaf_hash(&made.entry).to_string(),
            "keys": made.keys.as_deref().unwrap_or_default().lines().collect::<Vec<_>>(),
            "proof": text,
        }))?;
        return Ok(0);
    }
    match out {
        None => output.stored(text.trim_end_matches('\n').as_bytes())?,
        Some(file) => {
            output.talk(format!("{GOOD}wrote{GOOD:#} {}", visible(&file.to_string_lossy())))?;
        }
    }
    let entry = visible(&entry).replace('\'', "'\\''");
    output.say(format!(
        "\n{FAINT}Entry {index} is\n  {entry}\nIts leaf hash, by hand:\n  printf '\\0%s' '{entry}' | \
         sha256sum\nThe proof leads from it to the root that the checkpoint at its end signs\n(C2SP \
         tlog-proof; any implementation of it can check the file).{FAINT:#}"
    ));
    Ok(0)
}
