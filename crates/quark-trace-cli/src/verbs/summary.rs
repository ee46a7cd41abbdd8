//! `summary`: what there is of a project.

use quark_trace::core::query::Number;
use quark_trace::summary::LISTED;
use quark_trace::{ErrorKind, Project, Summary, project};
use serde_json::{Map, Value, json};

use super::query::{json_number, short};
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
    let mut stages = table(&["stage", "records", "first (UTC)", "last (UTC)"]);
    for stage in &counted.stages {
        let at = |time: &str| short_time(&shown(time, 40));
        let (first, last) = (at(&stage.first_at), at(&stage.last_at));
        stages.add_row([shown(&stage.stage, 200), stage.records.to_string(), first, last]);
    }
    stages.add_row(["all".to_owned(), counted.total_records.to_string()]);
    if counted.unreadable > 0 {
        stages.add_row(["unreadable lines".to_owned(), counted.unreadable.to_string()]);
    }
    output.line(stages.trim_fmt())?;
    sites(counted, output)?;
    numbers(counted, output)?;
    if counted.is_cut {
        output.line(format!("{WARNING}{}{WARNING:#}", cut()))?;
    }
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

/// What is not told of a project with very many sites or names.
fn cut() -> String {
    format!("not all is listed: of sites and of numbers the first {LISTED} that appeared")
}

/// Sites and numbers that a person is shown; `--json` has all.
const SHOWN: usize = 20;

fn sites(counted: &Summary, output: &Output) -> Result<(), Failure> {
    if counted.sites.is_empty() {
        return Ok(());
    }
    let mut sites = table(&["site", "records"]);
    for (site, records) in counted.sites.iter().take(SHOWN) {
        sites.add_row([shown(site, 60), records.to_string()]);
    }
    output.line(sites.trim_fmt())?;
    more(counted.sites.len(), output)
}

fn numbers(counted: &Summary, output: &Output) -> Result<(), Failure> {
    if counted.numbers.is_empty() {
        return Ok(());
    }
    let mut numbers = table(&["number", "count", "min", "max", "last"]);
    let known = |number: &Option<Number>| number.as_ref().map_or("-".to_owned(), number_text);
    for range in counted.numbers.iter().take(SHOWN) {
        let (min, max, last) = (known(&range.min), known(&range.max), number_text(&range.last));
        numbers.add_row([shown(&range.field, 60), range.count.to_string(), min, max, last]);
    }
    output.line(numbers.trim_fmt())?;
    more(counted.numbers.len(), output)
}

fn more(count: usize, output: &Output) -> Result<(), Failure> {
    match count.saturating_sub(SHOWN) {
        0 => Ok(()),
        more => output.line(format!(" … and {more} more; --json lists them")),
    }
}

fn number_text(number: &Number) -> String {
    short(number.to_f64())
}

fn counts(document: &mut Map<String, Value>, counted: &Summary) {
    let stages: Map<String, Value> =
        counted.stage_counts().map(|(stage, count)| (stage.to_owned(), json!(count))).collect();
    document.insert("total_records".to_owned(), json!(counted.total_records));
    document.insert("stages_recorded".to_owned(), Value::Object(stages));
    document.insert("first_record_at".to_owned(), json!(counted.first_record_at));
    document.insert("last_record_at".to_owned(), json!(counted.last_record_at));
    document.insert("unreadable_lines".to_owned(), json!(counted.unreadable));
    let stages = counted.stages.iter().map(|stage| {
        let (first, last) = (&stage.first_at, &stage.last_at);
        let records = stage.records;
        let one = json!({"records": records, "first_record_at": first, "last_record_at": last});
        (stage.stage.clone(), one)
    });
    document.insert("stages".to_owned(), Value::Object(stages.collect()));
    let sites = counted.sites.iter().map(|(site, records)| (site.clone(), json!(records)));
    document.insert("sites".to_owned(), Value::Object(sites.collect()));
    let known = |number: &Option<Number>| number.as_ref().map_or(Value::Null, json_number);
    let numbers = counted.numbers.iter().map(|range| {
        let (min, max, last) = (known(&range.min), known(&range.max), json_number(&range.last));
        let one = json!({"count": range.count, "min": min, "max": max, "last": last});
        (range.field.clone(), one)
    });
    document.insert("numbers".to_owned(), Value::Object(numbers.collect()));
    document.insert("is_cut".to_owned(), json!(counted.is_cut));
    let broken: Vec<_> = counted.broken.iter().map(super::stages::broken_json).collect();
    document.insert("schema_faults".to_owned(), broken.into());
}
