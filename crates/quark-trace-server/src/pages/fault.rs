//! What is shown when something did not work: what happened, whether anything was done, what to do.

use askama::Template;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;

use super::frame::{Frame, Section};
use super::links::{SIGN_IN, encoded};
use super::text::Shown;
use super::visit::{frame, go_to, html, render};
use crate::access::Caller;
use crate::app::App;
use crate::problem::{Code, Problem};

/// Whether what is asked for is a page, so that a fault is shown as one.
pub fn is_page(uri: &Uri) -> bool {
    uri.path() == "/ui" || uri.path().starts_with("/ui/")
}

/// A problem as a page; who has to sign in first is sent there and comes back.
///
/// # Errors
/// Gives the problem back when the page itself cannot be made.
pub fn answer(
    app: &App,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    problem: Problem,
) -> Result<Response, Problem> {
    if problem.code == Code::Unauthenticated && method.is_safe() {
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        return Ok(go_to(&format!("{SIGN_IN}?next={}", encoded(path))));
    }
    let caller = Caller::of(headers, &app.registry, Some(&app.sessions));
    let frame = frame(app, &caller.unwrap_or(Caller::Anonymous), headers);
    // The words of the page say it already, or it is for the log of the server.
    let is_told = matches!(
        problem.code,
        Code::InvalidInput | Code::Conflict | Code::AlreadyExists | Code::Integrity
    );
    let detail = is_told.then_some(problem.detail.as_str());
    let status = problem.code.status();
    let page = FaultPage::new(frame, status.as_u16(), detail, problem.request_id.as_deref());
    match render(&page) {
        Ok(text) => Ok(html(status, text)),
        Err(_) => Err(problem),
    }
}

/// A page about something that did not work.
#[derive(Debug, Template)]
#[template(path = "fault.html")]
pub struct FaultPage {
    /// What stands around it.
    pub frame: Frame,
    /// The status, such as 404.
    pub status: u16,
    /// In a few words.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub advice: Vec<&'static str>,
    /// What exactly was said, where it may be shown.
    pub detail: Option<Shown>,
    /// By what the log of the server names this request.
    pub request_id: Option<Shown>,
}

impl FaultPage {
    /// The page of a status. `detail` is shown as it is; leave out what a stranger must not know.
    pub fn new(frame: Frame, status: u16, detail: Option<&str>, request_id: Option<&str>) -> Self {
        let (title, meaning, advice) = words(status);
        Self {
            frame: frame.within(Section::Outside),
            status,
            title,
            meaning,
            advice,
            detail: detail.map(|text| Shown::within(text, 1000)),
            request_id: request_id.map(|text| Shown::within(text, 80)),
        }
    }
}

type WordsOfStatus = (&'static str, &'static str, Vec<&'static str>);

fn words(status: u16) -> WordsOfStatus {
    match status {
        400 => (
            "That could not be read",
            "The address or the form holds something that this page cannot work with.",
            vec!["Go back, look at what was filled in, and send it again."],
        ),
        401 => (
            "Sign in first",
            "This page is for people with a key.",
            vec!["Sign in, and you come back here."],
        ),
        403 => (
            "Your key may not do this",
            "You are signed in, but this is for another role. Nothing was done.",
            vec![
                "Ask an administrator of your institution for a key of the right role.",
                "If you were filling in a form, open it again: it may have been too old.",
            ],
        ),
        404 => (
            "There is nothing here",
            "It does not exist, or it belongs to another institution than your key.",
            vec!["Look at the address.", "Search for the project by its name."],
        ),
        409 => (
            "That exists already",
            "Something of this name is there, and it is not replaced. Nothing was done.",
            vec!["Choose another name."],
        ),
        413 => (
            "That is too large",
            "What was sent is larger than this server takes. Nothing was done.",
            vec!["Send less at once."],
        ),
        429 => (
            "Too many requests",
            "Your key asked for more pages than it may in a short time.",
            vec!["Wait a minute, then load the page again."],
        ),
        503 | 507 => (
            "Not available just now",
            "The server cannot reach its store, or is about to stop. Nothing was lost: what was \
             acknowledged is on the medium.",
            vec!["Try again in a minute.", "If it stays so, tell whoever runs this server."],
        ),
        _ => (
            "Something went wrong here",
            "The server could not make this page. Records that were acknowledged are not affected.",
            vec![
                "Load the page again.",
                "If it stays so, tell whoever runs this server, with the number below.",
            ],
        ),
    }
}
