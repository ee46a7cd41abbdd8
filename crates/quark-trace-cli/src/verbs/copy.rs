//! `copy`: projects from one store to another, to the same root.

use quark_trace::copy::{copy, is_signed_elsewhere};
use quark_trace::core::ids::ProjectId;
use quark_trace::core::visible::visible;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{GOOD, Output};
use crate::target::{Access, keys, open_store, open_with};

pub fn run(from: &str, to: &str, projects: &[String], output: &Output) -> Result<u8, Failure> {
    let source = open_store(from, Access::Read, output)?;
    let keys = keys(output);
    let signed = open_with(to, Access::Write, keys.clone())?;
    let unsigned = open_with(to, Access::Write, None)?;
    let projects: Vec<ProjectId> = match projects {
        [] => source.projects()?,
        given => given
            .iter()
            .map(|id| id.parse().map_err(|fault| Failure::usage(format!("the {fault}"))))
            .collect::<Result<_, _>>()?,
    };
    if projects.is_empty() {
        return Err(Failure::failed(format!("there are no projects in {}", source.info().url)));
    }
    for project in &projects {
        let elsewhere = match &keys {
            Some(keys) => is_signed_elsewhere(source.as_ref(), signed.as_ref(), project, keys)?,
            None => true,
        };
        let target = if elsewhere { &unsigned } else { &signed };
        let bar = output.progress(1, "copying");
        let head = copy(source.as_ref(), target.as_ref(), project, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        let (size, root) = (head.range.size(), head.range.root().to_string());
        if output.json {
            output.json(&json!({"project_id": project.as_str(), "size": size, "root": root}))?;
        } else {
            let project = visible(project.as_str());
            output
                .talk(format!("{GOOD}copied{GOOD:#}  {project}  {size} entries\nroot    {root}"))?;
        }
    }
    Ok(0)
}
