//! Schemas of one's own: what is refused before it is compiled, what faults say, and that neither a
//! schema nor a payload can make checking slow.

use std::time::{Duration, Instant};

use quark_trace_core::json::{Event, Scanner};
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Digest, Entry};
use quark_trace_core::stages::{
    CHECKED_LIMIT, MOST_FAULTS, Mode, SCHEMA_LIMIT, SchemaBook, SchemaFault, StageSchema, builtin,
    settings, stage_attribute, stage_of,
};
use serde_json::{Value, json};

fn read(schema: &Value) -> Result<StageSchema, SchemaFault> {
    StageSchema::read(schema.to_string().as_bytes())
}

fn faults(schema: &Value, payload: &Value) -> Vec<String> {
    let schema = read(schema).unwrap();
    schema.faults(payload.to_string().as_bytes()).iter().map(ToString::to_string).collect()
}

#[test]
fn what_reaches_outside_or_never_ends_is_refused() {
    let reaching = [
        json!({"$ref": "https://example.org/schema.json"}),
        json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}),
        json!({"$ref": "quark:stage/no_such_stage/1"}),
        json!({"$ref": "quark:stage/client_round/2"}),
        json!({"$ref": "other.json"}),
        json!({"$ref": "#/$defs/missing"}),
        json!({"$ref": "#"}),
        json!({"$id": "https://example.org/a", "properties": {"x": {"$id": "b", "$ref": "c"}}}),
        json!({"$dynamicRef": "#meta"}),
        json!({"$defs": {"a": {"$anchor": "x"}}, "$ref": "#x"}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
        json!({"$schema": "https://example.org/my-meta-schema"}),
        json!({"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}},
            "$ref": "#/$defs/a"}),
        // Names that the validator decodes, so that what it unfolds is not what was measured.
        json!({"$defs": {"a%25b": {}, "a%b": {"allOf": [{"$ref": "#/$defs/a%25b"}]}},
            "$ref": "#/$defs/a%25b"}),
        json!({"$defs": {"a b": {}}, "$ref": "#/$defs/a%20b"}),
        // An id under which the vocabulary would be found instead of the document, and itself.
        json!({"$id": "quark:stage/client_round/1", "$ref": "quark:stage/client_round/1"}),
        json!({"$id": "quark:stage/client_round/1", "properties": {"a": {"allOf": [
            {"$ref": "quark:stage/client_round/1"}]}}}),
        json!({"$id": "QUARK:stage/client_round/1", "$ref": "quark:stage/client_round/1"}),
        json!({"$id": "quark:stage/client%5Fround/1", "$ref": "quark:stage/client_round/1"}),
        json!({"unevaluatedProperties": false}),
        json!({"x-quark-mode": "loud"}),
        json!({"x-quark-vocabulary": 7}),
        json!({"type": "float"}),
        json!({"minimum": "low"}),
        json!({"properties": [1]}),
        json!({"pattern": "("}),
        // Look-around and back references need an engine that can take exponential time.
        json!({"pattern": "(?=a)b"}),
        json!({"pattern": "(a)\\1"}),
        json!({"pattern": "(a{1,1000}){1,1000}"}),
    ];
    for schema in &reaching {
        let refused = read(schema);
        assert!(matches!(refused, Err(SchemaFault::Refused { .. })), "{schema}: {refused:?}");
    }
    assert!(matches!(StageSchema::read(b"[]"), Err(SchemaFault::Json(_))));
    assert!(matches!(StageSchema::read(b"true"), Err(SchemaFault::Json(_))));
    assert!(matches!(StageSchema::read(b"{\"a\": 1, \"a\": 2}"), Err(SchemaFault::Json(_))));
    let large = format!("{{\"title\": \"{}\"}}", "x".repeat(SCHEMA_LIMIT));
    assert!(matches!(StageSchema::read(large.as_bytes()), Err(SchemaFault::TooLarge { .. })));
}

#[test]
fn what_unfolds_too_far_is_refused_at_once() {
    let begun = Instant::now();
    // Each level refers twice to the next: 2^60 subschemas.
    let mut defs = serde_json::Map::new();
    for level in 0..60 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    defs.insert("l60".to_owned(), json!({"type": "object"}));
    let bomb = json!({"$defs": defs, "$ref": "#/$defs/l0"});
    let said = read(&bomb).unwrap_err().to_string();
    assert!(said.contains("unfolds"), "{said}");
    // The same, each level under a name that reads as an empty one's when it is not decoded.
    let mut defs = serde_json::Map::new();
    for level in 0..60 {
        let next = json!({"$ref": format!("#/$defs/l%25{}", level + 1)});
        defs.insert(format!("l%25{level}"), json!({}));
        defs.insert(format!("l%{level}"), json!({"allOf": [next, next]}));
    }
    defs.insert("l%2560".to_owned(), json!({}));
    let hidden = json!({"$defs": defs, "$ref": "#/$defs/l%250"});
    assert!(read(&hidden).unwrap_err().to_string().contains("percent-encoding"));
    // References of which each leads on from where another was measured already.
    let chain: serde_json::Map<String, Value> = (0..240)
        .map(|at| (format!("c{at}"), json!({"allOf": [{"$ref": format!("#/x/c{}", at + 1)}]})))
        .chain([("c240".to_owned(), json!({"required": ["a"]}))])
        .collect();
    let starts: Vec<Value> =
        [200, 160, 120, 80, 40, 0].iter().map(|at| json!({"$ref": format!("#/x/c{at}")})).collect();
    let schema = read(&json!({"x": chain, "allOf": starts})).unwrap();
    assert_eq!(schema.faults(b"{}").len(), 6);
    let wide = json!({"anyOf": vec![json!({"type": "object"}); 300]});
    assert!(read(&wide).unwrap_err().to_string().contains("300 alternatives"));
    let mut deep = json!({"type": "object"});
    for _ in 0..62 {
        deep = json!({"properties": {"a": deep}});
    }
    assert!(read(&deep).is_err() || faults(&deep, &json!({})).is_empty());
    let chain: serde_json::Map<String, Value> = (0..500)
        .map(|at| (format!("c{at}"), json!({"$ref": format!("#/$defs/c{}", (at + 1).min(499))})))
        .collect();
    assert!(read(&json!({"$defs": chain, "$ref": "#/$defs/c0"})).is_err());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_pattern_built_to_be_slow_is_bounded() {
    // Each of these takes exponential time, or as many states, in engines that back-track or build
    // the whole automaton.
    let patterns = ["^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "[ab]*a[ab]{60}c", "^(.*a){20}$"];
    for pattern in patterns {
        let schema = json!({"properties": {"x": {"pattern": pattern}}});
        let Ok(schema) = read(&schema) else { continue };
        let text = "ab".repeat(100_000) + &"a".repeat(CHECKED_LIMIT - 300_000) + "!";
        let payload = json!({"x": text}).to_string();
        let begun = Instant::now();
        schema.faults(payload.as_bytes());
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(30), "{pattern}: {took:?}");
    }
}

#[test]
fn large_payloads_are_bounded() {
    let schema = json!({"properties": {"x": {"uniqueItems": true, "items": {"type": "integer"}}}});
    let schema = read(&schema).unwrap();
    let items = |last: &str| {
        let items: Vec<String> = (0..100_000).map(|at| at.to_string()).collect();
        format!("{{\"x\": [{}, {last}]}}", items.join(", "))
    };
    let begun = Instant::now();
    assert_eq!(schema.faults(items("-1").as_bytes()), []);
    let found = schema.faults(items("7").as_bytes());
    assert!(found[0].came.contains("too many to say where"), "{found:?}");
    let over = format!("{{\"x\": \"{}\"}}", "y".repeat(CHECKED_LIMIT));
    assert_eq!(schema.faults(over.as_bytes())[0].path, "");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let many: Vec<Value> = (0..500).map(|_| json!("text")).collect();
    assert_eq!(schema.faults(json!({"x": many}).to_string().as_bytes()).len(), MOST_FAULTS);
}

#[test]
fn faults_say_where_what_was_expected_and_what_came() {
    let schema = json!({
        "properties": {
            "loss": {"type": "number", "minimum": 0, "exclusiveMaximum": 100},
            "round": {"type": "integer"},
            "site": {"enum": ["north", "south"]},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 1},
            "a/b~c": {"const": 1},
            "code": {"pattern": "^[a-z]+$"},
            "either": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["round"],
        "additionalProperties": false,
    });
    let payload = json!({
        "loss": -1.5, "site": "west", "tags": ["four"], "a/b~c": {"x": 1}, "code": "A1",
        "either": "or", "more\u{1b}[31m": [1, 2],
    });
    let mut found = faults(&schema, &payload);
    found.sort();
    let mut expected = [
        "/loss: expected at least 0, came -1.5",
        "/site: expected one of \"north\", \"south\", came text \"west\"",
        "/tags/0: expected text of at most 3 characters, came text \"four\"",
        "/a~1b~0c: expected 1, came an object of 1 fields",
        "/code: expected text that matches ^[a-z]+$, came text \"A1\"",
        "/either: expected a value that fits one of the alternatives, came text \"or\"",
        "/more\\u{1b}[31m: expected no field of this name, came a list of 2",
        "/round: expected a value, because it is required, came nothing",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn faults_hold_no_more_than_an_excerpt() {
    let schema = json!({"properties": {"x": {"type": "number"}, "y": {"type": "object"}}});
    let secret = "sk-0123456789-this-is-a-secret-\u{202e}\u{1b}[2J".repeat(100);
    let payload = json!({"x": secret, "y": [secret, secret]});
    let found = faults(&schema, &payload).join("\n");
    assert!(found.contains("came text \"sk-0123456789-th…\""), "{found}");
    assert!(found.len() < 200 && !found.contains("secret") && !found.contains('\u{1b}'), "{found}");
    let name = "n".repeat(5_000) + "\u{202e}";
    let closed = json!({"additionalProperties": false});
    assert!(faults(&closed, &json!({name: 1}))[0].len() < 400);
}

#[test]
fn floats_that_json_lacks_are_numbers_everywhere() {
    let number = json!({"type": "number", "minimum": 0, "maximum": 1});
    for schema in [
        json!({"properties": {"x": number}}),
        json!({"properties": {"x": {"anyOf": [{"type": "string"}, number]}}}),
        json!({"properties": {"x": {"oneOf": [{"type": "string"}, {"type": "number"}]}}}),
        json!({"properties": {"x": {"not": {"type": "string"}}}}),
        json!({"additionalProperties": {"type": ["null", "number"]}}),
    ] {
        let schema = read(&schema).unwrap();
        for word in ["NaN", "Infinity", "-Infinity"] {
            let tagged = format!("{{\"x\": {{\"$numberDouble\": \"{word}\"}}}}");
            assert_eq!(schema.faults(tagged.as_bytes()), [], "{}", schema.document());
            let bare = format!("{{\"x\": {word}}}");
            assert_eq!(schema.faults(bare.as_bytes()), [], "{}", schema.document());
        }
    }
    let whole = json!({"properties": {"x": {"type": "integer"}}});
    let found = faults(&whole, &json!({"x": {"$numberDouble": "NaN"}}));
    assert_eq!(found, ["/x: expected a whole number, came NaN"]);
    for fits in ["1", "1.0", "18446744073709551617", "-3"] {
        let schema = read(&whole).unwrap();
        assert_eq!(schema.faults(format!("{{\"x\": {fits}}}").as_bytes()), [], "{fits}");
    }
}

#[test]
fn the_object_is_one_line_with_the_mode() {
    let text = "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \
                \"x-quark-mode\": \"off\", \"title\": \"Köln\", \"properties\": {}}";
    let kept = StageSchema::read(text.as_bytes()).unwrap();
    assert_eq!(kept.mode(), Mode::Off);
    let strict = StageSchema::read_with_mode(text.as_bytes(), Mode::Strict).unwrap();
    let expected = "{\"x-quark-mode\": \"strict\", \"$schema\": \
                    \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"K\\u00f6ln\", \
                    \"properties\": {}}";
    assert_eq!(std::str::from_utf8(strict.object()).unwrap(), expected);
    let again = StageSchema::read(strict.object()).unwrap();
    assert_eq!((again.object(), again.mode()), (strict.object(), Mode::Strict));
    for known in &quark_trace_core::stages::VOCABULARY {
        let schema = StageSchema::read_with_mode(known.text.as_bytes(), Mode::Strict).unwrap();
        assert!(schema.object().is_ascii() && !schema.object().contains(&b'\n'));
        let mut scanner = Scanner::new(schema.object());
        assert_eq!(scanner.next_event(), Ok(Some(Event::ObjectStart)));
    }
}

#[test]
fn a_schema_may_build_on_the_vocabulary() {
    let schema = json!({
        "allOf": [{"$ref": "quark:stage/client_round/1"}],
        "required": ["site"],
    });
    let found = faults(&schema, &json!({"round": -1}));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|fault| fault.starts_with("/site: ")));
    assert!(found.iter().any(|fault| fault.starts_with("/round: expected at least 0")));
}

#[test]
fn the_schema_of_a_stage_comes_before_that_of_all() {
    let mut book = SchemaBook::default();
    let check = |book: &SchemaBook, stage: &str| {
        book.check(stage, br#"{"round": "x"}"#)
            .map(|check| (check.index, check.mode, check.faults.len()))
    };
    assert_eq!(check(&book, "client_round"), None);
    book.take(3, "*", settings(Mode::Strict).as_bytes()).unwrap();
    assert_eq!(check(&book, "client_round"), Some((3, Mode::Strict, 1)));
    assert_eq!(check(&book, "aggregation_round"), Some((3, Mode::Strict, 1)), "an alias");
    assert_eq!(check(&book, "coffee_break"), Some((3, Mode::Strict, 0)), "free text stays legal");
    book.take(5, "client_round", br#"{"x-quark-mode": "off"}"#).unwrap();
    assert_eq!(check(&book, "client_round"), None);
    book.take(6, "client_round", br#"{"required": ["a", "b"]}"#).unwrap();
    assert_eq!(check(&book, "client_round"), Some((6, Mode::Warn, 2)));
    // One that cannot be used replaces the one before, and nothing is checked.
    assert!(book.take(7, "client_round", br#"{"type": 7}"#).is_err());
    assert_eq!(check(&book, "client_round"), None);
    book.take(8, "*", br#"{"required": ["who"]}"#).unwrap();
    assert_eq!(check(&book, "coffee_break"), Some((8, Mode::Warn, 1)));
    assert_eq!(builtin("client_round").unwrap().id(), "quark:stage/client_round/1");
}

#[test]
fn stages_survive_the_entry() {
    for stage in ["client_round", "*", "régime: a/b %", "東京", "\u{1b}[31m", " "] {
        let hex = "0".repeat(64);
        let line = format!("schema sha256:{hex}{}", stage_attribute(stage));
        let entry = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!(stage_of(&entry).as_deref(), Some(stage));
        let other = line.replace("schema ", "record ");
        assert_eq!(stage_of(&Entry::parse(other.as_bytes()).unwrap()), None);
    }
    for bad in ["%zz", "%ff", "%"] {
        let line = format!("schema sha256:{} stage={bad}", "0".repeat(64));
        assert_eq!(stage_of(&Entry::parse(line.as_bytes()).unwrap()), None);
    }
}

/// The vectors of the specification.
#[test]
fn the_vectors_hold() {
    let vectors = include_str!("../../../spec/vectors/schemas-v1.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut payloads = 0;
    for case in vectors["schemas"].as_array().unwrap() {
        let (stage, object, line) =
            (text(&case["stage"]), text(&case["object"]), text(&case["entry"]));
        assert_eq!(StageSchema::read(object.as_bytes()).unwrap().object(), object.as_bytes());
        assert_eq!(Digest::of(object.as_bytes()).to_string(), case["sha256"]);
        assert_eq!(
            format!("schema sha256:{}{}", text(&case["sha256"]), stage_attribute(&stage)),
            line
        );
        assert_eq!(leaf_hash(line.as_bytes()).to_string(), case["leaf_hash"]);
        assert_eq!(stage_of(&Entry::parse(line.as_bytes()).unwrap()), Some(stage.clone()));
        let mut book = SchemaBook::default();
        book.take(1, &stage, object.as_bytes()).unwrap();
        for one in case["payloads"].as_array().unwrap() {
            let check = book.check(&text(&one["stage"]), text(&one["payload"]).as_bytes());
            let mode = check.as_ref().map(|check| check.mode.as_str());
            assert_eq!(mode, one["mode"].as_str(), "{one}");
            let faults = check.map(|check| check.faults).unwrap_or_default();
            let mut paths: Vec<_> = faults.into_iter().map(|fault| fault.path).collect();
            paths.sort();
            assert_eq!(json!(paths), one["fault_paths"], "{one}");
            payloads += 1;
        }
    }
    assert!(payloads > 10);
    for document in vectors["unusable"].as_array().unwrap() {
        assert!(StageSchema::read(text(document).as_bytes()).is_err(), "{document}");
    }
}
