//! One request for a page: who visits, and how the answer is made.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use quark_trace::TraceLog;

use super::frame::{Account, Frame};
use super::text::Shown;
use crate::access::{Caller, Granted, Identity};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::registry::Role;
use crate::routes::body;

/// Largest form, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

/// One request for a page, which the visitor may make.
#[derive(Debug, Clone)]
pub struct Visit {
    /// What all requests share.
    pub app: Arc<App>,
    /// What stands around the page.
    pub frame: Frame,
    /// What the visitor may do.
    pub granted: Granted,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let granted = parts.extensions.get::<Granted>().cloned().ok_or_else(Problem::forbidden)?;
        let frame = frame(app, &granted.caller, &parts.headers);
        Ok(Self { app: Arc::clone(app), frame, granted, headers: parts.headers.clone() })
    }
}

/// What stands around the pages of a caller.
pub fn frame(app: &App, caller: &Caller, headers: &HeaderMap) -> Frame {
    Frame {
        account: caller.identity().map(|identity| account(app, identity)),
        csrf: app.sessions.form_token(headers),
        ..Frame::default()
    }
}

fn account(app: &App, identity: &Identity) -> Account {
    let state = app.registry.state();
    let key = state.keys.get(&identity.key_id);
    let named = key.map(|key| key.name.as_str()).filter(|name| !name.is_empty());
    let name = named.or(identity.node_id.as_deref()).unwrap_or(&identity.key_id);
    let institution = identity.institution_id.as_ref().map(|id| {
        let known = state.institutions.get(id).map(|known| known.name.as_str());
        known.filter(|name| !name.is_empty()).unwrap_or(id)
    });
    Account {
        name: Shown::within(name, 40),
        role: role_name(identity.role),
        institution: institution.map(|name| Shown::within(name, 60)),
        manages: matches!(identity.role, Role::Admin | Role::Operator),
    }
}

/// The word for a role.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Node => "node",
        Role::Auditor => "auditor",
        Role::Admin => "admin",
        Role::Operator => "operator",
    }
}

impl Visit {
    /// The visitor, who has a key.
    pub fn identity(&self) -> Result<Identity, Problem> {
        let known = self.granted.caller.identity().cloned();
        known.ok_or_else(|| Problem::new(Code::Unauthenticated, "a key is needed"))
    }

    /// The page that `make` makes of the project in the path, on a thread that may wait.
    pub async fn project<P: Template>(
        self,
        make: impl FnOnce(Frame, &TraceLog) -> quark_trace::Result<P> + Send + 'static,
    ) -> Result<Response, Problem> {
        let (log, frame) = (self.granted.log()?.clone(), self.frame);
        let page = self.app.blocking(move || {
            // A claimed project that nobody began yet has nothing to show.
            log.store().beside(log.project())?.ok_or_else(Problem::missing)?;
            render(&make(frame, &log)?)
        });
        Ok(html(StatusCode::OK, page.await?))
    }

    /// Reads the form that came along, which must carry the token of the session.
    pub async fn form(&self, content: Body) -> Result<Form, Problem> {
        let wait = self.app.settings.limits.body_wait;
        let content = body::read(&self.headers, content, FORM_LIMIT, wait).await?;
        let form = Form::read(&content.bytes);
        if self.app.sessions.is_form_token(&self.headers, form.text("csrf")) {
            return Ok(form);
        }
        let detail = "the form is not of this session; open its page again and send it from there";
        Err(Problem::new(Code::Forbidden, detail).not_written())
    }
}

/// The text of a page.
pub fn render(page: &impl Template) -> Result<String, Problem> {
    page.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Problem::new(Code::Internal, "the page could not be made")
    })
}

/// A page as an answer.
pub fn html(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

/// Sends the visitor to another page, whatever was sent to this one.
pub fn go_to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// What a form was filled in with.
#[derive(Debug, Clone, Default)]
pub struct Form(HashMap<String, String>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    fn read(bytes: &[u8]) -> Self {
        let decoded = |part: &[u8]| {
            let spaced: Vec<u8> =
                part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            percent_encoding::percent_decode(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = bytes.split(|byte| *byte == b'&').map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            (decoded(&pair[..at]), decoded(pair.get(at + 1..).unwrap_or_default()))
        });
        Self(pairs.collect())
    }

    /// A field, empty when it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field that was filled in.
    pub fn filled(&self, name: &str) -> Option<String> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_send_it() {
        let form = Form::read(b"csrf=ab&name=K%C3%B6ln+%26+more&empty=&odd");
        assert_eq!(form.text("name"), "Köln & more");
        assert_eq!((form.text("empty"), form.text("odd"), form.text("none")), ("", "", ""));
        assert_eq!(form.filled("empty"), None);
        assert_eq!(Form::read(b"a=%zz").text("a"), "%zz");
    }
}
