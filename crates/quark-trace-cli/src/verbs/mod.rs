//! One file a verb.

use std::time::Duration;

use crate::arguments::Verb;
use crate::failure::Failure;
use crate::output::Output;

mod amend;
mod check;
mod copy;
mod history;
mod index;
mod init;
mod log;
mod manual;
mod open;
mod projects;
mod prove;
mod query;
mod registry;
mod row;
mod seal;
mod serve;
mod sheets;
mod spool;
mod stages;
mod summary;
mod tail;
mod value;
mod verify;

/// Does what was asked; the answer is the exit code.
pub fn run(verb: Verb, output: &Output) -> Result<u8, Failure> {
    match verb {
        Verb::Init { project, file } => init::run(&project, &file, output),
        Verb::Check { files } => check::run(&files, output),
        Verb::Open { target, sheet } => open::run(&target.words, sheet.as_deref(), output),
        Verb::Log { words, payload, sync } => log::run(&words, payload.as_deref(), sync, output),
        Verb::History { target, last, stage } => {
            history::run(&target.words, last, stage.as_deref(), output)
        }
        Verb::Query(asked) => query::run(&asked, output),
        Verb::Summary { target } => summary::run(&target.words, output),
        Verb::Stages { target, show, adopt, schema, mode, infer, coverage } => {
            let asked = match (show, adopt, infer, coverage) {
                (Some(stage), ..) => stages::Asked::Show(stage),
                (_, Some(stage), ..) => stages::Asked::Use { stage, schema, mode },
                (_, _, Some(stage), _) => stages::Asked::Infer(stage),
                (.., true) => stages::Asked::Coverage,
                _ => stages::Asked::List,
            };
            stages::run(&target.words, &asked, output)
        }
        Verb::Amend { words, by, reason } => amend::run(&words, &by, &reason, output),
        Verb::Sheets { target, show, diff } => {
            sheets::run(&target.words, show, diff.as_deref(), output)
        }
        Verb::Verify { target, level, key, checkpoint } => {
            verify::run(&target.words, level, &key, checkpoint.as_deref(), output)
        }
        Verb::Prove { words, out } => prove::run(&words, out.as_deref(), output),
        Verb::Seal { target, new_epoch } => seal::run(&target.words, new_epoch.as_deref(), output),
        Verb::Copy { from, to, projects } => copy::run(&from, &to, &projects, output),
        Verb::Index { store, projects } => index::run(&store, &projects, output),
        Verb::Tail { target, follow, lines } => tail::run(&target.words, follow, lines, output),
        Verb::Spool { send, server, wait } => {
            spool::run(send, server.as_deref(), Duration::from_secs(wait), output)
        }
        Verb::Projects { store } => projects::run(store, output),
        Verb::Serve(asked) => serve::run(&asked, output),
        Verb::Registry(asked) => registry::run(&asked, output),
        Verb::Completions { shell } => manual::completions(shell, output),
        Verb::Man => manual::man(output),
    }
}
