//! What many calls have: parameters in the path, errors, keys.

use serde_json::{Map, Value, json};

/// Errors by status: name of the component, what it means, a header that comes along.
pub const ERRORS: [(&str, &str, &str); 13] = [
    (
        "400",
        "InvalidInput",
        "`invalid_input`: what was sent cannot be accepted; `detail` says why.",
    ),
    ("401", "Unauthenticated", "`unauthenticated`: a key is needed, or this one is not valid."),
    (
        "403",
        "Forbidden",
        "`forbidden`: the role of the key does not allow it, or a page of another \
                          site sent it.",
    ),
    ("404", "NotFound", "`not_found`: it does not exist, or belongs to another institution."),
    ("408", "RequestTimeout", "`request_timeout`: the body took too long."),
    ("413", "TooLarge", "`too_large`: the body or a record is larger than is taken."),
    (
        "415",
        "UnsupportedMediaType",
        "`unsupported_media_type`: the body is of another type, or \
                                     compressed.",
    ),
    ("421", "Misdirected", "`misdirected`: the server does not go by the name in `Host`."),
    ("429", "TooManyRequests", "`too_many_requests`: wait, then go on."),
    ("500", "Failed", "`integrity`: what is stored contradicts itself; or `internal`."),
    ("501", "Unsupported", "`unsupported`: the store of this server cannot do it."),
    ("503", "Unavailable", "`busy` or `unavailable`: try again."),
    ("507", "StorageFull", "`storage_full`: no space is left on the server."),
];

/// Whether an error comes with the time to wait.
fn is_to_wait(status: &str) -> bool {
    matches!(status, "429" | "503" | "507")
}

/// The content of every error.
pub fn problem() -> Value {
    json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}})
}

/// The headers of every answer.
pub fn headers() -> Value {
    json!({"X-Request-Id": {"$ref": "#/components/headers/RequestId"}})
}

/// What varies in paths: its name, its schema, an example, what it is.
fn path_parameters() -> [(&'static str, Value, &'static str, &'static str); 6] {
    let text = || json!({"type": "string", "minLength": 1});
    let number = json!({"type": "integer", "minimum": 1, "maximum": u64::MAX});
    [
        ("project", text(), "demo", "The id of a project, percent-encoded; it holds no slash."),
        ("record", text(), "0b9f7c1e-4a53-4f53-8a38-5d6a3ad4b0a1", "The id of a record."),
        ("version", number, "1", "A version of the fact sheet."),
        ("institution", text(), "klinik-a", "The id of an institution."),
        ("node", text(), "node-1", "The id of a node."),
        ("key", text(), "4f1c2a9b", "The public part of a key."),
    ]
}

/// Adds them to the components of a document.
pub fn add(document: &mut Value) {
    document["servers"] = json!([{"url": "/"}]);
    let components = &mut document["components"];
    components["securitySchemes"] = json!({
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key",
                "description": "A key as the registry gave it: `qt_…`."},
        "bearer": {"type": "http", "scheme": "bearer",
                   "description": "The same key as `Authorization: Bearer qt_…`."},
    });
    components["headers"] = json!({
        "RequestId": {
            "description": "The id of the request, which the server's log has too.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        },
        "RetryAfter": {
            "description": "How long to wait, in seconds.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Challenge": {
            "description": "How to send a key.",
            "required": true,
            "schema": {"type": "string", "const": "Bearer"},
        },
    });
    components["parameters"] = path_parameters()
        .into_iter()
        .map(|(name, schema, example, about)| {
            let example = match schema["type"].as_str() {
                Some("integer") => example.parse::<u64>().map_or(Value::Null, Value::from),
                _ => example.into(),
            };
            let parameter = json!({"name": name, "in": "path", "required": true,
                                   "description": about, "schema": schema, "example": example});
            (name.to_owned(), parameter)
        })
        .collect::<Map<String, Value>>()
        .into();
    components["responses"] = ERRORS
        .into_iter()
        .map(|(status, name, about)| (name.to_owned(), response(status, about)))
        .collect::<Map<String, Value>>()
        .into();
    components["responses"]["HeaderTooLarge"] = json!({
        "description": "The header of the request is larger than 16 KiB; there is no body.",
    });
}

fn response(status: &str, about: &str) -> Value {
    let mut response = json!({"description": about, "headers": headers(), "content": problem()});
    if is_to_wait(status) {
        response["headers"]["Retry-After"] = json!({"$ref": "#/components/headers/RetryAfter"});
    }
    if status == "401" {
        response["headers"]["WWW-Authenticate"] = json!({"$ref": "#/components/headers/Challenge"});
    }
    response
}
