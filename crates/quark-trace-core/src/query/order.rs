//! A whole query: a filter, an order, a limit.

use std::fmt;

use super::datum::{Datum, SortKey};
use super::error::QueryError;
use super::field::Field;
use super::filter::Filter;
use super::parser::{Parser, Result};

/// Which records, in which order, and how many.
///
/// ```
/// use quark_trace_core::query::Query;
/// let query = Query::parse("payload.loss < 0.3 ORDER BY payload.loss DESC, stage LIMIT 5")?;
/// assert_eq!(query.to_string(), "payload.loss < 0.3 ORDER BY payload.loss DESC, stage LIMIT 5");
/// assert!(Query::parse("")?.filter.is_none());
/// # Ok::<(), quark_trace_core::query::QueryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Which records; all when there is none.
    pub filter: Option<Filter>,
    /// By what they are ordered, the first being the most important; what is alike, and everything
    /// when this is empty, is in the order of the log.
    pub order: Vec<Order>,
    /// How many at most.
    pub limit: Option<u64>,
}

/// One field of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The field.
    pub field: Field,
    /// Whether the greatest comes first. What is missing comes last either way.
    pub descending: bool,
}

impl Query {
    /// Reads a query: `[filter] [ORDER BY field [DESC], ...] [LIMIT n]`.
    pub fn parse(text: &str) -> std::result::Result<Self, QueryError> {
        Self::parse_knowing(text, &[])
    }

    /// As [`Query::parse`]; `known` are names of members of the payload that a mistake may be a slip
    /// of, to be named in the error.
    pub fn parse_knowing(text: &str, known: &[&str]) -> std::result::Result<Self, QueryError> {
        let mut parser = Parser::new(text, known)?;
        let mut query = Self::default();
        let starts_with_filter =
            !parser.is_at_end() && !parser.is_keyword("ORDER") && !parser.is_keyword("LIMIT");
        if starts_with_filter {
            query.filter = Some(parser.filter()?);
        }
        if parser.took_keyword("ORDER") {
            parser.keyword("BY")?;
            query.order = orders(&mut parser)?;
        }
        if parser.took_keyword("LIMIT") {
            query.limit = Some(parser.whole_number()?);
        }
        let _ = parser.took_sign(";");
        parser.end()?;
        Ok(query)
    }
}

impl Filter {
    /// Reads a filter, without ORDER BY and LIMIT.
    pub fn parse(text: &str) -> std::result::Result<Self, QueryError> {
        Self::parse_knowing(text, &[])
    }

    /// As [`Filter::parse`], with names as in [`Query::parse_knowing`].
    pub fn parse_knowing(text: &str, known: &[&str]) -> std::result::Result<Self, QueryError> {
        let mut parser = Parser::new(text, known)?;
        let filter = parser.filter()?;
        parser.end()?;
        Ok(filter)
    }
}

impl Order {
    /// Ascending by a field.
    pub fn by(field: Field) -> Self {
        Self { field, descending: false }
    }

    /// The other way round.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// Reads what stands behind ORDER BY: `payload.loss DESC, stage`.
    pub fn parse_list(text: &str) -> std::result::Result<Vec<Self>, QueryError> {
        let mut parser = Parser::new(text, &[])?;
        let list = orders(&mut parser)?;
        parser.end()?;
        Ok(list)
    }

    /// The place of a value of this field in the order.
    pub fn key(&self, datum: &Datum<'_>) -> SortKey {
        match (&self.field, datum.instant()) {
            (Field::Timestamp, Some(micros)) => SortKey::Number(micros.into()),
            (Field::Timestamp, None) => SortKey::Null,
            _ => datum.sort_key(),
        }
    }
}

fn orders(parser: &mut Parser<'_>) -> Result<Vec<Order>> {
    let mut orders = Vec::new();
    loop {
        let field = parser.field()?;
        let descending = parser.took_keyword("DESC");
        if !descending {
            parser.took_keyword("ASC");
        }
        orders.push(Order { field, descending });
        if !parser.took_sign(",") {
            return Ok(orders);
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.filter.iter().map(Filter::to_string).collect();
        if !self.order.is_empty() {
            let order: Vec<_> = self.order.iter().map(Order::to_string).collect();
            parts.push(format!("ORDER BY {}", order.join(", ")));
        }
        parts.extend(self.limit.map(|limit| format!("LIMIT {limit}")));
        formatter.write_str(&parts.join(" "))
    }
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.field, if self.descending { " DESC" } else { "" })
    }
}
