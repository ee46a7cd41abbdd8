//! Errors: one sentence that says what, where and what to do, and an exit code.

use std::io;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use quark_trace::core::visible::visible;
use quark_trace::{Error, ErrorKind};

/// Tampered with, or an invalid fact sheet.
pub const TAMPERED: u8 = 1;
/// Incomplete, unknown, or failed.
pub const FAILED: u8 = 2;
/// Wrong usage.
pub const USAGE: u8 = 3;

/// Why a verb did not do what it should.
pub enum Failure {
    /// Something failed.
    Failed { message: String, help: Option<String>, code: u8 },
    /// Nobody reads our output any more; that is no error.
    BrokenPipe,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), help: None, code: USAGE }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), help: None, code: FAILED }
    }

    /// A fact sheet that is not acceptable, drawn already.
    pub fn sheet(drawn: String) -> Self {
        Self::Failed { message: drawn, help: None, code: TAMPERED }
    }

    pub fn with_help(self, text: impl Into<String>) -> Self {
        match self {
            Self::Failed { message, code, .. } => {
                Self::Failed { message, help: Some(text.into()), code }
            }
            other => other,
        }
    }

    pub fn report(self) -> ExitCode {
        let Self::Failed { message, help, code } = self else { return ExitCode::SUCCESS };
        let error = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let hint = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
        // What a person typed or logged may be in the message; line breaks in it are ours.
        let message: Vec<_> = message.lines().map(visible).collect();
        anstream::eprintln!("{error}error:{error:#} {}", message.join("\n"));
        if let Some(help) = help {
            anstream::eprintln!("{hint}help:{hint:#} {}", visible(&help));
        }
        ExitCode::from(code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Integrity(_) => TAMPERED,
            _ => FAILED,
        };
        Self::Failed { message: error.to_string(), help: None, code }
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

/// Reports what the parser of the arguments says; help and version are no errors.
pub fn usage(error: &clap::Error) -> ExitCode {
    // Printing can only fail when nobody reads it.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}
