//! What is wrong with a query, where, and what was probably meant.

use std::fmt;
use std::ops::Range;

use crate::visible::visible;

/// Why a query was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryFault {
    /// The text is longer than [`super::TEXT_LIMIT`].
    TooLong,
    /// Parentheses and NOT are nested deeper than [`super::DEPTH_LIMIT`].
    TooDeep,
    /// There are more conditions than [`super::TERM_LIMIT`] or values than [`super::VALUE_LIMIT`].
    TooMany,
    /// The text is not in the language.
    Syntax,
    /// A name that no record has.
    UnknownName,
    /// A value that the field cannot have, such as a time that is none.
    Value,
    /// A pattern that is not one, or is too large.
    Pattern,
}

/// A query that was refused.
///
/// It is shown with the place: the line of the query, and a caret under what is meant.
///
/// ```
/// use quark_trace_core::query::Filter;
/// let error = Filter::parse("stag = 'x'").unwrap_err();
/// assert_eq!(error.to_string(), "\
/// there is no field `stag`; did you mean `stage`?
///   stag = 'x'
///   ^^^^");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    fault: QueryFault,
    message: String,
    at: Option<Range<usize>>,
    /// The line that `at` is in, safe to show, and the columns of `at` in it.
    excerpt: Option<(String, Range<usize>)>,
}

impl QueryError {
    pub(super) fn new(fault: QueryFault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), at: None, excerpt: None }
    }

    /// Points at a place in the text of the query.
    pub(super) fn at(mut self, text: &str, at: Range<usize>) -> Self {
        if self.at.is_none() {
            self.excerpt = Some(excerpt(text, &at));
            self.at = Some(at);
        }
        self
    }

    /// What kind of mistake it is.
    pub fn fault(&self) -> QueryFault {
        self.fault
    }

    /// What is wrong and what to do, in one line, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes of the text that it is about; `None` for a query that was not text.
    pub fn at_bytes(&self) -> Option<Range<usize>> {
        self.at.clone()
    }
}

/// Most characters of a line that are shown on either side of the place.
const AROUND: usize = 50;

fn excerpt(text: &str, at: &Range<usize>) -> (String, Range<usize>) {
    let (start, end) = (at.start.min(text.len()), at.end.min(text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |found| found + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |found| start + found);
    let before = &text[line_start..start];
    let cut = before.char_indices().rev().nth(AROUND - 1).map_or(0, |(at, _)| at);
    let after = &text[start..line_end];
    let rest = after.char_indices().nth(AROUND).map_or(after.len(), |(at, _)| at);
    let mut line = if cut > 0 { "…".to_owned() } else { String::new() };
    line.push_str(&visible(&before[cut..]));
    let from = line.chars().count();
    let meant = end.clamp(start, start + rest);
    line.push_str(&visible(&text[start..meant]));
    let to = line.chars().count().max(from + 1);
    line.push_str(&visible(&text[meant..start + rest]));
    if rest < after.len() {
        line.push('…');
    }
    (line, from..to)
}

impl fmt::Display for QueryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if let Some((line, columns)) = &self.excerpt {
            let (blanks, carets) = (" ".repeat(columns.start), "^".repeat(columns.len()));
            write!(formatter, "\n  {line}\n  {blanks}{carets}")?;
        }
        Ok(())
    }
}

impl std::error::Error for QueryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place() {
        let shown = |text: &str, at: Range<usize>| {
            QueryError::new(QueryFault::Syntax, "no").at(text, at).to_string()
        };
        assert_eq!(shown("a = b", 4..5), "no\n  a = b\n      ^");
        assert_eq!(shown("a =", 3..3), "no\n  a =\n     ^");
        assert_eq!(shown("é = \u{1b}b\nc", 5..6), "no\n  é = \\u{1b}b\n      ^^^^^^");
        let long = format!("{}!{}", "x".repeat(500), "y".repeat(500));
        let line = shown(&long, 500..501);
        assert_eq!(line.lines().nth(1).unwrap().chars().count(), 2 + 1 + 50 + 50 + 1);
        assert_eq!(line.lines().nth(2).unwrap().find('^'), Some(2 + 51));
    }
}
