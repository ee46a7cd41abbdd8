//! `query`: the records that a filter selects, as a table, as data, counted, or drawn.
//!
//! | file | what it makes |
//! |---|---|
//! | `csv`, `parquet` | columns for other programs |
//! | `groups` | counts in groups |
//! | `chart`, `plot` | a chart; `plot` draws, `chart` finds out what |

use std::ops::ControlFlow;
use std::path::Path;

use quark_trace::core::columns::{Columns, Selection};
use quark_trace::core::query::{Field, Order, Query, QueryError, field};
use quark_trace::query::AsOf;
use quark_trace::store::is_url;
use quark_trace::{Search, TraceLog};

use super::history::Page;
use crate::arguments;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;
use crate::target::{Access, Target};

mod chart;
mod csv;
mod groups;
mod parquet;
mod plot;

pub use groups::json_number;
pub use plot::short;

pub fn run(asked: &arguments::Query, output: &Output) -> Result<u8, Failure> {
    if output.json && (asked.csv || asked.parquet.is_some() || asked.chart.is_some()) {
        return Err(Failure::usage(
            "--json is one form of the output, and another one is asked for",
        ));
    }
    if !asked.columns.is_empty() && !asked.csv && asked.parquet.is_none() {
        return Err(Failure::usage("--columns are those of --csv and --parquet"));
    }
    let (target, filter) = words(&asked.words);
    let target = Target::open(target, Access::Read, output)?;
    let log = target.existing_log()?;
    let query = query(&log, filter, asked)?;
    check_counted(&query, asked)?;
    let search = search(&log, query, asked)?;
    if let Some(drawn) = &asked.chart {
        chart::show(search, drawn, asked.over.as_deref(), &asked.group_by, output)?;
    } else if !asked.aggregate.is_empty() || !asked.group_by.is_empty() {
        groups::show(search, &asked.group_by, &asked.aggregate, asked.csv, output)?;
    } else if let Some(file) = &asked.parquet {
        let columns = columns(search, &asked.columns, output)?;
        parquet::write(&columns, file)?;
        let name = file.display().to_string();
        output.say(format!("wrote {} records to {}", columns.rows(), safe(&name)));
    } else if asked.csv {
        csv::write(&columns(search, &asked.columns, output)?, output)?;
    } else {
        records(search, output)?;
    }
    Ok(0)
}

/// Counts are of all records that match: what would be passed over in silence is refused.
fn check_counted(query: &Query, asked: &arguments::Query) -> Result<(), Failure> {
    let counted =
        asked.chart.is_none() && !(asked.aggregate.is_empty() && asked.group_by.is_empty());
    let unused = match () {
        () if !counted => return Ok(()),
        () if query.limit.is_some() => "a limit",
        () if !query.order.is_empty() => "an order",
        () if asked.after.is_some() => "--after",
        () if !asked.columns.is_empty() => "--columns",
        () => return Ok(()),
    };
    Err(Failure::usage(format!(
        "--aggregate and --group-by count every record that matches; {unused} means nothing there"
    )))
}

fn safe(text: &str) -> String {
    quark_trace::core::visible::visible(text).into_owned()
}

/// The words of the target, and the filter behind them. A filter has an operator or a blank in it,
/// which neither a project nor, mostly, a folder has.
fn words(words: &[String]) -> (&[String], &str) {
    match words.split_last() {
        Some((last, target)) if target.len() == 2 || is_filter(last) => (target, last),
        _ => (words, ""),
    }
}

fn is_filter(word: &str) -> bool {
    word.contains([' ', '=', '<', '>', '~']) && !is_url(word)
}

fn query(log: &TraceLog, filter: &str, asked: &arguments::Query) -> Result<Query, Failure> {
    let read = || -> Result<Query, QueryError> {
        let mut query = log.read_query(filter)?;
        if let Some(order) = &asked.order {
            query.order.extend(Order::parse_list(order)?);
        }
        Ok(query)
    };
    let mut query = read().map_err(|error| Failure::query(&error))?;
    query.limit = match (query.limit, asked.limit) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Ok(query)
}

/// The fields of these names.
fn fields(names: &[String]) -> Result<Vec<Field>, Failure> {
    let fields = names.iter().map(|name| field(name));
    fields.collect::<Result<_, _>>().map_err(|error: QueryError| Failure::query(&error))
}

fn search<'a>(
    log: &'a TraceLog,
    query: Query,
    asked: &arguments::Query,
) -> Result<Search<'a>, Failure> {
    let mut search = log.search(query);
    if let Some(after) = &asked.after {
        search = search.after(after.parse()?);
    }
    if let Some(as_of) = &asked.as_of {
        search = search.as_of(read_as_of(as_of)?);
    }
    Ok(search)
}

fn read_as_of(given: &str) -> Result<AsOf, Failure> {
    let Some(file) = given.strip_prefix('@') else { return Ok(given.parse()?) };
    let bytes = input::read(Path::new(file))
        .map_err(|error| Failure::failed(format!("could not read {file} for --as-of: {error}")))?;
    Ok(AsOf::Checkpoint(String::from_utf8_lossy(&bytes).into_owned()))
}

fn columns(search: Search<'_>, names: &[String], output: &Output) -> Result<Columns, Failure> {
    let selection = match names {
        [] => Selection::All,
        names => Selection::only(fields(names)?)
            .map_err(|refused| Failure::usage(refused.to_string()))?,
    };
    let bar = output.progress(0, "reading the records");
    let columns = search.columns(&selection, |rows| bar.set_position(rows));
    bar.finish_and_clear();
    Ok(columns?)
}

fn records(search: Search<'_>, output: &Output) -> Result<(), Failure> {
    let mut page = Page::new(output);
    let mut result = Ok(());
    let limited = search.asked().limit.is_some();
    let bar = output.progress(0, "searching");
    let done = search.each(|hit| {
        // A bar and a table would write over each other.
        bar.finish_and_clear();
        result = page.add(hit.index, hit.line);
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    bar.finish_and_clear();
    result?;
    page.flush()?;
    let done = done?;
    if page.shown == 0 && !output.json {
        output.say("no records");
    }
    if let Some(next) = done.next.filter(|_| limited) {
        output.say(format!("there may be more: --after {next}"));
    }
    if done.unreadable > 0 {
        output.say(format!("{} line(s) are no records; verify says which", done.unreadable));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_told_from_a_store_and_a_project() {
        for (given, count, filter) in [
            (&["traces/", "demo", "a"][..], 2, "a"),
            (&["traces/", "demo"], 2, ""),
            (&["traces/", "payload.a = 1"], 1, "payload.a = 1"),
            (&["postgres://h/d?a=b", "demo"], 2, ""),
            (&["postgres://h/d?a=b"], 1, ""),
            (&["stage='a/b'"], 0, "stage='a/b'"),
            (&["demo"], 1, ""),
            (&[], 0, ""),
        ] {
            let given: Vec<String> = given.iter().map(|&word| word.to_owned()).collect();
            let (target, found) = words(&given);
            assert_eq!((target.len(), found), (count, filter), "{given:?}");
        }
    }
}
