//! Counts in groups, as a table, JSON or CSV.

use quark_trace::Search;
use quark_trace::core::query::{Literal, Number};
use quark_trace::query::{Group, Statistics};
use serde_json::{Map, Value, json};

use super::{csv, fields, plot};
use crate::failure::Failure;
use crate::output::{Output, shown, table};

const NUMBERS: [&str; 5] = ["count", "min", "max", "mean", "last"];

pub fn show(
    search: Search<'_>,
    by: &[String],
    of: &[String],
    as_csv: bool,
    output: &Output,
) -> Result<(), Failure> {
    let bar = output.progress(0, "counting");
    let found = search.group(&fields(by)?, &fields(of)?);
    bar.finish_and_clear();
    let groups = found?.groups;
    if output.json {
        return groups.iter().try_for_each(|group| output.json(&document(group, by, of)));
    }
    let names = headings(by, of);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if as_csv {
        let mut out = csv::header(&names);
        groups.iter().for_each(|group| out.push_str(&csv_line(group)));
        return output.document(&out);
    }
    if groups.is_empty() {
        output.say("no records");
        return Ok(());
    }
    let safe: Vec<_> = names.iter().map(|name| shown(name, 60)).collect();
    let mut rows = table(&safe.iter().map(String::as_str).collect::<Vec<_>>());
    for group in &groups {
        rows.add_row(cells(group, &|number| plot::short(number.to_f64()), &|value| {
            plot::short(value)
        }));
    }
    output.line(rows.trim_fmt())
}

/// The names of the columns: those of the groups, `records`, and of each field the five numbers.
fn headings(by: &[String], of: &[String]) -> Vec<String> {
    let prefix = |field: &String| match of {
        [_] => String::new(),
        _ => format!("{field}."),
    };
    let numbers =
        of.iter().flat_map(|field| NUMBERS.map(|name| format!("{}{name}", prefix(field))));
    by.iter().cloned().chain(["records".to_owned()]).chain(numbers).collect()
}

fn cells(
    group: &Group,
    number: &dyn Fn(&Number) -> String,
    mean: &dyn Fn(f64) -> String,
) -> Vec<String> {
    let by = group.by.iter().map(|value| shown(&label(value), 60));
    let mut cells: Vec<String> = by.chain([group.records.to_string()]).collect();
    for of in &group.of {
        let known = |value: &Option<Number>| value.as_ref().map_or("-".to_owned(), number);
        cells.push(of.count.to_string());
        cells.extend([known(&of.min), known(&of.max)]);
        cells.push(of.mean().map_or("-".to_owned(), mean));
        cells.push(known(&of.last));
    }
    cells
}

/// A value that is grouped by, as a person reads it.
pub fn label(value: &Literal) -> String {
    match value {
        Literal::Null => "(none)".to_owned(),
        Literal::Text(text) => text.clone(),
        Literal::Number(number) => number.to_string(),
        other => other.to_string().to_lowercase(),
    }
}

fn csv_line(group: &Group) -> String {
    let mut line = String::new();
    for value in &group.by {
        match value {
            Literal::Null => {}
            value => csv::text(&label(value), &mut line),
        }
        line.push(',');
    }
    line.push_str(&group.records.to_string());
    for of in &group.of {
        let known = |value: &Option<Number>| value.as_ref().map_or(String::new(), plain);
        let mean = of.mean().map_or(String::new(), csv::float);
        for cell in [of.count.to_string(), known(&of.min), known(&of.max), mean, known(&of.last)] {
            line.push(',');
            line.push_str(&cell);
        }
    }
    line + "\r\n"
}

fn plain(number: &Number) -> String {
    match number {
        Number::Float(value) => csv::float(*value),
        other => other.to_string(),
    }
}

fn document(group: &Group, by: &[String], of: &[String]) -> Value {
    let mut all = Map::new();
    for (name, value) in by.iter().zip(&group.by) {
        let value = match value {
            Literal::Bool(value) => json!(value),
            Literal::Number(number) => json_number(number),
            Literal::Text(text) => json!(text),
            _ => Value::Null,
        };
        all.insert(name.clone(), value);
    }
    all.insert("records".to_owned(), json!(group.records));
    for (field, numbers) in of.iter().zip(&group.of) {
        all.insert(field.clone(), statistics(numbers));
    }
    Value::Object(all)
}

fn statistics(of: &Statistics) -> Value {
    let known = |value: &Option<Number>| value.as_ref().map_or(Value::Null, json_number);
    let mean = of.mean().map_or(Value::Null, |mean| json_number(&Number::Float(mean)));
    json!({
        "count": of.count,
        "min": known(&of.min),
        "max": known(&of.max),
        "mean": mean,
        "last": known(&of.last),
    })
}

/// A number as records have it, NaN and infinities as objects.
pub fn json_number(number: &Number) -> Value {
    let text = match number {
        Number::Float(value) => {
            let mut out = Vec::new();
            quark_trace::core::json::write::float(&mut out, *value);
            String::from_utf8(out).unwrap_or_default()
        }
        // Beyond 64 bits other readers lose digits, but not by our doing.
        Number::Integer(_) | Number::Large(_) => number.to_string(),
    };
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
