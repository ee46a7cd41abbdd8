//! `seal`: sign a checkpoint; adopt what has no entry yet.

use quark_trace::signer::begin_epoch;
use serde_json::json;

use super::verify::signed_size;
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
    let size = head.range.size();
    let covered = signed_size(head.beside.checkpoint.as_deref());
    let signed = size > 0 && covered == size;
    if output.json {
        output.json(&json!({
            "project_id": target.project.as_str(),
            "size": size,
            "root": head.range.root().to_string(),
            "signed": signed,
            "checkpoint": head.beside.checkpoint,
        }))?;
        return Ok(0);
    }
    let (style, word) = if signed { (GOOD, "sealed") } else { (WARNING, "chained, not signed") };
    output.talk(format!("{style}{word}{style:#}  {size} entries"))?;
    output.talk(format!("root    {}", head.range.root()))?;
    if !signed && covered > 0 {
        output.say(format!(
            "warning: the last checkpoint covers {covered} of {size} entries, and the key that \
             signed it is not the one here; seal the log where that key is"
        ));
    }
    Ok(0)
}
