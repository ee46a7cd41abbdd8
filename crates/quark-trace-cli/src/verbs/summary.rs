//! `summary`: what there is of a project.

use quark_trace::{ErrorKind, Project, Summary, project};
use serde_json::{Map, Value, json};

use super::row::short_time;
use crate::failure::Failure;
use crate::output::{FAINT, Output, STRONG, WARNING, fixed, shown, table};
use crate::target::{Access, Target};

pub fn run(words: &[String], output: &Output) -> Result<u8, Failure> {
    let target = Target::open(words, Access::Read, output)?;
    let log = target.existing_log()?;
    match Project::resume(log.clone()) {
        Ok(project) => show(&project, output)?,
        // A log without a sheet is no mistake: records may come first.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let counted = project::summary(&log)?;
            if output.json {
                let mut document = Map::new();
                document.insert("project_id".to_owned(), target.project.as_str().into());
                counts(&mut document, &counted);
                output.json(&Value::Object(document))?;
            } else {
                output.line(format!(
                    "{STRONG}{}{STRONG:#}  (no fact sheet)",
                    shown(target.project.as_str(), 200)
                ))?;
                stages(&counted, output)?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(0)
}

pub fn show(project: &Project, output: &Output) -> Result<(), Failure> {
    let (sheet, counted) = (project.sheet(), project.summary()?);
    if output.json {
        let mut document = Map::new();
        for (name, value) in [
            ("project_id", json!(sheet.project_id())),
            ("fact_sheet_version", json!(sheet.version())),
            ("created_at", json!(sheet.created_at())),
            ("amended_at", json!(sheet.amended_at())),
            ("purpose", json!(sheet.purpose())),
            ("domain", json!(sheet.domain())),
            ("ml_type", json!(sheet.ml_type())),
        ] {
            document.insert(name.to_owned(), value);
        }
        counts(&mut document, &counted);
        return output.json(&Value::Object(document));
    }
    output.line(format!(
        "{STRONG}{}{STRONG:#}  {FAINT}fact sheet version {}{FAINT:#}",
        shown(sheet.project_id(), 200),
        sheet.version()
    ))?;
    let mut facts = table(&[]);
    for (name, value) in [
        ("purpose", sheet.purpose()),
        ("domain", sheet.domain()),
        ("learning", sheet.ml_type()),
        ("created", sheet.created_at()),
        ("amended", sheet.amended_at().unwrap_or("never")),
    ] {
        facts.add_row([name.to_owned(), shown(value, 500)]);
    }
    fixed(&mut facts, &[0]);
    output.line(facts.trim_fmt())?;
    stages(&counted, output)
}

fn stages(counted: &Summary, output: &Output) -> Result<(), Failure> {
    output.line("")?;
    if counted.total_records == 0 {
        return output.line("no records yet");
    }
    let mut stages = table(&["stage", "records"]);
    for (stage, count) in counted.stage_counts() {
        stages.add_row([shown(stage, 200), count.to_string()]);
    }
    stages.add_row(["all".to_owned(), counted.total_records.to_string()]);
    if counted.unreadable > 0 {
        stages.add_row(["unreadable lines".to_owned(), counted.unreadable.to_string()]);
    }
    output.line(stages.trim_fmt())?;
    for broken in &counted.broken {
        output.line(format!("{WARNING}{}{WARNING:#}", super::stages::broken(broken)))?;
    }
    let time = |time: &Option<String>| short_time(&shown(time.as_deref().unwrap_or("?"), 40));
    output.line(format!(
        "{FAINT}from {} to {} (UTC){FAINT:#}",
        time(&counted.first_record_at),
        time(&counted.last_record_at)
    ))
}

fn counts(document: &mut Map<String, Value>, counted: &Summary) {
    let stages: Map<String, Value> =
        counted.stage_counts().map(|(stage, count)| (stage.to_owned(), json!(count))).collect();
    document.insert("total_records".to_owned(), json!(counted.total_records));
    document.insert("stages_recorded".to_owned(), Value::Object(stages));
    document.insert("first_record_at".to_owned(), json!(counted.first_record_at));
    document.insert("last_record_at".to_owned(), json!(counted.last_record_at));
    document.insert("unreadable_lines".to_owned(), json!(counted.unreadable));
    let broken: Vec<_> = counted.broken.iter().map(super::stages::broken_json).collect();
    document.insert("schema_faults".to_owned(), broken.into());
}
