//! Errors: one sentence that says what, where and what to do, and an exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use quark_trace::core::query::QueryError;
use quark_trace::core::visible::{is_hidden, visible};
use quark_trace::{Error, ErrorKind};

/// Tampered with, or an invalid fact sheet.
pub const TAMPERED: u8 = 1;
/// Incomplete, unknown, or failed.
pub const FAILED: u8 = 2;
/// Wrong usage.
pub const USAGE: u8 = 3;

/// The exit code of two things done one after the other: what was tampered with, or is invalid, comes
/// before what failed.
pub fn worse(one: u8, other: u8) -> u8 {
    if one == TAMPERED || other == TAMPERED { TAMPERED } else { one.max(other) }
}

/// Why a verb did not do what it should.
pub enum Failure {
    /// Something failed. What is drawn below the message is safe to show already.
    Failed { message: String, drawing: Vec<String>, help: Option<String>, code: u8 },
    /// Nobody reads our output any more; that is no error.
    BrokenPipe,
}

impl Failure {
    pub fn usage(message: impl AsRef<str>) -> Self {
        Self::because(message.as_ref(), USAGE)
    }

    pub fn failed(message: impl AsRef<str>) -> Self {
        Self::because(message.as_ref(), FAILED)
    }

    /// What a person typed or logged may be in the message: it is made safe to show here, line
    /// breaks included, so that no name of a file can look like a second message.
    fn because(message: &str, code: u8) -> Self {
        let message = without_passwords(&visible(message));
        Self::Failed { message, drawing: Vec::new(), help: None, code }
    }

    /// A query that cannot be understood, with the place in it.
    pub fn query(error: &QueryError) -> Self {
        let shown = error.to_string();
        let drawing = shown.lines().skip(1).map(|line| visible(line).into_owned()).collect();
        let message = visible(error.message()).into_owned();
        Self::Failed { message, drawing, help: None, code: USAGE }
    }

    /// A fact sheet that is not acceptable; the faults are on the error output already.
    pub fn sheet(file: &Path) -> Self {
        let message = format!("the fact sheet {} is not valid; nothing was done", file.display());
        Self::because(&message, TAMPERED)
    }

    pub fn with_help(self, text: impl AsRef<str>) -> Self {
        match self {
            Self::Failed { message, drawing, code, .. } => {
                let help = Some(visible(text.as_ref()).into_owned());
                Self::Failed { message, drawing, help, code }
            }
            other @ Self::BrokenPipe => other,
        }
    }

    pub fn report(self) -> ExitCode {
        ExitCode::from(self.tell(None))
    }

    /// Says what failed, of which of several projects; gives the exit code.
    pub fn tell(self, project: Option<&str>) -> u8 {
        let Self::Failed { message, drawing, help, code } = self else { return 0 };
        let error = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let hint = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
        let whose = project.map(|id| format!("{}: ", visible(id))).unwrap_or_default();
        talk(format!("{error}error:{error:#} {whose}{message}"));
        drawing.iter().for_each(talk);
        if let Some(help) = help {
            talk(format!("{hint}help:{hint:#} {help}"));
        }
        code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Integrity(_) => TAMPERED,
            // What was typed or named cannot be accepted, however it is put.
            ErrorKind::InvalidInput
            | ErrorKind::SchemaBroken
            | ErrorKind::TooLarge
            | ErrorKind::Unsupported => USAGE,
            _ => FAILED,
        };
        let failure = Self::because(&error.to_string(), code);
        match advice(error.kind()) {
            Some(advice) => failure.with_help(advice),
            None => failure,
        }
    }
}

/// What to do about an error of the library, where its kind says so.
fn advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Integrity(_) => {
            Some("`quark-trace verify` shows what was changed and where; nothing is repaired")
        }
        ErrorKind::Conflict { .. } => Some("somebody else wrote at the same time; try again"),
        ErrorKind::PermissionDenied => Some("ask for access to it, or name another store"),
        ErrorKind::StorageFull => Some("make room on the disk and try again"),
        ErrorKind::Busy => Some("another process is writing; try again in a moment"),
        _ => None,
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::failed(format!("could not write the output: {error}")),
        }
    }
}

/// A text in which URLs name the user, but not the password: one may stand where something else
/// was expected, and so in what is said of that.
fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = url.find(|c: char| c.is_whitespace() || "'\"".contains(c)).unwrap_or(url.len());
        let names = url[..end].rfind('@').unwrap_or(0);
        shown.push_str(url[..names].split(':').next().unwrap_or_default());
        rest = &url[names..];
    }
    shown + rest
}

/// Reports what the parser of the arguments says; help and version are no errors.
pub fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Printing can only fail when nobody reads it.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let unfit = |word: &str| word.contains(is_hidden) || word.contains("://");
    if std::env::args_os().any(|word| unfit(&word.to_string_lossy())) {
        // Colours and what was typed cannot be told apart any more, so that both are shown.
        let plain = without_passwords(&error.render().to_string());
        plain.lines().for_each(|line| talk(visible(line)));
    } else {
        let _ = error.print();
    }
    ExitCode::from(USAGE)
}

/// Writes a line to the error output. When nobody reads that, there is nobody to tell.
pub fn talk(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_user_and_not_the_password() {
        for (typed, shown) in [
            ("'postgres://me:geheim@h:1/d' is none", "'postgres://me@h:1/d' is none"),
            ("postgres://me:ge@heim@h and x://a:b@c", "postgres://me@h and x://a@c"),
            ("postgres://h:5432/d, mail me@h", "postgres://h:5432/d, mail me@h"),
            ("no URL: a:b@c", "no URL: a:b@c"),
        ] {
            assert_eq!(without_passwords(typed), shown);
        }
    }
}
