//! Signing in with a key.

use std::net::SocketAddr;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use quark_trace::clock::{Clock, SystemClock};
use serde::Deserialize;

use super::frame::{Frame, Section};
use super::links::SIGN_IN;
use super::visit::{Visit, go_to, html, render};
use crate::access::audit::Refusal;
use crate::access::rate::Turn;
use crate::access::{ApiKey, Caller};
use crate::problem::Problem;
use crate::routes::asked::Asked;

/// Asks for a key.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// What stands around it.
    pub frame: Frame,
    /// Why the last key was not taken.
    pub refusal: Option<&'static str>,
    /// Where to go after it: a path of this server.
    pub next: String,
}

/// A path to go to after signing in, if it leads to a page of ours: nobody is sent elsewhere.
pub fn next_page(path: Option<&str>) -> String {
    let is_ours = |path: &&str| {
        path.starts_with("/ui/")
            && !path.contains(['\\', '\r', '\n'])
            && !path.contains("//")
            && path.len() < 2000
    };
    path.filter(is_ours).unwrap_or(super::links::PROJECTS).to_owned()
}

/// What the page is told.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    next: Option<String>,
}

/// Asks for a key.
pub async fn ask(visit: Visit, Asked(asked): Asked<Parameters>) -> Result<Response, Problem> {
    let frame = Frame { account: None, ..visit.frame }.within(Section::Outside);
    let page = SignInPage { frame, refusal: None, next: next_page(asked.next.as_deref()) };
    Ok(html(StatusCode::OK, render(&page)?))
}

/// Takes a key, and remembers whose it is.
pub async fn take(
    visit: Visit,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    content: Body,
) -> Result<Response, Problem> {
    let form = visit.form(content).await?;
    let next = next_page(Some(form.text("next")));
    let key = form.text("key").trim();
    if let Ok(Caller::Known(identity)) = Caller::of_text(key.as_bytes(), &visit.app.registry) {
        visit.app.last_used.used(&identity.key_id, SystemClock.now_us());
        let cookie = visit.app.sessions.sign_in(&identity.key_id);
        return Ok(([(header::SET_COOKIE, cookie)], go_to(&next)).into_response());
    }
    let address = address.map(|Extension(ConnectInfo(address))| address);
    visit.app.audit.refused(Refusal {
        reason: "unknown key",
        route: SIGN_IN,
        method: "POST".to_owned(),
        address: address.map(|address| address.ip()),
        key_id: ApiKey::parse(key).map(|key| key.id().to_owned()),
    });
    if let Turn::In(wait) = visit.app.rates.failed(address) {
        return Err(Problem::too_many(wait));
    }
    let frame = Frame { account: None, ..visit.frame }.within(Section::Outside);
    let refusal = Some("This key is not known, or it has ended.");
    Ok(html(StatusCode::UNPROCESSABLE_ENTITY, render(&SignInPage { frame, refusal, next })?))
}

/// Forgets who was signed in.
pub async fn leave(visit: Visit, content: Body) -> Result<Response, Problem> {
    visit.form(content).await?;
    let cookie = visit.app.sessions.sign_out();
    Ok(([(header::SET_COOKIE, cookie)], go_to(SIGN_IN)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for bad in
            ["https://evil.example/", "//evil.example", "/ui//evil", "/ui/\\evil", "javascript:x"]
        {
            assert_eq!(next_page(Some(bad)), "/ui/", "{bad}");
        }
        assert_eq!(next_page(Some("/ui/projects/a?x=1")), "/ui/projects/a?x=1");
        assert_eq!(next_page(None), "/ui/");
    }
}
