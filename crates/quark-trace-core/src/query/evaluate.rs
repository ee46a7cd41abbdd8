//! What a filter means for a record: TRUE, FALSE or NULL.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

use super::PATTERN_LIMIT;
use super::among::Among;
use super::datum::Datum;
use super::error::{QueryError, QueryFault};
use super::field::Field;
use super::filter::{Comparison, Filter, Like};
use super::like::Pattern;
use super::literal::Literal;
use super::number::Number;
use super::paths::{Reader, Values};

/// Memory that a regular expression may take when it is made, and as much again while it is used.
const EXPRESSION_SIZE: usize = 256 * 1024;

/// A filter, ready to be asked about many records.
#[derive(Debug, Clone)]
pub struct Matcher {
    reader: Reader,
    values: Values,
    condition: Condition,
}

/// What a filter says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// TRUE.
    Selected,
    /// FALSE or NULL.
    Other,
    /// The line is no record; nothing is said of it.
    Unreadable,
}

impl Matcher {
    /// Makes a filter ready. `now_us` is what `now()` means, in microseconds since 1970 UTC.
    pub fn new(filter: &Filter, now_us: i64) -> Result<Self, QueryError> {
        let mut reader = Reader::new();
        let condition = Condition::new(filter, now_us, &mut reader)?;
        Ok(Self { reader, values: Values::default(), condition })
    }

    /// What the filter says of a line. `index` is its place in the ledger, if it has one.
    pub fn ask(&mut self, index: Option<u64>, line: &[u8]) -> Asked {
        if self.reader.read(index, line, &mut self.values).is_err() {
            return Asked::Unreadable;
        }
        match self.condition.holds(&self.values, line) {
            Some(true) => Asked::Selected,
            _ => Asked::Other,
        }
    }
}

/// A filter over the values of a [`Reader`], which may read other fields for other purposes.
#[derive(Debug, Clone)]
pub struct Condition(Node);

impl Condition {
    /// Makes a filter ready; its fields are read from now on.
    pub fn new(filter: &Filter, now_us: i64, reader: &mut Reader) -> Result<Self, QueryError> {
        filter.check()?;
        node(filter, now_us, reader).map(Self)
    }

    /// TRUE, FALSE, or `None` for NULL.
    pub fn holds(&self, values: &Values, line: &[u8]) -> Option<bool> {
        self.0.holds(values, line)
    }
}

#[derive(Debug, Clone)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Test { slot: usize, written: bool, test: Test },
}

#[derive(Debug, Clone)]
enum Test {
    IsNull,
    Compare(Comparison, Value),
    /// Equal to any.
    In(Among),
    Like(Pattern),
    Matches(Regex),
}

#[derive(Debug, Clone)]
enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(Vec<u8>),
    Moment(i64),
}

fn node(filter: &Filter, now_us: i64, reader: &mut Reader) -> Result<Node, QueryError> {
    let mut all = |parts: &[Filter]| -> Result<Vec<Node>, QueryError> {
        parts.iter().map(|part| node(part, now_us, reader)).collect()
    };
    let (field, test) = match filter {
        Filter::And(parts) => return all(parts).map(Node::And),
        Filter::Or(parts) => return all(parts).map(Node::Or),
        Filter::Not(part) => return Ok(Node::Not(Box::new(node(part, now_us, reader)?))),
        Filter::Compare(field, comparison, literal) => {
            (field, Test::Compare(*comparison, value(literal, now_us)))
        }
        Filter::In(field, literals) => (field, is_in(literals, now_us)),
        Filter::Like(field, like) => (field, Test::Like(Pattern::new(like)?)),
        Filter::Matches(field, text) => (field, Test::Matches(expression(text)?)),
        Filter::IsNull(field) => (field, Test::IsNull),
    };
    let written = matches!(field, Field::Written(_));
    Ok(Node::Test { slot: reader.slot(field), written, test })
}

fn value(literal: &Literal, now_us: i64) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Number(number) => Value::Number(number.clone()),
        Literal::Text(text) => Value::Text(text.clone().into_bytes()),
        Literal::Time(time) => Value::Moment(time.resolve(now_us)),
    }
}

fn is_in(literals: &[Literal], now_us: i64) -> Test {
    let mut all = Among::default();
    for literal in literals {
        match value(literal, now_us) {
            Value::Null => all.null = true,
            Value::Bool(value) => all.bools.push(value),
            Value::Number(number) => all.numbers.push(number),
            Value::Text(text) => all.texts.push(text),
            Value::Moment(micros) => all.moments.push(micros),
        }
    }
    all.sort();
    Test::In(all)
}

/// Refuses a pattern that is none.
pub(super) fn check_like(like: &Like) -> Result<(), QueryError> {
    check_length(&like.pattern)?;
    Pattern::new(like).map(drop)
}

/// Refuses a regular expression that is none, or too large.
pub(super) fn check_expression(text: &str) -> Result<(), QueryError> {
    check_length(text)?;
    expression(text).map(drop)
}

fn check_length(pattern: &str) -> Result<(), QueryError> {
    if pattern.len() <= PATTERN_LIMIT {
        return Ok(());
    }
    let message = format!("the pattern is longer than {PATTERN_LIMIT} bytes");
    Err(QueryError::new(QueryFault::Pattern, message))
}

fn expression(text: &str) -> Result<Regex, QueryError> {
    let made = RegexBuilder::new(text)
        .size_limit(EXPRESSION_SIZE)
        .dfa_size_limit(EXPRESSION_SIZE)
        .nest_limit(32)
        .build();
    made.map_err(|error| {
        let reason = match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The crate draws the place over several lines; the last one says what is wrong.
            other => {
                let shown = other.to_string();
                let last = shown.lines().last().unwrap_or_default().trim();
                last.strip_prefix("error: ").unwrap_or(last).to_owned()
            }
        };
        let message = format!("this is no regular expression that can be used: {reason}");
        QueryError::new(QueryFault::Pattern, message)
    })
}

impl Node {
    fn holds(&self, values: &Values, line: &[u8]) -> Option<bool> {
        match self {
            Self::And(parts) => joined(parts, values, line, false),
            Self::Or(parts) => joined(parts, values, line, true),
            Self::Not(part) => part.holds(values, line).map(|holds| !holds),
            Self::Test { slot, written, test } => test.holds(&values.datum(*slot, line), *written),
        }
    }
}

/// `deciding` if any part is that, NULL if any is NULL, else the opposite.
fn joined(parts: &[Node], values: &Values, line: &[u8], deciding: bool) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part.holds(values, line) {
            Some(holds) if holds == deciding => return Some(deciding),
            Some(_) => {}
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(!deciding) }
}

impl Test {
    fn holds(&self, datum: &Datum<'_>, written: bool) -> Option<bool> {
        if *datum == Datum::Null {
            return matches!(self, Self::IsNull).then_some(true);
        }
        let text = || if written { datum.written() } else { datum.text() };
        match self {
            Self::IsNull => Some(false),
            Self::Compare(comparison, value) => compare(datum, written, *comparison, value),
            Self::In(all) => all.holds(datum, written),
            Self::Like(pattern) => text().map(|text| pattern.matches(&text)),
            Self::Matches(expression) => text().map(|text| expression.is_match(&readable(&text))),
        }
    }
}

/// Text for a regular expression: each lone surrogate is U+FFFD.
fn readable(text: &[u8]) -> std::borrow::Cow<'_, str> {
    let mut text = match std::str::from_utf8(text) {
        Ok(text) => return text.into(),
        Err(_) => text,
    };
    let mut out = String::with_capacity(text.len());
    while !text.is_empty() {
        let (valid, rest) = match std::str::from_utf8(text) {
            Ok(valid) => (valid, &[][..]),
            Err(error) => {
                let (valid, rest) = text.split_at(error.valid_up_to());
                out.push_str(std::str::from_utf8(valid).unwrap_or_default());
                ("\u{FFFD}", rest.get(3..).unwrap_or_default())
            }
        };
        out.push_str(valid);
        text = rest;
    }
    out.into()
}

fn compare(
    datum: &Datum<'_>,
    written: bool,
    comparison: Comparison,
    value: &Value,
) -> Option<bool> {
    let order = match value {
        Value::Null => return None,
        Value::Bool(value) => match datum {
            Datum::Bool(found) => Some(found.cmp(value)),
            _ => return different(comparison),
        },
        Value::Number(value) => match datum.number() {
            Some(found) => found.compare(value),
            None => return different(comparison),
        },
        Value::Text(value) => match if written { datum.written() } else { datum.text() } {
            Some(found) => Some(found.as_ref().cmp(value)),
            None => return different(comparison),
        },
        Value::Moment(value) => match datum {
            // A text that is no time is not another type, but nothing that could be compared.
            Datum::Text(_) => Some(datum.instant()?.cmp(value)),
            _ => return different(comparison),
        },
    };
    Some(says(comparison, order))
}

/// Values of two types are not equal, and none is less.
fn different(comparison: Comparison) -> Option<bool> {
    match comparison {
        Comparison::Equal => Some(false),
        Comparison::NotEqual => Some(true),
        _ => None,
    }
}

/// `order` is `None` for NaN, which is neither equal nor less nor greater.
fn says(comparison: Comparison, order: Option<Ordering>) -> bool {
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}
