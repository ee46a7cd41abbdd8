//! A pull reader: one event at a time, no recursion, no copies.
//!
//! A general JSON crate cannot stand here: old files hold what RFC 8259 forbids, and a record must
//! be shown as it is. Depth costs one bit, so a hostile line cannot exhaust the stack.

use super::event::{Event, Fault, Number};
use super::levels::Levels;
use super::special::special;
use super::text::Text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrArrayEnd,
    KeyOrObjectEnd,
    CommaOrEnd,
    Done,
}

/// What a step came upon. Its text is between `start` and `end` of the scanner: an event that holds
/// it is only made for who wants one, because copying events costs more than reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Key,
    String,
    Integer,
    Float,
    NotANumber,
    Infinity,
    NegativeInfinity,
    True,
    False,
    Null,
    /// There is nothing more.
    End,
}

/// Why a text is not JSON at the position of the scanner.
type Reason = &'static str;

/// Reads one JSON value; after it only white space may follow.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
    expect: Expect,
    levels: Levels,
    /// Where the text of the last token begins and ends, without quotes.
    start: usize,
    end: usize,
    /// Whether there is a backslash in it.
    escaped: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte of `bytes`; a UTF-8 byte order mark is passed over.
    pub fn new(bytes: &'a [u8]) -> Self {
        let position = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let (expect, levels) = (Expect::Value, Levels::default());
        Self { bytes, position, expect, levels, start: 0, end: 0, escaped: false }
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
    // An event that is returned by a call of its own is copied more than once.
    #[inline(always)]
    pub fn next_event(&mut self) -> Result<Option<Event<'a>>, Fault> {
        let token = self.step().map_err(|reason| self.fault(reason))?;
        let text = &self.bytes[self.start..self.end];
        let number = || std::str::from_utf8(text).unwrap_or_default();
        Ok(Some(match token {
            Token::End => return Ok(None),
            Token::ObjectStart => Event::ObjectStart,
            Token::ObjectEnd => Event::ObjectEnd,
            Token::ArrayStart => Event::ArrayStart,
            Token::ArrayEnd => Event::ArrayEnd,
            Token::Key => Event::Key(Text { raw: text, escaped: self.escaped }),
            Token::String => Event::String(Text { raw: text, escaped: self.escaped }),
            Token::Integer => Event::Number(Number::Integer(number())),
            Token::Float => Event::Number(Number::Float(number())),
            Token::NotANumber => Event::Number(Number::NotANumber),
            Token::Infinity => Event::Number(Number::Infinity),
            Token::NegativeInfinity => Event::Number(Number::NegativeInfinity),
            Token::True => Event::Bool(true),
            Token::False => Event::Bool(false),
            Token::Null => Event::Null,
        }))
    }

    /// Passes over white space; the offset of what comes next.
    pub fn next_position(&mut self) -> usize {
        self.skip_white_space();
        self.position
    }

    /// Passes over one whole value (the next one) and returns its bytes; a fault where the object or
    /// array ends, or nothing is left.
    pub fn skip_value(&mut self) -> Result<&'a [u8], Fault> {
        self.skip_white_space();
        let start = self.position;
        let depth = self.levels.depth;
        loop {
            let token = self.step().map_err(|reason| self.fault(reason))?;
            if token == Token::End || self.levels.depth < depth {
                return Err(self.fault("no value is left"));
            }
            if self.levels.depth == depth {
                return Ok(&self.bytes[start..self.position]);
            }
        }
    }

    fn step(&mut self) -> Result<Token, Reason> {
        self.skip_white_space();
        match (self.expect, self.peek()) {
            (Expect::CommaOrEnd, Some(b',')) => {
                self.position += 1;
                self.skip_white_space();
                if self.levels.last() == Some(true) { self.key() } else { self.value() }
            }
            (Expect::CommaOrEnd, Some(b'}' | b']'))
            | (Expect::ValueOrArrayEnd, Some(b']'))
            | (Expect::KeyOrObjectEnd, Some(b'}')) => self.close(),
            (Expect::CommaOrEnd, Some(_)) => {
                Err("expected a comma or the end of the object or array")
            }
            (Expect::CommaOrEnd, None) => Err("the text ends inside an object or array"),
            (Expect::Value | Expect::ValueOrArrayEnd, _) => self.value(),
            (Expect::KeyOrObjectEnd, _) => self.key(),
            (Expect::Done, None) => Ok(Token::End),
            (Expect::Done, Some(_)) => Err("extra data after the value"),
        }
    }

    #[inline]
    fn close(&mut self) -> Result<Token, Reason> {
        let object = self.peek() == Some(b'}');
        if self.levels.pop() != Some(object) {
            return Err("mismatched bracket");
        }
        self.position += 1;
        self.after_value();
        Ok(if object { Token::ObjectEnd } else { Token::ArrayEnd })
    }

    #[inline]
    fn key(&mut self) -> Result<Token, Reason> {
        if self.peek() != Some(b'"') {
            return Err("expected a key in double quotes");
        }
        self.text()?;
        self.skip_white_space();
        if self.peek() != Some(b':') {
            return Err("expected a colon after the key");
        }
        self.position += 1;
        self.expect = Expect::Value;
        Ok(Token::Key)
    }

    #[inline]
    fn value(&mut self) -> Result<Token, Reason> {
        let token = match self.peek() {
            Some(b'{') => return Ok(self.open(true)),
            Some(b'[') => return Ok(self.open(false)),
            Some(b'"') => {
                self.text()?;
                Token::String
            }
            Some(b't') => self.word("true", Token::True)?,
            Some(b'f') => self.word("false", Token::False)?,
            Some(b'n') => self.word("null", Token::Null)?,
            Some(b'N') => self.word("NaN", Token::NotANumber)?,
            Some(b'I') => self.word("Infinity", Token::Infinity)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => return Err("expected a value"),
            None => return Err("the text ends where a value was expected"),
        };
        self.after_value();
        Ok(token)
    }

    fn open(&mut self, object: bool) -> Token {
        self.position += 1;
        self.levels.push(object);
        if object {
            self.expect = Expect::KeyOrObjectEnd;
            Token::ObjectStart
        } else {
            self.expect = Expect::ValueOrArrayEnd;
            Token::ArrayStart
        }
    }

    fn after_value(&mut self) {
        self.expect = if self.levels.depth == 0 { Expect::Done } else { Expect::CommaOrEnd };
    }

    fn word(&mut self, word: &'static str, token: Token) -> Result<Token, Reason> {
        if !self.bytes[self.position..].starts_with(word.as_bytes()) {
            return Err("expected a value");
        }
        self.position += word.len();
        Ok(token)
    }

    #[inline]
    fn number(&mut self) -> Result<Token, Reason> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
            if self.bytes[self.position..].starts_with(b"Infinity") {
                self.position += b"Infinity".len();
                return Ok(Token::NegativeInfinity);
            }
        }
        match self.peek() {
            Some(b'0') => self.position += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err("expected a digit"),
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
        (self.start, self.end) = (start, self.position);
        Ok(if float { Token::Float } else { Token::Integer })
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

    #[inline]
    fn digits(&mut self) {
        let rest = &self.bytes[self.position..];
        self.position += rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    }

    #[inline]
    fn text(&mut self) -> Result<(), Reason> {
        let start = self.position + 1;
        self.position = start;
        self.escaped = false;
        let mut is_ascii = true;
        loop {
            let rest = &self.bytes[self.position..];
            let Some((at, ascii)) = special(rest) else {
                self.position = start - 1;
                return Err("a string is not closed");
            };
            self.position += at;
            is_ascii &= ascii;
            match rest[at] {
                b'"' => break,
                b'\\' => {
                    self.escaped = true;
                    self.escape()?;
                }
                _ => return Err("a control character inside a string"),
            }
        }
        (self.start, self.end) = (start, self.position);
        let raw = &self.bytes[start..self.position];
        if !is_ascii && let Err(error) = std::str::from_utf8(raw) {
            self.position = start + error.valid_up_to();
            return Err("invalid UTF-8");
        }
        self.position += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Reason> {
        match self.bytes.get(self.position + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.position + 2..self.position + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err("a \\u escape without four hex digits");
                }
                self.position += 6;
            }
            _ => return Err("an unknown escape"),
        }
        Ok(())
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    #[cold]
    fn fault(&self, reason: Reason) -> Fault {
        Fault { offset: self.position, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn where_no_value_is_left_none_is_passed_over() {
        for (text, events) in [("[1]", 2), ("{}", 1), ("1", 1), ("{\"a\": []}", 3)] {
            let mut scanner = Scanner::new(text.as_bytes());
            for _ in 0..events {
                scanner.next_event().unwrap();
            }
            assert_eq!(scanner.skip_value().unwrap_err().reason, "no value is left", "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(events(&deep), Ok(2_000_000));
    }
}
