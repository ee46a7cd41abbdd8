//! `seal`: sign a checkpoint; adopt what has no entry yet.

use quark_trace::signer::begin_epoch;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{GOOD, Output, WARNING};
use crate::target::{Access, Target, keys};

pub fn run(words: &[String], new_epoch: Option<&str>, output: &Output) -> Result<u8, Failure> {
    let target = Target::open(words, Access::Write, output)?;
    let log = target.existing_log()?;
    if let Some(reason) = new_epoch {
        let keys = keys(output).ok_or_else(|| Failure::usage("a new epoch needs the key"))?;
        begin_epoch(&log, &keys, reason)?;
    }
    let bar = output.progress(0, "sealing");
    let head = target.store.seal(&target.project)?.unwrap_or_default();
    bar.finish_and_clear();
    let signed = head.beside.checkpoint.is_some();
    if output.json {
        output.json(&json!({
            "project_id": target.project.as_str(),
            "size": head.range.size(),
            "root": head.range.root().to_string(),
            "signed": signed,
            "checkpoint": head.beside.checkpoint,
        }))?;
        return Ok(0);
    }
    let (style, word) = if signed { (GOOD, "sealed") } else { (WARNING, "chained, not signed") };
    output.talk(format!("{style}{word}{style:#}  {} entries", head.range.size()))?;
    output.talk(format!("root    {}", head.range.root()))?;
    Ok(0)
}
