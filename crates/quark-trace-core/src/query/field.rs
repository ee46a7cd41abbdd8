//! What a filter can ask about, and the first step of building one in Rust.

use std::fmt;

use super::error::QueryError;
use super::filter::{Comparison, Filter, Like};
use super::literal::Literal;
use super::names;

/// Something that a record has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `record_id`: text.
    RecordId,
    /// `project_id`: text.
    ProjectId,
    /// `stage`: text.
    Stage,
    /// `timestamp`: an instant where it is compared, text where it is matched with a pattern. One
    /// that is not ISO 8601 is NULL where an instant is asked for.
    Timestamp,
    /// `index`: the place of the record in the ledger; NULL for one that has no entry.
    Index,
    /// `payload.a.b[0]`: a value of any type in the payload.
    Payload(Path),
    /// `params.a`, `tags.a`: the same value, but as it is written where it is compared with text or
    /// matched with a pattern: a number as it stands in the record, a boolean as `True` or `False`.
    /// MLflow keeps parameters and tags as text.
    Written(Path),
}

/// The way to a value in the payload.
///
/// The first step is a key. Of keys that stand twice in an object the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A member of an object.
    Key(String),
    /// An element of an array, from 0.
    Element(usize),
}

impl Path {
    /// A member of the payload.
    pub fn member(name: impl Into<String>) -> Self {
        Self(vec![Step::Key(name.into())])
    }

    /// A member of what this leads to.
    #[must_use]
    pub fn key(mut self, name: impl Into<String>) -> Self {
        self.0.push(Step::Key(name.into()));
        self
    }

    /// An element of the array that this leads to, from 0.
    #[must_use]
    pub fn element(mut self, place: usize) -> Self {
        self.0.push(Step::Element(place));
        self
    }

    /// The steps, of which the first is a key.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

/// The field of a name as a filter has it.
///
/// ```
/// use quark_trace_core::query::{Field, Path, field};
/// assert_eq!(field("payload.a.b")?, Field::Payload(Path::member("a").key("b")));
/// let filter = field("payload.loss")?.lt(0.3).and(field("stage")?.is("client_round"));
/// assert_eq!(filter.to_string(), "payload.loss < 0.3 AND stage = 'client_round'");
/// # Ok::<(), quark_trace_core::query::QueryError>(())
/// ```
pub fn field(name: &str) -> Result<Field, QueryError> {
    names::parse(name)
}

impl Field {
    /// A member of the payload.
    pub fn payload(name: impl Into<String>) -> Self {
        Self::Payload(Path::member(name))
    }

    /// The path in the payload, if it is about the payload.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Payload(path) | Self::Written(path) => Some(path),
            _ => None,
        }
    }

    /// `field = value`
    pub fn is(self, value: impl Into<Literal>) -> Filter {
        Filter::compare(self, Comparison::Equal, value)
    }

    /// `field != value`
    pub fn is_not(self, value: impl Into<Literal>) -> Filter {
        Filter::compare(self, Comparison::NotEqual, value)
    }

    /// `field < value`
    pub fn lt(self, value: impl Into<Literal>) -> Filter {
        Filter::compare(self, Comparison::Less, value)
    }

    /// `field <= value`
    pub fn le(self, value: impl Into<Literal>) -> Filter {
        Filter::compare(self, Comparison::LessOrEqual, value)
    }

    /// `field > value`
    pub fn gt(self, value: impl Into<Literal>) -> Filter {
        Filter::compare(self, Comparison::Greater, value)
    }

    /// `field >= value`
    pub fn ge(self, value: impl Into<Literal>) -> Filter {
        Filter::compare(self, Comparison::GreaterOrEqual, value)
    }

    /// `field BETWEEN low AND high`, both included.
    pub fn between(self, low: impl Into<Literal>, high: impl Into<Literal>) -> Filter {
        self.clone().ge(low).and(self.le(high))
    }

    /// `field IN (values)`
    pub fn is_in<T: Into<Literal>>(self, values: impl IntoIterator<Item = T>) -> Filter {
        Filter::is_in(self, values.into_iter().map(Into::into).collect())
    }

    /// `field LIKE pattern`
    pub fn like(self, pattern: impl Into<String>) -> Filter {
        Filter::Like(self, Like { pattern: pattern.into(), escape: None, ignore_case: false })
    }

    /// `field ILIKE pattern`
    pub fn ilike(self, pattern: impl Into<String>) -> Filter {
        Filter::Like(self, Like { pattern: pattern.into(), escape: None, ignore_case: true })
    }

    /// `field ~ expression`
    pub fn matches(self, expression: impl Into<String>) -> Filter {
        Filter::Matches(self, expression.into())
    }

    /// `field IS NULL`
    pub fn is_null(self) -> Filter {
        Filter::IsNull(self)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordId => formatter.write_str("record_id"),
            Self::ProjectId => formatter.write_str("project_id"),
            Self::Stage => formatter.write_str("stage"),
            Self::Timestamp => formatter.write_str("timestamp"),
            Self::Index => formatter.write_str("index"),
            Self::Payload(path) => write!(formatter, "payload{path}"),
            // Behind `params.` everything is one name, dots included.
            Self::Written(path) if path.is_one_key() => write!(formatter, "params{path}"),
            Self::Written(path) => write!(formatter, "written{path}"),
        }
    }
}

impl Path {
    /// Whether nothing but elements of arrays stands behind the first key.
    fn is_one_key(&self) -> bool {
        self.0.iter().skip(1).all(|step| matches!(step, Step::Element(_)))
    }
}

/// `.a."b c"[0]`
impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Key(name) if names::is_plain(name) => write!(formatter, ".{name}")?,
                Step::Key(name) => write!(formatter, ".\"{}\"", name.replace('"', "\"\""))?,
                Step::Element(place) => write!(formatter, "[{place}]")?,
            }
        }
        Ok(())
    }
}
