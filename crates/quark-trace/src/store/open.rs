//! From a URL to a store: the one place that names all stores.

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
}

/// Opens a store by its URL, or by the plain path of a folder.
///
/// | URL | store |
/// |---|---|
/// | `file:traces/`, `traces/`, `/data/traces` | a folder of files |
///
/// Nothing is made or written before the first append.
pub fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(open_folder(url, options)?))
}

/// Opens a folder as [`open`] does, as the store it is.
pub fn open_folder(url: &str, options: OpenOptions) -> Result<FileStore> {
    let path = folder_of(url)?;
    match std::fs::metadata(&path) {
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
    Ok(if options.read_only { store.read_only() } else { store })
}

fn folder_of(url: &str) -> Result<PathBuf> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
        // One letter is a drive of Windows.
        scheme.len() > 1
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    });
    let path = match scheme {
        None => url,
        Some("file") => {
            let rest = &url["file:".len()..];
            rest.strip_prefix("//").map_or(rest, |after| {
                after
                    .strip_prefix("localhost")
                    .filter(|path| path.starts_with('/'))
                    .unwrap_or(after)
            })
        }
        Some(other) => {
            let message = format!(
                "there is no store called {other:?}; give a folder such as traces/ or file:traces/"
            );
            return Err(Error::new(ErrorKind::Unsupported, OPERATION, message));
        }
    };
    if path.is_empty() {
        let message = "the path is empty; give a folder such as traces/";
        return Err(Error::new(ErrorKind::InvalidInput, OPERATION, message));
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_plain_folders() {
        for (url, path) in [
            ("traces/", "traces/"),
            ("file:traces/", "traces/"),
            ("file:///data/x", "/data/x"),
            ("file://localhost/data/x", "/data/x"),
            ("C:\\traces", "C:\\traces"),
            ("./a:b", "./a:b"),
        ] {
            assert_eq!(folder_of(url).unwrap(), PathBuf::from(path), "{url}");
        }
        assert_eq!(folder_of("redis:x").unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(folder_of("file:").unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
