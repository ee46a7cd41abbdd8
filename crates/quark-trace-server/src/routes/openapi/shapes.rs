//! Schemas of what is stored as it was sent, and of what more than one body holds.

use quark_trace::core::ids::NAME_LIMIT;
use quark_trace::core::sheet::{ContentField, json_schema};
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The id of an institution or a node.
pub fn id_of_holder() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(NAME_LIMIT))
        .pattern(Some(
            r"^[^./\\?#\s\u0000-\u001f\u007f-\u009f][^/\\?#\s\u0000-\u001f\u007f-\u009f]*$",
        ))
        .description(Some("1 to 200 bytes without spaces and slashes; it starts with no dot."))
        .examples([json!("klinik-a")])
        .build()
}

/// What people call something.
pub fn name_of_holder() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(NAME_LIMIT))
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
        .description(Some("What people call it, at most 200 bytes on one line."))
        .build()
}

/// New values of the fields of a fact sheet that may change.
pub fn content_fields() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::Ref::from_schema_name("SheetChanges").into()
}

/// Adds the schemas to the components of a document.
pub fn add(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    let mut sheet = json_schema();
    if let Some(members) = sheet.as_object_mut() {
        members.remove("$schema");
        members.remove("title");
    }
    // Old clients send an empty one and mean none.
    sheet["properties"]["institution_id"] = json!({
        "description": "Counts for nothing, but another one than that of the key is refused.",
        "type": ["string", "null"],
    });
    schemas["SheetChanges"] = changes(&sheet);
    schemas["NewFactSheet"] = sheet;
    schemas["FactSheet"] = fact_sheet();
    schemas["Record"] = json!({
        "description": "A record as it is stored. Old records may lack what new ones have.",
        "type": "object",
    });
    schemas["Records"] = json!({"type": "array", "items": {"$ref": "#/components/schemas/Record"}});
    schemas["NewRecord"] = new_record();
    schemas["Batch"] = json!({
        "description": "Records, one a line, at most 1,000. Blank lines are passed over.",
        "type": "string",
    });
    schemas["Appended"] = json!({"anyOf": [
        {"$ref": "#/components/schemas/Receipt"},
        {"$ref": "#/components/schemas/BatchReceipt"},
    ]});
    schemas["StageSchema"] = stage_schema();
    schemas["StreamEvent"] = stream_event();
    schemas["NewKey"]["oneOf"] = holders();
    schemas["Document"] = json!({"type": "object", "required": ["openapi", "info", "paths"]});
    schemas["Health"] = json!({
        "type": "object",
        "properties": {"status": {"type": "string", "enum": ["ok", "ready"]}},
        "required": ["status"],
    });
}

fn changes(sheet: &Value) -> Value {
    let fields = ContentField::ALL.map(ContentField::name);
    let properties: Map<String, Value> = fields
        .iter()
        .map(|name| ((*name).to_owned(), sheet["properties"][*name].clone()))
        .collect();
    json!({
        "description": "New values of content fields.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
    })
}

/// A version of a sheet. Sheets of old servers hold what they hold: content is not checked.
fn fact_sheet() -> Value {
    let mut properties = json!({
        "sheet_id": {"type": "string"},
        "project_id": {"type": "string"},
        "version": {"type": "integer", "minimum": 1},
        "created_at": {"type": "string"},
        "amended_at": {"type": ["string", "null"]},
        "amendment_log": {"type": "array", "items": {"type": "object"}},
    });
    for field in ContentField::ALL {
        properties[field.name()] = json!({});
    }
    properties["institution_id"] = json!({"type": "string"});
    let required =
        ["sheet_id", "project_id", "version", "created_at", "amended_at", "amendment_log"];
    json!({
        "description": "A version of a fact sheet as it is stored.",
        "type": "object",
        "properties": properties,
        "required": required,
    })
}

fn new_record() -> Value {
    json!({
        "description": "A record. More fields are kept as they are. No key stands twice.",
        "type": "object",
        "properties": {
            "record_id": {
                "description": "Unique in the project, at most 200 bytes.",
                "type": "string", "minLength": 1, "maxLength": NAME_LIMIT, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
            },
            "project_id": {"description": "The id of the project.", "type": "string"},
            "stage": {"description": "What part of the model's life it tells of.", "type": "string"},
            "timestamp": {"description": "When, as ISO 8601 with an offset.", "type": "string"},
            "payload": {"description": "What happened; at most 128 levels.", "type": "object"},
        },
        "required": ["record_id", "project_id", "stage", "timestamp"],
        "examples": [{
            "record_id": "0b9f7c1e-4a53-4f53-8a38-5d6a3ad4b0a1", "project_id": "demo",
            "stage": "client_round", "timestamp": "2026-01-02T03:04:05+00:00",
            "payload": {"round": 1, "loss": 0.21},
        }],
    })
}

/// Each event of a stream.
fn stream_event() -> Value {
    json!({
        "type": "object",
        "properties": {
            "event": {"type": "string", "enum": ["begin", "record"]},
            "id": {"description": "The index of the record's entry.", "type": "string"},
            "data": {
                "description": "The record, or the index with which the stream begins.",
                "type": "string",
            },
        },
        "required": ["event", "data"],
    })
}

/// What a key of each role names.
fn holders() -> Value {
    let absent = json!({"type": "null"});
    let role = |roles: &[&str]| json!({"type": "string", "enum": roles});
    json!([
        {
            "required": ["role", "node_id"],
            "properties": {"role": role(&["node"]), "node_id": {"type": "string"},
                           "institution_id": absent},
        },
        {
            "required": ["role"],
            "properties": {"role": role(&["auditor", "admin"]), "node_id": absent},
        },
        {
            "required": ["role"],
            "properties": {"role": role(&["operator"]), "node_id": absent,
                           "institution_id": absent},
        },
    ])
}

fn stage_schema() -> Value {
    json!({
        "description": "A JSON Schema (draft 2020-12) for payloads.",
        "type": "object",
        "properties": {
            "x-quark-mode": {
                "description": "What becomes of a record with faults: it is taken, noted, refused.",
                "type": "string", "enum": ["off", "warn", "strict"],
            },
        },
        "examples": [{"x-quark-mode": "warn", "properties": {"loss": {"type": "number"}}}],
    })
}
