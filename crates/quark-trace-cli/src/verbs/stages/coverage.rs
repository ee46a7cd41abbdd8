//! The stages of a project beside those of the vocabulary.

use quark_trace::core::stages::Coverage;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{FAINT, Output, STRONG, WARNING, fitted, shown};

pub fn run(coverage: &Coverage, output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.json(&document(coverage));
    }
    let heading = |text: String| output.line(format!("{STRONG}{text}{STRONG:#}"));
    heading(format!("has {} of the vocabulary", coverage.present.len()))?;
    for present in &coverage.present {
        let stage = shown(&present.stage, 200);
        let canonical = match present.canonical == present.stage {
            true => String::new(),
            false => format!("  {FAINT}as {}{FAINT:#}", present.canonical),
        };
        output.line(format!("  {stage}  {}{canonical}", records(present.records)))?;
    }
    heading(format!("lacks {}", coverage.lacking.len()))?;
    if !coverage.lacking.is_empty() {
        output.line(format!("  {}", fitted(&coverage.lacking.join(" "), 2)))?;
    }
    if coverage.unknown.is_empty() {
        return Ok(());
    }
    heading(format!("names {} that the vocabulary does not know", coverage.unknown.len()))?;
    for unknown in &coverage.unknown {
        let meant = unknown.suggestion;
        let meant = meant.map(|name| format!("  {WARNING}did you mean {name}?{WARNING:#}"));
        output.line(format!(
            "  {}  {}{}",
            shown(&unknown.stage, 200),
            records(unknown.records),
            meant.unwrap_or_default()
        ))?;
    }
    Ok(())
}

fn records(count: u64) -> String {
    match count {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    }
}

fn document(coverage: &Coverage) -> serde_json::Value {
    let present: Vec<_> = coverage
        .present
        .iter()
        .map(|one| json!({"stage": one.stage, "canonical": one.canonical, "records": one.records}))
        .collect();
    let unknown: Vec<_> = coverage
        .unknown
        .iter()
        .map(
            |one| json!({"stage": one.stage, "records": one.records, "suggestion": one.suggestion}),
        )
        .collect();
    json!({"present": present, "lacking": coverage.lacking, "unknown": unknown})
}
