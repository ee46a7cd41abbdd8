//! The command `quark-trace`: the one place that prints and reads the environment.
//!
//! stdout is data, stderr is talk. Everything that was logged passes through
//! [`quark_trace::core::visible`] before a person sees it.
//!
//! | file | what it holds |
//! |---|---|
//! | `arguments` | what can be typed |
//! | `environment` | the variables that are read, all of them |
//! | `target` | which store and project are meant |
//! | `input` | files that are named |
//! | `output` | colours, tables, JSON, progress |
//! | `failure` | errors and exit codes |
//! | `verbs/` | one file a verb |

use std::process::ExitCode;

use clap::Parser;

mod arguments;
mod environment;
mod failure;
mod input;
mod output;
mod target;
mod verbs;

fn main() -> ExitCode {
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage(&error),
    };
    let output = output::Output::new(arguments.json, arguments.quiet);
    match verbs::run(arguments.verb, &output) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(),
    }
}
