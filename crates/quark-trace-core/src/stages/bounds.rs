//! That checking a payload against a schema is finite work, decided before the schema is compiled.
//!
//! References may point into the same document and to schemas of the vocabulary, and never in a
//! circle, so that a schema unfolds to a tree. The tree's size is the factor between a payload's
//! size and the work on it, and is limited.

use std::collections::HashMap;

use serde_json::Value;

use super::schema::SchemaFault;
use super::vocabulary;

/// Subschemas that a schema may unfold to.
const SUBSCHEMAS: u64 = 2_000;
/// Alternatives (`anyOf`, `oneOf`) that it may unfold to: each keeps what is wrong with it.
const ALTERNATIVES: u64 = 200;
/// How deep it may unfold.
const DEPTH: usize = 128;

const ONE: &[&str] = &[
    "additionalProperties",
    "items",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "propertyNames",
    "contentSchema",
];
const LIST: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
const NAMED: &[&str] = &["properties", "patternProperties", "dependentSchemas", "$defs"];
/// Keywords that make it hard to say what a schema unfolds to, and what may stand in for them.
const REFUSED: &[(&str, &str)] = &[
    ("$dynamicRef", "use $ref"),
    ("$recursiveRef", "use $ref"),
    ("$dynamicAnchor", "refer to it by #/$defs/NAME"),
    ("$recursiveAnchor", "refer to it by #/$defs/NAME"),
    ("$anchor", "refer to it by #/$defs/NAME"),
    ("$vocabulary", "it belongs into a meta-schema"),
    ("unevaluatedProperties", "use additionalProperties"),
    ("unevaluatedItems", "use items"),
    ("definitions", "use $defs"),
];

/// A scheme in which an id could be another way to write one of the vocabulary.
const RESERVED: &str = "quark:";

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a subschema unfolds to.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    subschemas: u64,
    alternatives: u64,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.subschemas = self.subschemas.saturating_add(other.subschemas);
        self.alternatives = self.alternatives.saturating_add(other.alternatives);
    }
}

/// Refuses a schema that reaches outside, goes in circles or unfolds too far.
pub(super) fn check(root: &Value) -> Result<(), SchemaFault> {
    if let Some(draft) = root.get("$schema")
        && draft.as_str().map(|draft| draft.trim_end_matches('#')) != Some(DRAFT)
    {
        return Err(refused("/$schema", format!("only draft 2020-12 is read: {DRAFT}")));
    }
    if let Some(id) = root.get("$id").and_then(Value::as_str)
        && id.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
        && vocabulary::by_id(id).is_none()
    {
        return Err(refused("/$id", "ids that begin with quark: are those of the vocabulary"));
    }
    let mut walk = Walk { root, known: HashMap::new() };
    let size = walk.measure(root, "", 0)?;
    let too_much = |what, found: u64, limit| {
        let found = if found == u64::MAX { "far more".to_owned() } else { found.to_string() };
        Err(refused("", format!("it unfolds to {found} {what}, the limit is {limit}")))
    };
    if size.subschemas > SUBSCHEMAS {
        return too_much("subschemas", size.subschemas, SUBSCHEMAS);
    }
    if size.alternatives > ALTERNATIVES {
        return too_much("alternatives", size.alternatives, ALTERNATIVES);
    }
    Ok(())
}

pub(super) fn refused(path: &str, reason: impl Into<String>) -> SchemaFault {
    SchemaFault::Refused { path: path.to_owned(), reason: reason.into() }
}

struct Walk<'a> {
    root: &'a Value,
    /// What references lead to; `None` while it is being measured.
    known: HashMap<&'a str, Option<Size>>,
}

impl<'a> Walk<'a> {
    fn measure(
        &mut self,
        schema: &'a Value,
        path: &str,
        depth: usize,
    ) -> Result<Size, SchemaFault> {
        let mut size = Size { subschemas: 1, alternatives: 0 };
        let Some(keywords) = schema.as_object() else { return Ok(size) };
        if depth >= DEPTH {
            return Err(refused(path, format!("it unfolds deeper than {DEPTH} levels")));
        }
        for (keyword, value) in keywords {
            let at = format!("{path}/{}", escaped(keyword));
            if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| refused == keyword) {
                return Err(refused(&at, format!("{keyword} is not supported; {instead}")));
            }
            if matches!(keyword.as_str(), "$id" | "$schema") && !path.is_empty() {
                return Err(refused(&at, format!("{keyword} may stand at the top alone")));
            }
            if keyword == "$ref" {
                size.add(self.referred(value, &at, depth)?);
            } else if ONE.contains(&keyword.as_str()) {
                size.add(self.measure(value, &at, depth + 1)?);
            } else if LIST.contains(&keyword.as_str()) {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                if matches!(keyword.as_str(), "anyOf" | "oneOf") {
                    size.alternatives = size.alternatives.saturating_add(items.len() as u64);
                }
                for (place, item) in items.iter().enumerate() {
                    size.add(self.measure(item, &format!("{at}/{place}"), depth + 1)?);
                }
            } else if NAMED.contains(&keyword.as_str()) {
                for (name, item) in value.as_object().into_iter().flatten() {
                    let at = format!("{at}/{}", escaped(name));
                    size.add(self.measure(item, &at, depth + 1)?);
                }
            }
        }
        Ok(size)
    }

    fn referred(&mut self, value: &'a Value, at: &str, depth: usize) -> Result<Size, SchemaFault> {
        let Some(mut reference) = value.as_str() else {
            return Err(refused(at, "a $ref is text"));
        };
        // The validator decodes it, and would be led elsewhere than we are.
        if reference.contains('%') {
            return Err(refused(at, "a $ref has names as they are, without percent-encoding"));
        }
        if self.root.get("$id").and_then(Value::as_str) == Some(reference) {
            reference = "#";
        }
        match self.known.get(reference) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(refused(at, "it refers to itself in a circle")),
            None => {}
        }
        let target = match reference.strip_prefix('#') {
            Some(pointer) => self.root.pointer(pointer),
            None => vocabulary::by_id(reference).map(vocabulary::Builtin::document),
        };
        let Some(target) = target else {
            let message = "a $ref may lead to #/... in this document or to a schema of the \
                           vocabulary such as quark:stage/client_round/1, and that must be there";
            return Err(refused(at, message));
        };
        self.known.insert(reference, None);
        // The top of a schema of the vocabulary may name itself; a part of this one may not.
        let path = reference.strip_prefix('#').unwrap_or_default();
        let size = self.measure(target, path, depth + 1)?;
        self.known.insert(reference, Some(size));
        Ok(size)
    }
}

/// A name as a JSON Pointer has it.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
