//! Names that come from outside, parsed once: after that the type is the proof that they are valid.

use std::fmt;
use std::str::FromStr;

/// Longest project id and stage, in bytes of UTF-8.
pub const NAME_LIMIT: usize = 200;

/// Why a project id or stage was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} {reason}")]
pub struct NameError {
    what: &'static str,
    value: String,
    reason: &'static str,
}

impl NameError {
    /// The refused text, shortened when it was very long or may be a URL with a password.
    pub fn value(&self) -> &str {
        &self.value
    }

    fn new(what: &'static str, value: &str, reason: &'static str) -> Self {
        // A URL in the wrong place may hold a password.
        let shown = match value.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://"),
            None => value.to_owned(),
        };
        let shown: String = shown.chars().take(80).collect();
        let value = if shown.len() < value.len() { shown + "…" } else { shown };
        Self { what, value, reason }
    }
}

/// The stable name of a project: file names, tables and URLs are derived from it.
///
/// Refused are the empty id, ids over [`NAME_LIMIT`] bytes, a leading `.`, and `/`, `\`, NUL or
/// control characters, because each of them once meant a file outside the folder.
///
/// ```
/// use quark_trace_core::ids::ProjectId;
/// assert!("my-project-001".parse::<ProjectId>().is_ok());
/// assert!("../x".parse::<ProjectId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectId(String);

impl ProjectId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id with everything outside `A-Za-z0-9-._~` percent-encoded (`pct` of the format).
    pub fn percent_encoded(&self) -> String {
        percent_encode(self.0.as_bytes())
    }
}

impl FromStr for ProjectId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = |reason| Err(NameError::new("project id", text, reason));
        if text.trim().is_empty() {
            return refuse("is empty; give the project a name such as my-project-001");
        }
        if text.len() > NAME_LIMIT {
            return refuse("is longer than 200 bytes; choose a shorter name");
        }
        if text.starts_with('.') {
            return refuse("starts with a dot; choose a name that starts with a letter or digit");
        }
        if text.contains(['/', '\\']) {
            return refuse("holds a slash; a project id is a name, not a path");
        }
        if text.chars().any(char::is_control) {
            return refuse("holds a control character; use visible characters only");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What part of a model's life a record tells of; free text, never blank.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stage(String);

impl Stage {
    /// The stage as it was given; white space round it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Stage {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::check(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl Stage {
    /// Checks without taking a copy; the append path of the bindings uses it.
    pub fn check(text: &str) -> Result<(), NameError> {
        if text.trim().is_empty() {
            return Err(NameError::new("stage", text, "is blank; name what happened"));
        }
        if text.len() > NAME_LIMIT {
            return Err(NameError::new("stage", text, "is longer than 200 bytes; shorten it"));
        }
        Ok(())
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn percent_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The bytes that [`percent_encode`] encoded; `None` when a `%` is not followed by two hex digits.
pub fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push((digit()? * 16 + digit()?) as u8);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_leave_the_folder_are_refused() {
        let long = "x".repeat(201);
        for bad in ["", " ", ".", "..", ".hidden", "../x", "a/b", "a\\b", "a\0", "a\nb", &long] {
            assert!(bad.parse::<ProjectId>().is_err(), "{bad:?}");
        }
        for good in ["p", "my-project-001", "Klinik Köln", "a:b", "x_trace_log", "-rf"] {
            assert_eq!(good.parse::<ProjectId>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        for url in ["postgres://me:geheim@host/d", "sqlite:///geheim"] {
            let refused = url.parse::<ProjectId>().unwrap_err();
            assert!(!format!("{refused} {refused:?} {}", refused.value()).contains("geheim"));
        }
    }

    #[test]
    fn percent_encoding_keeps_the_unreserved_characters() {
        let id: ProjectId = "A-z.9_~ é%".parse().unwrap();
        assert_eq!(id.percent_encoded(), "A-z.9_~%20%C3%A9%25");
        assert_eq!(percent_decode(&id.percent_encoded()).as_deref(), Some(id.as_str().as_bytes()));
        assert_eq!(percent_decode("%4"), None);
        assert_eq!(percent_decode("%zz"), None);
    }

    #[test]
    fn blank_stages_are_refused() {
        assert!(" \t".parse::<Stage>().is_err());
        assert_eq!(" x ".parse::<Stage>().unwrap().as_str(), " x ");
    }
}
