//! Which store and project are meant: what was typed, else the environment.

use std::path::Path;
use std::sync::Arc;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::visible::visible;
use quark_trace::keys::Keyring;
use quark_trace::store::{OpenOptions, Password, Store, is_url, open};
use quark_trace::{Outcome, TraceLog};

use crate::environment;
use crate::failure::Failure;
use crate::output::Output;

/// A store and a project in it.
pub struct Target {
    pub store: Arc<dyn Store>,
    pub project: ProjectId,
    access: Access,
}

/// Whether a verb writes to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Target {
    /// From the words before a verb's own: `STORE PROJECT`, `PROJECT`, or none.
    pub fn open(words: &[String], access: Access, output: &Output) -> Result<Self, Failure> {
        let (store, project) = match words {
            [] => (None, None),
            [store] if is_store(store) => (Some(store.clone()), None),
            [project] => (None, Some(project.clone())),
            [store, project] => (Some(store.clone()), Some(project.clone())),
            _ => return Err(Failure::usage("too many words: STORE and PROJECT were expected")),
        };
        let store = store.or_else(|| environment::text(environment::STORE)).ok_or_else(|| {
            let missing = match words {
                [] => "no store and no project are named",
                _ => "one word is a project, and no store is named",
            };
            Failure::usage(missing).with_help(
                "write `quark-trace VERB STORE PROJECT`, such as `quark-trace verify traces/ \
                 my-project`, or set QUARK_TRACE_STORE",
            )
        })?;
        let project =
            project.or_else(|| environment::text(environment::PROJECT)).ok_or_else(|| {
                Failure::usage("no project is named")
                    .with_help("name it behind the store, or set QUARK_TRACE_PROJECT")
            })?;
        let project = project.parse().map_err(|fault| Failure::usage(format!("the {fault}")))?;
        Ok(Self { store: open_store(&store, access, output)?, project, access })
    }

    /// The log of the project, which must exist.
    pub fn existing_log(&self) -> Result<TraceLog, Failure> {
        if !self.is_there()? {
            return Err(self.missing());
        }
        Ok(self.log())
    }

    /// Whether the store has the project. What fails before a write says that nothing was written.
    pub fn is_there(&self) -> Result<bool, Failure> {
        let found = self.store.beside(&self.project);
        Ok(match self.access {
            Access::Read => found,
            Access::Write => found.map_err(|error| error.or_outcome(Outcome::NotWritten)),
        }?
        .is_some())
    }

    pub fn log(&self) -> TraceLog {
        TraceLog::new(Arc::clone(&self.store), self.project.clone())
    }

    fn missing(&self) -> Failure {
        let projects = self.store.projects().unwrap_or_default();
        let failure = Failure::failed(format!(
            "there is no project {:?} in {}",
            self.project.as_str(),
            self.store.info().url
        ));
        match projects.len() {
            0 => failure.with_help("the store is empty; is it the right one?"),
            1..=8 => {
                let names: Vec<_> = projects.iter().map(ToString::to_string).collect();
                failure.with_help(format!("it has: {}", names.join(", ")))
            }
            many => failure.with_help(format!("it has {many}; `quark-trace projects` lists them")),
        }
    }
}

/// Opens a store by URL or folder. One that is written to gets the user's key, if there is one.
pub fn open_store(url: &str, access: Access, output: &Output) -> Result<Arc<dyn Store>, Failure> {
    // A server signs by its own key.
    let own = !url.to_ascii_lowercase().starts_with("http");
    let keys = if access == Access::Write && own { keys(output) } else { None };
    open_with(url, access, keys)
}

/// Opens a store by URL or folder, with this key or none.
pub fn open_with(
    url: &str,
    access: Access,
    keys: Option<Keyring>,
) -> Result<Arc<dyn Store>, Failure> {
    let options = OpenOptions {
        keys,
        read_only: access == Access::Read,
        password: environment::text(environment::PASSWORD).map(Password::new),
        api_key: environment::text(environment::API_KEY).map(Password::new),
        pins: environment::key_folder().map(|folder| folder.join("pins")),
        ..OpenOptions::default()
    };
    Ok(open(url, options)?)
}

/// The user's key; a word of warning when there is none.
pub fn keys(output: &Output) -> Option<Keyring> {
    let unsigned = |why: String| {
        let why = visible(&why);
        output.say(format!(
            "warning: the log goes on unsigned: {why}; set QUARK_TRACE_KEYS to a folder for the key"
        ));
        None
    };
    let Some(folder) = environment::key_folder() else {
        return unsigned("there is no folder for the key".to_owned());
    };
    match Keyring::load_or_create(&folder) {
        Ok(keys) => {
            if is_open_to_others(&folder.join("log.key")) {
                output.say(format!(
                    "warning: others than you can read the key {}; `chmod 600` keeps them from \
                     signing in your name",
                    visible(&folder.join("log.key").to_string_lossy())
                ));
            }
            Some(keys)
        }
        Err(error) => unsigned(error.to_string()),
    }
}

/// Whether the mode of a file lets others than its owner read or write it.
#[cfg(unix)]
fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o066 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_file: &Path) -> bool {
    false
}

/// Whether one word alone can only be a store: ids of projects hold no `/` and no `\\`, and a URL
/// is told by its scheme. Without a store in the environment it is one too, as long as the project
/// is there.
fn is_store(word: &str) -> bool {
    word.contains(['/', '\\'])
        || is_url(word)
        || (environment::text(environment::STORE).is_none()
            && environment::text(environment::PROJECT).is_some())
}

/// Splits the words of a verb at the first `NAME=VALUE`. A URL in the first place may hold `=`.
pub fn split(words: &[String]) -> (&[String], &[String]) {
    let is_pair = |(at, word): (usize, &String)| {
        let url = at == 0 && is_url(word);
        word.contains('=') && !url
    };
    let at = words.iter().enumerate().position(is_pair).unwrap_or(words.len());
    words.split_at(at)
}
