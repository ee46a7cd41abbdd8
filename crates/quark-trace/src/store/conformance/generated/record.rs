//! Lines of a log: records in every form that somebody could have written them in, and others.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{LENGTHS, NAMES, NEAR, NUMBERS, long_text, near_name, text};

/// Texts as they stand between the quotes of JSON.
const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "b",
    "1",
    "0.3",
    "nan",
    "True",
    "K\\u00f6ln",
    "K\u{f6}ln",
    "%_\\\\",
    "it's",
    "\\ud800",
    "\\udce9x",
    "\\ud83d\\ude00",
    "a\\u0000b",
    "'; DROP TABLE qt_log; --",
    "$1 ?1 :a",
];

const STAGES: &[&str] = &[
    "\"client_round\"",
    "\"client\\u005fround\"",
    "\"end\"",
    "\"END\"",
    "\"\"",
    "\"a\\u0000b\"",
    "\"\\ud800\"",
    "\"K\\u00f6ln\"",
    "7",
    "null",
    "true",
    "[1, \"a\"]",
    "{\"a\": 1}",
    "\"'; DROP TABLE qt_log; --\"",
];

const TIMES: &[&str] = &[
    "\"2026-01-02T03:04:05+00:00\"",
    "\"2026-01-02T04:04:05.000001+01:00\"",
    "\"2026-01-02 03:04:06Z\"",
    "\"2026-01-02T03:04:06\"",
    "\"0001-01-01T00:00:00+00:00\"",
    "\"9999-12-31T23:59:59.999999+00:00\"",
    "\"1969-12-31T23:59:59.5Z\"",
    "\"yesterday\"",
    "\"2026-13-02T03:04:05Z\"",
    "\"\"",
    "null",
    "1767323045",
];

/// A line: mostly a record, readable or not.
pub fn line() -> impl Strategy<Value = String> {
    let id = prop_oneof![
        6 => (0..8_u8).prop_map(|number| format!("\"r{number}\"")),
        1 => text(TEXTS).prop_map(|text| format!("\"{text}\"")),
        1 => text(STAGES),
    ];
    let stage = prop_oneof![
        12 => text(STAGES),
        1 => long_text(198..203_usize, "x").prop_map(|stage| format!("\"{stage}\"")),
        1 => long_text(98..103_usize, "é").prop_map(|stage| format!("\"{stage}\"")),
    ];
    let payload = prop_oneof![
        16 => object(),
        8 => near(),
        2 => value(),
        1 => Just(String::new()),
        2 => (select(&[256_usize, 257, 1024, 1025][..]), text(NEAR)).prop_map(many),
    ];
    let record =
        (id, stage, text(TIMES), payload, 0..8_u8).prop_map(|(id, stage, time, payload, shape)| {
            let mut members = vec![
                format!("\"record_id\": {id}"),
                "\"project_id\": \"demo\"".to_owned(),
                format!("\"stage\": {stage}"),
                format!("\"timestamp\": {time}"),
            ];
            if !payload.is_empty() {
                members.push(format!("\"payload\": {payload}"));
            }
            match shape {
                0 => members.reverse(),
                1 => members.push("\"stage\": \"end\"".to_owned()),
                2 => members.push("\"payload\": {\"a\": 1}".to_owned()),
                3 => members.insert(0, "\"payload\": {\"a\": 3, \"b\": {\"a\": 2}}".to_owned()),
                4 => members.insert(0, "\"st\\u0061ge\": \"client_round\"".to_owned()),
                _ => {}
            }
            format!("{{{}}}", members.join(if shape == 5 { "," } else { ", " }))
        });
    let broken = select(&["no record", "[]", "{\"stage\": \"end\"}", "{"][..]);
    prop_oneof![24 => record, 1 => broken.prop_map(str::to_owned)]
}

/// An object with so many numbers, and one that filters ask for.
fn many((count, near): (usize, String)) -> String {
    let numbers: Vec<String> =
        (1..count).map(|number| format!("\"n{number}\": {number}")).collect();
    format!("{{{}, \"a\": {near}}}", numbers.join(", "))
}

/// An object with one number that filters ask for.
fn near() -> BoxedStrategy<String> {
    let infinity = Just("{\"$numberDouble\": \"Infinity\"}".to_owned());
    let value = prop_oneof![4 => text(NEAR), 2 => infinity];
    (near_name(), value).prop_map(|(name, value)| format!("{{\"{name}\": {value}}}")).boxed()
}

fn value() -> BoxedStrategy<String> {
    let number = prop_oneof![
        4 => text(NUMBERS),
        1 => any::<f64>().prop_filter("finite", |value| value.is_finite())
            .prop_map(|value| format!("{value:e}")),
        1 => (-4..5_i64).prop_map(|value| value.to_string()),
    ];
    let tagged = (
        select(&["$numberDouble", "\\u0024numberDouble"][..]),
        select(&["NaN", "Infinity", "-Infinity", "-\\u0049nfinity", "1"][..]),
        select(&["", ", \"a\": 1"][..]),
    )
        .prop_map(|(key, text, more)| format!("{{\"{key}\": \"{text}\"{more}}}"));
    let leaf = prop_oneof![
        8 => number,
        3 => tagged,
        3 => text(TEXTS).prop_map(|text| format!("\"{text}\"")),
        1 => text(&["true", "false", "null"]),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => members(inner.clone()),
            1 => vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
        ]
    })
    .boxed()
}

fn object() -> BoxedStrategy<String> {
    let deep = (value(), 6..11_usize).prop_map(|(value, depth)| {
        format!("{}{value}{}", "{\"a\": ".repeat(depth), "}".repeat(depth))
    });
    prop_oneof![9 => members(value()), 1 => deep].boxed()
}

fn members(value: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let name = prop_oneof![
        16 => select(NAMES).prop_map(|(raw, _)| raw.to_owned()),
        2 => long_text(select(LENGTHS), "k"),
        1 => Just("\\ud800".to_owned()),
    ];
    let member = (name, value).prop_map(|(name, value)| format!("\"{name}\": {value}"));
    vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(", "))).boxed()
}
