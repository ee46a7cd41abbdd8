//! Stages: what the records of each are expected to hold, said as JSON Schema (draft 2020-12).
//!
//! A stage is free text and stays so. What a project wants to hold itself to is an entry of its
//! ledger (kind `schema`), in force for the records behind it, so that anybody can check a history
//! against the schemas of its time.
//!
//! | file | what it holds |
//! |---|---|
//! | `vocabulary`, `vocabulary/*.json` | the stages of a model's life, each with its schema |
//! | `schema`, `document` | one schema, checked and compiled; the line that the ledger keeps |
//! | `bounds` | that a schema is finite work: what it may refer to, how large it may grow |
//! | `instance`, `explain`, `fault` | a payload as the schema sees it; what is wrong with it, in words |
//! | `book` | the schemas in force at one place of a log |
//! | `review` | a history against the schemas of its time |
//! | `infer` | a draft of a schema from records |
//! | `coverage` | which stages of the vocabulary a project has |

mod book;
mod bounds;
mod coverage;
mod document;
mod explain;
mod fault;
mod infer;
mod instance;
mod mode;
mod review;
mod schema;
mod vocabulary;

pub use book::{Check, InForce, SchemaBook, stage_attribute, stage_of};
pub use coverage::{Coverage, Present, Unknown};
pub use document::settings;
pub use fault::{Fault, MOST_FAULTS, Refusal};
pub use infer::Draft;
pub use mode::Mode;
pub use review::{Broken, Review};
pub use schema::{CHECKED_LIMIT, SCHEMA_LIMIT, SchemaFault, StageSchema};
pub use vocabulary::{Builtin, VOCABULARY, builtin, suggestion};

/// The stage whose `schema` entry is about every stage that has none of its own.
pub const ALL_STAGES: &str = "*";
