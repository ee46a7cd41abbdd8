//! What a server answered that is no success, or why no answer came, as an error of this library.

use std::fmt;
use std::io;

use quark_trace_core::stages::{Fault as SchemaFault, Refusal};
use quark_trace_core::visible::{shortened, visible};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Outcome};

/// So many characters of what a server says are shown.
const SHOWN: usize = 300;

/// The status of an answer that was no success; the source of the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The server's name for the request, for whoever asks its operator.
    pub request_id: Option<String>,
    /// After how many seconds the server asks to be called again.
    pub retry_after_s: Option<u64>,
    /// Whether the answer says in JSON what it is about, as servers of records do and proxies do not.
    pub is_told: bool,
}

impl Answered {
    /// The answer behind an error, if there was one.
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the server answered {}", self.status)
    }
}

impl std::error::Error for Answered {}

/// Whether a call may change what the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    Write,
}

/// The error for an answer with this status; `body` is its beginning.
pub(super) fn answered(
    operation: &'static str,
    effect: Effect,
    answered: Answered,
    body: &[u8],
) -> Error {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let answered = Answered { is_told: problem.is_object(), ..answered };
    let code = problem["code"].as_str().unwrap_or_default();
    let kind = kind_of(answered.status, code, &problem);
    let message = message_of(&answered, &problem);
    let error = Error::new(kind, operation, message);
    let error = match kind {
        ErrorKind::SchemaBroken => error.caused_by(refusal(&problem)),
        _ => error.caused_by(answered.clone()),
    };
    match (effect, problem["outcome"].as_str()) {
        (Effect::Read, _) => error,
        (Effect::Write, Some("not_written")) => error.with_outcome(Outcome::NotWritten),
        (Effect::Write, None) if answered.status < 500 => error.with_outcome(Outcome::NotWritten),
        (Effect::Write, _) => error.with_outcome(Outcome::Unknown),
    }
}

fn kind_of(status: u16, code: &str, problem: &Value) -> ErrorKind {
    match (code, status) {
        ("conflict", _) => match problem["actual"].as_u64() {
            Some(actual) => ErrorKind::Conflict { actual },
            None => ErrorKind::Io,
        },
        ("record_conflict", _) => ErrorKind::RecordConflict,
        ("schema_broken", _) => ErrorKind::SchemaBroken,
        ("integrity", _) => ErrorKind::Corrupted,
        (_, 400 | 422) => ErrorKind::InvalidInput,
        (_, 401) => ErrorKind::Unauthenticated,
        (_, 403) => ErrorKind::PermissionDenied,
        (_, 404) => ErrorKind::NotFound,
        (_, 405 | 406 | 415 | 501) => ErrorKind::Unsupported,
        (_, 409) => ErrorKind::AlreadyExists,
        (_, 413 | 431) => ErrorKind::TooLarge,
        (_, 429) => ErrorKind::Busy,
        (_, 502..=504) => ErrorKind::Unavailable,
        (_, 507) => ErrorKind::StorageFull,
        _ => ErrorKind::Io,
    }
}

fn message_of(answered: &Answered, problem: &Value) -> String {
    let status = answered.status;
    let phrase = ureq::http::StatusCode::from_u16(status).ok();
    let phrase = phrase.and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut message = format!("the server answered {status} {phrase}");
    if let Some(detail) = problem["detail"].as_str().filter(|detail| !detail.is_empty()) {
        message.push_str(": ");
        message.push_str(&visible(&shortened(detail, SHOWN)));
    }
    if let Some(request) = &answered.request_id {
        message.push_str(&format!(" (request {request})"));
    }
    if (300..400).contains(&status) {
        message.push_str("; redirects are not followed, give the URL that it leads to");
    }
    message
}

/// The faults of a record, as far as the answer tells them.
fn refusal(problem: &Value) -> Refusal {
    let text = |value: &Value, name: &str| value[name].as_str().map(ToOwned::to_owned);
    let faults = problem["faults"].as_array().into_iter().flatten().take(20);
    let faults = faults.map(|fault| SchemaFault {
        path: text(fault, "path").unwrap_or_default(),
        expected: text(fault, "expected").or(text(fault, "message")).unwrap_or_default(),
        came: text(fault, "came").unwrap_or_else(|| "something else".to_owned()),
    });
    Refusal {
        stage: text(problem, "stage").unwrap_or_default(),
        index: problem["index"].as_u64().unwrap_or_default(),
        faults: faults.collect(),
    }
}

/// The error for a call to which no whole answer came.
pub(super) fn unanswered(operation: &'static str, effect: Effect, source: ureq::Error) -> Error {
    let message = match &source {
        ureq::Error::Timeout(_) => "the server did not answer in time".to_owned(),
        ureq::Error::HostNotFound => "the server's name is not known".to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            "the server did not answer in time".to_owned()
        }
        other => visible(&shortened(&other.to_string(), SHOWN)).into_owned(),
    };
    let kind = match &source {
        ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl => {
            ErrorKind::InvalidInput
        }
        _ => ErrorKind::Unavailable,
    };
    let outcome = if was_sent(&source) { Outcome::Unknown } else { Outcome::NotWritten };
    let error = Error::new(kind, operation, message).caused_by(source);
    if effect == Effect::Write { error.with_outcome(outcome) } else { error }
}

/// Whether anything of the request may have reached the server.
fn was_sent(source: &ureq::Error) -> bool {
    match source {
        ureq::Error::Timeout(which) => {
            !matches!(which, ureq::Timeout::Resolve | ureq::Timeout::Connect)
        }
        ureq::Error::Io(error) => !matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        ),
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Http(_)
        | ureq::Error::BadUri(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::Tls(_)
        | ureq::Error::Pem(_) => false,
        _ => true,
    }
}

/// The error for an answer that is not what the API says.
pub(super) fn malformed(operation: &'static str, what: impl fmt::Display) -> Error {
    let message = format!("the server's answer is not what was asked for: {what}");
    let answered = Answered { status: 200, request_id: None, retry_after_s: None, is_told: false };
    Error::new(ErrorKind::Corrupted, operation, message).caused_by(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Error {
        let said = Answered { status, request_id: None, retry_after_s: None, is_told: false };
        answered("append to the log", Effect::Write, said, body.as_bytes())
    }

    #[test]
    fn codes_count_before_statuses() {
        let conflict = of(409, r#"{"code": "conflict", "actual": 7, "outcome": "not_written"}"#);
        assert_eq!(conflict.kind(), ErrorKind::Conflict { actual: 7 });
        assert_eq!(of(409, r#"{"code": "record_conflict"}"#).kind(), ErrorKind::RecordConflict);
        assert_eq!(of(409, "").kind(), ErrorKind::AlreadyExists);
        let broken = of(422, r#"{"code":"schema_broken","faults":[{"path":"/a","message":"m"}]}"#);
        assert_eq!((broken.kind(), broken.faults().len()), (ErrorKind::SchemaBroken, 1));
        assert_eq!(of(503, "<html>").kind(), ErrorKind::Unavailable);
        assert_eq!(of(302, "").kind(), ErrorKind::Io);
    }

    #[test]
    fn outcomes() {
        assert_eq!(of(500, "").outcome(), Some(Outcome::Unknown));
        assert_eq!(of(503, r#"{"outcome":"not_written"}"#).outcome(), Some(Outcome::NotWritten));
        assert_eq!(of(404, "").outcome(), Some(Outcome::NotWritten));
        assert_eq!(Answered::of(&of(404, "")).map(|answer| answer.status), Some(404));
    }

    #[test]
    fn what_a_server_says_is_shown_short_and_harmless() {
        let detail = format!("\u{1b}[31m{}", "x".repeat(5000));
        let error = of(500, &serde_json::json!({ "detail": detail }).to_string());
        let shown = error.to_string();
        assert!(shown.len() < 600 && !shown.contains('\u{1b}'), "{shown}");
    }
}
