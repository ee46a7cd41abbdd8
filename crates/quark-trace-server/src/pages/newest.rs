//! Records from the newest backwards, a page at a time, without reading the whole log.
//!
//! A store reads forwards. So the end of the log is read first, in a window, then the window before
//! it, each larger than the last, until a page is full or enough was looked at.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use memchr::memmem;
use quark_trace::core::query::{Asked, Filter, Matcher};
use quark_trace::query::Found;
use quark_trace::store::{Plan, Row, Select};
use quark_trace::{Record, Result, TraceLog};

/// Entries of the first window.
const FIRST_WINDOW: u64 = 512;
/// Most bytes of the records of one page, which has one at least.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Entries that are looked at for one page.
pub const LOOKED_AT: u64 = 200_000;

/// Which records.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// What the filter selects.
    pub filter: Option<&'a Filter>,
    /// Text that stands somewhere in the line.
    pub text: Option<&'a Needle>,
    /// Only records before this entry.
    pub before: Option<u64>,
    /// How many.
    pub limit: usize,
    /// What `now()` means.
    pub now_us: i64,
}

/// A page of records, the newest first.
#[derive(Debug, Default)]
pub struct NewestPage {
    /// The records.
    pub hits: Vec<Found>,
    /// The entry before which the next page begins; `None` when nothing is left.
    pub next: Option<u64>,
    /// Whether it ended because enough was looked at, not because it is full.
    pub is_tired: bool,
    /// Lines that are no records and were come across.
    pub unreadable: u64,
}

/// Reads a page. `size` is that of the log.
pub fn newest(log: &TraceLog, size: u64, wanted: &Wanted<'_>) -> Result<NewestPage> {
    let filter = wanted.filter.map(|filter| filter.at(wanted.now_us));
    let mut matcher = match &filter {
        Some(filter) => Some(Matcher::new(filter, wanted.now_us)?),
        None => None,
    };
    let mut page = NewestPage::default();
    let mut until = wanted.before.unwrap_or(size).min(size);
    let (mut window, mut looked_at) = (FIRST_WINDOW, 0);
    let mut left = PAGE_BYTES;
    let mut is_full = wanted.limit == 0;
    while until > 0 && !is_full {
        if looked_at >= LOOKED_AT {
            page.is_tired = true;
            break;
        }
        let from = until.saturating_sub(window);
        let mut hits = Last::new(wanted.limit - page.hits.len(), left, page.hits.is_empty());
        let plan =
            Plan { from, until: Some(until), select: Select::Records, filter: filter.as_ref() };
        log.store().scan(log.project(), &plan, &mut |row| {
            let Row::Entry { index, object: Some(object), .. } = row else {
                return ControlFlow::Continue(());
            };
            match matcher.as_mut().map(|matcher| matcher.ask(Some(index), &object)) {
                Some(Asked::Unreadable) => page.unreadable += 1,
                Some(Asked::Other) => {}
                _ if wanted.text.is_some_and(|needle| !needle.is_in(&object)) => {}
                _ => match Record::from_line(object.into_owned()) {
                    Ok(record) => hits.push(Found { index: Some(index), record }),
                    Err(_) => page.unreadable += 1,
                },
            }
            ControlFlow::Continue(())
        })?;
        left = left.saturating_sub(hits.bytes);
        is_full = hits.is_full;
        page.hits.extend(hits.found.into_iter().rev());
        looked_at += until - from;
        until = from;
        window *= 4;
    }
    let last = page.hits.last().and_then(|hit| hit.index);
    page.next = match last.filter(|_| is_full) {
        Some(last) => Some(last).filter(|last| *last > 1),
        None => page.is_tired.then_some(until),
    };
    Ok(page)
}

/// The last records of a window, as many as there is room for.
struct Last {
    found: VecDeque<Found>,
    room: usize,
    bytes: usize,
    most_bytes: usize,
    /// Whether the last one stays whatever its size.
    keeps_one: bool,
    /// Whether there is no room for more.
    is_full: bool,
}

impl Last {
    fn new(room: usize, most_bytes: usize, keeps_one: bool) -> Self {
        Self { found: VecDeque::new(), room, bytes: 0, most_bytes, keeps_one, is_full: false }
    }

    fn push(&mut self, found: Found) {
        self.bytes += found.record.line().len();
        self.found.push_back(found);
        while self.found.len() > self.room
            || (self.bytes > self.most_bytes && self.found.len() > usize::from(self.keeps_one))
        {
            let Some(first) = self.found.pop_front() else { break };
            self.bytes -= first.record.line().len();
            self.is_full = true;
        }
        self.is_full |= self.found.len() == self.room;
    }
}

/// A text that is looked for in whole lines, whatever the case of its letters.
#[derive(Debug, Clone)]
pub struct Needle {
    /// In lower case, as text and as JSON writes it with escapes.
    forms: Vec<Vec<u8>>,
}

impl Needle {
    /// `None` for a text of blanks.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        if text.is_empty() {
            return None;
        }
        let mut escaped = Vec::new();
        quark_trace::core::json::write::string(&mut escaped, &text);
        let inner = escaped[1..escaped.len() - 1].to_vec();
        let mut forms = vec![text.into_bytes()];
        if forms[0] != inner {
            forms.push(inner);
        }
        Some(Self { forms })
    }

    /// Whether the text stands in a line.
    pub fn is_in(&self, line: &[u8]) -> bool {
        let contains =
            |line: &[u8]| self.forms.iter().any(|form| memmem::find(line, form).is_some());
        if contains(line) {
            return true;
        }
        let lower = match std::str::from_utf8(line) {
            Ok(text) if !text.is_ascii() || text.contains("\\u") => unescaped(text).to_lowercase(),
            _ => return contains(&line.to_ascii_lowercase()),
        };
        contains(lower.as_bytes())
    }
}

/// The line with its `\uXXXX` escapes as characters, so that their case can be told.
fn unescaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("\\u") {
        let unit = rest.get(at + 2..at + 6).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        if at > 0 && !units.is_empty() {
            out.push_str(&String::from_utf16_lossy(&units));
            units.clear();
        }
        out.push_str(&rest[..at]);
        match unit {
            Some(unit) => {
                units.push(unit);
                rest = &rest[at + 6..];
            }
            None => {
                out.push_str("\\u");
                rest = &rest[at + 2..];
            }
        }
    }
    out.push_str(&String::from_utf16_lossy(&units));
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_trace::core::payload::Payload;
    use quark_trace::store::MemoryStore;
    use std::sync::Arc;

    fn log(count: u32) -> TraceLog {
        let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse().unwrap());
        for round in 0..count {
            log.log("round", &Payload::new().with("round", round)).unwrap();
        }
        log
    }

    fn rounds(page: &NewestPage) -> Vec<u32> {
        let round = |hit: &Found| {
            let raw = hit.record.payload_member("round").unwrap();
            std::str::from_utf8(raw).unwrap().parse().unwrap()
        };
        page.hits.iter().map(round).collect()
    }

    #[test]
    fn pages_go_back_to_the_first_record() {
        let log = log(1500);
        let mut before = None;
        let mut seen = Vec::new();
        loop {
            let wanted = Wanted { before, limit: 400, ..Wanted::default() };
            let page = newest(&log, 1501, &wanted).unwrap();
            seen.extend(rounds(&page));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..1500).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_page_of_large_records_is_shorter() {
        let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse().unwrap());
        for round in 0..12 {
            let text = "x".repeat(if round == 5 { 9_000_000 } else { 3_000_000 });
            log.log("round", &Payload::new().with("round", round).with("text", text)).unwrap();
        }
        let (mut before, mut pages) = (None, Vec::new());
        loop {
            let page =
                newest(&log, 13, &Wanted { before, limit: 50, ..Wanted::default() }).unwrap();
            pages.push(rounds(&page));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let expected = [&[11, 10][..], &[9, 8], &[7, 6], &[5], &[4, 3], &[2, 1], &[0]];
        assert_eq!(pages, expected);
    }

    #[test]
    fn a_filter_looks_behind_the_first_window() {
        let log = log(1500);
        let filter = Filter::parse("payload.round < 3").unwrap();
        let wanted = Wanted { filter: Some(&filter), limit: 50, ..Wanted::default() };
        let page = newest(&log, 1501, &wanted).unwrap();
        assert_eq!((rounds(&page), page.next, page.is_tired), (vec![2, 1, 0], None, false));
    }

    #[test]
    fn text_is_found_in_any_case_and_behind_escapes() {
        let line = br#"{"payload": {"name": "Saint-Ir\u00e9n\u00c9e \ud83d\ude00", "s": "Loss"}}"#;
        for text in ["loss", "LOSS", "irén", "IRÉNÉE", "\u{1F600}", "\"s\": \"loss\""] {
            assert!(Needle::new(text).unwrap().is_in(line), "{text}");
        }
        assert!(!Needle::new("gain").unwrap().is_in(line));
        assert!(Needle::new("ÄÖ").unwrap().is_in("äö".as_bytes()));
        assert!(Needle::new("  ").is_none());
        assert!(!Needle::new("x").unwrap().is_in(b"\\u12"));
    }
}
