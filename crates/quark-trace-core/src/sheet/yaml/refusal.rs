//! Saying why something was refused, and where in the sheet it stands.

use granit_parser::{ErrorKind, ScanError};

use super::reader::{Content, Key, Reader, Stopped};
use crate::sheet::fault::Said;
use crate::sheet::source::Source;
use crate::sheet::tree::Span;
use crate::visible::shortened;

/// What is wrong, and what to do about it.
pub(super) type Words = (&'static str, &'static str);

pub(super) const EMPTY: Words =
    ("the sheet is empty", "start from the template of `quark-trace init`");
pub(super) const SECOND_DOCUMENT: Words =
    ("a second document starts here", "one file holds one fact sheet: remove the `---` line");
pub(super) const TOO_DEEP: Words = ("the sheet is nested too deeply", "at most 32 levels are read");
pub(super) const TOO_MANY_NODES: Words =
    ("the sheet holds too many values", "at most 50,000 are read");
pub(super) const TOO_MANY_ALIASES: Words =
    ("the sheet holds too many aliases", "at most 1,000 are read");
pub(super) const ENDLESS: Words = ("this alias stands inside what it names", "write the value out");
pub(super) const MERGE_KEY: Words = (
    "merge keys are not part of YAML 1.2",
    "write the merged fields out, or quote the key: \"<<\"",
);
pub(super) const ODD_KEY: Words =
    ("a key must be text", "lists, objects and aliases cannot name a field");
pub(super) const BEYOND_JSON: &str = "this number cannot be kept exactly";

impl Reader<'_, '_> {
    /// The path of the node that comes next.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.content {
                Content::List(items) => path.push_str(&format!("[{}]", items.len())),
                Content::Object { key: Key::Named(name, _), .. } => path = join(&path, name),
                Content::Object { .. } => {}
            }
        }
        path
    }

    pub(super) fn error(&mut self, span: &Span, said: Said) {
        let path = self.path();
        self.faults.error(span, &path, said);
    }

    pub(super) fn say(&mut self, span: &Span, (message, help): Words) {
        self.error(span, Said::new(message).help(help));
    }

    pub(super) fn halt(&mut self, span: &Span, words: Words) -> Result<(), Stopped> {
        self.say(span, words);
        Err(Stopped)
    }

    pub(super) fn stop<T>(&mut self, span: &Span, words: Words) -> Option<T> {
        self.say(span, words);
        None
    }

    pub(super) fn stop_at_error<T>(&mut self, error: &ScanError, source: &Source<'_>) -> Option<T> {
        let start = error.marker().byte_offset().unwrap_or(source.text.len());
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return self.stop(&(start..start + 1), TOO_DEEP);
        }
        let said = Said::new(format!("this is not YAML: {}", error.info()));
        let said = match error.kind() {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar => said.help("indent with spaces, never with tabs"),
            ErrorKind::UnknownAnchor => said.help("put a text that starts with `*` in quotes"),
            _ => said,
        };
        self.error(&(start..start + 1), said);
        None
    }
}

/// The path of the member `name` below `path`.
pub(in crate::sheet) fn join(path: &str, name: &str) -> String {
    let name = shortened(name, 80);
    if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") }
}
