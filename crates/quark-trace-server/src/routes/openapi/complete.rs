//! What follows from a route and its policy.

use axum::http::Method;
use serde_json::{Value, json};

use super::shared::{ERRORS, headers, problem};
use crate::access::Policy;
use crate::registry::Opening;
use crate::routes::Route;

/// Adds to the call of a route what follows from it. A route without a call is left out; the test
/// `openapi` finds it.
pub fn complete(document: &mut Value, route: &Route) {
    let method = route.method.as_str().to_lowercase();
    let known = document["components"]["parameters"].clone();
    let pointer = format!("/paths/{}/{method}", route.path.replace('~', "~0").replace('/', "~1"));
    let Some(call) = document.pointer_mut(&pointer) else { return };
    call["security"] = security(route.policy);
    add_parameters(call, route.path, &known);
    let has_body = call.get("requestBody").is_some();
    if has_body {
        call["requestBody"]["required"] = true.into();
    }
    let statuses = statuses(route, has_body);
    add_errors(call, &statuses);
    add_links(call);
}

/// Which keys a policy asks for.
fn security(policy: Policy) -> Value {
    let keys = [json!({"key": []}), json!({"bearer": []})];
    match policy {
        Policy::Public => json!([]),
        // Without a key it is answered where that is allowed.
        Policy::Machine | Policy::Read(Opening::Ledger | Opening::Records) => {
            json!([{}, keys[0], keys[1]])
        }
        _ => json!(keys),
    }
}

fn add_parameters(call: &mut Value, path: &str, known: &Value) {
    let mut parameters: Vec<Value> = names(path)
        .map(|name| match known.get(name) {
            Some(_) => json!({"$ref": format!("#/components/parameters/{name}")}),
            None => json!({"name": name, "in": "path", "required": true,
                           "schema": {"type": "string"}}),
        })
        .collect();
    for parameter in call["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] != "path" {
            parameters.push(sent_as_text(parameter.clone()));
        }
    }
    call["parameters"] = parameters.into();
}

/// The names of what varies in a path.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| Some(rest.split('}').next()?.trim_start_matches('*')))
}

/// A parameter is left out or there: no text is null. Its numbers are those that Rust reads.
fn sent_as_text(mut parameter: Value) -> Value {
    let schema = &mut parameter["schema"];
    let kinds = schema["type"].as_array().cloned().unwrap_or_default();
    if let Some(kind) = kinds.into_iter().find(|kind| kind != "null") {
        schema["type"] = kind;
    }
    if let Some([one]) = schema["oneOf"]
        .as_array()
        .map(|all| all.iter().filter(|kind| kind["type"] != "null").cloned().collect::<Vec<_>>())
        .as_deref()
    {
        *schema = one.clone();
    }
    if schema["type"] == "integer" && schema.get("maximum").is_none() {
        schema["maximum"] = u64::MAX.into();
        if let Some(members) = schema.as_object_mut() {
            // It would say that the largest ones are none.
            members.shift_remove("format");
        }
    }
    parameter
}

/// The errors that a call can be answered with.
fn statuses(route: &Route, has_body: bool) -> Vec<&'static str> {
    let mut statuses = vec!["400", "401", "421", "429", "500", "503"];
    if route.policy != Policy::Public {
        statuses.push("403");
    }
    if route.path.contains('{') {
        statuses.push("404");
    }
    if route.method != Method::GET {
        statuses.extend(["501", "507"]);
    }
    if has_body {
        statuses.extend(["408", "413", "415"]);
    }
    statuses
}

fn add_errors(call: &mut Value, statuses: &[&str]) {
    let Some(responses) = call["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        if status.as_str() >= "400" {
            response["content"] = problem();
        }
        let mut all = headers();
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            all[name] = sent_as_text(header.clone());
        }
        response["headers"] = all;
    }
    for (status, name, _) in ERRORS {
        if statuses.contains(&status) && !responses.contains_key(status) {
            let reference = json!({"$ref": format!("#/components/responses/{name}")});
            responses.insert(status.to_owned(), reference);
        }
    }
    let too_large = json!({"$ref": "#/components/responses/HeaderTooLarge"});
    responses.insert("431".to_owned(), too_large);
    responses.sort_keys();
}

/// A call that goes on with what another one made.
struct Link {
    /// The first call, by its id.
    from: &'static str,
    /// The next call.
    to: &'static str,
    /// Where that finds what varies in its path.
    places: &'static [(&'static str, &'static str)],
}

const BEGUN: &[(&str, &str)] = &[("project", "$response.body#/project_id")];
const RECORD: &[(&str, &str)] =
    &[("project", "$request.path.project"), ("record", "$response.body#/record_id")];
const INSTITUTION: &[(&str, &str)] = &[("institution", "$response.body#/institution_id")];
const NODE: &[(&str, &str)] = &[("node", "$response.body#/node_id")];
const KEY: &[(&str, &str)] = &[("key", "$response.body#/key_id")];

const LINKS: [Link; 10] = [
    Link { from: "beginProject", to: "readProject", places: BEGUN },
    Link { from: "beginProject", to: "appendRecords", places: BEGUN },
    Link { from: "beginProject", to: "amendSheet", places: BEGUN },
    Link { from: "appendRecords", to: "readRecord", places: RECORD },
    Link { from: "appendRecords", to: "readReceipt", places: RECORD },
    Link { from: "addInstitution", to: "changeInstitution", places: INSTITUTION },
    Link { from: "addNode", to: "readNode", places: NODE },
    Link { from: "issueKey", to: "rotateKey", places: KEY },
    Link { from: "issueKey", to: "revokeKey", places: KEY },
    Link { from: "rotateKey", to: "revokeKey", places: KEY },
];

fn add_links(call: &mut Value) {
    for Link { from, to, places } in LINKS {
        if call["operationId"] != from {
            continue;
        }
        let mut link = json!({"operationId": to, "parameters": {}});
        for (name, place) in places {
            link["parameters"][*name] = (*place).into();
        }
        call["responses"]["201"]["links"][to] = link;
    }
}
