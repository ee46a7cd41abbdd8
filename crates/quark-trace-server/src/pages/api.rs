//! The interface for programs, as a page: what the OpenAPI document says.

use askama::Template;
use serde_json::Value;

use super::frame::{Frame, Section};
use super::text::Shown;

/// Calls by the part that they are of.
#[derive(Debug, Template)]
#[template(path = "api.html")]
pub struct ApiPage {
    /// What stands around it.
    pub frame: Frame,
    /// What the interface is called.
    pub title: Shown,
    /// Its version.
    pub version: Shown,
    /// What it says of itself.
    pub about: Shown,
    /// The parts.
    pub parts: Vec<Part>,
}

/// Calls that belong together.
#[derive(Debug)]
pub struct Part {
    /// Its name.
    pub name: Shown,
    /// Where it stands on the page.
    pub anchor: String,
    /// Its calls.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path.
    pub path: Shown,
    /// In one line.
    pub summary: Shown,
    /// In more words.
    pub about: Shown,
    /// Its parameters: name, where it stands, what it is.
    pub parameters: Vec<(Shown, Shown, Shown)>,
    /// Its answers: status and meaning.
    pub answers: Vec<(Shown, Shown)>,
}

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

impl ApiPage {
    /// The page of an OpenAPI document.
    pub fn new(frame: Frame, document: &Value) -> Self {
        let text = |value: &Value| Shown::within(value.as_str().unwrap_or_default(), 4000);
        let mut page = Self {
            frame: frame.within(Section::Api),
            title: text(&document["info"]["title"]),
            version: text(&document["info"]["version"]),
            about: text(&document["info"]["description"]),
            parts: Vec::new(),
        };
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                if let Some(call) = item.get(method) {
                    page.take(path, method, item, call);
                }
            }
        }
        page
    }

    fn take(&mut self, path: &str, method: &str, item: &Value, call: &Value) {
        let name = call["tags"][0].as_str().unwrap_or("Other calls");
        let name = Shown::within(name, 80);
        let place = self.parts.iter().position(|part| part.name == name).unwrap_or_else(|| {
            let anchor = format!("part-{}", self.parts.len() + 1);
            self.parts.push(Part { name, anchor, calls: Vec::new() });
            self.parts.len() - 1
        });
        let text = |value: &Value| Shown::within(value.as_str().unwrap_or_default(), 2000);
        let both = [&item["parameters"], &call["parameters"]];
        let parameters = both.into_iter().filter_map(Value::as_array).flatten();
        let answers = call["responses"].as_object().into_iter().flatten();
        self.parts[place].calls.push(Call {
            method: method.to_ascii_uppercase(),
            path: Shown::within(path, 300),
            summary: text(&call["summary"]),
            about: text(&call["description"]),
            parameters: parameters
                .map(|one| (text(&one["name"]), text(&one["in"]), text(&one["description"])))
                .collect(),
            answers: answers
                .map(|(status, answer)| (Shown::within(status, 20), text(&answer["description"])))
                .collect(),
        });
    }
}
