//! Writing a sheet exactly as Python's `json.dump(sheet, file, indent=2)` does.

use serde_json::{Map, Value};

use crate::json::write;

/// `value` with an indent of two spaces, ASCII only, without a final newline.
pub(super) fn indented(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    any(&mut out, value, 0);
    out
}

fn any(out: &mut Vec<u8>, value: &Value, level: usize) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => write::float(out, float),
            None => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Value::String(text) => write::string(out, text),
        Value::Array(items) if items.is_empty() => out.extend_from_slice(b"[]"),
        Value::Array(items) => list(out, items, level),
        Value::Object(map) if map.is_empty() => out.extend_from_slice(b"{}"),
        Value::Object(map) => object(out, map, level),
    }
}

fn list(out: &mut Vec<u8>, items: &[Value], level: usize) {
    for (index, item) in items.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        line(out, level + 1);
        any(out, item, level + 1);
    }
    line(out, level);
    out.push(b']');
}

fn object(out: &mut Vec<u8>, map: &Map<String, Value>, level: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        line(out, level + 1);
        write::string(out, key);
        out.extend_from_slice(b": ");
        any(out, value, level + 1);
    }
    line(out, level);
    out.push(b'}');
}

fn line(out: &mut Vec<u8>, level: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * level, b' ');
}
