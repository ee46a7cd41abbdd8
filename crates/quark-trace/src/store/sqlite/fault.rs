//! What SQLite said, as an error of this library.
//!
//! Decided by its result code and by when it came, never by the wording.

use quark_trace_core::visible::visible;
use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind, Outcome};

/// When a statement failed, as far as what was to be written is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the commit: what was done so far is rolled back.
    Before,
    /// During the commit.
    Commit,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: ErrorKind,
    pub message: String,
    pub outcome: Outcome,
}

impl Fault {
    /// A fault of which it is certain that nothing was written.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), outcome: Outcome::NotWritten }
    }

    /// What stands in the database contradicts itself.
    pub fn corrupted(what: &str) -> Self {
        Self::new(ErrorKind::Corrupted, format!("{what}; run `quark-trace verify`"))
    }

    /// An error of the operating system.
    pub fn io(error: &std::io::Error) -> Self {
        let kind = Error::io("", "", std::io::Error::from(error.kind())).kind();
        Self::new(kind, error.to_string())
    }

    /// The same, of which nobody knows whether it was written.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.outcome = Outcome::Unknown;
        self
    }

    /// What `error` means at this moment.
    pub fn of(error: &rusqlite::Error, moment: Moment) -> Self {
        let rusqlite::Error::SqliteFailure(code, text) = error else {
            let message = format!("a row is not as this program writes it: {error}");
            return Self::corrupted(&visible(&message));
        };
        let said = text.clone().unwrap_or_else(|| code.to_string());
        let (kind, advice) = meaning(code.code);
        let message = format!("{}{advice} (SQLite error {})", visible(&said), code.extended_code);
        // A commit that has no place or no lock was not made. After any other failure the end of
        // the transaction may be in the file, and count once the database is opened again.
        let certain = matches!(kind, ErrorKind::StorageFull | ErrorKind::Busy);
        let fault = Self::new(kind, message);
        if moment == Moment::Commit && !certain { fault.unknown() } else { fault }
    }

    /// The error of a write.
    pub fn of_write(self, operation: &'static str, subject: &str) -> Error {
        Error::new(self.kind, operation, self.message).on(subject).with_outcome(self.outcome)
    }

    /// The error of a read, which writes nothing.
    pub fn of_read(self, operation: &'static str, subject: &str) -> Error {
        Error::new(self.kind, operation, self.message).on(subject)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::of(&error, Moment::Before)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let outcome = error.outcome().unwrap_or(Outcome::NotWritten);
        Self { kind: error.kind(), message: error.message().to_owned(), outcome }
    }
}

fn meaning(code: ErrorCode) -> (ErrorKind, &'static str) {
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (ErrorKind::Busy, "; another process holds the database, try again")
        }
        ErrorCode::ReadOnly => {
            (ErrorKind::PermissionDenied, "; the file or its folder cannot be written by this user")
        }
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (ErrorKind::PermissionDenied, "")
        }
        ErrorCode::DiskFull => (ErrorKind::StorageFull, "; make room and try again"),
        ErrorCode::TooBig => (ErrorKind::TooLarge, ""),
        ErrorCode::CannotOpen => {
            (ErrorKind::PermissionDenied, "; check the rights on the file and its folder")
        }
        ErrorCode::NotADatabase => {
            (ErrorKind::Corrupted, "; the path names a file of another kind")
        }
        ErrorCode::DatabaseCorrupt => {
            (ErrorKind::Corrupted, "; put back a backup and run `quark-trace verify`")
        }
        ErrorCode::ConstraintViolation => (
            ErrorKind::Corrupted,
            "; something stands where the next entry belongs, run `quark-trace verify`",
        ),
        ErrorCode::Unknown | ErrorCode::SchemaChanged | ErrorCode::TypeMismatch => {
            (ErrorKind::Corrupted, "; the tables qt_* are not those that this program made")
        }
        _ => (ErrorKind::Io, ""),
    }
}
