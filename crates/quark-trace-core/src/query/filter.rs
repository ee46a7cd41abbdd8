//! A filter as a tree: what the parser makes, what the builder makes, what a store may push down.

use std::fmt;
use std::ops::Not;

use super::error::{QueryError, QueryFault};
use super::field::Field;
use super::literal::{Literal, Time, quoted};
use super::{DEPTH_LIMIT, TERM_LIMIT, VALUE_LIMIT, evaluate};
use crate::time::SPAN_US;

/// A condition on a record: TRUE, FALSE or NULL. Only TRUE selects.
///
/// [`Filter::parse`], the methods of [`Field`] and those here make trees in which no AND stands
/// directly in an AND and no OR in an OR; such a tree is shown as text that parses to it again.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them, two at least.
    And(Vec<Filter>),
    /// Any of them, two at least.
    Or(Vec<Filter>),
    /// TRUE for FALSE, FALSE for TRUE, NULL for NULL. NOT IN, NOT LIKE, `!~` and IS NOT NULL are
    /// this, too.
    Not(Box<Filter>),
    /// `field < value`
    Compare(Field, Comparison, Literal),
    /// `field IN (values)`: equal to any of them.
    In(Field, Vec<Literal>),
    /// `field LIKE pattern`
    Like(Field, Like),
    /// `field ~ expression`: the regular expression (syntax of the crate `regex`) is found in it.
    Matches(Field, String),
    /// `field IS NULL`: it is missing, or null. Never NULL itself.
    IsNull(Field),
}

/// How a field is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A pattern: `%` stands for any characters, `_` for one, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Like {
    /// The pattern as it was written.
    pub pattern: String,
    /// The character behind which `%`, `_` and itself stand for themselves.
    pub escape: Option<char>,
    /// Whether upper and lower case are alike (ILIKE): characters are compared in lower case, where
    /// that is one character.
    pub ignore_case: bool,
}

impl Comparison {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The comparison with its sides changed.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

impl Filter {
    /// `field comparison value`, the value as the field has it: text that is compared with
    /// `timestamp` is an instant.
    pub fn compare(field: Field, comparison: Comparison, value: impl Into<Literal>) -> Self {
        let value = fitted(&field, value.into());
        Self::Compare(field, comparison, value)
    }

    /// `field IN (values)`
    pub fn is_in(field: Field, values: Vec<Literal>) -> Self {
        let values = values.into_iter().map(|value| fitted(&field, value)).collect();
        Self::In(field, values)
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut all = match self {
            Self::And(all) => all,
            one => vec![one],
        };
        match other {
            Self::And(more) => all.extend(more),
            one => all.push(one),
        }
        Self::And(all)
    }

    /// Either or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut any = match self {
            Self::Or(any) => any,
            one => vec![one],
        };
        match other {
            Self::Or(more) => any.extend(more),
            one => any.push(one),
        }
        Self::Or(any)
    }

    /// Refuses what no parser would have made: too many or too deep conditions, values that the
    /// field cannot have, patterns that are none.
    pub fn check(&self) -> Result<(), QueryError> {
        let mut count = Count::default();
        self.count(0, &mut count)?;
        self.leaves(&mut |leaf| match leaf {
            Self::Compare(field, _, value) => check_value(field, value),
            Self::In(field, values) => {
                values.iter().try_for_each(|value| check_value(field, value))
            }
            Self::Like(_, like) => evaluate::check_like(like),
            Self::Matches(_, expression) => evaluate::check_expression(expression),
            _ => Ok(()),
        })
    }

    fn count(&self, depth: usize, count: &mut Count) -> Result<(), QueryError> {
        if depth > DEPTH_LIMIT {
            let message = format!("conditions are nested deeper than {DEPTH_LIMIT}");
            return Err(QueryError::new(QueryFault::TooDeep, message));
        }
        match self {
            Self::And(parts) | Self::Or(parts) => {
                return parts.iter().try_for_each(|part| part.count(depth + 1, count));
            }
            Self::Not(part) => return part.count(depth + 1, count),
            Self::In(_, values) => count.values += values.len(),
            _ => {}
        }
        count.terms += 1;
        count.check()
    }

    /// Visits every condition that holds no other.
    pub(super) fn leaves<'a, E>(
        &'a self,
        each: &mut impl FnMut(&'a Self) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().try_for_each(|part| part.leaves(each))
            }
            Self::Not(part) => part.leaves(each),
            leaf => each(leaf),
        }
    }

    /// The same filter with `now()` replaced by an instant, in microseconds since 1970 UTC.
    #[must_use]
    pub fn at(&self, now_us: i64) -> Self {
        let fixed = |value: &Literal| match value {
            Literal::Time(time) => {
                let span = (*SPAN_US.start(), *SPAN_US.end());
                Literal::Time(Time::At(time.resolve(now_us).clamp(span.0, span.1)))
            }
            other => other.clone(),
        };
        let all = |parts: &[Self]| parts.iter().map(|part| part.at(now_us)).collect();
        match self {
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(part) => !part.at(now_us),
            Self::Compare(field, comparison, value) => {
                Self::Compare(field.clone(), *comparison, fixed(value))
            }
            Self::In(field, values) => Self::In(field.clone(), values.iter().map(fixed).collect()),
            other => other.clone(),
        }
    }

    /// Every field that it asks about, in the order of the text, repetitions included.
    pub fn fields(&self) -> Vec<&Field> {
        let mut fields = Vec::new();
        let _ = self.leaves::<()>(&mut |leaf| {
            fields.extend(match leaf {
                Self::Compare(field, ..)
                | Self::In(field, _)
                | Self::Like(field, _)
                | Self::Matches(field, _)
                | Self::IsNull(field) => Some(field),
                _ => None,
            });
            Ok(())
        });
        fields
    }
}

/// How many conditions and values there are.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub terms: usize,
    pub values: usize,
}

impl Count {
    pub fn check(&self) -> Result<(), QueryError> {
        let message = match self {
            Self { terms, .. } if *terms > TERM_LIMIT => {
                format!("there are more than {TERM_LIMIT} conditions; use IN for many values")
            }
            Self { values, .. } if *values > VALUE_LIMIT => {
                format!("there are more than {VALUE_LIMIT} values; ask in several queries")
            }
            _ => return Ok(()),
        };
        Err(QueryError::new(QueryFault::TooMany, message))
    }
}

/// The value as the field has it, or as it was; [`Filter::check`] refuses it then.
fn fitted(field: &Field, value: Literal) -> Literal {
    value.clone().for_field(field).unwrap_or(value)
}

fn check_value(field: &Field, value: &Literal) -> Result<(), QueryError> {
    match value.clone().for_field(field) {
        Ok(fit) if fit == *value => Ok(()),
        Ok(_) => {
            let message = format!("{value} is not as `{field}` has it; use Filter::compare");
            Err(QueryError::new(QueryFault::Value, message))
        }
        Err(message) => Err(QueryError::new(QueryFault::Value, message)),
    }
}

impl Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(formatter, parts, " AND "),
            Self::Or(parts) => joined(formatter, parts, " OR "),
            Self::Not(part) => match part.as_ref() {
                Self::And(_) | Self::Or(_) => write!(formatter, "NOT ({part})"),
                Self::Not(_) | Self::Compare(..) => write!(formatter, "NOT {part}"),
                leaf => leaf.show(formatter, true),
            },
            leaf => leaf.show(formatter, false),
        }
    }
}

impl Filter {
    fn show(&self, formatter: &mut fmt::Formatter<'_>, negated: bool) -> fmt::Result {
        let not = if negated { "NOT " } else { "" };
        match self {
            Self::Compare(field, comparison, value) => {
                write!(formatter, "{field} {} {value}", comparison.as_str())
            }
            Self::In(field, values) => {
                write!(formatter, "{field} {not}IN (")?;
                for (at, value) in values.iter().enumerate() {
                    write!(formatter, "{}{value}", if at > 0 { ", " } else { "" })?;
                }
                formatter.write_str(")")
            }
            Self::Like(field, like) => {
                let word = if like.ignore_case { "ILIKE" } else { "LIKE" };
                write!(formatter, "{field} {not}{word} ")?;
                quoted(formatter, &like.pattern)?;
                match like.escape {
                    Some(escape) => {
                        formatter.write_str(" ESCAPE ")?;
                        quoted(formatter, &escape.to_string())
                    }
                    None => Ok(()),
                }
            }
            Self::Matches(field, expression) => {
                write!(formatter, "{field} {} ", if negated { "!~" } else { "~" })?;
                quoted(formatter, expression)
            }
            Self::IsNull(field) => write!(formatter, "{field} IS {not}NULL"),
            other => write!(formatter, "{other}"),
        }
    }
}

fn joined(formatter: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            formatter.write_str(word)?;
        }
        match part {
            Filter::And(_) | Filter::Or(_) => write!(formatter, "({part})")?,
            _ => write!(formatter, "{part}")?,
        }
    }
    Ok(())
}
