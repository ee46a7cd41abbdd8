//! A payload for people: one line for a table, or laid out on many.

use quark_trace::core::json::{Event, Number, Scanner, Text};
use quark_trace::core::visible::visible;
use quark_trace::members;

use super::text::Shown;

/// Members that a line in a table shows.
const MEMBERS: usize = 7;
/// Pieces that are laid out; a larger payload is downloaded.
const PIECES: usize = 6_000;
/// Bytes that are laid out.
const BYTES: usize = 256 * 1024;
/// Characters of one string that are laid out.
const STRING: usize = 2_000;

/// A piece of a payload that is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is: `key`, `string`, `number`, `word` or `punct`.
    pub class: &'static str,
    /// The text.
    pub text: String,
}

/// A payload on many lines.
#[derive(Debug, Clone, Default)]
pub struct Laid {
    /// The text in pieces, line ends and blanks among them.
    pub pieces: Vec<Piece>,
    /// Whether there is more than is shown.
    pub is_cut: bool,
}

/// A member in a line.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: Shown,
    /// Its value.
    pub value: Shown,
}

/// The first members of a payload, and how many more there are.
pub fn in_line(payload: &[u8]) -> (Vec<Member>, usize) {
    let all = members(payload);
    let shown = all.iter().take(MEMBERS).map(|(name, raw)| Member {
        name: Shown::within(name, 40),
        value: Shown::within(&value_in_line(raw), 48),
    });
    (shown.collect(), all.len().saturating_sub(MEMBERS))
}

fn value_in_line(raw: &[u8]) -> String {
    let mut scanner = Scanner::new(raw);
    match scanner.next_event() {
        Ok(Some(Event::String(text))) => text.to_str().into_owned(),
        Ok(Some(Event::ObjectStart)) => tagged_number(raw).unwrap_or_else(|| lossy(raw)),
        _ => lossy(raw),
    }
}

/// `NaN` for `{"$numberDouble": "NaN"}`.
fn tagged_number(raw: &[u8]) -> Option<String> {
    match members(raw).as_slice() {
        [(name, value)] if name == "$numberDouble" => Some(value_in_line(value)),
        _ => None,
    }
}

fn lossy(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// Lays a payload out on lines. What is no JSON stays as it is.
pub fn laid_out(payload: &[u8]) -> Laid {
    let mut layout = Layout::default();
    let mut scanner = Scanner::new(payload);
    loop {
        if layout.laid.pieces.len() >= PIECES || layout.bytes >= BYTES {
            layout.laid.is_cut = true;
            return layout.laid;
        }
        match scanner.next_event() {
            Ok(Some(event)) => layout.event(event),
            Ok(None) => return layout.laid,
            Err(_) => {
                let text = visible(&lossy(payload)).into_owned();
                return Laid { pieces: vec![Piece { class: "string", text }], is_cut: false };
            }
        }
    }
}

#[derive(Default)]
struct Layout {
    laid: Laid,
    bytes: usize,
    depth: usize,
    /// Whether a value stands before in the array or object.
    follows: bool,
    /// Whether a key stands directly before.
    keyed: bool,
}

impl Layout {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::ObjectEnd => self.close("}"),
            Event::ArrayEnd => self.close("]"),
            Event::Key(name) => {
                self.next_line();
                self.put("key", quoted(name));
                self.put("punct", ": ".to_owned());
                self.keyed = true;
            }
            Event::ObjectStart => self.open("{"),
            Event::ArrayStart => self.open("["),
            Event::String(text) => self.value("string", quoted(text)),
            Event::Number(number) => self.value("number", number_text(number)),
            Event::Bool(value) => self.value("word", value.to_string()),
            Event::Null => self.value("word", "null".to_owned()),
        }
    }

    fn value(&mut self, class: &'static str, text: String) {
        self.begin_value();
        self.put(class, text);
        self.follows = true;
    }

    fn open(&mut self, sign: &str) {
        self.begin_value();
        self.put("punct", sign.to_owned());
        self.depth += 1;
        self.follows = false;
    }

    fn close(&mut self, sign: &str) {
        self.depth = self.depth.saturating_sub(1);
        if self.follows {
            self.put("punct", format!("\n{}", self.indent()));
        }
        self.put("punct", sign.to_owned());
        self.follows = true;
    }

    fn begin_value(&mut self) {
        if self.keyed {
            self.keyed = false;
        } else if self.depth > 0 {
            self.next_line();
        }
    }

    fn next_line(&mut self) {
        let comma = if self.follows { "," } else { "" };
        self.put("punct", format!("{comma}\n{}", self.indent()));
        self.follows = false;
    }

    fn indent(&self) -> String {
        "  ".repeat(self.depth.min(40))
    }

    fn put(&mut self, class: &'static str, text: String) {
        self.bytes += text.len();
        match self.laid.pieces.last_mut() {
            Some(last) if last.class == class => last.text.push_str(&text),
            _ => self.laid.pieces.push(Piece { class, text }),
        }
    }
}

/// A string as it is written in the record, escapes and all.
fn quoted(text: Text<'_>) -> String {
    let raw = lossy(text.raw);
    let cut = quark_trace::core::visible::shortened(&raw, STRING);
    format!("\"{}\"", visible(&cut))
}

fn number_text(number: Number<'_>) -> String {
    match number {
        Number::Integer(text) | Number::Float(text) => text.to_owned(),
        Number::NotANumber => "NaN".to_owned(),
        Number::Infinity => "Infinity".to_owned(),
        Number::NegativeInfinity => "-Infinity".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &str) -> String {
        laid_out(payload.as_bytes()).pieces.into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn a_payload_is_laid_out_as_it_is_written() {
        assert_eq!(
            text(r#"{"a": 1.50, "b": {}, "c": [1, {"d": "\u00e9"}], "e": null}"#),
            "{\n  \"a\": 1.50,\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"\\u00e9\"\n    }\n  ],\n  \"e\": null\n}"
        );
        assert_eq!(text("[]"), "[]");
        assert_eq!(text("{\"a\""), "{\"a\"");
    }

    #[test]
    fn long_ones_are_cut() {
        let laid = laid_out(format!("[{}1]", "1,".repeat(20_000)).as_bytes());
        assert!(laid.is_cut && laid.pieces.len() <= PIECES + 2);
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(text(&deep).len() < 1_000_000);
    }

    #[test]
    fn a_line_shows_what_is_meant() {
        let payload = br#"{"loss": {"$numberDouble": "NaN"}, "site": "K\u00f6ln", "m": {"a": 1}}"#;
        let (members, more) = in_line(payload);
        let shown: Vec<_> =
            members.iter().map(|member| format!("{}={}", member.name, member.value)).collect();
        assert_eq!(
            (shown, more),
            (vec!["loss=NaN".into(), "site=Köln".into(), "m={\"a\": 1}".into()], 0)
        );
    }
}
