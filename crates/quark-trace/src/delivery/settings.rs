//! How records are delivered, and what is told of it.

use std::path::PathBuf;
use std::time::Duration;

use super::pace::Pace;
use crate::error::{Error, ErrorKind};

/// When a record counts as logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// When the server has it; an error when it cannot be reached.
    Strict,
    /// When the server has it, or, while it cannot be reached, the spool of this machine.
    #[default]
    Auto,
    /// When the spool has it: no call waits for the server.
    Background,
}

impl Mode {
    /// `strict`, `auto` or `background`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Auto => "auto",
            Self::Background => "background",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "strict" => Ok(Self::Strict),
            "auto" => Ok(Self::Auto),
            "background" => Ok(Self::Background),
            _ => {
                let message =
                    format!("{word:?} is no delivery; give 'strict', 'auto' or 'background'");
                Err(Error::new(ErrorKind::InvalidInput, "choose the delivery", message))
            }
        }
    }
}

/// What happens to a record that the spool has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFull {
    /// It is an error of kind `StorageFull`; nothing was written.
    #[default]
    Raise,
    /// It is left out, and a record of stage [`super::GAP_STAGE`] tells of it.
    Drop,
}

impl std::str::FromStr for OnFull {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "raise" => Ok(Self::Raise),
            "drop" => Ok(Self::Drop),
            _ => {
                let message =
                    format!("{word:?} is no policy for a full spool; give 'raise' or 'drop'");
                Err(Error::new(ErrorKind::InvalidInput, "choose the delivery", message))
            }
        }
    }
}

/// How records are delivered.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// When a record counts as logged.
    pub mode: Mode,
    /// The folder that holds spools.
    pub spool: PathBuf,
    /// Most bytes that wait of one delivery; 1 GiB.
    pub limit: u64,
    /// What happens when there are more, or the disk is full.
    pub on_full: OnFull,
    /// How long closing waits for the server; 5 seconds.
    pub drain: Duration,
    /// How fast time passes.
    pub pace: Pace,
}

impl DeliveryOptions {
    /// The defaults, with a spool in this folder.
    pub fn new(spool: impl Into<PathBuf>) -> Self {
        Self {
            mode: Mode::default(),
            spool: spool.into(),
            limit: 1024 * 1024 * 1024,
            on_full: OnFull::default(),
            drain: Duration::from_secs(5),
            pace: Pace::default(),
        }
    }
}

/// Where a record is when the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The server has it.
    Stored,
    /// The spool has it.
    Spooled,
    /// Nobody has it: the spool is full, and a record is going to tell of it.
    Dropped,
}

/// What a delivery is at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Records that wait for the server.
    pub waiting: u64,
    /// Their size in bytes.
    pub waiting_bytes: u64,
    /// Records that the server refused for good, since this delivery was opened; they are kept in
    /// the spool.
    pub refused: u64,
    /// Records that were to tell of missing ones and that the server refused for good; they are kept
    /// beside those.
    pub refused_gaps: u64,
    /// Records that were left out, since this delivery was opened.
    pub dropped: u64,
    /// Records left out that no record tells of yet.
    pub untold: u64,
    /// Why the last call to the server failed, while records wait.
    pub reason: Option<String>,
}

/// Something that the user should be told. Each kind is noted once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The server cannot be reached; records wait in the spool.
    Spooling {
        /// Why.
        reason: String,
    },
    /// The server answers, but takes nothing of a project; its records wait.
    Held {
        /// The project.
        project: String,
        /// Why.
        reason: String,
    },
    /// The server refused a record for good; it is kept in the spool.
    Refused {
        /// The project.
        project: String,
        /// Why.
        reason: String,
    },
    /// The server refused for good what was to tell that records are missing; it is kept in the
    /// spool, and nothing else tells of them.
    RefusedGap {
        /// The project.
        project: String,
        /// Why.
        reason: String,
    },
    /// Records are left out because the spool is full.
    Dropping {
        /// The project.
        project: String,
        /// Why.
        reason: String,
    },
}

impl Notice {
    /// Whether both are of one kind, and about one project.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let of = |notice: &Self| match notice {
            Self::Spooling { .. } => None,
            Self::Held { project, .. }
            | Self::Refused { project, .. }
            | Self::RefusedGap { project, .. }
            | Self::Dropping { project, .. } => Some(project.clone()),
        };
        std::mem::discriminant(self) == std::mem::discriminant(other) && of(self) == of(other)
    }
}
