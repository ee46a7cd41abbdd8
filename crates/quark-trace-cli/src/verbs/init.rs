//! `init`: a fact sheet to begin with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::sheet::template;
use quark_trace::core::visible::visible;
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;

pub fn run(project: &str, file: &Path, output: &Output) -> Result<u8, Failure> {
    let project: ProjectId =
        project.parse().map_err(|fault| Failure::usage(format!("the {fault}")))?;
    let text = template(project.as_str());
    if file == Path::new("-") {
        output.bytes(text.as_bytes())?;
        return Ok(0);
    }
    let shown = visible(&file.to_string_lossy()).into_owned();
    let created = OpenOptions::new().write(true).create_new(true).open(file);
    let written = created.and_then(|mut opened| opened.write_all(text.as_bytes()));
    match written {
        Ok(()) if output.json => {
            output
                .json(&json!({"file": file.to_string_lossy(), "project_id": project.as_str()}))?;
            Ok(0)
        }
        Ok(()) => {
            output.say(format!(
                "Wrote {shown}. Fill it in, then:\n  quark-trace check {shown}\n  \
                 quark-trace open traces/ {} --sheet {shown}",
                visible(project.as_str())
            ));
            Ok(0)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::failed(format!("{} exists, and is not overwritten", file.display()))
                .with_help("choose another name with --file"))
        }
        Err(error) => Err(Failure::failed(format!("could not write {}: {error}", file.display()))),
    }
}
