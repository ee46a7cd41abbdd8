//! One way in which a payload breaks the schema of its stage.

use std::fmt;

use crate::visible::{shortened, visible};

/// So many faults of one payload are told.
pub const MOST_FAULTS: usize = 20;

/// Where a payload differs from its schema, what was expected there, and what came.
///
/// What came is named by its kind; numbers, and texts up to 16 characters, are shown. No fault holds
/// a payload's content in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the payload; empty for the payload itself. It holds names from
    /// the payload as they are: show it through [`Fault::shown_path`].
    pub path: String,
    /// What the schema asks for.
    pub expected: String,
    /// What the payload has.
    pub came: String,
}

impl Fault {
    /// The path, safe to show and not longer than 200 characters.
    pub fn shown_path(&self) -> String {
        match self.path.as_str() {
            "" => "the payload".to_owned(),
            path => visible(&shortened(path, 200)).into_owned(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: expected {}, came {}", self.shown_path(), self.expected, self.came)
    }
}

/// Why a record was refused: its stage is checked strictly, and its payload breaks the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stage.
    pub stage: String,
    /// Index of the entry whose schema it breaks.
    pub index: u64,
    /// The faults, at most [`MOST_FAULTS`].
    pub faults: Vec<Fault>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = shortened(&self.stage, 60);
        write!(
            formatter,
            "the payload breaks the schema of stage {stage:?} (entry {})",
            self.index
        )?;
        for fault in &self.faults {
            write!(formatter, "; {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
