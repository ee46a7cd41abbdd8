//! Records that are to be appended: read, checked and hashed before they wait for their turn.

use std::borrow::Cow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Digest, Kind};
use quark_trace_core::record::View;

use super::check_stage;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::record::{Record, view_of};
use crate::store::NewEntry;

/// A record whose id somebody else chose, and what an append has to know of it.
///
/// All that can be worked out before is worked out when it is made, so that whoever writes for many
/// does not read each record again.
#[derive(Debug, Clone)]
pub struct Incoming<'r> {
    line: Cow<'r, [u8]>,
    id: String,
    digest: Digest,
}

impl<'r> Incoming<'r> {
    /// Takes a record of this project.
    pub fn of(project: &ProjectId, record: &'r Record) -> Result<Self> {
        Self::new(project, &record.view(), Cow::Borrowed(record.line()))
    }

    fn new(project: &ProjectId, view: &View<'_>, line: Cow<'r, [u8]>) -> Result<Self> {
        let named = view.project_id.to_str();
        check_stage(&view.stage.to_str())?;
        if named != project.as_str() {
            let own = project.as_str();
            let message = format!("the record is of project {named:?}, this log is of {own:?}");
            return Err(Error::new(ErrorKind::InvalidInput, "append a record", message)
                .with_outcome(Outcome::NotWritten));
        }
        let digest = Digest::of(&line);
        Ok(Self { id: view.record_id.to_str().into_owned(), line, digest })
    }

    /// `record_id`
    pub fn id(&self) -> &str {
        &self.id
    }

    /// SHA-256 of the line, which its entry names.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Length of the line in bytes.
    pub fn length(&self) -> usize {
        self.line.len()
    }

    pub(super) fn entry<'e>(&'e self, attributes: &'e str) -> NewEntry<'e> {
        NewEntry {
            kind: Kind::Record,
            object: &self.line,
            digest: self.digest,
            attributes,
            record_id: Some(&self.id),
            is_own_id: true,
            schemas: None,
        }
    }
}

impl Incoming<'static> {
    /// Takes a line as it was sent, which is refused (`Corrupted`) when it is no record and
    /// (`InvalidInput`) when it is one of another project; `check` is asked in between.
    pub fn read<E>(
        project: &ProjectId,
        line: Vec<u8>,
        check: impl FnOnce(&View<'_>) -> std::result::Result<(), E>,
    ) -> Result<std::result::Result<Self, E>> {
        let view = view_of(&line)?;
        if let Err(refused) = check(&view) {
            return Ok(Err(refused));
        }
        let Incoming { id, digest, .. } = Incoming::new(project, &view, Cow::Borrowed(&line))?;
        Ok(Ok(Self { line: Cow::Owned(line), id, digest }))
    }
}
