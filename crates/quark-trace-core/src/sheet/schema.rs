//! The table of fields as JSON Schema, so that editors can complete and check a sheet.

use serde_json::{Map, Value, json};

use super::field::{FIELDS, Field, Kind};
use crate::ids::NAME_LIMIT;

/// A JSON Schema (draft 2020-12) of the sheet that a person writes.
///
/// It says what [`FactSheet::from_yaml`](super::FactSheet::from_yaml) says, but for one thing that
/// a schema cannot count: the bytes of the project id.
///
/// ```
/// let schema = quark_trace_core::sheet::json_schema();
/// assert_eq!(schema["properties"]["bias"]["properties"]["severity"]["enum"][0], "low");
/// ```
pub fn json_schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), "Quark Trace fact sheet".into());
    schema.extend(object(FIELDS));
    Value::Object(schema)
}

fn object(fields: &[Field]) -> Map<String, Value> {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), required.into());
    schema
}

fn property(field: &Field) -> Value {
    let mut schema = Map::new();
    schema.insert("description".to_owned(), field.about.into());
    schema.extend(kind(field));
    if !field.example.is_empty() {
        let example = match field.kind {
            Kind::TextList => json!([field.example]),
            _ => json!(field.example),
        };
        schema.insert("examples".to_owned(), json!([example]));
    }
    Value::Object(schema)
}

fn kind(field: &Field) -> Map<String, Value> {
    const NOT_BLANK: &str = r"\S";
    let schema = match field.kind {
        Kind::Text if field.required => json!({"type": "string", "pattern": NOT_BLANK}),
        Kind::Text if field.name == "institution_id" => {
            json!({"type": ["string", "null"], "pattern": NOT_BLANK})
        }
        Kind::Text => json!({"type": ["string", "null"]}),
        Kind::ProjectId => json!({
            "type": "string",
            "pattern": r"^(?!\.)(?=.*\S)[^/\\\u0000-\u001f\u007f-\u009f]+$",
            "maxLength": NAME_LIMIT,
        }),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::TextList => json!({
            "type": "array",
            "items": {"type": "string", "pattern": NOT_BLANK},
        }),
        Kind::Object(fields) => return object(fields),
        Kind::ObjectList(fields) => json!({"type": "array", "items": object(fields)}),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}
