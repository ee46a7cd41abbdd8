//! A query over the records of a project, asked anew each time.

use std::ops::ControlFlow;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use quark_trace::core::columns::Selection;
use quark_trace::core::query::{
    Field, Literal, Number, Order, Query, QueryError, QueryFault, field,
};
use quark_trace::query::{AsOf, Cursor, Statistics};
use quark_trace::{Error, ErrorKind, TraceLog};

use crate::arrow::Table;
use crate::errors::{Doing, exception, raise};
use crate::filters::{self, Given};
use crate::fork;
use crate::listed::log_of;
use crate::log::Log;
use crate::numbers::read_integer;
use crate::record::TraceRecord;

/// A query, ready to be asked.
#[pyclass(frozen, module = "quark_trace._core")]
pub struct Search {
    source: Source,
    query: Query,
    as_of: Option<AsOf>,
    after: Option<Cursor>,
}

enum Source {
    Log(Py<Log>),
    Listed(TraceLog),
}

impl Source {
    fn trace_log(&self, py: Python<'_>) -> PyResult<TraceLog> {
        match self {
            Self::Log(log) => log.get().trace_log(py),
            Self::Listed(log) => Ok(log.clone()),
        }
    }

    /// The error about a query, with a name from the log that may be meant.
    fn explained(
        &self,
        py: Python<'_>,
        parts: &Parts<'_>,
        error: QueryError,
    ) -> PyResult<QueryError> {
        if error.fault() != QueryFault::UnknownName {
            return Ok(error);
        }
        let (log, text) = (self.trace_log(py)?, parts.text.clone());
        let explained = fork::at_work(py, || log.read_query(&text).err());
        Ok(explained.unwrap_or(error))
    }
}

/// What a query is made of, as Python gives it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Parts<'py> {
    text: String,
    filters: Vec<Given<'py>>,
    order: Vec<String>,
    limit: Option<u64>,
    after: Option<String>,
    as_of: Option<String>,
}

impl Parts<'_> {
    fn query(&self) -> PyResult<Result<Query, QueryError>> {
        let filter = match filters::all(&self.filters)? {
            Ok(filter) => filter,
            Err(error) => return Ok(Err(error)),
        };
        Ok(self.joined(filter))
    }

    fn joined(
        &self,
        filter: Option<quark_trace::core::query::Filter>,
    ) -> Result<Query, QueryError> {
        let mut query = Query::parse(&self.text)?;
        query.filter = match (query.filter, filter) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
        for order in &self.order {
            query.order.extend(Order::parse_list(order)?);
        }
        query.limit = match (query.limit, self.limit) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Ok(query)
    }
}

impl Search {
    fn new(py: Python<'_>, source: Source, parts: &Parts<'_>) -> PyResult<Self> {
        let query = match parts.query()? {
            Ok(query) => query,
            Err(error) => return Err(refuse(py, &source.explained(py, parts, error)?.to_string())),
        };
        let read = |error: Error| refuse(py, &error.to_string());
        let as_of = parts.as_of.as_deref().map(str::parse).transpose().map_err(read)?;
        let after = parts.after.as_deref().map(str::parse).transpose().map_err(read)?;
        if matches!(source, Source::Listed(_))
            && matches!(as_of, Some(AsOf::Index(_) | AsOf::Checkpoint(_)))
        {
            let message = "this backend keeps no ledger, so that its records have no index and no \
                           checkpoint covers them; as_of takes a time";
            return Err(refuse(py, message));
        }
        Ok(Self { source, query, as_of, after })
    }

    /// Asks without the GIL.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        after: Option<Cursor>,
        act: impl Send + FnOnce(quark_trace::Search<'_>) -> Result<T, Error>,
    ) -> PyResult<T> {
        let log = self.source.trace_log(py)?;
        let query = self.query.clone();
        let asked = fork::at_work(py, || {
            let mut search = log.search(query);
            if let Some(as_of) = &self.as_of {
                search = search.as_of(as_of.clone());
            }
            if let Some(after) = after.or_else(|| self.after.clone()) {
                search = search.after(after);
            }
            act(search)
        });
        asked.map_err(|error| match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::TooLarge => refuse(py, &error.to_string()),
            _ => exception(py, &error, Doing::Reading, log.project().as_str()),
        })
    }
}

/// A query that cannot be answered.
fn refuse(py: Python<'_>, message: &str) -> PyErr {
    raise(py, "query", message, "reading", None, None, None)
}

fn fields(py: Python<'_>, names: &[String]) -> PyResult<Vec<Field>> {
    let fields = names.iter().map(|name| field(name));
    fields.collect::<Result<_, _>>().map_err(|error: QueryError| refuse(py, &error.to_string()))
}

/// Asks the log of a project.
#[pyfunction]
pub fn search(py: Python<'_>, log: Py<Log>, parts: Parts<'_>) -> PyResult<Search> {
    Search::new(py, Source::Log(log), &parts)
}

/// Asks records that a backend without a ledger has given.
#[pyfunction]
pub fn search_records(
    py: Python<'_>,
    project_id: &str,
    records: Vec<PyRef<'_, TraceRecord>>,
    parts: Parts<'_>,
) -> PyResult<Search> {
    Search::new(py, Source::Listed(log_of(py, project_id, &records)?), &parts)
}

#[pymethods]
impl Search {
    /// The next records behind `after`, at most `size` and at most what is left of the limit when
    /// `seen` have come already; and where the next ones begin.
    fn page(
        &self,
        py: Python<'_>,
        size: u64,
        seen: u64,
        after: Option<&str>,
    ) -> PyResult<(Vec<TraceRecord>, Option<String>)> {
        let after = after.map(str::parse::<Cursor>).transpose();
        let after = after.map_err(|error| refuse(py, &error.to_string()))?;
        let left = self.query.limit.map_or(u64::MAX, |limit| limit.saturating_sub(seen));
        let mut bytes = Vec::new();
        let mut ranges = Vec::new();
        let done = self.run(py, after, |mut search| {
            // An order is worked out once, for all that are wanted.
            if search.asked().order.is_empty() {
                search = search.limit(size.min(left));
            } else {
                search = search.limit(left);
            }
            search.each(|hit| {
                let start = bytes.len();
                bytes.extend_from_slice(hit.line);
                ranges.push(start..bytes.len());
                ControlFlow::Continue(())
            })
        })?;
        let bytes = Arc::new(bytes);
        let records = ranges.iter().map(|range| TraceRecord::from_buffer(&bytes, range));
        Ok((records.collect(), done.next.map(|cursor| cursor.to_string())))
    }

    /// How many records at most.
    #[getter]
    fn limit(&self) -> Option<u64> {
        self.query.limit
    }

    /// How many records there are; the limit is taken into account.
    fn count(&self, py: Python<'_>) -> PyResult<u64> {
        let mut count = 0;
        self.run(py, None, |search| {
            search.each(|_| {
                count += 1;
                ControlFlow::Continue(())
            })
        })?;
        Ok(count)
    }

    /// The records as typed columns: all of them, or those that are named.
    #[pyo3(signature = (names=None))]
    fn columns(&self, py: Python<'_>, names: Option<Vec<String>>) -> PyResult<Table> {
        let selection = match names {
            None => Selection::All,
            Some(names) => Selection::only(fields(py, &names)?)
                .map_err(|refused| refuse(py, &refused.to_string()))?,
        };
        let columns = self.run(py, None, |search| search.columns(&selection, |_| {}))?;
        Ok(Table::new(columns))
    }

    /// Groups of records that are alike in `by`: `[(values, records, [statistics of each])]`.
    #[allow(clippy::type_complexity, reason = "plain tuples are what Python takes apart")]
    fn group<'py>(
        &self,
        py: Python<'py>,
        by: Vec<String>,
        of: Vec<String>,
    ) -> PyResult<Vec<(Vec<Bound<'py, PyAny>>, u64, Vec<Bound<'py, PyDict>>)>> {
        let (by, of) = (fields(py, &by)?, fields(py, &of)?);
        let groups = self.run(py, None, |search| search.group(&by, &of))?;
        let shown = groups.groups.iter().map(|group| {
            let by = group.by.iter().map(|value| literal(py, value)).collect::<PyResult<_>>()?;
            let of = group.of.iter().map(|one| statistics(py, one)).collect::<PyResult<_>>()?;
            Ok((by, group.records, of))
        });
        shown.collect()
    }

    fn __repr__(&self) -> String {
        format!("Search({:?})", self.query.to_string())
    }
}

fn literal<'py>(py: Python<'py>, value: &Literal) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Literal::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Literal::Number(value) => return number(py, value),
        Literal::Text(text) => text.into_pyobject(py)?.into_any(),
        Literal::Null | Literal::Time(_) => py.None().into_bound(py),
    })
}

pub fn number<'py>(py: Python<'py>, number: &Number) -> PyResult<Bound<'py, PyAny>> {
    match number {
        Number::Integer(value) => Ok(value.into_pyobject(py)?.into_any()),
        Number::Float(value) => Ok(value.into_pyobject(py)?.into_any()),
        Number::Large(digits) => read_integer(py, digits),
    }
}

fn statistics<'py>(py: Python<'py>, of: &Statistics) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let known = |value: &Option<Number>| value.as_ref().map(|it| number(py, it)).transpose();
    all.set_item("count", of.count)?;
    all.set_item("min", known(&of.min)?)?;
    all.set_item("max", known(&of.max)?)?;
    all.set_item("mean", of.mean())?;
    all.set_item("last", known(&of.last)?)?;
    Ok(all)
}
