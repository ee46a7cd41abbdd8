//! Generated filters over generated records: whatever a store leaves out, what the evaluator selects
//! of the rest is what it selects of all records.

use std::cell::Cell;
use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quark_trace_core::ids::ProjectId;
use quark_trace_core::query::{Asked, Filter, Matcher};

use super::{Place, append, generated, new_record};
use crate::store::{Plan, Row, Select, Store};

/// Filters that are asked of one log.
const FILTERS: usize = 8;

/// A log and what is asked of it.
#[derive(Debug, Clone)]
struct Case {
    lines: Vec<String>,
    /// How many of the lines are there when what a store derives from records is brought up to date.
    before: usize,
    filters: Vec<Filter>,
    from: u64,
    until: Option<u64>,
}

fn cases() -> impl Strategy<Value = Case> {
    let lines = prop::collection::vec(generated::line(), 1..24);
    let filters = prop::collection::vec(generated::filter(), FILTERS);
    let from = prop_oneof![4 => Just(0), 1 => 0..20_u64];
    let until = prop_oneof![4 => Just(None), 1 => (0..30_u64).prop_map(Some)];
    (lines, prop::bool::weighted(0.8), 0..24_usize, filters, from, until).prop_map(
        |(lines, all, before, filters, from, until)| {
            let before = if all { lines.len() } else { before.min(lines.len()) };
            Case { lines, before, filters, from, until }
        },
    )
}

/// Asks so many filters, or a few more.
pub(super) fn run(place: &Place, filters: u32) {
    let store = place();
    let logs = Cell::new(0);
    let logs_due = filters.div_ceil(FILTERS as u32);
    let config = Config { cases: logs_due, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&cases(), |case| {
        logs.set(logs.get() + 1);
        let project = format!("log-{}", logs.get()).parse().expect("a valid id");
        fill(store.as_ref(), &project, &case);
        case.filters.iter().try_for_each(|filter| ask(store.as_ref(), &project, &case, filter))
    });
    outcome.unwrap_or_else(|fault| panic!("the store leaves out what is selected: {fault}"));
}

fn fill(store: &dyn Store, project: &ProjectId, case: &Case) {
    let (before, after) = case.lines.split_at(case.before);
    for part in [before, after] {
        let entries: Vec<_> = part.iter().map(|line| new_record(line.as_bytes())).collect();
        if !entries.is_empty() {
            append(store, project, &entries).expect("an append");
        }
        if std::ptr::eq(part, before) {
            store.flush().expect("a flush");
        }
    }
}

fn ask(
    store: &dyn Store,
    project: &ProjectId,
    case: &Case,
    filter: &Filter,
) -> Result<(), TestCaseError> {
    let fault = |what: &str, error: &dyn std::fmt::Display| {
        TestCaseError::fail(format!("{what} `{filter}`: {error}"))
    };
    let mut matcher = Matcher::new(filter, 0).map_err(|error| fault("no filter", &error))?;
    let mut selects = |index: u64, line: &[u8]| matcher.ask(Some(index), line) == Asked::Selected;
    let wanted: Vec<u64> = (1..)
        .zip(&case.lines)
        .filter(|(index, _)| *index >= case.from && case.until.is_none_or(|end| *index < end))
        .filter(|(index, line)| selects(*index, line.as_bytes()))
        .map(|(index, _)| index)
        .collect();
    let mut found = Vec::new();
    let (from, until) = (case.from, case.until);
    let plan = Plan { from, until, select: Select::Records, filter: Some(filter) };
    let scanned = store.scan(project, &plan, &mut |row| {
        if let Row::Entry { index, object: Some(object), .. } = row
            && selects(index, &object)
        {
            found.push(index);
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(|error| fault("a fault at", &error))?;
    prop_assert_eq!(found, wanted, "{}", filter);
    Ok(())
}
