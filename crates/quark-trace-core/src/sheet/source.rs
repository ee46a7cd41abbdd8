//! The text of a sheet, and where in it a byte stands.

use std::ops::Range;

use super::fault::{Fault, Place, Severity, SheetFaults};

/// Longest sheet that is read, in bytes.
pub const SOURCE_LIMIT: usize = 1 << 20;

const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// UTF-8 text with the starts of its lines.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The text after a byte order mark.
    pub(super) text: &'a str,
    /// Length of the byte order mark.
    skipped: usize,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Refuses what is too long or not UTF-8, with the offset of the first bad byte.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, SheetFaults> {
        if bytes.len() > SOURCE_LIMIT {
            let message = format!(
                "the sheet is {} bytes long, and at most {SOURCE_LIMIT} are read",
                bytes.len()
            );
            return Err(whole(None, message, "a fact sheet describes data, it does not hold it"));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(text)),
            Err(error) => Err(not_utf8(bytes, error.valid_up_to())),
        }
    }

    fn new(text: &'a str) -> Self {
        let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        Self { text: body, skipped: text.len() - body.len(), line_starts: line_starts(body) }
    }

    /// Where the bytes `span` of [`text`](Self::text) stand in the source.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = self.boundary(span.start);
        let end = self.boundary(span.end).max(start);
        let line = self.line_starts.partition_point(|&line_start| line_start <= start);
        let line_start = self.line_starts[line - 1];
        Place {
            line,
            column: self.text[line_start..start].chars().count() + 1,
            span: start + self.skipped..end + self.skipped,
        }
    }

    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

/// Lines end as YAML has it: at LF, CR LF or a lone CR.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = (0..bytes.len()).filter(|&at| match bytes[at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    std::iter::once(0).chain(ends.map(|at| at + 1)).collect()
}

fn not_utf8(bytes: &[u8], offset: usize) -> SheetFaults {
    let before = Source::new(std::str::from_utf8(&bytes[..offset]).unwrap_or_default());
    let end = before.text.len();
    let mut place = before.place(end..end);
    place.span.end = offset + 1;
    let message = format!(
        "the sheet is not UTF-8: byte {offset} is 0x{:02X}",
        bytes.get(offset).copied().unwrap_or_default()
    );
    whole(Some(place), message, "save the file as UTF-8")
}

fn whole(place: Option<Place>, message: String, help: &str) -> SheetFaults {
    let fault = Fault {
        severity: Severity::Error,
        place,
        path: String::new(),
        message,
        help: Some(help.to_owned()),
        related: None,
    };
    vec![fault].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_of_every_kind_and_characters() {
        let source = Source::decode("\u{FEFF}a\nb\r\nc\rdé😀x".as_bytes()).unwrap();
        let at = |text: &str| {
            let start = source.text.find(text).unwrap();
            let place = source.place(start..start + text.len());
            (place.line, place.column, place.span)
        };
        assert_eq!(at("a"), (1, 1, 3..4));
        assert_eq!(at("b"), (2, 1, 5..6));
        assert_eq!(at("c"), (3, 1, 8..9));
        assert_eq!(at("x"), (4, 4, 17..18));
        assert_eq!(source.place(99..200).span, 18..18);
    }

    #[test]
    fn a_byte_that_is_not_utf8_is_named() {
        let faults = Source::decode(b"a: b\nc: D\xE9tection").unwrap_err();
        let fault = &faults.faults()[0];
        assert_eq!(fault.message, "the sheet is not UTF-8: byte 9 is 0xE9");
        assert_eq!((fault.line(), fault.column()), (Some(2), Some(5)));
    }
}
