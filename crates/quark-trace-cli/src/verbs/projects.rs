//! `projects`: what a store has.

use serde_json::json;

use crate::environment;
use crate::failure::Failure;
use crate::output::{Output, shown};
use crate::target::{Access, open_store};

pub fn run(store: Option<String>, output: &Output) -> Result<u8, Failure> {
    let url = store.or_else(|| environment::text(environment::STORE)).ok_or_else(|| {
        Failure::usage("no store is named").with_help("name a folder, or set QUARK_TRACE_STORE")
    })?;
    let projects = open_store(&url, Access::Read, output)?.projects()?;
    if output.json {
        let names: Vec<_> = projects.iter().map(|project| project.as_str()).collect();
        output.json(&json!({ "projects": names }))?;
        return Ok(0);
    }
    if projects.is_empty() {
        output.say(format!("no projects in {}", shown(&url, 4096)));
    }
    projects.iter().try_for_each(|project| output.line(shown(project.as_str(), 200)))?;
    Ok(0)
}
