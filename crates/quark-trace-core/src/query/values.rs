//! Values in a query: `'text'`, `-0.5`, `TRUE`, `now() - 7d`, `TIMESTAMP '2026-01-31'`.

use super::error::{QueryError, QueryFault};
use super::lexer::{Part, Word};
use super::literal::{Literal, Time, instant};
use super::names::resolve;
use super::number::Number;
use super::parser::{Parser, Result};
use super::words::keyword_of;

impl Parser<'_> {
    /// A value, and which it is.
    pub fn value(&mut self) -> Result<Literal> {
        let negative = self.took_sign("-");
        let signed = negative || self.took_sign("+");
        let value = match &self.peek().word {
            Word::Number(text) => Literal::Number(number(text, negative)),
            Word::Name(parts) => match keyword_of(parts).as_deref() {
                Some("NAN") => Literal::Number(f64::NAN.into()),
                Some("INF" | "INFINITY") => {
                    let infinity = if negative { f64::NEG_INFINITY } else { f64::INFINITY };
                    Literal::Number(infinity.into())
                }
                _ if signed => return Err(self.expected("a number behind the sign")),
                Some("NULL") => Literal::Null,
                Some("TRUE") => Literal::Bool(true),
                Some("FALSE") => Literal::Bool(false),
                Some("NOW") => return self.now(),
                Some("TIMESTAMP") => return self.timestamp(),
                _ => match parts.as_slice() {
                    [Part::Quoted(text)] => Literal::Text(text.clone()),
                    _ => return Err(self.unquoted(parts)),
                },
            },
            _ if signed => return Err(self.expected("a number behind the sign")),
            Word::Text(text) => Literal::Text(text.clone()),
            _ => return Err(self.expected("a value: 'text', a number, TRUE, FALSE or now()")),
        };
        self.next += 1;
        Ok(value)
    }

    /// `now() - 7d`
    fn now(&mut self) -> Result<Literal> {
        self.next += 1;
        self.sign("(")?;
        self.sign(")")?;
        let negative = self.took_sign("-");
        if !negative && !self.took_sign("+") {
            return Ok(Literal::Time(Time::Now(0)));
        }
        let mut offset_us: i64 = 0;
        let from = self.next;
        while let Word::Duration(part) = self.peek().word {
            offset_us = offset_us.saturating_add(part);
            self.next += 1;
        }
        if self.next == from {
            return Err(self.expected("a duration such as 7d or 1h 30m"));
        }
        Ok(Literal::Time(Time::Now(if negative { -offset_us } else { offset_us })))
    }

    /// `TIMESTAMP '2026-01-31'`
    fn timestamp(&mut self) -> Result<Literal> {
        self.next += 1;
        let Word::Text(text) = &self.peek().word else {
            return Err(self.expected("a time in quotes, such as '2026-01-31T12:00:00Z'"));
        };
        let time = instant(text)
            .map_err(|message| self.here(QueryError::new(QueryFault::Value, message)))?;
        self.next += 1;
        Ok(Literal::Time(time))
    }

    fn unquoted(&self, parts: &[Part]) -> QueryError {
        if resolve(parts, &[]).is_ok() {
            let message = "expected a value; a field cannot be compared with another field";
            return self.error(QueryFault::Syntax, message);
        }
        self.expected("a value (text stands in quotes)")
    }
}

fn number(text: &str, negative: bool) -> Number {
    let sign = if negative { "-" } else { "" };
    let text = format!("{sign}{text}");
    match text.contains(['.', 'e', 'E']) {
        false => Number::integer(&text),
        true => Number::Float(text.parse().unwrap_or(f64::NAN)),
    }
}
