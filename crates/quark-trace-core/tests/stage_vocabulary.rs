//! The built-in schemas: every example fits, and every generated change to it that breaks what the
//! schema says is found, and named by its path.

use std::collections::BTreeSet;

use quark_trace_core::ledger::Digest;
use quark_trace_core::stages::{Builtin, Fault, StageSchema, VOCABULARY, builtin};
use serde_json::{Map, Value, json};

fn faults(stage: &Builtin, payload: &Value) -> Vec<Fault> {
    stage
        .schema()
        .unwrap_or_else(|| panic!("{}", stage.name))
        .faults(payload.to_string().as_bytes())
}

#[test]
fn every_schema_is_one_and_says_what_it_is() {
    for stage in &VOCABULARY {
        if let Err(fault) = StageSchema::read(stage.text.as_bytes()) {
            panic!("{}: {fault}", stage.name);
        }
        let document = stage.document();
        assert_eq!(document["$id"], stage.id(), "{}", stage.name);
        assert!(!stage.title().is_empty() && stage.description().ends_with('.'), "{}", stage.name);
        assert!(!stage.text.contains("$ref"), "{}: it stands alone", stage.name);
        let example = stage.example().as_object().unwrap();
        for (name, field) in document["properties"].as_object().unwrap() {
            let about = field["description"].as_str().unwrap_or_default();
            assert!(about.len() > 2, "{}.{name} has no description", stage.name);
            assert!(example.contains_key(name), "{}.{name} is not in the example", stage.name);
        }
    }
}

#[test]
fn names_are_taken_once() {
    let mut names = BTreeSet::new();
    for stage in &VOCABULARY {
        for name in std::iter::once(&stage.name).chain(stage.aliases) {
            assert!(names.insert(*name), "{name} stands twice");
            assert_eq!(builtin(name).unwrap().name, stage.name);
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        }
    }
    let aliases = [
        ("experiment_start", "project_start"),
        ("aggregation_round", "aggregation"),
        ("experiment_end", "project_end"),
        ("client_round", "client_round"),
    ];
    for (alias, name) in aliases {
        assert_eq!(builtin(alias).unwrap().name, name);
    }
}

/// What was published is never changed: a better schema gets another number.
#[test]
fn published_schemas_keep_their_bytes() {
    let mut all = String::new();
    for stage in &VOCABULARY {
        all.push_str(&format!("{} {}\n", stage.id(), Digest::of(stage.text.as_bytes())));
    }
    assert_eq!(all, include_str!("stage_vocabulary.digests"));
}

#[test]
fn examples_fit() {
    for stage in &VOCABULARY {
        assert_eq!(faults(stage, stage.example()), [], "{}", stage.name);
        let mut more = stage.example().clone();
        more["something_else"] = json!({"of": ["one's own"]});
        assert_eq!(faults(stage, &more), [], "{}: additional fields are free", stage.name);
    }
}

#[test]
fn a_run_that_diverges_fits() {
    for stage in &VOCABULARY {
        for word in ["NaN", "Infinity", "-Infinity"] {
            for (name, field) in stage.document()["properties"].as_object().unwrap() {
                if field["type"] == "number" {
                    let mut payload = stage.example().clone();
                    payload[name] = json!({"$numberDouble": word});
                    assert_eq!(faults(stage, &payload), [], "{}.{name} {word}", stage.name);
                }
            }
        }
    }
}

#[test]
fn every_mutation_is_found_and_named() {
    let mut count = 0;
    for stage in &VOCABULARY {
        let mut mutations = Vec::new();
        mutate(stage.document(), stage.example(), "", &mut mutations);
        assert!(mutations.len() > 2, "{}", stage.name);
        for Mutation { path, payload, what } in &mutations {
            let found = faults(stage, payload);
            let named = found.iter().any(|fault| &fault.path == path);
            assert!(named, "{}: {what} at {path}: {found:?}", stage.name);
            for fault in found.iter().filter(|fault| &fault.path == path) {
                assert!(!fault.expected.is_empty() && !fault.came.is_empty(), "{fault:?}");
            }
            count += 1;
        }
    }
    assert!(count > 1_500, "{count} mutations");
}

struct Mutation {
    path: String,
    payload: Value,
    what: String,
}

/// Every way in which `value` can be made to break `schema` by one change, with the path at which it
/// is broken then.
fn mutate(schema: &Value, value: &Value, path: &str, out: &mut Vec<Mutation>) {
    let mut push = |path: String, payload: Value, what: &str| {
        out.push(Mutation { path, payload, what: what.to_owned() });
    };
    for other in others(schema) {
        push(path.to_owned(), other, "another type");
    }
    if let Some(least) = schema.get("minimum").and_then(Value::as_f64) {
        push(path.to_owned(), json!(least - 1.0), "below the range");
    }
    if let Some(most) = schema.get("maximum").and_then(Value::as_f64) {
        push(path.to_owned(), json!(most + 0.5), "above the range");
    }
    if schema["type"] == "integer" {
        push(path.to_owned(), json!(1.5), "a fraction");
    }
    if schema.get("minLength").is_some() {
        push(path.to_owned(), json!(""), "empty text");
    }
    if schema.get("enum").is_some() {
        push(path.to_owned(), json!("no such word"), "another word");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let mut without: Map<_, _> = value.as_object().unwrap().clone();
        without.remove(name).unwrap_or_else(|| panic!("{path}/{name} is not in the example"));
        push(format!("{path}/{name}"), Value::Object(without), "left out");
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let member = value.get(name).unwrap_or_else(|| panic!("{path}/{name} is in no example"));
        let mut inner = Vec::new();
        mutate(field, member, &format!("{path}/{name}"), &mut inner);
        for mutation in inner {
            let mut payload = value.clone();
            payload[name] = mutation.payload;
            out.push(Mutation { payload, ..mutation });
        }
    }
    if let Some(items) = schema.get("items") {
        let mut inner = Vec::new();
        mutate(items, &value[0], &format!("{path}/0"), &mut inner);
        for mutation in inner {
            let mut payload = value.clone();
            payload[0] = mutation.payload;
            out.push(Mutation { payload, ..mutation });
        }
    }
}

/// A value of each type that the schema does not take.
fn others(schema: &Value) -> Vec<Value> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|name| name.as_str().unwrap()).collect(),
        _ => return Vec::new(),
    };
    let all = [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("number", json!(7)),
        ("string", json!("seven")),
        ("array", json!([7])),
        ("object", json!({"seven": 7})),
    ];
    let fits = |name: &str| types.contains(&name) || name == "number" && types.contains(&"integer");
    all.into_iter().filter(|(name, _)| !fits(name)).map(|(_, value)| value).collect()
}
