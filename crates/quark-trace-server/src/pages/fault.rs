//! What is shown when something did not work: what happened, whether anything was done, what to do.

use askama::Template;

use super::frame::{Frame, Section};
use super::text::Shown;

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
