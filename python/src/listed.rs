//! The records of a backend that is written in Python, as a store that can be searched.
//!
//! Such a backend gives all its records at once and keeps no ledger, so that none has an index.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use pyo3::prelude::*;
use quark_trace::core::ids::ProjectId;
use quark_trace::store::{
    Appended, Beside, Commit, Head, Place, Plan, Row, Select, Store, StoreInfo,
};
use quark_trace::{Error, ErrorKind, Result, TraceLog};

use crate::errors::raise;
use crate::record::TraceRecord;

/// Record lines behind each other.
#[derive(Debug)]
pub struct Listed {
    bytes: Vec<u8>,
    lines: Vec<Range<usize>>,
}

impl Listed {
    /// A log of these lines.
    fn log(project: ProjectId, lines: impl Iterator<Item = Vec<u8>>) -> TraceLog {
        let mut listed = Self { bytes: Vec::new(), lines: Vec::new() };
        for line in lines {
            let start = listed.bytes.len();
            listed.bytes.extend_from_slice(&line);
            listed.lines.push(start..listed.bytes.len());
        }
        TraceLog::new(Arc::new(listed), project)
    }

    fn no_ledger<T>() -> Result<T> {
        let message = "this backend keeps no ledger";
        Err(Error::new(ErrorKind::Unsupported, "use the records of the backend", message))
    }
}

/// A log of the records that a backend has given.
pub fn log_of(
    py: Python<'_>,
    project_id: &str,
    records: &[PyRef<'_, TraceRecord>],
) -> PyResult<TraceLog> {
    let project: ProjectId = project_id.parse().map_err(|fault| {
        raise(py, "project_id", &format!("{fault}"), "reading", None, None, Some(project_id))
    })?;
    let lines = records.iter().map(|record| record.to_line(py)).collect::<PyResult<Vec<_>>>()?;
    Ok(Listed::log(project, lines.into_iter()))
}

impl Store for Listed {
    fn info(&self) -> StoreInfo {
        let url = "list:".to_owned();
        StoreInfo { kind: "list", url, persistent: false, shared: false, signs: false }
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        Self::no_ledger()
    }

    fn head(&self, _project: &ProjectId) -> Result<Option<Head>> {
        Self::no_ledger()
    }

    fn beside(&self, _project: &ProjectId) -> Result<Option<Beside>> {
        Self::no_ledger()
    }

    fn append(&self, _project: &ProjectId, _commit: &Commit<'_>) -> Result<Appended> {
        Self::no_ledger()
    }

    fn seal(&self, _project: &ProjectId) -> Result<Option<Head>> {
        Self::no_ledger()
    }

    fn scan(
        &self,
        _project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        if matches!(plan.select, Select::Sheets | Select::Entries) || plan.until.is_some() {
            return Ok(());
        }
        for (at, range) in self.lines.iter().enumerate() {
            let place = Place { line: at as u64 + 1, offset: range.start as u64 };
            let row = Row::Loose { object: &self.bytes[range.clone()], place, inside: false };
            if sink(row).is_break() {
                break;
            }
        }
        Ok(())
    }
}
