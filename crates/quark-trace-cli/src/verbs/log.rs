//! `log`: append one record.

use quark_trace::core::visible::visible;
use quark_trace::store::Durability;

use super::value;
use crate::failure::Failure;
use crate::output::{FAINT, Output, WARNING};
use crate::target::{Access, Target, split};

pub fn run(
    words: &[String],
    payload: Option<&str>,
    sync: bool,
    output: &Output,
) -> Result<u8, Failure> {
    let (names, members) = split(words);
    let Some((stage, names)) = names.split_last() else {
        return Err(Failure::usage("no stage is named")
            .with_help("write `quark-trace log STORE PROJECT STAGE name=value ...`"));
    };
    let payload = match payload {
        None => value::payload(members)?,
        Some(_) if !members.is_empty() => {
            return Err(Failure::usage("give name=value words or --payload, not both"));
        }
        Some(text) => value::parse(&value::source(text)?)?,
    };
    let target = Target::open(names, Access::Write, output)?;
    let durability = if sync { Durability::Sync } else { Durability::Os };
    let log = target.log().with_durability(durability);
    let began = !target.is_there()?;
    let record = log.log(stage, &payload)?;
    if began {
        output.say(format!(
            "note: this began a new log, {} in {}",
            visible(target.project.as_str()),
            visible(&target.store.info().url)
        ));
    }
    for fault in record.faults() {
        output.say(format!("{WARNING}warning:{WARNING:#} {fault}"));
    }
    // The record is in the log whatever comes now; that it is not signed must not go unsaid.
    if let Err(error) = target.store.close() {
        output.say(format!(
            "{WARNING}warning:{WARNING:#} the record is in the log, but no checkpoint was signed over \
             it: {}",
            visible(error.message())
        ));
    }
    if output.json {
        return output.stored(record.line()).map(|()| 0);
    }
    let (id, stage) = (record.record_id(), visible(stage).into_owned());
    output.talk(format!("logged {stage}  {FAINT}{id}{FAINT:#}"))?;
    Ok(0)
}
