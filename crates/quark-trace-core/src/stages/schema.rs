//! One schema: read, checked, compiled, and what it says of a payload.

use std::error::Error;

use jsonschema::{
    Draft, Keyword, PatternOptions, Retrieve, Uri, ValidationError, Validator, paths::Location,
};
use serde_json::{Map, Value};

use super::document::{MODE, VOCABULARY_KEY, one_line};
use super::fault::Fault;
use super::instance::{self, Unreadable, non_finite};
use super::mode::Mode;
use super::{bounds, explain, vocabulary};
use crate::payload::PayloadError;
use crate::visible::{shortened, visible};

/// Largest schema, in bytes of its text.
pub const SCHEMA_LIMIT: usize = 256 * 1024;
/// Largest payload that is checked, in bytes: what is larger breaks every schema.
pub const CHECKED_LIMIT: usize = 1024 * 1024;
/// Largest payload whose faults are told one by one.
const EXPLAINED_LIMIT: usize = 64 * 1024;
/// Largest program of a pattern, in bytes. Patterns run in time linear in it and in the text.
const PATTERN_LIMIT: usize = 32 * 1024;

/// Why a schema was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaFault {
    /// The text is no JSON object.
    #[error("the schema cannot be read: {}", .0.to_string().replace("the payload", "it"))]
    Json(PayloadError),
    /// The text is too large.
    #[error("the schema is {size} bytes, the limit is {SCHEMA_LIMIT}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// There is nothing to read.
    #[error("the schema is missing, or is not the one that its entry names")]
    Missing,
    /// It is no JSON Schema, or asks for what is not offered.
    #[error("the schema is not acceptable at {}: {reason}", shown(path))]
    Refused {
        /// JSON Pointer into the schema; empty for the whole.
        path: String,
        /// Why.
        reason: String,
    },
}

fn shown(path: &str) -> String {
    match path {
        "" => "its top".to_owned(),
        path => visible(&shortened(path, 200)).into_owned(),
    }
}

/// A JSON Schema of draft 2020-12 for the payloads of a stage.
///
/// Two keywords are ours: `x-quark-mode` (`off`, `warn`, `strict`; `warn` when left out) and, in the
/// schema of all stages, `x-quark-vocabulary` (1: stages of the vocabulary are checked with its
/// schemas). A float that JSON lacks, in its tagged form, counts as a number wherever `type` asks
/// for one, and breaks no range: a run that diverges is never refused for it. `format` is not checked.
#[derive(Debug)]
pub struct StageSchema {
    object: Vec<u8>,
    document: Value,
    mode: Mode,
    vocabulary: bool,
    validator: Validator,
}

impl StageSchema {
    /// Reads a schema from JSON text.
    ///
    /// ```
    /// use quark_trace_core::stages::StageSchema;
    /// let text = br#"{"properties": {"loss": {"type": "number", "minimum": 0}}, "required": ["loss"]}"#;
    /// let schema = StageSchema::read(text).unwrap();
    /// assert!(schema.faults(br#"{"loss": {"$numberDouble": "NaN"}}"#).is_empty());
    /// let faults = schema.faults(br#"{"loss": "low"}"#);
    /// assert_eq!(faults[0].to_string(), "/loss: expected a number, came text \"low\"");
    /// ```
    pub fn read(text: &[u8]) -> Result<Self, SchemaFault> {
        Self::of(one_line(text, None)?)
    }

    /// As [`StageSchema::read`], with this mode whatever the text says of it.
    pub fn read_with_mode(text: &[u8], mode: Mode) -> Result<Self, SchemaFault> {
        Self::of(one_line(text, Some(mode))?)
    }

    fn of(object: Vec<u8>) -> Result<Self, SchemaFault> {
        let document: Value = serde_json::from_slice(&object)
            .map_err(|fault| bounds::refused("", fault.to_string()))?;
        let mode = match document.get(MODE) {
            None => Mode::default(),
            Some(word) => word
                .as_str()
                .unwrap_or_default()
                .parse()
                .map_err(|reason: String| bounds::refused("/x-quark-mode", reason))?,
        };
        let vocabulary = match document.get(VOCABULARY_KEY) {
            None => false,
            Some(version) if version.as_u64() == Some(1) => true,
            Some(_) => {
                let reason = "the vocabulary that this version knows is 1";
                return Err(bounds::refused("/x-quark-vocabulary", reason));
            }
        };
        bounds::check(&document)?;
        let validator = compile(&document)?;
        Ok(Self { object, document, mode, vocabulary, validator })
    }

    /// The line that the ledger keeps.
    pub fn object(&self) -> &[u8] {
        &self.object
    }

    /// The schema as JSON.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// What becomes of a record that breaks it.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether stages of the vocabulary are checked with its schemas, too.
    pub fn uses_vocabulary(&self) -> bool {
        self.vocabulary
    }

    /// How a payload (JSON text) breaks it, at most [`super::MOST_FAULTS`]; empty when it fits.
    pub fn faults(&self, payload: &[u8]) -> Vec<Fault> {
        let whole =
            |expected: String, came: String| vec![Fault { path: String::new(), expected, came }];
        if payload.len() > CHECKED_LIMIT {
            let expected = format!("at most {CHECKED_LIMIT} bytes, because its stage has a schema");
            return whole(expected, format!("{} bytes", payload.len()));
        }
        let value = match instance::value(payload) {
            Ok(value) => value,
            Err(Unreadable::TooDeep) => {
                return whole("at most 128 levels".to_owned(), "more".to_owned());
            }
            Err(Unreadable::Json(fault)) => return whole("JSON".to_owned(), fault.to_string()),
        };
        if self.validator.is_valid(&value) {
            return Vec::new();
        }
        if payload.len() > EXPLAINED_LIMIT {
            let came = format!("{} bytes, too many to say where they differ", payload.len());
            return whole("what its schema says".to_owned(), came);
        }
        explain::faults(&value, self.validator.iter_errors(&value))
    }
}

fn compile(document: &Value) -> Result<Validator, SchemaFault> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_retriever(Vocabulary)
        .with_pattern_options(
            PatternOptions::regex().size_limit(PATTERN_LIMIT).dfa_size_limit(1024 * 1024),
        )
        .should_validate_formats(false)
        .with_keyword("type", type_keyword)
        .build(document)
        .map_err(|error| {
            let reason = visible(&shortened(&error.to_string(), 300)).into_owned();
            bounds::refused(error.instance_path().as_str(), reason)
        })
}

/// The schemas of the vocabulary, by their ids; there is nothing else to be had.
struct Vocabulary;

impl Retrieve for Vocabulary {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        match vocabulary::by_id(uri.as_str()) {
            Some(known) => Ok(known.document().clone()),
            None => Err("it is no schema of the vocabulary".into()),
        }
    }
}

/// `type`, for which a float that JSON lacks is a number.
struct Types(Vec<&'static str>);

fn type_keyword<'a>(
    _: &'a Map<String, Value>,
    asked: &'a Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    const NAMES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let words = match asked {
        Value::Array(words) => words.as_slice(),
        word => std::slice::from_ref(word),
    };
    let known = |word: &Value| NAMES.into_iter().find(|name| word.as_str() == Some(name));
    let types: Option<Vec<_>> = words.iter().map(known).collect();
    let types = types.ok_or_else(|| ValidationError::schema("it names no type of JSON"))?;
    Ok(Box::new(Types(types)))
}

impl<'i> Keyword<'i> for Types {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            return Ok(());
        }
        let words: Vec<_> = self.0.iter().map(|name| in_words(name)).collect();
        Err(ValidationError::custom(words.join(" or ")))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.0.iter().any(|name| match (*name, instance) {
            ("null", Value::Null)
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("string", Value::String(_))
            | ("array", Value::Array(_))
            | ("object", Value::Object(_)) => true,
            ("integer", Value::Number(number)) => {
                number.is_u64()
                    || number.is_i64()
                    || number.as_f64().is_some_and(|value| value.fract() == 0.0)
            }
            ("number", value) => non_finite(value).is_some(),
            _ => false,
        })
    }
}

fn in_words(name: &str) -> &'static str {
    match name {
        "null" => "null",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        _ => "an object",
    }
}
