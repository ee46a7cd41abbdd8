//! Going through the words of a query, and saying which one was expected.

use super::error::{QueryError, QueryFault};
use super::lexer::{Part, Token, Word};
use super::parser::{Parser, Result};
use crate::suggest::nearest;
use crate::visible::{shortened, visible};

impl Parser<'_> {
    pub fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    pub fn is_keyword(&self, keyword: &str) -> bool {
        matches!(&self.peek().word, Word::Name(parts) if keyword_of(parts).as_deref() == Some(keyword))
    }

    pub fn took_keyword(&mut self, keyword: &str) -> bool {
        let there = self.is_keyword(keyword);
        self.next += usize::from(there);
        there
    }

    pub fn keyword(&mut self, keyword: &str) -> Result<()> {
        if self.took_keyword(keyword) { Ok(()) } else { Err(self.expected(keyword)) }
    }

    pub fn took_sign(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek().word, Word::Sign(found) if found == sign);
        self.next += usize::from(there);
        there
    }

    pub fn sign(&mut self, sign: &str) -> Result<()> {
        if self.took_sign(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    /// A whole number that is not negative.
    pub fn whole_number(&mut self) -> Result<u64> {
        let number = match &self.peek().word {
            Word::Number(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.expected("a whole number"))?;
        self.next += 1;
        Ok(number)
    }

    pub fn is_at_end(&self) -> bool {
        self.peek().word == Word::End
    }

    /// Nothing may be left.
    pub fn end(&mut self) -> Result<()> {
        if self.peek().word == Word::End {
            Ok(())
        } else {
            Err(self.expected("AND, OR or the end"))
        }
    }

    pub fn expected(&self, what: &str) -> QueryError {
        let token = self.peek();
        let found = match &token.word {
            Word::End => "the end".to_owned(),
            _ => format!("`{}`", visible(&shortened(&self.text[token.at.clone()], 40))),
        };
        let meant = match &token.word {
            Word::Name(parts) => keyword_of(parts)
                .and_then(|word| nearest(&word, KEYWORDS).filter(|known| *known != word)),
            _ => None,
        };
        let meant = meant.map(|word| format!("; did you mean {word}?")).unwrap_or_default();
        self.error(QueryFault::Syntax, format!("expected {what}, found {found}{meant}"))
    }

    pub fn error(&self, fault: QueryFault, message: impl Into<String>) -> QueryError {
        self.here(QueryError::new(fault, message))
    }

    pub fn here(&self, error: QueryError) -> QueryError {
        error.at(self.text, self.peek().at.clone())
    }

    pub fn error_at(&self, token: usize, error: QueryError) -> QueryError {
        error.at(self.text, self.tokens[token].at.clone())
    }
}

const KEYWORDS: [&str; 12] = [
    "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "BETWEEN", "ORDER", "LIMIT", "ESCAPE",
];

/// The word in upper case, if it is one word without quotes.
pub(super) fn keyword_of(parts: &[Part]) -> Option<String> {
    match parts {
        [Part::Plain(word)] => Some(word.to_ascii_uppercase()),
        _ => None,
    }
}
