//! A value as a record has it, and its place in an order.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::number::Number;
use crate::json::{Number as Token, Text};
use crate::time::microseconds;

/// A value that was read from a record, nothing copied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Datum<'a> {
    /// Missing or null.
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number of the payload, as it is written there; a tagged one
    /// (`{"$numberDouble": "NaN"}`) is a number, too.
    Number(Token<'a>),
    /// The place of the record in the ledger.
    Index(u64),
    /// Text.
    Text(Text<'a>),
    /// An object or array, as it is written.
    Nested(&'a [u8]),
}

impl<'a> Datum<'a> {
    /// The number, if it is one.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Number(token) => Some(Number::of(*token)),
            Self::Index(index) => {
                let small = i64::try_from(*index).ok().map(Number::Integer);
                Some(small.unwrap_or_else(|| Number::Large(index.to_string())))
            }
            _ => None,
        }
    }

    /// The text, if it is some, lone surrogates as three bytes.
    pub fn text(&self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Text(text) => Some(text.to_wtf8()),
            _ => None,
        }
    }

    /// The text, or for a number or boolean what it is written as: a number as in the record, others
    /// as Python's `str` has them.
    pub fn written(&self) -> Option<Cow<'a, [u8]>> {
        let word: &'static str = match self {
            Self::Text(text) => return Some(text.to_wtf8()),
            Self::Number(Token::Integer(text) | Token::Float(text)) => {
                return Some(Cow::Borrowed(text.as_bytes()));
            }
            Self::Number(Token::NotANumber) => "nan",
            Self::Number(Token::Infinity) => "inf",
            Self::Number(Token::NegativeInfinity) => "-inf",
            Self::Bool(true) => "True",
            Self::Bool(false) => "False",
            Self::Null | Self::Nested(_) | Self::Index(_) => return None,
        };
        Some(Cow::Borrowed(word.as_bytes()))
    }

    /// The instant in microseconds since 1970 UTC that a text is, if it is one.
    pub fn instant(&self) -> Option<i64> {
        match self {
            Self::Text(text) => microseconds(&text.to_str()),
            _ => None,
        }
    }

    /// Its place in an order.
    pub fn sort_key(&self) -> SortKey {
        match self {
            Self::Null => SortKey::Null,
            Self::Bool(value) => SortKey::Bool(*value),
            Self::Number(_) | Self::Index(_) => SortKey::Number(self.number().unwrap_or(0.into())),
            Self::Text(text) => SortKey::Text(text.to_wtf8().into_owned()),
            Self::Nested(_) => SortKey::Nested,
        }
    }
}

/// Where a value stands in an order: booleans, numbers, NaN, text by code points, objects and arrays
/// (all alike), and behind everything what is missing or null.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// FALSE before TRUE.
    Bool(bool),
    /// A number; an instant in microseconds.
    Number(Number),
    /// Text, lone surrogates as three bytes.
    Text(Vec<u8>),
    /// An object or array.
    Nested,
    /// Nothing.
    Null,
}

impl SortKey {
    fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Number(number) => 1 + u8::from(number.is_nan()),
            Self::Text(_) => 3,
            Self::Nested => 4,
            Self::Null => 5,
        }
    }

    /// The order of two places; what is missing stands behind everything also when `descending`.
    pub fn order(&self, other: &Self, descending: bool) -> Ordering {
        let order = match (self, other) {
            (Self::Null, _) | (_, Self::Null) => return self.rank().cmp(&other.rank()),
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Number(left), Self::Number(right)) if self.rank() == other.rank() => {
                left.compare(right).unwrap_or(Ordering::Equal)
            }
            _ => self.rank().cmp(&other.rank()),
        };
        if descending { order.reverse() } else { order }
    }
}
