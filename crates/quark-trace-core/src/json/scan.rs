//! A pull reader: one event at a time, no recursion, no copies.
//!
//! A general JSON crate cannot stand here: old files hold what RFC 8259 forbids, and a record must
//! be shown as it is. Depth costs one bit, so a hostile line cannot exhaust the stack.

use super::levels::Levels;
use super::text::Text;

/// Where and why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct Fault {
    /// Byte offset in the text.
    pub offset: usize,
    /// What was wrong there.
    pub reason: &'static str,
}

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number<'a> {
    /// An integer of any size.
    Integer(&'a str),
    /// A number with a fraction or an exponent.
    Float(&'a str),
    /// Python's bare `NaN`.
    NotANumber,
    /// Python's bare `Infinity`.
    Infinity,
    /// Python's bare `-Infinity`.
    NegativeInfinity,
}

/// One step through a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// The name of the member that follows.
    Key(Text<'a>),
    /// A string.
    String(Text<'a>),
    /// A number.
    Number(Number<'a>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrArrayEnd,
    KeyOrObjectEnd,
    CommaOrEnd,
    Done,
}

/// Reads one JSON value; after it only white space may follow.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
    expect: Expect,
    levels: Levels,
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte of `bytes`; a UTF-8 byte order mark is passed over.
    pub fn new(bytes: &'a [u8]) -> Self {
        let position = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Self { bytes, position, expect: Expect::Value, levels: Levels::default() }
    }

    /// Byte offset of what comes next.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many objects and arrays are open.
    pub fn depth(&self) -> usize {
        self.levels.depth
    }

    /// The next event, or `None` after the value.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<Event<'a>>, Fault> {
        self.skip_white_space();
        match self.expect {
            Expect::Value => self.value().map(Some),
            Expect::ValueOrArrayEnd => {
                if self.peek() == Some(b']') {
                    self.close().map(Some)
                } else {
                    self.value().map(Some)
                }
            }
            Expect::KeyOrObjectEnd => {
                if self.peek() == Some(b'}') {
                    self.close().map(Some)
                } else {
                    self.key().map(Some)
                }
            }
            Expect::CommaOrEnd => self.comma_or_end().map(Some),
            Expect::Done => {
                if self.position < self.bytes.len() {
                    return Err(self.fault("extra data after the value"));
                }
                Ok(None)
            }
        }
    }

    /// Passes over white space; the offset of what comes next.
    pub fn next_position(&mut self) -> usize {
        self.skip_white_space();
        self.position
    }

    /// Passes over one whole value (the next one) and returns its bytes.
    pub fn skip_value(&mut self) -> Result<&'a [u8], Fault> {
        self.skip_white_space();
        let start = self.position;
        let depth = self.levels.depth;
        loop {
            self.next_event()?;
            if self.levels.depth == depth {
                return Ok(&self.bytes[start..self.position]);
            }
        }
    }

    fn comma_or_end(&mut self) -> Result<Event<'a>, Fault> {
        match self.peek() {
            Some(b',') => {
                self.position += 1;
                self.skip_white_space();
                if self.levels.last() == Some(true) { self.key() } else { self.value() }
            }
            Some(b'}' | b']') => self.close(),
            Some(_) => Err(self.fault("expected a comma or the end of the object or array")),
            None => Err(self.fault("the text ends inside an object or array")),
        }
    }

    fn close(&mut self) -> Result<Event<'a>, Fault> {
        let object = self.peek() == Some(b'}');
        if self.levels.pop() != Some(object) {
            return Err(self.fault("mismatched bracket"));
        }
        self.position += 1;
        self.after_value();
        Ok(if object { Event::ObjectEnd } else { Event::ArrayEnd })
    }

    fn key(&mut self) -> Result<Event<'a>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault("expected a key in double quotes"));
        }
        let text = self.text()?;
        self.skip_white_space();
        if self.peek() != Some(b':') {
            return Err(self.fault("expected a colon after the key"));
        }
        self.position += 1;
        self.expect = Expect::Value;
        Ok(Event::Key(text))
    }

    fn value(&mut self) -> Result<Event<'a>, Fault> {
        let event = match self.peek() {
            Some(b'{') => return Ok(self.open(true)),
            Some(b'[') => return Ok(self.open(false)),
            Some(b'"') => Event::String(self.text()?),
            Some(b't') => self.word("true", Event::Bool(true))?,
            Some(b'f') => self.word("false", Event::Bool(false))?,
            Some(b'n') => self.word("null", Event::Null)?,
            Some(b'N') => self.word("NaN", Event::Number(Number::NotANumber))?,
            Some(b'I') => self.word("Infinity", Event::Number(Number::Infinity))?,
            Some(b'-' | b'0'..=b'9') => Event::Number(self.number()?),
            Some(_) => return Err(self.fault("expected a value")),
            None => return Err(self.fault("the text ends where a value was expected")),
        };
        self.after_value();
        Ok(event)
    }

    fn open(&mut self, object: bool) -> Event<'a> {
        self.position += 1;
        self.levels.push(object);
        if object {
            self.expect = Expect::KeyOrObjectEnd;
            Event::ObjectStart
        } else {
            self.expect = Expect::ValueOrArrayEnd;
            Event::ArrayStart
        }
    }

    fn after_value(&mut self) {
        self.expect = if self.levels.depth == 0 { Expect::Done } else { Expect::CommaOrEnd };
    }

    fn word(&mut self, word: &'static str, event: Event<'a>) -> Result<Event<'a>, Fault> {
        if !self.bytes[self.position..].starts_with(word.as_bytes()) {
            return Err(self.fault("expected a value"));
        }
        self.position += word.len();
        Ok(event)
    }

    fn number(&mut self) -> Result<Number<'a>, Fault> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
            if self.bytes[self.position..].starts_with(b"Infinity") {
                self.position += b"Infinity".len();
                return Ok(Number::NegativeInfinity);
            }
        }
        match self.peek() {
            Some(b'0') => self.position += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.fault("expected a digit")),
        }
        let mut float = false;
        if self.peek() == Some(b'.')
            && self.bytes.get(self.position + 1).is_some_and(u8::is_ascii_digit)
        {
            float = true;
            self.position += 1;
            self.digits();
        }
        float |= self.exponent();
        let text = std::str::from_utf8(&self.bytes[start..self.position]).unwrap_or_default();
        Ok(if float { Number::Float(text) } else { Number::Integer(text) })
    }

    fn exponent(&mut self) -> bool {
        if !matches!(self.peek(), Some(b'e' | b'E')) {
            return false;
        }
        let sign = matches!(self.bytes.get(self.position + 1), Some(b'+' | b'-'));
        let digit = self.position + 1 + usize::from(sign);
        if !self.bytes.get(digit).is_some_and(u8::is_ascii_digit) {
            return false;
        }
        self.position = digit;
        self.digits();
        true
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
    }

    fn text(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.position + 1;
        self.position = start;
        let mut escaped = false;
        loop {
            let rest = &self.bytes[self.position..];
            let Some(at) = special(rest) else {
                return Err(Fault { offset: start - 1, reason: "a string is not closed" });
            };
            self.position += at;
            match rest[at] {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.fault("a control character inside a string")),
            }
        }
        let raw = &self.bytes[start..self.position];
        if !raw.is_ascii()
            && let Err(error) = std::str::from_utf8(raw)
        {
            return Err(Fault { offset: start + error.valid_up_to(), reason: "invalid UTF-8" });
        }
        self.position += 1;
        Ok(Text { raw, escaped })
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.position + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.position + 2..self.position + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.fault("a \\u escape without four hex digits"));
                }
                self.position += 6;
            }
            _ => return Err(self.fault("an unknown escape")),
        }
        Ok(())
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn fault(&self, reason: &'static str) -> Fault {
        Fault { offset: self.position, reason }
    }
}

/// Where the first quote, backslash or control character is; eight bytes are looked at together.
fn special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    // A byte of the result has its high bit where the byte of `word` is below `limit`. Carries only
    // reach bytes behind the first such one.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = quote | backslash | below(word, 0x20);
        if found != 0 {
            return Some(8 * at + found.trailing_zeros() as usize / 8);
        }
    }
    let is_special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    rest.iter().position(is_special).map(|at| bytes.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_character_is_found_wherever_it_is() {
        for byte in 0..=255u8 {
            let is_special = byte == b'"' || byte == b'\\' || byte < 0x20;
            for at in 0..20 {
                for fill in [b'a', b' ', b'!', 0x7F, 0x80, 0xFF] {
                    let mut bytes = [fill; 20];
                    bytes[at] = byte;
                    assert_eq!(special(&bytes), is_special.then_some(at), "{byte} at {at}");
                    bytes[19] = b'"';
                    assert_eq!(special(&bytes), Some(if is_special { at } else { 19 }));
                }
            }
        }
        assert_eq!(special(b""), None);
    }

    fn events(text: &str) -> Result<usize, Fault> {
        let mut scanner = Scanner::new(text.as_bytes());
        let mut count = 0;
        while scanner.next_event()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn reads_what_python_reads() {
        for good in [
            "{}",
            "[]",
            "0",
            "-0",
            "1e5",
            "-1.5E-3",
            "NaN",
            "-Infinity",
            "[Infinity]",
            "\"\\ud800\"",
            " {\"a\" : [1, {\"b\": null}], \"a\": true} ",
            "18446744073709551617",
            "\u{feff}[]",
        ] {
            events(good).unwrap_or_else(|fault| panic!("{good}: {fault}"));
        }
    }

    #[test]
    fn refuses_what_python_refuses() {
        for bad in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "+1",
            "\"\\x\"",
            "\"\n\"",
            "tru",
            "nan",
            "[1 2]",
            "{\"a\" 1}",
            "]",
            "[}",
            "1 1",
            "\"abc",
            "\"\\u12\"",
            "--1",
            "-",
            "1e",
        ] {
            assert!(events(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(events(&deep), Ok(2_000_000));
    }
}
