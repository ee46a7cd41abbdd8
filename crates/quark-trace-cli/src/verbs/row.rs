//! A record as a row of a table, or as one line.

use std::ops::ControlFlow;

use quark_trace::core::record::View;
use quark_trace::core::visible::is_hidden;
use quark_trace::store::{Plan, Row, Select};
use quark_trace::{Result, TraceLog, members};

use crate::output::shown;

/// Every record line from entry `from` on with the index of its entry, which other verbs take;
/// lines that are not in the ledger have none.
pub fn each_record(
    log: &TraceLog,
    from: u64,
    mut each: impl FnMut(Option<u64>, &[u8]) -> ControlFlow<()>,
) -> Result<()> {
    let plan = Plan { from, select: Select::Records, ..Plan::default() };
    log.store().scan(log.project(), &plan, &mut |row| match row {
        Row::Entry { index, object: Some(object), .. } => each(Some(index), &object),
        Row::Loose { object, .. } => each(None, object),
        _ => ControlFlow::Continue(()),
    })
}

/// What a row shows of a record line, everything safe for a terminal.
pub struct RecordRow {
    pub time: String,
    pub stage: String,
    pub payload: String,
}

impl RecordRow {
    /// A line that is no record is shown too: it hides nothing.
    pub fn of(line: &[u8], limit: usize) -> Self {
        let Ok(view) = View::parse(line) else {
            let text = String::from_utf8_lossy(line);
            let stage = "(unreadable)".to_owned();
            return Self { time: String::new(), stage, payload: shown(&text, limit) };
        };
        Self {
            time: short_time(&shown(&view.timestamp.to_str(), 32)),
            stage: shown(&view.stage.to_str(), 40),
            payload: payload(view.payload, limit),
        }
    }
}

/// `2026-01-02T03:04:05.000007+00:00` as `2026-01-02 03:04:05`; anything else as it is.
pub fn short_time(time: &str) -> String {
    let utc = time.strip_suffix("+00:00").filter(|_| time.is_ascii());
    match utc.and_then(|time| time.get(..19)) {
        Some(seconds) => seconds.replacen('T', " ", 1),
        None => time.to_owned(),
    }
}

/// `round=1 loss=0.21 site="north"`
fn payload(json: &[u8], limit: usize) -> String {
    let found = members(json);
    if found.is_empty() && json != b"{}" {
        return shown(&String::from_utf8_lossy(json), limit);
    }
    let mut text = String::new();
    for (name, value) in &found {
        if !text.is_empty() {
            text.push(' ');
        }
        let value = readable(&String::from_utf8_lossy(value));
        let value = value
            .strip_prefix(r#"{"$numberDouble": ""#)
            .map_or(value.as_str(), |rest| rest.trim_end_matches("\"}"));
        text.push_str(&shown(name, 60));
        text.push('=');
        text.push_str(&shown(value, limit));
    }
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// JSON text with the characters that `\uXXXX` stand for, where they have a picture: records are
/// stored in ASCII, and people read `ü`. Digits and everything else stay as they are written.
fn readable(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, character) = match escape(rest) {
            Some((high, 0xD800..=0xDBFF)) => match escape(&rest[high..]) {
                Some((low, unit @ 0xDC00..=0xDFFF)) => (high + low, pair(&rest[..high], unit)),
                _ => (high, None),
            },
            Some((length, unit)) => (length, char::from_u32(unit)),
            None => (1 + rest[1..].chars().next().map_or(0, char::len_utf8), None),
        };
        match character.filter(|&character| !is_hidden(character) && !character.is_ascii()) {
            Some(character) => out.push(character),
            None => out.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out + rest
}

/// Length and code unit of the `\uXXXX` that `text` begins with.
fn escape(text: &str) -> Option<(usize, u32)> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    Some((6, u32::from_str_radix(digits, 16).ok()?))
}

/// The character of a surrogate pair, its first half still written.
fn pair(high: &str, low: u32) -> Option<char> {
    let (_, high) = escape(high)?;
    char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_with_a_picture_are_read() {
        for (json, shown) in [
            (r#""\u00dcber \ud83d\ude00""#, "\"\u{dc}ber \u{1f600}\""),
            (r#""\u001b[31m \u202e \u009b \u2028""#, r#""\u001b[31m \u202e \u009b \u2028""#),
            (r#""\\u00dc \" \n""#, r#""\\u00dc \" \n""#),
            (r#""\ud83d \ude00 \ud83dx""#, r#""\ud83d \ude00 \ud83dx""#),
            (r"\", r"\"),
            (r"\u12", r"\u12"),
            ("\\\u{fc}", "\\\u{fc}"),
            ("1e-05", "1e-05"),
        ] {
            assert_eq!(readable(json), shown, "{json}");
        }
    }
}
