//! The versions of the fact sheet, each checked against the one before.

use super::Severity;
use crate::ids::ProjectId;
use crate::ledger::{Digest, Kind};
use crate::sheet::{FactSheet, check_successor};

#[derive(Debug, Default)]
pub(super) struct Sheets {
    last: Option<FactSheet>,
    /// Entry and object of each version.
    versions: Vec<(u64, Digest)>,
}

impl Sheets {
    /// Takes the next version; the fault is said in plain words.
    pub fn next(
        &mut self,
        index: u64,
        kind: Kind<'_>,
        object: &[u8],
        project: &ProjectId,
    ) -> Result<(), String> {
        self.versions.push((index, Digest::of(object)));
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

    /// Whether `found` is what was shown before the last version, and that is the last entry.
    ///
    /// A writer appends the entry and then shows the sheet; killed in between, it leaves the version
    /// before. Whoever writes next shows the last one before anything is appended or signed.
    pub fn is_due(&self, found: Option<Digest>, size: u64) -> bool {
        let Some(((index, _), earlier)) = self.versions.split_last() else { return false };
        found == earlier.last().map(|version| version.1) && index + 1 == size
    }

    /// What it means that people are shown `found` and not the last version, of a log of `size`
    /// entries of which a checkpoint covers `sealed`.
    ///
    /// While the entry is the last and no checkpoint covers it, nothing tells an interrupted writer
    /// from a version that was put back by hand.
    pub fn shown_differs(
        &self,
        found: Option<Digest>,
        size: u64,
        sealed: u64,
    ) -> (Severity, &'static str) {
        let Some(((index, _), earlier)) = self.versions.split_last() else {
            return (Severity::Error, "a fact sheet is shown of which the ledger knows nothing");
        };
        match found {
            _ if self.is_due(found, size) && *index >= sealed => (
                Severity::Unknown,
                "the last fact sheet of the ledger is not shown, but what was there before it: \
                 whoever wrote it was interrupted, or it was put back by hand; `quark-trace seal` \
                 shows the last one",
            ),
            None => (
                Severity::Error,
                "the fact sheet of the ledger is not shown: its file is missing; `quark-trace \
                 seal` writes it again",
            ),
            Some(digest) if earlier.iter().any(|version| version.1 == digest) => (
                Severity::Error,
                "the fact sheet that is shown is an earlier version than the ledger's last; \
                 `quark-trace seal` shows the last one",
            ),
            Some(_) => (Severity::Error, "the fact sheet that is shown is not the ledger's last"),
        }
    }
}
