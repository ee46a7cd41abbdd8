//! How things are shown: tables and colours for people, exact JSON for programs.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use indicatif::{ProgressBar, ProgressStyle};
use quark_trace::core::visible::{is_hidden, visible};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::failure::{Failure, talk};

pub const GOOD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
pub const BAD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
pub const WARNING: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
pub const FAINT: Style = Style::new().dimmed();
pub const STRONG: Style = Style::new().bold();

/// What was asked for on the command line.
pub struct Output {
    pub json: bool,
    pub quiet: bool,
    terminal: bool,
}

impl Output {
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet, terminal: std::io::stdout().is_terminal() }
    }

    /// Writes a line of data.
    pub fn line(&self, text: impl std::fmt::Display) -> Result<(), Failure> {
        writeln!(anstream::stdout(), "{text}").map_err(Failure::from)
    }

    /// Writes a stored line: as it is to a file or pipe; to a terminal with the same escapes that
    /// JSON has for characters with an effect, so that it stays the same JSON.
    pub fn stored(&self, line: &[u8]) -> Result<(), Failure> {
        let mut out = Vec::with_capacity(line.len() + 1);
        self.put_stored(line, &mut out);
        self.bytes(&out)
    }

    /// As [`Output::stored`], for many lines that are written together.
    pub fn put_stored(&self, line: &[u8], out: &mut Vec<u8>) {
        if self.terminal {
            let text = String::from_utf8_lossy(line);
            let lines: Vec<_> = text.split('\n').map(|line| escaped(line, is_hidden)).collect();
            out.extend_from_slice(lines.join("\n").as_bytes());
        } else {
            out.extend_from_slice(line);
        }
        out.push(b'\n');
    }

    /// Writes a document of several lines: as it is to a file or pipe; to a terminal with what could
    /// drive it made visible.
    pub fn document(&self, text: &str) -> Result<(), Failure> {
        if !self.terminal {
            return self.bytes(text.as_bytes());
        }
        let line = |line: &str| visible(line.strip_suffix('\r').unwrap_or(line)).into_owned();
        let lines: Vec<_> = text.split('\n').map(line).collect();
        self.bytes(lines.join("\n").as_bytes())
    }

    /// Writes bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        std::io::stdout().lock().write_all(bytes).map_err(Failure::from)
    }

    /// Writes one JSON document, ASCII on one line.
    pub fn json(&self, value: &Value) -> Result<(), Failure> {
        self.line(ascii(value))
    }

    /// Says something to the person, unless asked to be quiet.
    pub fn say(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Writes a line for people, which is left out when asked to be quiet.
    pub fn talk(&self, text: impl std::fmt::Display) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { self.line(text) }
    }

    /// A bar on the terminal for work that takes long; nothing elsewhere.
    pub fn progress(&self, total: u64, what: &'static str) -> ProgressBar {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        let template = match total {
            0 => "{spinner} {msg}",
            _ => "{msg} [{bar:30}] {human_pos}/{human_len} {eta}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Columns of a terminal that does not say how many it has.
const USUAL_WIDTH: usize = 80;

/// A table that fits the terminal; the last column gets what is left.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    match width() {
        None => _ = table.set_content_arrangement(ContentArrangement::Disabled),
        Some(columns) => _ = table.set_width(u16::try_from(columns).unwrap_or(u16::MAX)),
    }
    if !header.is_empty() {
        table.set_header(header.to_vec());
    }
    table
}

/// Columns of the terminal that the output goes to; `None` for a file or pipe. One that does not know
/// its size (a console without a window, a shell in a container) says 0.
pub fn width() -> Option<usize> {
    let columns = Table::new().width().map_or(0, usize::from);
    let known = if columns == 0 { USUAL_WIDTH } else { columns };
    std::io::stdout().is_terminal().then_some(known)
}

/// Breaks text at its words so that it fits the terminal with `before` columns left free on each
/// line; a file or pipe gets it as it is.
pub fn fitted(text: &str, before: usize) -> String {
    match width() {
        Some(columns) => broken(text, before, columns.saturating_sub(before).max(20)),
        None => text.to_owned(),
    }
}

fn broken(text: &str, before: usize, room: usize) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.width();
        if used > 0 && used + 1 + length > room {
            used = 0;
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', before));
        } else if used > 0 {
            used += 1;
            out.push(' ');
        }
        used += length;
        out.push_str(word);
    }
    out
}

/// Keeps a column at the width of its content.
pub fn fixed(table: &mut Table, columns: &[usize]) {
    let mut narrow = table.width().unwrap_or(u16::MAX) < 70;
    narrow |= table.width().is_none();
    for &at in columns {
        if let Some(column) = table.column_mut(at)
            && !narrow
        {
            column.set_constraint(ColumnConstraint::ContentWidth);
        } else if let Some(column) = table.column_mut(at) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(4)));
        }
    }
}

/// Text from outside, safe to show and not longer than `limit` characters.
pub fn shown(text: &str, limit: usize) -> String {
    let cut = quark_trace::core::visible::shortened(text, limit);
    visible(&cut).into_owned()
}

/// JSON with everything outside ASCII escaped, so that it cannot drive a terminal either.
pub fn ascii(value: &Value) -> String {
    escaped(&value.to_string(), |character| !character.is_ascii() || character == '\u{7f}')
}

/// JSON text with the characters that `hides` finds written as JSON escapes.
fn escaped(text: &str, hides: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if !hides(character) {
            out.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_its_words() {
        assert_eq!(broken("one two three", 2, 7), "one two\n  three");
        assert_eq!(broken("one two", 0, 6), "one\ntwo");
        assert_eq!(broken("a-word-that-is-too-long b", 1, 5), "a-word-that-is-too-long\n b");
        assert_eq!(broken("\u{8a55}\u{4fa1} \u{8a55}", 0, 6), "\u{8a55}\u{4fa1}\n\u{8a55}");
        assert_eq!(broken("", 3, 5), "");
    }
}
