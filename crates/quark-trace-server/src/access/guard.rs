//! The step before every handler: who calls, how often, and whether they may.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use quark_trace::TraceLog;
use quark_trace::clock::{Clock, SystemClock};

use super::audit::Refusal;
use super::caller::{Caller, Refused};
use super::policy::{Decision, Object, Policy};
use super::rate::Turn;
use super::share::{Holder, for_holder};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::registry::Role;

/// What the handler may rely on: that the caller may do this.
#[derive(Debug, Clone)]
pub struct Granted {
    /// Who calls.
    pub caller: Caller,
    /// The log of the project in the path.
    pub log: Option<TraceLog>,
    /// For whom places are counted.
    pub holder: Holder,
}

impl Granted {
    /// The log of the project in the path; there is one on every route that names a project.
    pub fn log(&self) -> Result<&TraceLog, Problem> {
        self.log.as_ref().ok_or_else(Problem::missing)
    }
}

/// Lets a request pass to its handler, or answers why not.
pub async fn guard(
    app: Arc<App>,
    policy: Policy,
    route: &'static str,
    parameters: Result<RawPathParams, axum::extract::rejection::RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let refusal = |reason: &'static str, key_id: Option<String>| Refusal {
        reason,
        route,
        method: request.method().as_str().to_owned(),
        address: address.map(|address| address.ip()),
        key_id,
    };
    // What a browser sends by itself must not change anything but through the forms of our pages,
    // which carry a token.
    let by_session = request.method().is_safe() || route.starts_with("/ui");
    let sessions = by_session.then_some(&app.sessions);
    let found = Caller::of(request.headers(), &app.registry, sessions);
    let caller = match found {
        Ok(caller) => caller,
        Err((why, key_id)) => {
            let wait = app.rates.failed(address);
            app.audit.refused(refusal(reason_of(why), key_id));
            return match wait {
                Turn::Now => unauthenticated("the key is not valid; it may have ended"),
                Turn::In(wait) => Problem::too_many(wait).into_response(),
            };
        }
    };
    if let Some(identity) = caller.identity() {
        app.last_used.used(&identity.key_id, SystemClock.now_us());
    }
    let turn = match &caller {
        _ if policy == Policy::Public => Turn::Now,
        Caller::Anonymous => app.rates.anonymous(address),
        Caller::Known(identity) => app.rates.known(&identity.first_key_id),
    };
    if let Turn::In(wait) = turn {
        return Problem::too_many(wait).into_response();
    }
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(_) => return Problem::missing().into_response(),
    };
    let named = |wanted: &str| {
        parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
    };
    let (project, node, key) = (named("project"), named("node"), named("key"));
    let object = Object { project: project.as_deref(), node: node.as_deref(), key: key.as_deref() };
    let is_local = address.is_some_and(|address| address.ip().is_loopback());
    let decision = policy.decide(&caller, &object, &app.registry.state(), is_local);
    let key_id = caller.identity().map(|identity| identity.key_id.clone());
    match decision {
        Decision::Granted => {}
        Decision::NeedsKey => {
            app.audit.refused(refusal("no key", None));
            return unauthenticated("a key is needed; send it as X-API-Key");
        }
        Decision::Forbidden => {
            app.audit.refused(refusal("role", key_id));
            return Problem::forbidden().into_response();
        }
        Decision::Missing => {
            app.audit.refused(refusal("object", key_id));
            return Problem::missing().into_response();
        }
    }
    let log = match project.as_deref().map(str::parse) {
        None => None,
        Some(Ok(project)) => Some(app.log(&project)),
        Some(Err(_)) => return Problem::missing().into_response(),
    };
    if let (Some(identity), Some(log)) = (caller.identity(), &log)
        && identity.role == Role::Auditor
    {
        app.audit.read(&identity.key_id, log.project(), route);
    }
    let holder = Holder::of(&caller, address);
    request.extensions_mut().insert(Granted { caller, log, holder: holder.clone() });
    for_holder(holder, next.run(request)).await
}

fn reason_of(why: Refused) -> &'static str {
    match why {
        Refused::Unknown => "unknown key",
        Refused::Ended => "ended key",
    }
}

fn unauthenticated(detail: &'static str) -> Response {
    let mut response = Problem::new(Code::Unauthenticated, detail).into_response();
    response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
    response
}
