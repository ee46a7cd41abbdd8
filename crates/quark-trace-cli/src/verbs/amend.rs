//! `amend`: change the fact sheet.

use quark_trace::Project;
use quark_trace::core::sheet::{Amendment, diff};
use serde_json::{Map, Value};

use super::sheets::changes;
use super::value;
use crate::failure::Failure;
use crate::output::{GOOD, Output};
use crate::target::{Access, Target, split};

pub fn run(words: &[String], by: &str, reason: &str, output: &Output) -> Result<u8, Failure> {
    let (names, fields) = split(words);
    let mut map = Map::new();
    for word in fields {
        let (name, text) = value::pair(word)?;
        let source = if text.starts_with('@') { value::source(text)? } else { text.into() };
        let text = String::from_utf8_lossy(&source).into_owned();
        let parsed = serde_json::from_str(&text).unwrap_or(Value::String(text));
        map.insert(name.to_owned(), parsed);
    }
    let amendment = Amendment::parse(&map, by, reason).map_err(|fault| {
        Failure::usage(fault.to_string())
            .with_help("give FIELD=VALUE words; `quark-trace sheets` shows the fields")
    })?;
    let target = Target::open(names, Access::Write, output)?;
    let mut project = Project::resume(target.existing_log()?)?;
    let before = project.sheet().clone();
    project.amend(&amendment, &quark_trace::clock::now())?;
    project.seal().map_err(|error| {
        Failure::from(error).with_help("the fact sheet is amended all the same, but not signed")
    })?;
    if output.json {
        output.json(&project.sheet().to_json_value())?;
        return Ok(0);
    }
    output.talk(format!(
        "{GOOD}amended{GOOD:#}  version {} is now {}",
        before.version(),
        project.sheet().version()
    ))?;
    if !output.quiet {
        changes(&diff(&before, project.sheet()), output)?;
    }
    Ok(0)
}
