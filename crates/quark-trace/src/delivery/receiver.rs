//! Who records are delivered to, and what is made of the answer.

use std::fmt::Debug;
use std::time::Duration;

use quark_trace_core::ids::ProjectId;

use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::store::HttpStore;
use crate::store::http::Answered;

/// Takes records; the same record again changes nothing.
pub trait Receiver: Debug + Send + Sync {
    /// Appends record lines, at most 1,000, all or none.
    fn receive(&self, project: &ProjectId, lines: &[&[u8]]) -> Result<()>;

    /// Lets go of connections.
    fn let_go(&self) {}
}

impl Receiver for HttpStore {
    fn receive(&self, project: &ProjectId, lines: &[&[u8]]) -> Result<()> {
        self.send_records(project, lines).map(drop)
    }

    fn let_go(&self) {
        // Closing connections cannot fail.
        let _ = crate::store::Store::close(self);
    }
}

/// Whether a server has neither the record nor anything against it, as far as is known: it was not
/// reached, or said something else than what it was asked.
pub(super) fn leaves_open(error: &Error) -> bool {
    let is_success = Answered::of(error).is_some_and(|answer| answer.status < 300);
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Busy => true,
        ErrorKind::Corrupted => is_success && error.outcome() == Some(Outcome::Unknown),
        _ => false,
    }
}

/// What an error means for records that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server does not answer: all wait.
    Unreachable { after: Option<Duration> },
    /// The server answers, but takes nothing now: these wait, and somebody has to be told.
    Later { after: Option<Duration> },
    /// It never takes this, for this reason.
    Never(&'static str),
}

impl Verdict {
    pub fn of(error: &Error) -> Self {
        let answered = Answered::of(error);
        let judged = answered.is_some_and(|answer| answer.is_told);
        let after = answered.and_then(|answer| answer.retry_after_s).map(Duration::from_secs);
        match error.kind() {
            ErrorKind::Unavailable => Self::Unreachable { after },
            ErrorKind::Busy => Self::Later { after },
            ErrorKind::SchemaBroken => Self::Never("schema_broken"),
            // A page of HTML is of something between here and the server, and may be another
            // tomorrow.
            ErrorKind::InvalidInput if judged => Self::Never("invalid_input"),
            ErrorKind::TooLarge if judged => Self::Never("too_large"),
            ErrorKind::RecordConflict => Self::Never("record_conflict"),
            _ => Self::Later { after },
        }
    }
}
