//! Fact sheets, as a store hands them out.

use std::borrow::Cow;
use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Digest, Entry};

use super::{Plan, Row, Select, Store};
use crate::error::{Error, ErrorKind, Result};

const READ: &str = "read the fact sheets";

/// A version of a fact sheet, its bytes those that the ledger names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSheet {
    /// Index of its entry; `None` for the sheet of a 0.1.0 folder that is not in a ledger yet.
    pub index: Option<u64>,
    /// Its stored bytes.
    pub bytes: Vec<u8>,
}

impl StoredSheet {
    /// Reads the last one off the log.
    pub(super) fn last<S: Store + ?Sized>(store: &S, project: &ProjectId) -> Result<Option<Self>> {
        let (mut last, mut loose) = (None, None);
        let plan = Plan { select: Select::Sheets, ..Plan::default() };
        store.scan(project, &plan, &mut |row| {
            match row {
                // A scan tells of lines that are no entries, too.
                Row::Entry { index, line, object, .. } if is_sheet(line) => {
                    let (line, object) = (line.to_vec(), object.map(Cow::into_owned));
                    last = Some(SheetRow { index, line, object });
                }
                Row::Loose { object, .. } => loose = Some(object.to_vec()),
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        match last {
            Some(row) => row.checked().map(Some),
            None => Ok(loose.map(|bytes| Self { index: None, bytes })),
        }
    }
}

/// The entry of a fact sheet with its object as found.
#[derive(Debug)]
pub(super) struct SheetRow {
    pub index: u64,
    pub line: Vec<u8>,
    pub object: Option<Vec<u8>>,
}

impl SheetRow {
    /// The sheet, if it is the one that the entry names.
    pub fn checked(self) -> Result<StoredSheet> {
        let entry = Entry::parse(&self.line).ok();
        let named = entry.filter(|entry| entry.kind.is_sheet()).map(|entry| entry.object);
        let index = self.index;
        match self.object {
            Some(bytes) if named == Some(Digest::of(&bytes)) => {
                Ok(StoredSheet { index: Some(index), bytes })
            }
            found => {
                let fault = if found.is_some() { "not the one it names" } else { "missing" };
                let message = format!(
                    "the fact sheet of entry {index} is {fault}; `quark-trace verify` tells what \
                     else is wrong"
                );
                Err(Error::new(ErrorKind::Corrupted, READ, message))
            }
        }
    }
}

fn is_sheet(line: &[u8]) -> bool {
    Entry::parse(line).is_ok_and(|entry| entry.kind.is_sheet())
}
