//! `check`: whether fact sheets are valid, every fault at once.

use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use quark_trace::core::sheet::{FactSheet, Fault, SheetFaults, render};
use quark_trace::core::visible::visible;
use serde_json::{Value, json};

use crate::failure::{Failure, TAMPERED, talk, worse};
use crate::input;
use crate::output::{GOOD, Output};

pub fn run(files: &[PathBuf], output: &Output) -> Result<u8, Failure> {
    let mut code = 0;
    for file in files {
        let checked = match one(file, output) {
            Ok(checked) => checked,
            Err(Failure::BrokenPipe) => return Err(Failure::BrokenPipe),
            // One that cannot be read does not keep the others from being checked.
            Err(failure) => failure.tell(None),
        };
        code = worse(code, checked);
    }
    Ok(code)
}

fn one(file: &Path, output: &Output) -> Result<u8, Failure> {
    let source = read(file)?;
    let name = file.display().to_string();
    match FactSheet::from_yaml(&source, &quark_trace::clock::now()) {
        Ok((sheet, warnings)) if output.json => {
            output.json(&report(&name, Some(&sheet), &warnings))?;
            Ok(0)
        }
        Ok((sheet, warnings)) => {
            if !warnings.is_empty() {
                output.say(drawn(&warnings, &name, &source));
            }
            let project = visible(sheet.project_id()).into_owned();
            output.line(format!("{GOOD}valid{GOOD:#}  {}  project {project}", visible(&name)))?;
            Ok(0)
        }
        Err(faults) if output.json => {
            output.json(&report(&name, None, faults.faults()))?;
            Ok(TAMPERED)
        }
        Err(faults) => {
            talk(drawn(faults.faults(), &name, &source));
            Ok(TAMPERED)
        }
    }
}

/// Reads a sheet for other verbs; a bad one ends the verb with all its faults.
pub fn load(file: &Path, output: &Output) -> Result<FactSheet, Failure> {
    let source = read(file)?;
    let name = file.display().to_string();
    let refuse = |faults: SheetFaults| {
        talk(drawn(faults.faults(), &name, &source));
        Failure::sheet(file)
    };
    let (sheet, warnings) =
        FactSheet::from_yaml(&source, &quark_trace::clock::now()).map_err(refuse)?;
    if !warnings.is_empty() {
        output.say(drawn(&warnings, &name, &source));
    }
    Ok(sheet)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    input::read(file).map_err(|error| {
        let failure = Failure::failed(format!("could not read {}: {error}", file.display()));
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                failure.with_help("`quark-trace init` writes one to begin with")
            }
            _ => failure,
        }
    })
}

/// The faults drawn into the source; hostile text in it is made visible by the drawing.
fn drawn(faults: &[Fault], name: &str, source: &[u8]) -> String {
    render(faults, &visible(name), &String::from_utf8_lossy(source), colours())
}

/// Whether the error output, where faults are drawn, shows colours.
fn colours() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

fn report(name: &str, sheet: Option<&FactSheet>, faults: &[Fault]) -> Value {
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| {
            json!({
                "line": fault.line(),
                "column": fault.column(),
                "path": fault.path,
                "message": fault.message,
            })
        })
        .collect();
    json!({
        "file": name,
        "valid": sheet.is_some(),
        "project_id": sheet.map(FactSheet::project_id),
        "faults": faults,
    })
}
