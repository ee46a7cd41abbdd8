//! Signing in to the pages with a key: a cookie that says which key it was.
//!
//! The cookie holds the public part of the key and when it ends, under a MAC whose key is made when
//! the server starts; the key itself is in no cookie. A key that ends, ends its sessions. Forms carry
//! a token that is bound to the session, and cookies are sent to this site alone (`SameSite=Strict`).

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::ledger::Digest;
use subtle::ConstantTimeEq;

const NAME: &str = "qt-session";
const SECURE_NAME: &str = "__Host-qt-session";
/// How long somebody stays signed in.
const LASTS_S: i64 = 12 * 3600;

/// The sessions of a server.
#[derive(Clone)]
pub struct Sessions {
    secret: [u8; 32],
    is_secure: bool,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sessions(..)")
    }
}

impl Sessions {
    /// Sessions under a secret that all servers of one store share. `is_secure` is whether clients
    /// come over TLS.
    pub fn new(secret: [u8; 32], is_secure: bool) -> Self {
        Self { secret, is_secure }
    }

    /// The `Set-Cookie` of who signed in with the key of this public part.
    pub fn sign_in(&self, key_id: &str) -> String {
        let ends = SystemClock.now_us() / 1_000_000 + LASTS_S;
        let said = format!("{key_id}.{ends}");
        let value = format!("{said}.{}", self.mac("session", &said));
        self.cookie(&value, LASTS_S)
    }

    /// The `Set-Cookie` of who signs out.
    pub fn sign_out(&self) -> String {
        self.cookie("", 0)
    }

    /// The public part of the key that somebody is signed in with.
    pub fn key_of(&self, headers: &HeaderMap) -> Option<String> {
        let value = self.value(headers)?;
        let (said, mac) = value.rsplit_once('.')?;
        let (key_id, ends) = said.rsplit_once('.')?;
        let is_ours: bool = self.mac("session", said).as_bytes().ct_eq(mac.as_bytes()).into();
        let lasts = ends.parse::<i64>().ok()? > SystemClock.now_us() / 1_000_000;
        (is_ours && lasts).then(|| key_id.to_owned())
    }

    /// The token that forms of this session carry; without a session, of the sign-in form.
    pub fn form_token(&self, headers: &HeaderMap) -> String {
        self.mac("form", self.value(headers).unwrap_or_default())
    }

    /// Whether a form that was sent carries the token of its session.
    pub fn is_form_token(&self, headers: &HeaderMap, token: &str) -> bool {
        self.form_token(headers).as_bytes().ct_eq(token.as_bytes()).into()
    }

    fn value<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let name = if self.is_secure { SECURE_NAME } else { NAME };
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    fn cookie(&self, value: &str, lasts_s: i64) -> String {
        let (name, secure) = if self.is_secure { (SECURE_NAME, "; Secure") } else { (NAME, "") };
        format!("{name}={value}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}")
    }

    fn mac(&self, purpose: &str, text: &str) -> String {
        Digest::keyed(&self.secret, format!("quark-trace {purpose}\n{text}").as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let pair = cookie.split(';').next().unwrap();
        headers.insert(COOKIE, format!("other=1; {pair}").parse().unwrap());
        headers
    }

    #[test]
    fn a_session_is_ours_or_nobodys() {
        for is_secure in [false, true] {
            let sessions = Sessions::new([7; 32], is_secure);
            let cookie = sessions.sign_in("abc");
            assert_eq!(sessions.key_of(&with(&cookie)).as_deref(), Some("abc"));
            assert_eq!(Sessions::new([8; 32], is_secure).key_of(&with(&cookie)), None);
            assert_eq!(sessions.key_of(&with(&cookie.replace("abc", "abd"))), None);
            assert_eq!(sessions.key_of(&with(&sessions.sign_out())), None);
            assert_eq!(cookie.contains("; Secure"), is_secure);
        }
    }

    #[test]
    fn a_form_belongs_to_its_session() {
        let sessions = Sessions::new([7; 32], false);
        let (one, other) = (with(&sessions.sign_in("a")), with(&sessions.sign_in("b")));
        let token = sessions.form_token(&one);
        assert!(sessions.is_form_token(&one, &token));
        assert!(!sessions.is_form_token(&other, &token));
        assert!(!sessions.is_form_token(&HeaderMap::new(), &token));
    }
}
