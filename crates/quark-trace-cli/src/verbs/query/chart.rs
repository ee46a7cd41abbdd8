//! What a chart shows: a field over another one, in groups.

use std::collections::HashMap;

use quark_trace::Search;
use quark_trace::core::columns::{Columns, Dense, Kind, Selection, Values};
use quark_trace::core::query::{Field, field};
use quark_trace::core::time::iso8601;

use super::fields;
use super::plot::{Paper, Series, draw, short};
use crate::environment;
use crate::failure::Failure;
use crate::output::{FAINT, Output, STRONG, shown, width};
use crate::verbs::row::short_time;

/// Groups of one chart; more would not be told apart.
const SHOWN: usize = 20;
/// Columns of a file or pipe.
const WIDTH: usize = 80;

pub fn show(
    search: Search<'_>,
    drawn: &str,
    over: Option<&str>,
    by: &[String],
    output: &Output,
) -> Result<(), Failure> {
    let drawn = one(drawn)?;
    let candidates = match over {
        Some(name) => vec![one(name)?],
        None => vec![Field::payload("round"), Field::Timestamp],
    };
    let groups = fields(by)?;
    let wanted: Vec<_> = [&drawn].into_iter().chain(&candidates).chain(&groups).cloned().collect();
    let selection =
        Selection::only(wanted).map_err(|refused| Failure::usage(refused.to_string()))?;
    let bar = output.progress(0, "reading the records");
    let columns = search.columns(&selection, |rows| bar.set_position(rows));
    bar.finish_and_clear();
    let columns = columns?;
    // Rounds are what people look for; where there are none, time.
    let is_numbers = |field: &&Field| {
        let at = place(&columns, field);
        let kind = at.map(|at| columns.schema()[at].kind);
        matches!(kind, Some(Kind::Integer | Kind::Float | Kind::Time))
    };
    let over = candidates.iter().find(is_numbers).unwrap_or(&candidates[0]);
    let (mut series, left_out) = series(&columns, &drawn, over, &groups);
    if series.is_empty() {
        return Err(Failure::failed(format!(
            "none of the {} records has a number for both {drawn} and {over}",
            columns.rows()
        )));
    }
    let more = series.len().saturating_sub(SHOWN);
    series.truncate(SHOWN);
    let points: usize = series.iter().map(|one| one.points.len()).sum();
    output.line(format!(
        "{STRONG}{}{STRONG:#} {FAINT}over {}, {points} records{FAINT:#}",
        shown(&drawn.to_string(), 60),
        shown(&over.to_string(), 60)
    ))?;
    let paper = Paper { width: width().unwrap_or(WIDTH), unicode: environment::is_utf8() };
    let is_time = *over == Field::Timestamp;
    let label = |at: f64| match is_time {
        true => short_time(&iso8601(at as i64)),
        false => short(at),
    };
    draw(&series, &label, paper).into_iter().try_for_each(|line| output.line(line))?;
    if left_out > 0 {
        output.say(format!("{left_out} records have no finite number for both and are left out"));
    }
    if more > 0 {
        output.say(format!("{more} more groups are left out; filter what is wanted"));
    }
    Ok(())
}

fn one(name: &str) -> Result<Field, Failure> {
    field(name).map_err(|error| Failure::query(&error))
}

/// Where a field's column is. One that is asked for as text is the same as the value.
fn place(columns: &Columns, field: &Field) -> Option<usize> {
    let field = match field.path() {
        Some(path) => Field::Payload(path.clone()),
        None => field.clone(),
    };
    let name = field.to_string();
    columns.schema().iter().position(|heading| heading.name == name)
}

/// The series in the order of their names, each in the order of x; and how many records are in
/// none.
fn series(columns: &Columns, y: &Field, x: &Field, by: &[Field]) -> (Vec<Series>, usize) {
    let (Some(y), Some(x)) = (place(columns, y), place(columns, x)) else {
        return (Vec::new(), columns.rows());
    };
    let by: Vec<usize> = by.iter().filter_map(|field| place(columns, field)).collect();
    let mut all: Vec<Series> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut left_out = 0;
    for part in 0..columns.chunks().len() {
        let (x, y) = (columns.dense(part, x), columns.dense(part, y));
        let by: Vec<Dense> = by.iter().map(|&at| columns.dense(part, at)).collect();
        for row in 0..y.rows() {
            let (Some(x), Some(y)) = (number(&x, row), number(&y, row)) else {
                left_out += 1;
                continue;
            };
            let names: Vec<_> = by.iter().map(|column| label(column, row)).collect();
            let name = names.join(" ");
            let at = *places.entry(name).or_insert_with_key(|name| {
                all.push(Series { name: shown(name, 24), points: Vec::new() });
                all.len() - 1
            });
            all[at].points.push((x, y));
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all.iter_mut().for_each(|one| one.points.sort_by(|left, right| left.0.total_cmp(&right.0)));
    (all, left_out)
}

/// A finite number.
fn number(column: &Dense, row: usize) -> Option<f64> {
    if !column.is_present(row) {
        return None;
    }
    let value = match &column.values {
        Values::Bool(values) => f64::from(u8::from(values[row])),
        Values::Integer(values) | Values::Time(values) => values[row] as f64,
        Values::Float(values) => values[row],
        // Numbers among other values are JSON text.
        texts @ Values::Text { .. } => texts.text(row).parse().ok()?,
    };
    value.is_finite().then_some(value)
}

fn label(column: &Dense, row: usize) -> String {
    if !column.is_present(row) {
        return "(none)".to_owned();
    }
    match &column.values {
        Values::Bool(values) => values[row].to_string(),
        Values::Integer(values) => values[row].to_string(),
        Values::Float(values) => short(values[row]),
        Values::Time(values) => short_time(&iso8601(values[row])),
        texts @ Values::Text { .. } => texts.text(row).to_owned(),
    }
}
