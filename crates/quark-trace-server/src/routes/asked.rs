//! Parameters of a request, or a problem that says which one is wrong.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The parameters behind the `?`.
#[derive(Debug, Clone)]
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(found)) => Ok(Self(found)),
            Err(rejection) => Err(Problem::invalid(format!("the query: {rejection}"))),
        }
    }
}

/// What varies in the path.
#[derive(Debug, Clone)]
pub struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(found)) => Ok(Self(found)),
            // What cannot be named does not exist.
            Err(_) => Err(Problem::missing()),
        }
    }
}

/// Whether a client would rather have this type than JSON: it names it in `Accept`.
pub fn wants(headers: &HeaderMap, kind: &str) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|line| line.split(',')).any(|item| {
        let mut parts = item.split(';');
        let refused = |part: &str| part.trim().strip_prefix("q=").is_some_and(is_zero);
        parts.next().is_some_and(|named| named.trim().eq_ignore_ascii_case(kind))
            && !parts.any(refused)
    })
}

fn is_zero(weight: &str) -> bool {
    weight.parse().is_ok_and(|weight: f32| weight == 0.0)
}

/// Whether the body of a request is of this type, parameters such as `charset` apart.
pub fn is_of_type(headers: &HeaderMap, kind: &str) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let named = named.and_then(|named| named.split(';').next()).unwrap_or_default();
    named.trim().eq_ignore_ascii_case(kind)
}
