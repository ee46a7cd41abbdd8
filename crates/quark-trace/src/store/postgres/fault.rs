//! What the server or the connection said, as an error of this library.
//!
//! Decided by SQLSTATE and by when it came, never by the wording, which follows the language of the
//! server. The detail of a message is left out: it may quote what is stored.

use std::error::Error as _;

use postgres::error::{DbError, Severity};
use quark_trace_core::visible::visible;

use crate::error::{Error, ErrorKind, Outcome};

/// When a statement failed, as far as what was to be written is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before anything could be committed: the server forgets what it was told.
    Before,
    /// While a commit was on its way.
    Commit,
}

/// Why something failed; several callers may have to be told of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: ErrorKind,
    pub message: String,
    pub outcome: Outcome,
}

impl Fault {
    pub fn new(kind: ErrorKind, message: impl Into<String>, outcome: Outcome) -> Self {
        Self { kind, message: message.into(), outcome }
    }

    /// What `error` means at this moment.
    pub fn of(error: &postgres::Error, moment: Moment) -> Self {
        let Some(said) = error.as_db_error() else {
            let outcome = match moment {
                Moment::Before => Outcome::NotWritten,
                Moment::Commit => Outcome::Unknown,
            };
            return Self::new(kind_without_answer(error), without_answer(error), outcome);
        };
        let outcome = match moment {
            Moment::Commit if !is_final(said) => Outcome::Unknown,
            _ => Outcome::NotWritten,
        };
        let kind = kind_of(said.code().code());
        let advice = advice_on(said.code().code());
        let message =
            format!("{}{advice} (SQLSTATE {})", visible(said.message()), said.code().code());
        Self::new(kind, message, outcome)
    }

    /// What stands in the database contradicts itself.
    pub fn corrupted(what: &str) -> Self {
        let message = format!("{what}; run `quark-trace verify`");
        Self::new(ErrorKind::Corrupted, message, Outcome::NotWritten)
    }

    /// The commit was reported as done, but the wait for a standby was cut short.
    pub fn cut_short() -> Self {
        let message = "the server stopped waiting for its standby, so that the commit may be lost if \
                       the server is";
        Self::new(ErrorKind::Io, message, Outcome::Unknown)
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

/// Whether the answer says that the transaction was rolled back. `FATAL` ends the session, maybe
/// after the commit; some engines have codes for not knowing.
fn is_final(said: &DbError) -> bool {
    let unknown = ["40003", "08007"].contains(&said.code().code());
    said.parsed_severity() == Some(Severity::Error) && !unknown
}

/// Whether a notice says that a commit was reported although its wait for a standby was cut short:
/// a plain warning, or the one that goes before the end of the session. Named by the routine that
/// says so where the engine names any.
pub(super) fn is_doubt(notice: &DbError) -> bool {
    let from_there = notice.routine().is_none_or(|routine| routine == "SyncRepWaitForLSN");
    let warning = matches!(notice.parsed_severity(), Some(Severity::Warning) | None);
    warning && from_there && ["01000", "57P01"].contains(&notice.code().code())
}

fn kind_of(code: &str) -> ErrorKind {
    match code {
        "28000" | "28P01" | "42501" => ErrorKind::PermissionDenied,
        "3D000" | "3F000" => ErrorKind::NotFound,
        "25006" => ErrorKind::ReadOnly,
        "53100" => ErrorKind::StorageFull,
        "53300" | "55P03" | "57014" | "57P03" | "40001" | "40P01" => ErrorKind::Busy,
        "23505" => ErrorKind::Corrupted,
        "42P01" | "42703" | "42P07" => ErrorKind::Corrupted,
        _ => ErrorKind::Io,
    }
}

fn advice_on(code: &str) -> &'static str {
    match code {
        "28000" | "28P01" => "; check the user, the password and the server's pg_hba.conf",
        "42501" => {
            "; grant the role SELECT, INSERT, UPDATE and DELETE on the tables qt_*, and \
                    CREATE on the schema where they are to be made"
        }
        "3D000" => "; make it with createdb, or name another in the URL",
        "25006" => {
            "; this is a standby or a database for reading only, name the primary in the URL"
        }
        "23505" => "; something stands where the next entry belongs, run `quark-trace verify`",
        "42P01" | "42703" | "42P07" => "; the tables qt_* are not those that this program made",
        _ => "",
    }
}

fn kind_without_answer(error: &postgres::Error) -> ErrorKind {
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    match io.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::PermissionDenied) => ErrorKind::PermissionDenied,
        _ => ErrorKind::Io,
    }
}

/// The driver's own words and those of what is below it, without anything of a connection string.
fn without_answer(error: &postgres::Error) -> String {
    let mut message = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let words = source.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        below = source.source();
    }
    visible(&message).into_owned()
}
