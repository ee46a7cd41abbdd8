//! The OpenAPI document says what the routes are: all of them, nothing else, and with which keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use quark_trace::store::MemoryStore;
use quark_trace_server::access::Policy;
use quark_trace_server::registry::Opening;
use quark_trace_server::routes::{self, Route, openapi};
use quark_trace_server::{App, Settings};
use serde_json::{Value, json};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn routes_and_document() -> (Vec<Route>, Value) {
    let store = Arc::new(MemoryStore::new());
    let app = Arc::new(App::new(store, Settings::default(), [7; 32]).unwrap());
    let table = routes::table(&app);
    let document = openapi::document(table.routes());
    (table.routes().to_vec(), document)
}

/// Every call of the document: method, path, call.
fn calls(document: &Value) -> Vec<(String, String, &Value)> {
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{path} has {method}");
            calls.push((method.to_uppercase(), path.clone(), call));
        }
    }
    calls
}

#[test]
fn the_document_has_the_routes_and_no_others() {
    let (routes, document) = routes_and_document();
    let has: BTreeSet<_> =
        calls(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let should: BTreeSet<_> =
        routes.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert!(should.len() > 30, "the table was not read");
    let missing: Vec<_> = should.difference(&has).collect();
    let invented: Vec<_> = has.difference(&should).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:?}, more {invented:?}");
}

#[test]
fn every_call_asks_for_the_keys_that_its_policy_asks_for() {
    let (routes, document) = routes_and_document();
    for route in routes {
        let call = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let security = match route.policy {
            Policy::Public => json!([]),
            Policy::Read(Opening::Records | Opening::Ledger) | Policy::Machine => {
                json!([{}, {"key": []}, {"bearer": []}])
            }
            _ => json!([{"key": []}, {"bearer": []}]),
        };
        assert_eq!(call["security"], security, "{} {}", route.method, route.path);
    }
}

#[test]
fn every_call_is_whole() {
    let (_, document) = routes_and_document();
    let mut ids = BTreeSet::new();
    for (method, path, call) in calls(&document) {
        let place = format!("{method} {path}");
        let id = call["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty() && ids.insert(id.to_owned()), "{place}: operationId {id:?}");
        assert!(call["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{place}");
        let tag = &call["tags"][0];
        let known = document["tags"].as_array().unwrap();
        assert!(known.iter().any(|known| known["name"] == *tag), "{place}: tag {tag}");
        let named = call["parameters"].as_array().unwrap().iter();
        let named = named.filter_map(|parameter| parameter["$ref"].as_str());
        let named: BTreeSet<_> = named.filter_map(|name| name.rsplit('/').next()).collect();
        let varies = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        assert_eq!(named, varies.collect(), "{place}: parameters in the path");
        let responses = call["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place}: no answer");
        for status in ["400", "401", "421", "429", "431", "500", "503"] {
            assert!(responses.contains_key(status), "{place}: no {status}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| walk(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let (_, document) = routes_and_document();
    let mut found = Vec::new();
    walk(&document, &mut found);
    assert!(found.len() > 100, "the references were not read");
    for reference in found {
        let place = reference.strip_prefix('#').unwrap_or_default();
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
}
