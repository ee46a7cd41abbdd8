//! The cache that makes opening a log independent of its size.
//!
//! It is never trusted: its edge must lead to the root of a checkpoint whose signature was checked,
//! otherwise the whole ledger is read instead.

use quark_trace_core::ledger::{CompactRange, Digest};

use super::schemas::SchemaIndex;

const FORMAT: &str = "quark-trace-state/1";

/// How far into the files a tree of some size reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// The tree's edge.
    pub range: CompactRange,
    /// Bytes of `ledger` that hold its entries.
    pub ledger_end: u64,
    /// Bytes of the records that its entries name.
    pub records_end: u64,
    /// Physical lines in those bytes.
    pub lines: u64,
    /// Object of the last sheet entry.
    pub sheet: Option<Digest>,
    /// The schemas in force.
    pub schemas: SchemaIndex,
}

impl State {
    pub fn to_text(&self) -> String {
        let sheet = self.sheet.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        let edge: Vec<_> = self.range.hashes().iter().map(ToString::to_string).collect();
        format!(
            "{FORMAT}\nsize {}\nledger {}\nrecords {}\nlines {}\nsheet {sheet}\nschemas {}\nfrontier {}\n",
            self.range.size(),
            self.ledger_end,
            self.records_end,
            self.lines,
            self.schemas.to_text(),
            edge.join(",")
        )
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FORMAT {
            return None;
        }
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let size = field("size")?.parse().ok()?;
        let ledger_end = field("ledger")?.parse().ok()?;
        let records_end = field("records")?.parse().ok()?;
        let line_count = field("lines")?.parse().ok()?;
        let sheet = match field("sheet")? {
            "-" => None,
            hex => Some(Digest::from_hex(hex.as_bytes())?),
        };
        let schemas = SchemaIndex::parse(field("schemas")?)?;
        let edge = field("frontier")?.split(',').filter(|hex| !hex.is_empty());
        let hashes =
            edge.map(|hex| Digest::from_hex(hex.as_bytes())).collect::<Option<Vec<_>>>()?;
        let range = CompactRange::from_parts(size, hashes)?;
        Some(Self { range, ledger_end, records_end, lines: line_count, sheet, schemas })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_trace_core::ledger::Entry;

    #[test]
    fn text_reads_back() {
        let mut state = State { ledger_end: 7, records_end: 9, lines: 3, ..State::default() };
        for leaf in 0..5u8 {
            assert_eq!(State::parse(&state.to_text()), Some(state.clone()));
            state.range.push(Digest::of(&[leaf]));
            state.sheet = Some(Digest::of(b"sheet"));
            let stage = ["%2A", "r%C3%A9gime%3A%20a", "client_round"][usize::from(leaf % 3)];
            let line = format!("schema sha256:{} stage={stage}", Digest::of(&[leaf]));
            state.schemas.take(u64::from(leaf), &Entry::parse(line.as_bytes()).unwrap());
        }
        let text = state.to_text();
        assert_eq!(State::parse(&text.replace("size 5", "size 7")), None);
        assert_eq!(State::parse(&text[..text.len() / 2]), None);
        assert_eq!(State::parse(""), None);
    }
}
