//! One public error for the whole library, written for the person who must act.
//!
//! An [`Error`] says what was being done, on what, why it failed, and, for writes, whether the
//! record was written. [`ErrorKind`] is what programs branch on; nobody needs to read the text.

use std::fmt;
use std::io;

use quark_trace_core::stages::{Fault, Refusal};

/// The result of every operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is not acceptable; nothing was touched.
    InvalidInput,
    /// There is no such project, sheet, record or file.
    NotFound,
    /// It is there already and may not be replaced.
    AlreadyExists,
    /// The log moved on since the caller looked: it has this many entries now.
    Conflict {
        /// The size of the log.
        actual: u64,
    },
    /// Another record has the same id.
    RecordConflict,
    /// The record breaks the schema of its stage, which is held to strictly; nothing was written.
    /// [`Error::faults`] has the places.
    SchemaBroken,
    /// A record or sheet is too large.
    TooLarge,
    /// The folder, file or database may not be read or written.
    PermissionDenied,
    /// The server does not know the key, or takes it no longer.
    Unauthenticated,
    /// No space is left.
    StorageFull,
    /// What is stored contradicts the ledger; the code is one of FORMAT's `E-…`.
    Integrity(&'static str),
    /// What is stored cannot be read as what it should be.
    Corrupted,
    /// The server cannot be reached, or does not answer in time.
    Unavailable,
    /// Another process or caller holds the log for too long.
    Busy,
    /// The store was opened for reading only.
    ReadOnly,
    /// The store does not offer this.
    Unsupported,
    /// Anything else the operating system or database said.
    Io,
}

/// Whether a write that failed may have happened all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was written; trying again is safe.
    NotWritten,
    /// It may or may not have been written; try again with the same record id.
    Unknown,
}

impl Outcome {
    /// `not_written` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotWritten => "not_written",
            Self::Unknown => "unknown",
        }
    }
}

/// What went wrong, where, and what to do.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: ErrorKind,
    operation: &'static str,
    subject: Option<String>,
    message: String,
    outcome: Option<Outcome>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` while doing `operation` (a verb phrase such as `append a record`).
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            operation,
            subject: None,
            message: message.into(),
            outcome: None,
            source: None,
        }))
    }

    /// An error of the operating system, its kind taken from the system's own.
    pub fn io(operation: &'static str, subject: impl Into<String>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::PermissionDenied
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
            io::ErrorKind::WouldBlock => ErrorKind::Busy,
            _ => ErrorKind::Io,
        };
        let message = match source.kind() {
            io::ErrorKind::InvalidFilename => {
                format!("{source}; choose a shorter project id, or a folder with a shorter path")
            }
            _ => source.to_string(),
        };
        Self::new(kind, operation, message).on(subject).caused_by(source)
    }

    /// Names what the operation was done on: a file, a project; never a payload or a key.
    #[must_use]
    pub fn on(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Keeps the error below.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Says whether the write may have happened.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = Some(outcome);
        self
    }

    /// As [`Error::with_outcome`], where nobody nearer to the write has said it.
    #[must_use]
    pub fn or_outcome(self, outcome: Outcome) -> Self {
        if self.0.outcome.is_some() { self } else { self.with_outcome(outcome) }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// For writes: whether it may have happened.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome
    }

    /// The reason alone, without the operation and its subject.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How a refused record breaks the schema of its stage; empty for other errors.
    pub fn faults(&self) -> &[Fault] {
        let refusal = self.0.source.as_ref().and_then(|source| source.downcast_ref::<Refusal>());
        refusal.map_or(&[], |refusal| &refusal.faults)
    }

    /// Whether the same call may succeed later without anyone changing its arguments.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::StorageFull
                | ErrorKind::Unavailable
                | ErrorKind::Busy
                | ErrorKind::Conflict { .. }
                | ErrorKind::Io
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "could not {}", self.0.operation)?;
        if let Some(subject) = &self.0.subject {
            write!(formatter, " ({subject})")?;
        }
        write!(formatter, ": {}", self.0.message)?;
        match self.0.outcome {
            Some(Outcome::NotWritten) => formatter.write_str("; nothing was written"),
            Some(Outcome::Unknown) => formatter
                .write_str("; it is unknown whether it was written, try again with the same id"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<quark_trace_core::ids::NameError> for Error {
    fn from(source: quark_trace_core::ids::NameError) -> Self {
        Self::new(ErrorKind::InvalidInput, "accept the name", source.to_string()).caused_by(source)
    }
}

impl From<quark_trace_core::query::QueryError> for Error {
    fn from(source: quark_trace_core::query::QueryError) -> Self {
        use quark_trace_core::query::QueryFault;
        let kind = match source.fault() {
            QueryFault::TooLong | QueryFault::TooDeep | QueryFault::TooMany => ErrorKind::TooLarge,
            _ => ErrorKind::InvalidInput,
        };
        Self::new(kind, "read the query", source.to_string()).caused_by(source)
    }
}

impl From<Refusal> for Error {
    fn from(source: Refusal) -> Self {
        Self::new(ErrorKind::SchemaBroken, "append a record", source.to_string())
            .caused_by(source)
            .with_outcome(Outcome::NotWritten)
    }
}

impl From<quark_trace_core::stages::SchemaFault> for Error {
    fn from(source: quark_trace_core::stages::SchemaFault) -> Self {
        Self::new(ErrorKind::InvalidInput, "accept the schema", source.to_string())
            .caused_by(source)
            .with_outcome(Outcome::NotWritten)
    }
}

impl From<quark_trace_core::payload::PayloadError> for Error {
    fn from(source: quark_trace_core::payload::PayloadError) -> Self {
        use quark_trace_core::payload::PayloadError;
        let kind = match source {
            PayloadError::TooLarge { .. } => ErrorKind::TooLarge,
            _ => ErrorKind::InvalidInput,
        };
        Self::new(kind, "accept the payload", source.to_string())
            .caused_by(source)
            .with_outcome(Outcome::NotWritten)
    }
}
