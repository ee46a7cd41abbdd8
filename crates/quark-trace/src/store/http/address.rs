//! The URL of a server, and the URLs of its calls.

use std::net::IpAddr;

use quark_trace_core::ids::percent_encode;
use ureq::http::Uri;

use crate::error::{Error, ErrorKind, Result};

const OPERATION: &str = "open the store";

/// Where a server is. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host, port and path, without a slash in the end.
    base: String,
    plain: bool,
    loopback: bool,
}

impl Address {
    /// Reads `https://host[:port][/path]`.
    pub fn parse(url: &str) -> Result<Self> {
        let read = url.parse::<Uri>().ok();
        let uri = read.ok_or_else(|| malformed("the server URL must be like https://host"))?;
        let plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err(malformed("the server URL must be like https://host")),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = uri.host().unwrap_or_default();
        if host.is_empty() || authority.ends_with(':') {
            return Err(malformed("the server URL must be like https://host"));
        }
        if authority.contains('@') || uri.query().is_some() || url.contains('#') {
            return Err(malformed(
                "the server URL must not hold a user, a query or a fragment; the key is given apart",
            ));
        }
        let path = uri.path().trim_end_matches('/');
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(malformed("the path of the server URL must not hold . or .."));
        }
        let scheme = if plain { "http" } else { "https" };
        let base = format!("{scheme}://{authority}{path}");
        Ok(Self { base, plain, loopback: is_loopback(host) })
    }

    /// The URL without a slash in the end.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether a key would cross a network in the clear.
    pub fn is_exposed(&self) -> bool {
        self.plain && !self.loopback
    }

    /// The URL of a call: each part of the path is percent-encoded, so that no id can name another
    /// path.
    pub fn of(&self, path: &[&str], query: &[(&str, &str)]) -> String {
        let mut url = self.base.clone();
        for part in path {
            url.push('/');
            url.push_str(&encoded(part));
        }
        for (at, (name, value)) in query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&percent_encode(value.as_bytes()));
        }
        url
    }
}

/// `.` and `..` would be taken for steps through the path, encoded or not.
fn encoded(part: &str) -> String {
    match part {
        "." => "%252E".to_owned(),
        ".." => "%252E%252E".to_owned(),
        part => percent_encode(part.as_bytes()),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let named = host.eq_ignore_ascii_case("localhost");
    named || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The message never quotes the URL, which may hold a password.
fn malformed(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, OPERATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, base, exposed) in [
            ("https://h", "https://h", false),
            ("https://h:8/a/b//", "https://h:8/a/b", false),
            ("http://h/", "http://h", true),
            ("http://127.0.0.1:8/", "http://127.0.0.1:8", false),
            ("http://[::1]:8", "http://[::1]:8", false),
            ("http://localhost", "http://localhost", false),
            ("http://127.0.0.1.example.org", "http://127.0.0.1.example.org", true),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.as_str(), address.is_exposed()), (base, exposed), "{url}");
        }
        for url in ["ftp://h", "h:80", "http://", "http:///x", "https://h/?a=b", "https://h/#a"] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
        for url in ["https://me:geheim@h", "https://h/../x", "https://h/ x", "https://h:"] {
            let refused = Address::parse(url).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("geheim"), "{url}");
        }
    }

    #[test]
    fn no_id_names_another_path() {
        let address = Address::parse("https://h/base").unwrap();
        let url = address.of(&["projects", "../a?b#c%2e/é"], &[("filter", "a = 'b&c'")]);
        assert_eq!(
            url,
            "https://h/base/projects/..%2Fa%3Fb%23c%252e%2F%C3%A9?filter=a%20%3D%20%27b%26c%27"
        );
        assert_eq!(address.of(&["projects", "..", ""], &[]), "https://h/base/projects/%252E%252E/");
    }
}
