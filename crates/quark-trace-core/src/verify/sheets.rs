//! The versions of the fact sheet, each checked against the one before.

use crate::ids::ProjectId;
use crate::ledger::{Digest, Kind};
use crate::sheet::{FactSheet, check_successor};

#[derive(Debug, Default)]
pub(super) struct Sheets {
    last: Option<FactSheet>,
    digests: Vec<Digest>,
}

impl Sheets {
    /// Takes the next version; the fault is said in plain words.
    pub fn next(
        &mut self,
        kind: Kind<'_>,
        object: &[u8],
        project: &ProjectId,
    ) -> Result<(), String> {
        self.digests.push(Digest::of(object));
        let sheet = FactSheet::from_json(object)
            .map_err(|fault| format!("the fact sheet cannot be read: {fault}"))?;
        let previous = self.last.replace(sheet);
        let (Some(sheet), previous) = (&self.last, previous) else { return Ok(()) };
        if sheet.project_id() != project.as_str() {
            return Err(format!("the fact sheet is of project {:?}", sheet.project_id()));
        }
        match previous {
            // An adopted sheet was changed by hand and accepted; it is reported as adopted.
            Some(previous) if kind == Kind::Sheet => check_successor(&previous, sheet)
                .map_err(|fault| format!("version {}: {fault}", sheet.version())),
            _ => Ok(()),
        }
    }

    /// Whether this was the sheet of an earlier version.
    pub fn has_earlier(&self, digest: Digest) -> bool {
        self.digests.split_last().is_some_and(|(_, earlier)| earlier.contains(&digest))
    }
}
