//! From words to a tree: OR above AND above NOT above a condition.

use super::error::{QueryError, QueryFault};
use super::evaluate;
use super::field::Field;
use super::filter::{Comparison, Count, Filter, Like};
use super::lexer::{Token, Word, tokens};
use super::literal::Literal;
use super::names::resolve;
use super::words::keyword_of;
use super::{DEPTH_LIMIT, TEXT_LIMIT};

/// Reads a query word by word.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    known: &'a [&'a str],
    pub(super) tokens: Vec<Token>,
    pub(super) next: usize,
    depth: usize,
    count: Count,
}

pub(super) type Result<T> = std::result::Result<T, QueryError>;

impl<'a> Parser<'a> {
    /// `known`: names in the payload that a reader may have meant.
    pub fn new(text: &'a str, known: &'a [&'a str]) -> Result<Self> {
        if text.len() > TEXT_LIMIT {
            let size = text.len();
            let message = format!("it is {size} bytes, the limit is {TEXT_LIMIT}");
            return Err(QueryError::new(QueryFault::TooLong, message));
        }
        let (tokens, count) = (tokens(text)?, Count::default());
        Ok(Self { text, known, tokens, next: 0, depth: 0, count })
    }

    pub fn filter(&mut self) -> Result<Filter> {
        let filter = self.any()?;
        let whole = 0..self.text.trim_end().len();
        filter.check().map_err(|error| error.at(self.text, whole))?;
        Ok(filter)
    }

    fn any(&mut self) -> Result<Filter> {
        let mut filter = self.all()?;
        while self.took_keyword("OR") {
            filter = filter.or(self.all()?);
        }
        Ok(filter)
    }

    fn all(&mut self) -> Result<Filter> {
        let mut filter = self.term()?;
        while self.took_keyword("AND") {
            filter = filter.and(self.term()?);
        }
        Ok(filter)
    }

    fn term(&mut self) -> Result<Filter> {
        if self.depth == DEPTH_LIMIT {
            let message = format!("parentheses and NOT are nested deeper than {DEPTH_LIMIT}");
            return Err(self.error(QueryFault::TooDeep, message));
        }
        self.depth += 1;
        let filter = if self.took_keyword("NOT") {
            !self.term()?
        } else if self.took_sign("(") {
            let inner = self.any()?;
            self.sign(")")?;
            inner
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn condition(&mut self) -> Result<Filter> {
        self.count.terms += 1;
        self.count.check().map_err(|error| self.here(error))?;
        if let Some(value) = self.leading_value()? {
            let comparison = self.comparison()?;
            let field = self.field()?;
            return self.compare(field, comparison.mirrored(), value);
        }
        let field = self.field()?;
        if self.took_keyword("IS") {
            let negated = self.took_keyword("NOT");
            self.keyword("NULL")?;
            return Ok(negate(Filter::IsNull(field), negated));
        }
        let negated = self.took_keyword("NOT");
        if self.took_keyword("IN") {
            return Ok(negate(self.list(field)?, negated));
        }
        if self.took_keyword("BETWEEN") {
            let low = self.fitting_value(&field)?;
            self.keyword("AND")?;
            let high = self.fitting_value(&field)?;
            return Ok(negate(field.between(low, high), negated));
        }
        for (word, ignore_case) in [("LIKE", false), ("ILIKE", true)] {
            if self.took_keyword(word) {
                return Ok(negate(self.like(field, ignore_case)?, negated));
            }
        }
        if negated {
            return Err(self.expected("IN, BETWEEN, LIKE or ILIKE"));
        }
        for (sign, negated) in [("~", false), ("!~", true)] {
            if self.took_sign(sign) {
                return Ok(negate(self.expression(field)?, negated));
            }
        }
        let comparison = self.comparison()?;
        self.compare_with_next(field, comparison)
    }

    fn compare_with_next(&mut self, field: Field, comparison: Comparison) -> Result<Filter> {
        let value = self.fitting_value(&field)?;
        Ok(Filter::Compare(field, comparison, value))
    }

    fn compare(&self, field: Field, comparison: Comparison, value: Literal) -> Result<Filter> {
        let value = value.for_field(&field).map_err(|message| {
            let at = self.tokens[self.next - 1].at.clone();
            QueryError::new(QueryFault::Value, message).at(self.text, at)
        })?;
        Ok(Filter::Compare(field, comparison, value))
    }

    fn list(&mut self, field: Field) -> Result<Filter> {
        self.sign("(")?;
        let mut values = vec![self.fitting_value(&field)?];
        while self.took_sign(",") {
            values.push(self.fitting_value(&field)?);
        }
        if !self.took_sign(")") {
            return Err(self.expected("`,` or `)`"));
        }
        self.count.values += values.len();
        self.count.check().map_err(|error| self.here(error))?;
        Ok(Filter::In(field, values))
    }

    fn like(&mut self, field: Field, ignore_case: bool) -> Result<Filter> {
        let from = self.next;
        let pattern = self.pattern_text()?;
        let mut like = Like { pattern, escape: None, ignore_case };
        if self.took_keyword("ESCAPE") {
            let escape = self.pattern_text()?;
            let mut characters = escape.chars();
            like.escape = characters.next().filter(|_| characters.next().is_none());
            if like.escape.is_none() {
                self.next -= 1;
                return Err(self.expected("one character in quotes"));
            }
        }
        evaluate::check_like(&like).map_err(|error| self.error_at(from, error))?;
        Ok(Filter::Like(field, like))
    }

    fn expression(&mut self, field: Field) -> Result<Filter> {
        let from = self.next;
        let expression = self.pattern_text()?;
        evaluate::check_expression(&expression).map_err(|error| self.error_at(from, error))?;
        Ok(Filter::Matches(field, expression))
    }

    fn pattern_text(&mut self) -> Result<String> {
        match self.value()? {
            Literal::Text(pattern) => Ok(pattern),
            _ => {
                self.next -= 1;
                Err(self.expected("text in quotes"))
            }
        }
    }

    pub fn field(&mut self) -> Result<Field> {
        let Word::Name(parts) = &self.peek().word else {
            return Err(self.expected("a field, such as stage or payload.loss"));
        };
        if let Some(word) = keyword_of(parts).filter(|word| RESERVED.contains(&word.as_str())) {
            return Err(self.expected(&format!("a field before {word}")));
        }
        let field = resolve(parts, self.known).map_err(|error| self.here(error))?;
        self.next += 1;
        Ok(field)
    }

    fn comparison(&mut self) -> Result<Comparison> {
        let Word::Sign(sign) = self.peek().word else {
            return Err(self.expected("a comparison such as = or <"));
        };
        let comparison = match sign {
            "=" | "==" => Comparison::Equal,
            "!=" | "<>" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return Err(self.expected("a comparison such as = or <")),
        };
        self.next += 1;
        Ok(comparison)
    }

    /// A value that stands before a comparison: a number or text in single quotes.
    fn leading_value(&mut self) -> Result<Option<Literal>> {
        match self.peek().word {
            Word::Text(_) | Word::Number(_) | Word::Sign("-" | "+") => self.value().map(Some),
            _ => Ok(None),
        }
    }

    fn fitting_value(&mut self, field: &Field) -> Result<Literal> {
        let from = self.next;
        let value = self.value()?;
        value.for_field(field).map_err(|message| {
            let at = self.tokens[from].at.start..self.tokens[self.next - 1].at.end;
            QueryError::new(QueryFault::Value, message).at(self.text, at)
        })
    }
}

/// Words that are no names of fields.
const RESERVED: [&str; 14] = [
    "AND", "OR", "NOT", "IN", "IS", "LIKE", "ILIKE", "BETWEEN", "NULL", "TRUE", "FALSE", "ORDER",
    "LIMIT", "BY",
];

fn negate(filter: Filter, negated: bool) -> Filter {
    if negated { !filter } else { filter }
}
