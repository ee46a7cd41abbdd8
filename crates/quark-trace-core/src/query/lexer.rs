//! The words of a query, each with its place in the text.

use std::ops::Range;

use super::error::{QueryError, QueryFault};
use super::literal::UNITS;

/// One word and its bytes in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub word: Word,
    pub at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A keyword, a name, or a path of names.
    Name(Vec<Part>),
    /// `'text'`
    Text(String),
    /// Digits, perhaps with a fraction and an exponent, without a sign.
    Number(String),
    /// `7d`, in microseconds.
    Duration(i64),
    /// Anything else: `(`, `<=`, `!~`.
    Sign(&'static str),
    /// Behind the last word.
    End,
}

/// One part of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// As it stands.
    Plain(String),
    /// In double quotes.
    Quoted(String),
    /// In backticks.
    Ticked(String),
    /// `[0]`
    Element(usize),
}

impl Part {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Quoted(text) | Self::Ticked(text) => Some(text),
            Self::Element(_) => None,
        }
    }
}

/// Longer signs before those that they begin with.
const SIGNS: [&str; 18] = [
    "<=", ">=", "<>", "!=", "==", "!~", "=", "<", ">", "~", "(", ")", ",", "-", "+", "*", ";", "/",
];

/// All words of `text`, and the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let end = token.word == Word::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token, QueryError> {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        let start = self.at;
        let word = match rest.chars().next() {
            None => Word::End,
            Some('\'') => Word::Text(self.quoted('\'')?),
            Some(first) if starts_name(first) || matches!(first, '"' | '`') => self.name()?,
            Some('0'..='9') => self.number()?,
            Some('.') if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                self.number()?
            }
            Some(other) => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Word::Sign(sign)
                }
                None => {
                    let at = start..start + other.len_utf8();
                    return Err(self.error("this character means nothing here", at));
                }
            },
        };
        Ok(Token { word, at: start..self.at })
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Text up to the closing quote; a doubled quote stands for itself.
    fn quoted(&mut self, quote: char) -> Result<String, QueryError> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        while let Some(end) = self.rest().find(quote) {
            text.push_str(&self.text[self.at..self.at + end]);
            self.at += end + 1;
            if !self.rest().starts_with(quote) {
                return Ok(text);
            }
            text.push(quote);
            self.at += 1;
        }
        let message = format!("this {quote} is not closed; a {quote} inside is written twice");
        Err(self.error(message, start..start + 1))
    }

    /// `a."b c".d[0]`
    fn name(&mut self) -> Result<Word, QueryError> {
        let mut parts = vec![self.part()?];
        loop {
            let rest = self.rest();
            if rest.starts_with('.') {
                self.at += 1;
                parts.push(self.part()?);
            } else if rest.starts_with('[') {
                parts.push(self.element()?);
            } else {
                return Ok(Word::Name(parts));
            }
        }
    }

    fn part(&mut self) -> Result<Part, QueryError> {
        match self.rest().chars().next() {
            Some('"') => self.quoted('"').map(Part::Quoted),
            Some('`') => self.quoted('`').map(Part::Ticked),
            Some(first) if continues_name(first) => {
                let rest = self.rest();
                let end = rest.find(|next| !continues_name(next)).unwrap_or(rest.len());
                let part = rest[..end].to_owned();
                self.at += end;
                Ok(Part::Plain(part))
            }
            _ => {
                let message = "a name is expected behind the dot; quote one that holds other \
                               characters: payload.\"my metric\"";
                Err(self.error(message, self.at..self.at + 1))
            }
        }
    }

    fn element(&mut self) -> Result<Part, QueryError> {
        let start = self.at;
        let inside = &self.rest()[1..];
        let digits = inside.find(|next: char| !next.is_ascii_digit()).unwrap_or(inside.len());
        let place = inside[..digits].parse().ok();
        match place.filter(|_| inside[digits..].starts_with(']')) {
            Some(place) => {
                self.at += digits + 2;
                Ok(Part::Element(place))
            }
            None => {
                let message = "an element of an array is its number in brackets, from 0: [0]";
                Err(self.error(message, start..start + 1))
            }
        }
    }

    fn number(&mut self) -> Result<Word, QueryError> {
        let start = self.at;
        self.digits();
        let whole = self.at;
        if self.rest().starts_with('.') {
            self.at += 1;
            self.digits();
        }
        self.exponent();
        if !self.rest().starts_with(continues_name) {
            return Ok(Word::Number(self.text[start..self.at].to_owned()));
        }
        if self.at != whole {
            let message = "a number or a duration of whole units is expected; write 1h 30m";
            return Err(self.error(message, start..self.at + 1));
        }
        self.at = start;
        self.duration()
    }

    /// `1h30m`
    fn duration(&mut self) -> Result<Word, QueryError> {
        let start = self.at;
        let mut total: i64 = 0;
        while self.rest().starts_with(|next: char| next.is_ascii_digit()) {
            let from = self.at;
            self.digits();
            let count = self.text[from..self.at].parse::<u64>().ok();
            let rest = self.rest();
            let end = rest.find(|next: char| !next.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = UNITS.into_iter().find(|(unit, _)| *unit == &rest[..end]);
            self.at += end;
            let Some((_, length)) = unit else {
                let message = "a number, or a duration in the units w, d, h, m, s, ms, us is \
                               expected";
                return Err(self.error(message, from..self.at.max(from + 1)));
            };
            let part = count.and_then(|count| count.checked_mul(length));
            let sum = part.and_then(|part| total.checked_add(part.try_into().ok()?));
            total = sum.ok_or_else(|| self.error("this duration is too long", start..self.at))?;
        }
        if self.rest().starts_with(continues_name) {
            return Err(self.error("a number or a duration is expected", start..self.at + 1));
        }
        Ok(Word::Duration(total))
    }

    fn digits(&mut self) {
        let rest = self.rest();
        self.at += rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
    }

    fn exponent(&mut self) {
        let rest = self.rest();
        let Some(behind) = rest.strip_prefix(['e', 'E']) else { return };
        let digits = behind.strip_prefix(['+', '-']).unwrap_or(behind);
        if digits.starts_with(|next: char| next.is_ascii_digit()) {
            self.at += rest.len() - digits.len();
            self.digits();
        }
    }

    fn error(&self, message: impl Into<String>, at: Range<usize>) -> QueryError {
        let end = (at.end..=self.text.len()).find(|end| self.text.is_char_boundary(*end));
        let at = at.start..end.unwrap_or(self.text.len());
        QueryError::new(QueryFault::Syntax, message).at(self.text, at)
    }
}

pub(super) fn starts_name(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

pub(super) fn continues_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        tokens(text).unwrap().into_iter().map(|token| token.word).collect()
    }

    #[test]
    fn words_are_told_apart() {
        let plain = |text: &str| Part::Plain(text.to_owned());
        assert_eq!(
            words("payload.\"a \"\"b\".`c`[2].2d<=1.5e-3"),
            [
                Word::Name(vec![
                    plain("payload"),
                    Part::Quoted("a \"b".to_owned()),
                    Part::Ticked("c".to_owned()),
                    Part::Element(2),
                    plain("2d"),
                ]),
                Word::Sign("<="),
                Word::Number("1.5e-3".to_owned()),
                Word::End
            ]
        );
        assert_eq!(words("'it''s'"), [Word::Text("it's".to_owned()), Word::End]);
        assert_eq!(
            words("1h30m 2s")[..2],
            [Word::Duration(5_400_000_000), Word::Duration(2_000_000)]
        );
        assert_eq!(words(".5")[0], Word::Number(".5".to_owned()));
        assert_eq!(words("")[..], [Word::End]);
    }

    #[test]
    fn faults_are_where_they_are() {
        for (text, at) in [
            ("a = 'b", 4..5),
            ("a.", 2..2),
            ("a. b", 2..3),
            ("a[x]", 1..2),
            ("a[99999999999999999999999]", 1..2),
            ("a = 7x", 4..6),
            ("a = 1.5h", 4..8),
            ("a = 99999999999w", 4..16),
            ("a = §", 4..6),
            ("a = 7dé", 4..8),
        ] {
            let error = tokens(text).unwrap_err();
            assert_eq!(error.at_bytes(), Some(at), "{text}: {error}");
        }
    }
}
