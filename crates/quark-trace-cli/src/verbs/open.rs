//! `open`: begin a project with its sheet, or take it up.

use std::path::Path;

use quark_trace::{ErrorKind, Project};

use super::{check, summary};
use crate::failure::Failure;
use crate::output::Output;
use crate::target::{Access, Target};

pub fn run(words: &[String], sheet: Option<&Path>, output: &Output) -> Result<u8, Failure> {
    let sheet = sheet.map(|file| check::load(file, output)).transpose()?;
    // The sheet names its project, so that `open STORE --sheet FILE` is enough.
    let words = match (words, &sheet) {
        ([], Some(sheet)) => vec![sheet.project_id().to_owned()],
        ([word], Some(sheet)) if word != sheet.project_id() => {
            vec![word.clone(), sheet.project_id().to_owned()]
        }
        _ => words.to_vec(),
    };
    let target = Target::open(&words, Access::Write, output)?;
    let project = match sheet {
        Some(sheet) => Project::open(sheet, target.log())?,
        None => Project::resume(target.existing_log()?).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::from(error).with_help("begin it with --sheet FILE"),
            _ => Failure::from(error),
        })?,
    };
    project.seal()?;
    summary::show(&project, output)?;
    Ok(0)
}
