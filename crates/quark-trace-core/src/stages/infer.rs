//! A draft of a schema from records: types, signs, and what is always there.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::instance::{non_finite, value};

/// How deep a draft looks into payloads, and how many fields of one object it tells apart.
const DEPTH: usize = 8;
const FIELDS: usize = 200;

/// Gathers what the payloads of a stage have in common.
///
/// ```
/// use quark_trace_core::stages::Draft;
/// let mut draft = Draft::default();
/// draft.take(br#"{"round": 1, "loss": 0.5}"#);
/// draft.take(br#"{"round": 2, "loss": {"$numberDouble": "NaN"}, "note": "diverged"}"#);
/// let schema = draft.schema("client_round");
/// assert_eq!(schema["properties"]["round"]["type"], "integer");
/// assert_eq!(schema["required"], serde_json::json!(["round", "loss"]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Draft {
    payloads: u64,
    unreadable: u64,
    shape: Shape,
}

#[derive(Debug, Clone, Default)]
struct Shape {
    seen: u64,
    types: BTreeSet<&'static str>,
    least: Option<f64>,
    greatest: Option<f64>,
    /// Members of objects, in the order of their first appearance, and how many objects there were.
    fields: Vec<(String, Self)>,
    objects: u64,
    items: Option<Box<Self>>,
}

impl Draft {
    /// Takes the payload (JSON text) of a record.
    pub fn take(&mut self, payload: &[u8]) {
        match value(payload) {
            Ok(value) => {
                self.payloads += 1;
                self.shape.take(&value, 0);
            }
            Err(_) => self.unreadable += 1,
        }
    }

    /// How many payloads were taken.
    pub fn payloads(&self) -> u64 {
        self.payloads
    }

    /// The draft, for a person to look over: types, `minimum` 0 where nothing was below it,
    /// and `required` where a field was in every record. What was seen is in the descriptions.
    pub fn schema(&self, stage: &str) -> Value {
        let mut schema = Map::new();
        schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".to_owned(), stage.into());
        let from = format!("Drafted from {} records; look it over.", self.payloads);
        schema.insert("description".to_owned(), from.into());
        schema.extend(self.shape.schema());
        Value::Object(schema)
    }
}

impl Shape {
    fn take(&mut self, value: &Value, depth: usize) {
        self.seen += 1;
        match value {
            Value::Null => self.note("null"),
            Value::Bool(_) => self.note("boolean"),
            Value::String(_) => self.note("string"),
            Value::Number(number) => {
                self.note(if number.is_f64() { "number" } else { "integer" });
                let number = number.as_f64().unwrap_or_default();
                self.least = Some(self.least.map_or(number, |least| least.min(number)));
                self.greatest = Some(self.greatest.map_or(number, |most| most.max(number)));
            }
            value if non_finite(value).is_some() => self.note("number"),
            Value::Array(items) => {
                self.note("array");
                if depth < DEPTH && !items.is_empty() {
                    let shape = self.items.get_or_insert_default();
                    items.iter().for_each(|item| shape.take(item, depth + 1));
                }
            }
            Value::Object(members) => {
                self.note("object");
                self.objects += 1;
                if depth < DEPTH {
                    members.iter().for_each(|(name, value)| self.field(name, value, depth));
                }
            }
        }
    }

    fn note(&mut self, name: &'static str) {
        self.types.insert(name);
    }

    fn field(&mut self, name: &str, value: &Value, depth: usize) {
        match self.fields.iter().position(|(known, _)| known == name) {
            Some(at) => self.fields[at].1.take(value, depth + 1),
            None if self.fields.len() < FIELDS => {
                let mut shape = Self::default();
                shape.take(value, depth + 1);
                self.fields.push((name.to_owned(), shape));
            }
            None => {}
        }
    }

    fn schema(&self) -> Map<String, Value> {
        let mut schema = Map::new();
        let mut types = self.types.clone();
        if types.contains("number") {
            types.remove("integer");
        }
        match types.iter().collect::<Vec<_>>().as_slice() {
            [] => {}
            [one] => drop(schema.insert("type".to_owned(), json!(one))),
            several => drop(schema.insert("type".to_owned(), json!(several))),
        }
        if let (Some(least), Some(greatest)) = (self.least, self.greatest) {
            let seen = format!("Seen from {} to {}", plain(least), plain(greatest));
            schema.insert("description".to_owned(), seen.into());
            if least >= 0.0 {
                schema.insert("minimum".to_owned(), 0.into());
            }
        }
        if !self.fields.is_empty() {
            let properties: Map<String, Value> = self
                .fields
                .iter()
                .map(|(name, shape)| (name.clone(), Value::Object(shape.schema())))
                .collect();
            schema.insert("properties".to_owned(), Value::Object(properties));
            let always: Vec<&str> = self
                .fields
                .iter()
                .filter(|(_, shape)| shape.seen == self.objects)
                .map(|(name, _)| name.as_str())
                .collect();
            if !always.is_empty() {
                schema.insert("required".to_owned(), always.into());
            }
        }
        if let Some(items) = &self.items {
            schema.insert("items".to_owned(), Value::Object(items.schema()));
        }
        schema
    }
}

fn plain(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}
