//! Every environment variable that the command reads.

use std::ffi::OsString;
use std::path::PathBuf;

/// The store, where none is named.
pub const STORE: &str = "QUARK_TRACE_STORE";
/// The project, where none is named.
pub const PROJECT: &str = "QUARK_TRACE_PROJECT";
/// The folder of the key that signs checkpoints.
pub const KEYS: &str = "QUARK_TRACE_KEYS";

/// The password of a PostgreSQL server, where the URL names none.
pub const PASSWORD: &str = "PGPASSWORD";
/// The key that a server of ours asks for.
pub const API_KEY: &str = "QUARK_TRACE_API_KEY";
/// The folder of records that wait for a server.
pub const SPOOL: &str = "QUARK_TRACE_SPOOL";

/// Shown at the end of the help and in the man page.
pub const HELP: &str = "\
Environment:
  QUARK_TRACE_STORE    the store, where none is named
  QUARK_TRACE_PROJECT  the project, where none is named
  QUARK_TRACE_KEYS     folder of the key that signs checkpoints
                       (else $XDG_CONFIG_HOME/quark-trace or ~/.config/quark-trace)
  QUARK_TRACE_API_KEY  the key for a server of Quark Trace
  QUARK_TRACE_SPOOL    folder of records that wait for a server
                       (else $XDG_STATE_HOME/quark-trace/spool or ~/.local/state/...)
  PGPASSWORD           the password of a PostgreSQL server, where the URL names none
  NO_COLOR             no colours
  LC_ALL, LC_CTYPE, LANG  charts are plain ASCII where the locale is not UTF-8

Exit codes:
  0  done; verified at or above the level asked for
  1  tampered, or an invalid fact sheet
  2  incomplete, unknown, or failed
  3  wrong usage";

/// Whether the locale shows characters outside of ASCII.
pub fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(text);
    let named = locale.unwrap_or_default().to_ascii_lowercase();
    cfg!(windows) || named.contains("utf-8") || named.contains("utf8")
}

/// A variable that is set and not empty.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where records wait for a server; `None` where there is no such place.
pub fn spool_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    if let Some(folder) = set(SPOOL) {
        return Some(folder.into());
    }
    let base = if cfg!(windows) {
        PathBuf::from(set("LOCALAPPDATA")?)
    } else {
        let home = || set("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        set("XDG_STATE_HOME").map(PathBuf::from).or_else(home)?
    };
    Some(base.join("quark-trace").join("spool"))
}

/// Where the signing key lives; `None` where there is no such place.
pub fn key_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    if let Some(folder) = set(KEYS) {
        return Some(folder.into());
    }
    if cfg!(windows) {
        return Some(PathBuf::from(set("APPDATA")?).join("quark-trace"));
    }
    let configuration = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".config"));
    Some(configuration.or_else(home)?.join("quark-trace"))
}
