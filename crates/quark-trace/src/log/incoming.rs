//! Records that are to be appended: read, checked and hashed before they wait for their turn.

use std::borrow::Cow;
use std::fmt;

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
#[derive(Clone)]
pub struct Incoming<'r> {
    project: ProjectId,
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
        check_stage(&view.stage.to_str())?;
        check_project(&view.project_id.to_str(), project)?;
        let (project, digest) = (project.clone(), Digest::of(&line));
        Ok(Self { project, id: view.record_id.to_str().into_owned(), line, digest })
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

    /// Its entry in the log of this project.
    pub(super) fn entry<'e>(
        &'e self,
        project: &ProjectId,
        attributes: &'e str,
    ) -> Result<NewEntry<'e>> {
        check_project(self.project.as_str(), project)?;
        Ok(NewEntry {
            kind: Kind::Record,
            object: &self.line,
            digest: self.digest,
            attributes,
            record_id: Some(&self.id),
            is_own_id: true,
            schemas: None,
        })
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
        let Incoming { project, id, digest, .. } =
            Incoming::new(project, &view, Cow::Borrowed(&line))?;
        Ok(Ok(Self { project, line: Cow::Owned(line), id, digest }))
    }
}

fn check_project(named: &str, project: &ProjectId) -> Result<()> {
    if named == project.as_str() {
        return Ok(());
    }
    let own = project.as_str();
    let message = format!("the record is of project {named:?}, this log is of {own:?}");
    Err(Error::new(ErrorKind::InvalidInput, "append a record", message)
        .with_outcome(Outcome::NotWritten))
}

impl fmt::Debug for Incoming<'_> {
    /// Neither payload nor stage: what is logged about records must not leak them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Incoming").field("record_id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::TraceLog;
    use crate::store::MemoryStore;

    const LINE: &[u8] = b"{\"record_id\": \"1\", \"project_id\": \"a\", \"stage\": \"s\", \
                          \"timestamp\": \"t\", \"payload\": {\"secret\": 7}}";

    #[test]
    fn a_record_stays_with_its_project() {
        let (a, b): (ProjectId, ProjectId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let read = |project| Incoming::read(project, LINE.to_vec(), |_| Ok::<_, ()>(()));
        assert_eq!(read(&b).unwrap_err().kind(), ErrorKind::InvalidInput);
        let incoming = read(&a).unwrap().unwrap();
        let other = TraceLog::new(Arc::new(MemoryStore::new()), b);
        let refused = other.append_received([(&incoming, "")], None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert_eq!(refused.outcome(), Some(Outcome::NotWritten));
        assert_eq!(other.history().unwrap(), []);
        let own = TraceLog::new(Arc::new(MemoryStore::new()), a);
        own.append_received([(&incoming, " by=n")], None).unwrap();
        assert_eq!(own.history().unwrap()[0].line(), LINE);
    }

    #[test]
    fn what_is_refused_is_refused_in_order() {
        let a: ProjectId = "a".parse().unwrap();
        let none = Incoming::read(&a, b"{}".to_vec(), |_| Err("asked")).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Corrupted);
        let asked = Incoming::read(&"b".parse().unwrap(), LINE.to_vec(), |_| Err("asked"));
        assert_eq!(asked.unwrap().unwrap_err(), "asked");
    }

    #[test]
    fn nothing_of_a_payload_is_shown() {
        let a: ProjectId = "a".parse().unwrap();
        let incoming = Incoming::read(&a, LINE.to_vec(), |_| Ok::<_, ()>(())).unwrap().unwrap();
        assert_eq!(format!("{incoming:?}"), "Incoming { record_id: \"1\", .. }");
    }
}
