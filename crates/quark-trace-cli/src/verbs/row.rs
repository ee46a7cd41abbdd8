//! A record as a row of a table, or as one line.

use std::ops::ControlFlow;

use quark_trace::core::record::View;
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
    let plan = Plan { from, select: Select::Records };
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
fn short_time(time: &str) -> String {
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
        let value = String::from_utf8_lossy(value);
        let value = value
            .strip_prefix(r#"{"$numberDouble": ""#)
            .map_or(value.as_ref(), |rest| rest.trim_end_matches("\"}"));
        text.push_str(&shown(name, 60));
        text.push('=');
        text.push_str(&shown(value, limit));
    }
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
