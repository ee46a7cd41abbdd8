//! From a URL to a store: the one place that names all stores.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{FileStore, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::Keyring;

const OPERATION: &str = "open the store";

/// How to open a store.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The key that signs checkpoints of local logs; none leaves them unsigned.
    pub keys: Option<Keyring>,
    /// Refuse every write.
    pub read_only: bool,
    /// Ending of record files in a folder, `jsonl` unless given.
    pub file_type: Option<String>,
    /// Opened in a child made by `fork`, which may end without closing anything.
    pub forked: bool,
    /// For a server, where the URL names none.
    pub password: Option<Password>,
    /// The key that a server of ours asks for.
    pub api_key: Option<Password>,
    /// The folder that keeps which checkpoints of servers were seen last.
    pub pins: Option<PathBuf>,
}

/// A password, which `Debug` does not show.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Keeps a password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// The password itself, for the server alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// Whether a word is the URL of a store, not the path of a folder or the id of a project.
pub fn is_url(word: &str) -> bool {
    let known = ["file", "sqlite", "postgres", "postgresql", "http", "https"];
    split(word).0.is_some_and(|scheme| known.contains(&scheme.as_str()))
}

/// Opens a store by its URL, or by the plain path of a folder.
///
/// | URL | store |
/// |---|---|
/// | `file:traces/`, `traces/`, `/data/traces` | a folder of files |
/// | `sqlite:traces.db`, `sqlite:/data/traces.db` | a file of SQLite (feature `sqlite`) |
/// | `postgres://user@host/database` | a PostgreSQL database (feature `postgres`) |
/// | `https://trace.example.org` | a server of ours (feature `http`) |
///
/// Nothing is made, written or connected to before the first call that needs it.
pub fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn Store>> {
    let (scheme, rest) = split(url);
    match scheme.as_deref() {
        None => Ok(Arc::new(folder(url, rest, options)?)),
        Some("file") => Ok(Arc::new(folder(url, folder_of(rest), options)?)),
        #[cfg(feature = "sqlite")]
        Some("sqlite") => Ok(Arc::new(sqlite(rest, options)?)),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => Ok(Arc::new(postgres(url, options)?)),
        #[cfg(feature = "http")]
        Some("http" | "https") => Ok(Arc::new(http(url, options)?)),
        Some(other) => {
            // The rest may hold a password.
            let message = format!("there is no store called {other:?}; {KNOWN}");
            Err(Error::new(ErrorKind::Unsupported, OPERATION, message))
        }
    }
}

/// What to give instead of a URL that names no store.
const KNOWN: &str = "give a folder such as traces/, a database such as sqlite:traces.db or \
                     postgres://user@host/database, or a server such as https://host";

#[cfg(feature = "sqlite")]
fn sqlite(path: &str, options: OpenOptions) -> Result<super::SqliteStore> {
    // Others mean by it a path relative to the folder, or to the root, or a host.
    if path.starts_with("//") {
        let message = "the path follows the colon at once: sqlite:trace.db, or \
                       sqlite:/data/trace.db";
        return Err(
            Error::new(ErrorKind::InvalidInput, OPERATION, message).on(format!("sqlite:{path}"))
        );
    }
    let mut store = super::SqliteStore::new(path)?;
    if let Some(keys) = options.keys {
        store = store.with_keys(keys);
    }
    Ok(if options.read_only { store.read_only() } else { store })
}

#[cfg(feature = "postgres")]
fn postgres(url: &str, options: OpenOptions) -> Result<super::PostgresStore> {
    let mut store = match &options.password {
        Some(password) => super::PostgresStore::with_password(url, password.reveal())?,
        None => super::PostgresStore::new(url)?,
    };
    if let Some(keys) = options.keys {
        store = store.with_keys(keys);
    }
    Ok(if options.read_only { store.read_only() } else { store })
}

#[cfg(feature = "http")]
fn http(url: &str, options: OpenOptions) -> Result<super::HttpStore> {
    let (api_key, pins, read_only) = (options.api_key, options.pins, options.read_only);
    let given = super::http::HttpOptions { api_key, pins, read_only, ..Default::default() };
    super::HttpStore::new(url, given)
}

/// The scheme in lower case, and what follows it; a plain path has none.
fn split(url: &str) -> (Option<String>, &str) {
    let valid = |scheme: &str| {
        // One letter is a drive of Windows.
        scheme.len() > 1
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    };
    match url.split_once(':') {
        Some((scheme, rest)) if valid(scheme) => (Some(scheme.to_ascii_lowercase()), rest),
        _ => (None, url),
    }
}

fn folder(url: &str, path: &str, options: OpenOptions) -> Result<FileStore> {
    if path.is_empty() {
        let message = "the path is empty; give a folder such as traces/";
        return Err(Error::new(ErrorKind::InvalidInput, OPERATION, message));
    }
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => {
            let message = "it is a file; a store is a folder, give the folder's path";
            return Err(Error::new(ErrorKind::AlreadyExists, OPERATION, message).on(url));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io(OPERATION, url, error)),
    }
    let mut store = FileStore::new(path);
    if let Some(extension) = &options.file_type {
        store = store.with_extension(extension)?;
    }
    if let Some(keys) = options.keys {
        store = store.with_keys(keys);
    }
    if options.forked {
        store = store.in_forked_child();
    }
    Ok(if options.read_only { store.read_only() } else { store })
}

/// The folder that a `file:` URL names, in any of its forms.
fn folder_of(rest: &str) -> &str {
    rest.strip_prefix("//").map_or(rest, |after| {
        after.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_plain_folders() {
        for (url, path) in [
            ("traces/", "traces/"),
            ("file:traces/", "traces/"),
            ("FILE:traces/", "traces/"),
            ("file:///data/x", "/data/x"),
            ("file://localhost/data/x", "/data/x"),
            ("C:\\traces", "C:\\traces"),
            ("./a:b", "./a:b"),
        ] {
            let (scheme, rest) = split(url);
            let found = match scheme.as_deref() {
                None => rest,
                Some(scheme) => {
                    assert_eq!(scheme, "file", "{url}");
                    folder_of(rest)
                }
            };
            assert_eq!(found, path, "{url}");
        }
        for url in ["", "file:", "file://"] {
            let error = open(url, OpenOptions::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn slashes_before_the_path_of_a_database_are_refused() {
        for url in ["sqlite://trace.db", "sqlite:///trace.db", "sqlite:////data/trace.db"] {
            let error = open(url, OpenOptions::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(error.to_string().contains("sqlite:trace.db"), "{error}");
        }
        assert!(open("sqlite:/data/trace.db", OpenOptions::default()).is_ok());
    }

    #[test]
    fn a_url_is_told_from_a_project() {
        for url in ["sqlite:trace.db", "file:x", "postgres://u@h/d", "POSTGRES://h", "https://x"] {
            assert!(is_url(url), "{url}");
        }
        for word in ["my-project", "a:b", "x:", "sqlite", "traces/", "C:\\traces"] {
            assert!(!is_url(word), "{word}");
        }
        let options = OpenOptions { password: Some(Password::new("secret")), ..Default::default() };
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn an_unknown_store_is_refused_without_its_password() {
        let error = open("redis://me:secret@host/x", OpenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("redis") && !shown.contains("secret"), "{shown}");
    }
}
