//! Errors as clients get them: problem details (RFC 9457).

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use quark_trace::{Error, ErrorKind, Outcome};
use serde::Serialize;

use crate::access::without_keys;

/// What programs branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "docs/http-api.md says what each means")]
pub enum Code {
    InvalidInput,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    AlreadyExists,
    Conflict,
    RecordConflict,
    TooLarge,
    UnsupportedMediaType,
    Misdirected,
    SchemaBroken,
    TooManyRequests,
    HeaderTooLarge,
    RequestTimeout,
    Unsupported,
    Integrity,
    StorageFull,
    Busy,
    Unavailable,
    Internal,
}

impl Code {
    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidInput => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::AlreadyExists | Self::Conflict | Self::RecordConflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::SchemaBroken => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Self::Integrity | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// An error for a client.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

/// What an error says.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Details {
    /// The words of the status.
    title: &'static str,
    /// The status.
    status: u16,
    /// What happened and what to do; for people.
    pub detail: String,
    /// What happened; for programs.
    pub code: Code,
    /// For writes: `not_written`, or `unknown` when it may have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// The size of the log, when it is another than was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<u64>,
    /// How a record breaks the schema of its stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<PathFault>,
    /// The id of the request, which the server's log has too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

/// A fault and its place.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PathFault {
    /// Where in the payload, as a JSON Pointer.
    pub path: String,
    /// What was expected and what came.
    pub message: String,
}

impl Problem {
    /// An error of this kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        Self(Box::new(Details {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            outcome: None,
            actual: None,
            faults: Vec::new(),
            request_id: None,
            retry_after: None,
        }))
    }

    /// What does not exist, or is somebody else's: the same words for both.
    pub fn missing() -> Self {
        Self::new(Code::NotFound, "there is nothing here, or it is not yours to see")
    }

    /// What the caller's role does not allow.
    pub fn forbidden() -> Self {
        Self::new(Code::Forbidden, "the role of this key does not allow it")
    }

    /// An argument that cannot be accepted; nothing was written.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, detail).not_written()
    }

    /// Too many requests.
    pub fn too_many(wait: Duration) -> Self {
        let mut problem = Self::new(Code::TooManyRequests, "too many requests; wait, then go on");
        problem.retry_after = Some(wait);
        problem
    }

    /// More than one caller may have at a time.
    pub fn too_many_at_once(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Code::TooManyRequests, detail).not_written();
        problem.retry_after = Some(Duration::from_secs(1));
        problem
    }

    /// More than is taken at a time.
    pub fn busy(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Code::Busy, detail).not_written();
        problem.retry_after = Some(Duration::from_secs(1));
        problem
    }

    /// Leaves out what looks like a key.
    pub fn hide_keys(&mut self) {
        self.detail = without_keys(&self.detail);
        for fault in &mut self.faults {
            fault.path = without_keys(&fault.path);
            fault.message = without_keys(&fault.message);
        }
    }

    /// Says that nothing was written.
    #[must_use]
    pub fn not_written(mut self) -> Self {
        self.outcome = Some(Outcome::NotWritten.as_str());
        self
    }

    /// Says that it may have been written.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.outcome = Some(Outcome::Unknown.as_str());
        self
    }
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::InvalidInput => Code::InvalidInput,
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::AlreadyExists => Code::AlreadyExists,
            ErrorKind::Conflict { .. } => Code::Conflict,
            ErrorKind::RecordConflict => Code::RecordConflict,
            ErrorKind::SchemaBroken => Code::SchemaBroken,
            ErrorKind::TooLarge => Code::TooLarge,
            ErrorKind::StorageFull => Code::StorageFull,
            ErrorKind::Integrity(_) | ErrorKind::Corrupted => Code::Integrity,
            ErrorKind::Busy => Code::Busy,
            ErrorKind::ReadOnly | ErrorKind::Unsupported => Code::Unsupported,
            _ => Code::Unavailable,
        };
        // Paths, addresses and what the database said are for the operator.
        let detail = match code {
            Code::Integrity => format!("what is stored contradicts itself: {}", error.message()),
            Code::Unavailable => "the store cannot be used now; try again".to_owned(),
            Code::StorageFull => "no space is left on the server".to_owned(),
            Code::Busy => "the store is busy; try again".to_owned(),
            _ => error.message().to_owned(),
        };
        if code.status().is_server_error() {
            tracing::error!(%error, "a request failed");
        }
        let mut problem = Self::new(code, detail);
        problem.outcome = error.outcome().map(Outcome::as_str);
        if let ErrorKind::Conflict { actual } = error.kind() {
            problem.actual = Some(actual);
        }
        let fault = |fault: &quark_trace::core::stages::Fault| PathFault {
            path: fault.path.clone(),
            message: fault.to_string(),
        };
        problem.faults = error.faults().iter().map(fault).collect();
        if matches!(code, Code::Busy | Code::Unavailable | Code::StorageFull) {
            problem.retry_after = Some(Duration::from_secs(1));
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}
