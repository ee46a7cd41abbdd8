//! `copy`: projects from one store to another, to the same root.

use std::sync::Arc;

use quark_trace::copy::{copy, is_signed_elsewhere};
use quark_trace::core::ids::ProjectId;
use quark_trace::core::visible::visible;
use quark_trace::keys::Keyring;
use quark_trace::store::Store;
use serde_json::json;

use crate::failure::{Failure, worse};
use crate::output::{GOOD, Output};
use crate::target::{Access, keys, open_store, open_with};

pub fn run(from: &str, to: &str, projects: &[String], output: &Output) -> Result<u8, Failure> {
    let source = open_store(from, Access::Read, output)?;
    let keys = keys(output);
    let targets = Targets {
        signed: open_with(to, Access::Write, keys.clone())?,
        unsigned: open_with(to, Access::Write, None)?,
        keys,
    };
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
    let mut worst = 0;
    for project in &projects {
        match one(source.as_ref(), &targets, project, output) {
            Ok(()) => {}
            // Nobody reads what the others would say.
            Err(Failure::BrokenPipe) => return Err(Failure::BrokenPipe),
            // One that cannot be copied does not keep the others from it.
            Err(failure) => worst = worse(worst, failure.tell(Some(project.as_str()))),
        }
    }
    Ok(worst)
}

/// The store to copy to, as it is opened for our logs and for those of others.
struct Targets {
    signed: Arc<dyn Store>,
    unsigned: Arc<dyn Store>,
    keys: Option<Keyring>,
}

impl Targets {
    /// The one for a project; a log that another key signs keeps what vouches for it.
    fn of(&self, source: &dyn Store, project: &ProjectId) -> Result<&dyn Store, Failure> {
        let elsewhere = match &self.keys {
            Some(keys) => is_signed_elsewhere(source, self.signed.as_ref(), project, keys)?,
            None => true,
        };
        Ok(if elsewhere { self.unsigned.as_ref() } else { self.signed.as_ref() })
    }
}

fn one(
    source: &dyn Store,
    targets: &Targets,
    project: &ProjectId,
    output: &Output,
) -> Result<(), Failure> {
    let target = targets.of(source, project)?;
    let bar = output.progress(1, "copying");
    let copied = copy(source, target, project, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let head = copied?;
    let (size, root) = (head.range.size(), head.range.root().to_string());
    if output.json {
        output.json(&json!({"project_id": project.as_str(), "size": size, "root": root}))
    } else {
        let project = visible(project.as_str());
        output.talk(format!("{GOOD}copied{GOOD:#}  {project}  {size} entries\nroot    {root}"))
    }
}
