//! The filter language: what MLflow's users type, and what follows WHERE in SQL.
//!
//! ```
//! use quark_trace_core::query::{Asked, Matcher, Query};
//! let query = Query::parse(
//!     "stage = 'client_round' AND payload.loss < 0.3 ORDER BY timestamp DESC LIMIT 50",
//! )?;
//! let now_us = 0;
//! let mut matcher = Matcher::new(query.filter.as_ref().unwrap(), now_us)?;
//! let line = br#"{"record_id": "1", "project_id": "p", "stage": "client_round",
//!     "timestamp": "2026-01-02T03:04:05+00:00", "payload": {"loss": 0.21}}"#;
//! assert_eq!(matcher.ask(Some(7), line), Asked::Selected);
//! # Ok::<(), quark_trace_core::query::QueryError>(())
//! ```
//!
//! One evaluator, [`Matcher`], says what a filter means; a store may leave out what cannot match, in
//! its own way, and no more. The meaning is that of SQL: a value that is missing or null is NULL, a
//! comparison with NULL is NULL, and only TRUE selects. Types are strict: values of different types
//! are not equal, and which one is less is NULL. The language is in `docs/query.md`.
//!
//! | file | what it holds |
//! |---|---|
//! | `field`, `literal`, `filter`, `order` | the tree, built or parsed, and shown as text |
//! | `lexer`, `words`, `names`, `values`, `parser`, `error` | from text to the tree |
//! | `evaluate`, `among`, `paths`, `datum`, `like`, `number` | what the tree means for a record |

mod among;
mod datum;
mod error;
mod evaluate;
mod field;
mod filter;
mod lexer;
mod like;
mod literal;
mod names;
mod number;
mod order;
mod parser;
mod paths;
mod values;
mod words;

pub use datum::{Datum, SortKey};
pub use error::{QueryError, QueryFault};
pub use evaluate::{Asked, Condition, Matcher};
pub use field::{Field, Path, Step, field};
pub use filter::{Comparison, Filter, Like};
pub use literal::{Literal, Time};
pub use number::Number;
pub use order::{Order, Query};
pub use paths::{Reader, Values};

/// Longest text of a query, in bytes.
pub const TEXT_LIMIT: usize = 64 * 1024;

/// Deepest nesting of conditions.
pub const DEPTH_LIMIT: usize = 64;

/// Most conditions.
pub const TERM_LIMIT: usize = 1000;

/// Most values behind IN, all together.
pub const VALUE_LIMIT: usize = 10_000;

/// Longest LIKE pattern and regular expression, in bytes.
pub const PATTERN_LIMIT: usize = 1000;
