//! How a server is talked to.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::Password;

/// How to talk to a server. Nothing of it is read from the environment.
///
/// ```
/// use std::time::Duration;
/// use quark_trace::store::http::HttpOptions;
///
/// let options = HttpOptions { deadline: Duration::from_secs(10), ..HttpOptions::default() };
/// assert_eq!(options.connect_timeout, Duration::from_secs(5));
/// assert!(!options.allow_plain);
/// ```
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The key that every call carries; without one the server decides what is open to all.
    pub api_key: Option<Password>,
    /// How long to wait for the name and the connection.
    pub connect_timeout: Duration,
    /// How long to wait for the next bytes.
    pub read_timeout: Duration,
    /// How long a whole call may take; an answer that is streamed is under `read_timeout` alone.
    pub deadline: Duration,
    /// Largest answer that is read at once, in bytes.
    pub answer_limit: u64,
    /// Whether the key may cross a network in the clear; never needed for this machine itself.
    pub allow_plain: bool,
    /// A proxy such as `http://proxy.example.org:8080`.
    pub proxy: Option<String>,
    /// A file of root certificates (PEM) that are trusted instead of those of the system.
    pub roots: Option<PathBuf>,
    /// The folder that keeps which checkpoints were seen last; without one they are kept in mind as
    /// long as the store lives.
    pub pins: Option<PathBuf>,
    /// Refuse every write.
    pub read_only: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            api_key: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(60),
            answer_limit: 256 * 1024 * 1024,
            allow_plain: false,
            proxy: None,
            roots: None,
            pins: None,
            read_only: false,
        }
    }
}

impl HttpOptions {
    /// Refuses a key that no header can hold, without showing it.
    pub(super) fn check_key(&self) -> Result<()> {
        let Some(key) = &self.api_key else { return Ok(()) };
        let key = key.reveal();
        let visible = key.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if visible && !key.is_empty() && key.trim() == key {
            return Ok(());
        }
        let message = "the API key holds characters that no key has; copy it again";
        Err(Error::new(ErrorKind::InvalidInput, "open the store", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_none_is_refused_and_not_shown() {
        for key in ["a\nb", "a\r\nX-Other: 1", "é", " the key", "a\0", ""] {
            let options =
                HttpOptions { api_key: Some(Password::new(key)), ..HttpOptions::default() };
            let refused = options.check_key().unwrap_err();
            assert!(key.is_empty() || !refused.to_string().contains(key));
            assert!(!format!("{options:?}").contains("the key"));
        }
        let options = HttpOptions { api_key: Some(Password::new("qt_1")), ..Default::default() };
        assert!(options.check_key().is_ok());
    }
}
