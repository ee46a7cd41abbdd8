//! `index`: take up what the indexes of a store do not hold yet.

use quark_trace::core::ids::ProjectId;
use quark_trace::core::visible::visible;
use quark_trace::store::Store;
use serde_json::json;

use crate::failure::{Failure, worse};
use crate::output::{GOOD, Output};
use crate::target::{Access, open_with};

pub fn run(url: &str, projects: &[String], output: &Output) -> Result<u8, Failure> {
    if url.to_ascii_lowercase().starts_with("http") {
        return Err(Failure::usage("a server takes up by itself what it was sent")
            .with_help("name the store that the server keeps"));
    }
    // Nothing is signed.
    let store = open_with(url, Access::Write, None)?;
    let projects: Vec<ProjectId> = match projects {
        [] => store.projects()?,
        given => given
            .iter()
            .map(|id| id.parse().map_err(|fault| Failure::usage(format!("the {fault}"))))
            .collect::<Result<_, _>>()?,
    };
    if projects.is_empty() {
        return Err(Failure::failed(format!("there are no projects in {}", store.info().url)));
    }
    let mut worst = 0;
    for project in &projects {
        match one(store.as_ref(), project, output) {
            Ok(()) => {}
            // Nobody reads what the others would say.
            Err(Failure::BrokenPipe) => return Err(Failure::BrokenPipe),
            Err(failure) => worst = worse(worst, failure.tell(Some(project.as_str()))),
        }
    }
    store.close()?;
    Ok(worst)
}

fn one(store: &dyn Store, project: &ProjectId, output: &Output) -> Result<(), Failure> {
    let Some(head) = store.head(project)? else {
        return Err(Failure::failed(format!("there is no such project in {}", store.info().url)));
    };
    let bar = output.progress(0, "indexing");
    let indexed = store.index(project);
    bar.finish_and_clear();
    indexed?;
    let size = head.range.size();
    if output.json {
        output.json(&json!({"project_id": project.as_str(), "size": size}))
    } else {
        let project = visible(project.as_str());
        output.talk(format!("{GOOD}indexed{GOOD:#}  {project}  {size} entries"))
    }
}
