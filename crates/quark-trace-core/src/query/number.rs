//! Numbers compared as Python compares them: integers of any size and doubles, exactly.

use std::cmp::Ordering;
use std::fmt;

use crate::json::{Number as Token, write};

/// A number of a filter or of a record.
///
/// A token without fraction and exponent is an integer of any size; every other one is the nearest
/// double. `2**53 + 1` and `2.0**53` differ, as they do in Python.
#[derive(Debug, Clone)]
pub enum Number {
    /// An integer that fits.
    Integer(i64),
    /// An integer beyond that: an optional `-` and digits without leading zeros.
    Large(String),
    /// A double, finite or not.
    Float(f64),
}

impl Number {
    /// Reads a token of a record.
    pub fn of(token: Token<'_>) -> Self {
        match token {
            Token::Integer(text) => Self::integer(text),
            Token::Float(text) => Self::Float(text.parse().unwrap_or(f64::NAN)),
            Token::NotANumber => Self::Float(f64::NAN),
            Token::Infinity => Self::Float(f64::INFINITY),
            Token::NegativeInfinity => Self::Float(f64::NEG_INFINITY),
        }
    }

    /// Reads an optional `-` and digits.
    pub(super) fn integer(text: &str) -> Self {
        if let Ok(small) = text.parse() {
            return Self::Integer(small);
        }
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        Self::Large(format!("{sign}{}", digits.trim_start_matches('0')))
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Integer(value) => *value as f64,
            Self::Large(digits) => digits.parse().unwrap_or(f64::NAN),
            Self::Float(value) => *value,
        }
    }

    /// Whether it is NaN, which equals nothing and has no place in any order.
    pub fn is_nan(&self) -> bool {
        matches!(self, Self::Float(value) if value.is_nan())
    }

    /// The order of two numbers; `None` when one is NaN.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        use Number::{Float, Integer, Large};
        match (self, other) {
            (Integer(left), Integer(right)) => Some(left.cmp(right)),
            (Float(left), Float(right)) => left.partial_cmp(right),
            (Integer(left), Float(right)) => integer_with_float(*left, *right),
            (Float(left), Integer(right)) => {
                integer_with_float(*right, *left).map(Ordering::reverse)
            }
            (Large(left), Float(right)) => large_with_float(left, *right),
            (Float(left), Large(right)) => large_with_float(right, *left).map(Ordering::reverse),
            (Large(left), Large(right)) => Some(compare_digits(left, right)),
            (Large(left), Integer(_)) => Some(beyond(left)),
            (Integer(_), Large(right)) => Some(beyond(right).reverse()),
        }
    }
}

/// The side of every `i64` on which a large integer lies.
fn beyond(digits: &str) -> Ordering {
    if digits.starts_with('-') { Ordering::Less } else { Ordering::Greater }
}

fn integer_with_float(integer: i64, float: f64) -> Option<Ordering> {
    /// Both are powers of two, so that they are doubles.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= LIMIT {
        return Some(Ordering::Less);
    }
    if float < -LIMIT {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    // What is left of the fraction decides when the whole parts are equal.
    let fraction = whole.partial_cmp(&float)?;
    Some(integer.cmp(&(whole as i64)).then(fraction))
}

fn large_with_float(digits: &str, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.is_infinite() {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    // Beyond 2^53 doubles are whole; their digits are exact.
    let other = format!("{:.0}", float.trunc());
    Some(compare_digits(digits, &other))
}

/// Compares integers given as digits.
fn compare_digits(left: &str, right: &str) -> Ordering {
    let parts = |text: &str| (text.starts_with('-'), text.trim_start_matches('-').len());
    let ((left_negative, left_length), (right_negative, right_length)) =
        (parts(left), parts(right));
    match (left_negative, right_negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => left_length.cmp(&right_length).then_with(|| left.cmp(right)),
        (true, true) => right_length.cmp(&left_length).then_with(|| right.cmp(left)),
    }
}

/// The same number of the same kind: what a filter says, not whether two values are equal.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left == right,
            (Self::Large(left), Self::Large(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => {
                left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan()
            }
            _ => false,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(formatter),
            Self::Large(digits) => formatter.write_str(digits),
            Self::Float(value) if value.is_nan() => formatter.write_str("NaN"),
            Self::Float(value) if value.is_infinite() => {
                formatter.write_str(if *value > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Self::Float(value) => {
                let mut text = Vec::new();
                write::float(&mut text, *value);
                formatter.write_str(&String::from_utf8_lossy(&text))
            }
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_doubles_are_compared_exactly() {
        let large = |text: &str| Number::integer(text);
        let order: &[Number] = &[
            Number::Float(f64::NEG_INFINITY),
            Number::Float(-1e300),
            large("-18446744073709551617"),
            large("-18446744073709551616"),
            Number::Integer(i64::MIN),
            Number::Float(-1.5),
            Number::Integer(-1),
            Number::Float(-0.5),
            Number::Integer(0),
            Number::Float(5e-324),
            Number::Integer(1),
            Number::Float(9_007_199_254_740_992.0),
            Number::Integer(9_007_199_254_740_993),
            Number::Integer(i64::MAX),
            Number::Float(9_223_372_036_854_775_808.0),
            large("9223372036854775809"),
            Number::Float(18_446_744_073_709_551_616.0),
            large("18446744073709551617"),
            Number::Float(f64::INFINITY),
        ];
        for (at, left) in order.iter().enumerate() {
            for (other, right) in order.iter().enumerate() {
                assert_eq!(left.compare(right), Some(at.cmp(&other)), "{left} {right}");
            }
            assert_eq!(left.compare(&Number::Float(f64::NAN)), None);
            assert_eq!(Number::Float(f64::NAN).compare(left), None);
        }
        assert_eq!(Number::Float(-0.0).compare(&Number::Integer(0)), Some(Ordering::Equal));
        assert_eq!(
            large("18446744073709551616").compare(&Number::Float(18_446_744_073_709_551_616.0)),
            Some(Ordering::Equal)
        );
    }
}
