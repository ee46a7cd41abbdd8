//! Strings as they stand in a JSON text, and what they mean.

use std::borrow::Cow;

/// A string or key, still escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// What stands between the quotes.
    pub raw: &'a [u8],
    /// Whether `raw` holds a backslash.
    pub escaped: bool,
}

impl<'a> Text<'a> {
    /// The text with escapes resolved; a lone surrogate becomes U+FFFD.
    pub fn to_str(&self) -> Cow<'a, str> {
        if !self.escaped {
            return String::from_utf8_lossy(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        self.units(|unit| match unit {
            Unit::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
            Unit::Char(character) => out.push(character),
            Unit::Surrogate(_) => out.push('\u{FFFD}'),
        });
        Cow::Owned(out)
    }

    /// The text with escapes resolved; a lone surrogate keeps its three bytes, as Python's
    /// `surrogatepass` has it.
    pub fn to_wtf8(&self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = Vec::with_capacity(self.raw.len());
        self.units(|unit| match unit {
            Unit::Bytes(bytes) => out.extend_from_slice(bytes),
            Unit::Char(character) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Unit::Surrogate(code) => out.extend_from_slice(&[
                0xE0 | (code >> 12) as u8,
                0x80 | ((code >> 6) & 0x3F) as u8,
                0x80 | (code & 0x3F) as u8,
            ]),
        });
        Cow::Owned(out)
    }

    /// Walks the runs and escapes; the scanner has checked that each escape is whole.
    fn units(&self, mut each: impl FnMut(Unit<'a>)) {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            if at > 0 {
                each(Unit::Bytes(&rest[..at]));
            }
            let (unit, used) = unescape(&rest[at..]);
            each(unit);
            rest = &rest[at + used..];
        }
        if !rest.is_empty() {
            each(Unit::Bytes(rest));
        }
    }
}

enum Unit<'a> {
    Bytes(&'a [u8]),
    Char(char),
    Surrogate(u32),
}

fn unescape(text: &[u8]) -> (Unit<'_>, usize) {
    let simple = match text[1] {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unescape_unicode(text),
        other => char::from(other),
    };
    (Unit::Char(simple), 2)
}

fn unescape_unicode(text: &[u8]) -> (Unit<'_>, usize) {
    let high = hex4(&text[2..6]);
    if (0xD800..0xDC00).contains(&high) && text.len() >= 12 && text[6] == b'\\' && text[7] == b'u' {
        let low = hex4(&text[8..12]);
        if (0xDC00..0xE000).contains(&low) {
            let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            return (char::from_u32(code).map_or(Unit::Surrogate(high), Unit::Char), 12);
        }
    }
    (char::from_u32(high).map_or(Unit::Surrogate(high), Unit::Char), 6)
}

fn hex4(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0, |value, &digit| value * 16 + char::from(digit).to_digit(16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogates_pair_up_or_stay_alone() {
        let text = |raw: &'static str| Text { raw: raw.as_bytes(), escaped: true };
        assert_eq!(text("\\ud83d\\ude00!").to_str(), "😀!");
        assert_eq!(text("a\\udce9").to_str(), "a\u{FFFD}");
        assert_eq!(text("a\\udce9").to_wtf8().as_ref(), b"a\xED\xB3\xA9");
        assert_eq!(text("\\ud83d\\n").to_str(), "\u{FFFD}\n");
    }
}
