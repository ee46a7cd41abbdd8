//! The filter language: what a filter says of a record, and that its text and its tree are one.

use proptest::prelude::*;
use quark_trace_core::query::{
    Asked, Comparison, Condition, Field, Filter, Like, Literal, Matcher, Number, Order, Path,
    Query, QueryFault, Reader, TEXT_LIMIT, Time, Values, field,
};

const NOW_US: i64 = 1_767_323_045_000_000; // 2026-01-02T03:04:05Z

fn line(payload: &str) -> String {
    format!(
        "{{\"record_id\": \"r-7\", \"project_id\": \"p\", \"stage\": \"client_round\", \
         \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": {payload}}}"
    )
}

/// TRUE, FALSE or NULL of a filter for a record of entry 7.
fn holds(filter: &Filter, line: &str) -> Option<bool> {
    let mut reader = Reader::new();
    let condition = Condition::new(filter, NOW_US, &mut reader).unwrap();
    let mut values = Values::default();
    reader.read(Some(7), line.as_bytes(), &mut values).unwrap();
    condition.holds(&values, line.as_bytes())
}

fn says(text: &str, payload: &str) -> Option<bool> {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{error}"));
    holds(&filter, &line(payload))
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

#[test]
fn one_of_many_values_is_what_equal_to_any_of_them_is() {
    let payload = r#"{"i": 3, "f": 0.25, "w": 3.0, "t": "abc", "b": true, "n": null, "o": {"x": 1},
        "nan": NaN, "inf": -Infinity, "big": 18446744073709551617, "d": "2026-01-02T03:04:05Z"}"#;
    let names =
        ["i", "f", "w", "t", "b", "n", "o", "nan", "inf", "big", "d", "missing"].map(|name| {
            [field(&format!("payload.{name}")).unwrap(), field(&format!("params.{name}")).unwrap()]
        });
    let values: Vec<Literal> = [
        "3",
        "3.0",
        "-7",
        "0.25",
        "NaN",
        "-Infinity",
        "18446744073709551617",
        "1e300",
        "'abc'",
        "'3'",
        "'0.25'",
        "'True'",
        "TRUE",
        "FALSE",
        "NULL",
        "now()",
        "TIMESTAMP '2026-01-31'",
    ]
    .iter()
    .map(|text| match Filter::parse(&format!("payload.x = {text}")).unwrap() {
        Filter::Compare(_, _, value) => value,
        other => panic!("{other}"),
    })
    .collect();
    let line = line(payload);
    for field in names.iter().flatten().chain([&Field::Timestamp, &Field::Index]) {
        for first in 0..values.len() {
            for step in [1, 2, 3, 5, 7] {
                let some: Vec<_> =
                    values.iter().cycle().skip(first).step_by(step).take(5).cloned().collect();
                let any = some.iter().map(|value| field.clone().is(value.clone()));
                let any = any.reduce(Filter::or).unwrap();
                if any.check().is_err() {
                    continue;
                }
                let one_of = field.clone().is_in(some);
                assert_eq!(holds(&one_of, &line), holds(&any, &line), "{one_of}");
            }
        }
    }
}

#[test]
fn many_values_are_not_looked_at_one_by_one() {
    let numbers = Field::payload("i").is_in(0..10_000_i64);
    let times = Field::payload("d").is_in((0..9_000).map(Time::At).map(Literal::from));
    for (filter, payload) in [(numbers, "{\"i\": 77777}"), (times, "{\"d\": \"2026-01-02\"}")] {
        let mut matcher = Matcher::new(&filter, NOW_US).unwrap();
        let line = line(payload);
        let begun = std::time::Instant::now();
        for _ in 0..100_000 {
            assert_eq!(matcher.ask(None, line.as_bytes()), Asked::Other);
        }
        // One by one it is a billion comparisons.
        assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

#[test]
fn comparisons_are_strict_in_types_and_three_valued() {
    let payload = r#"{"i": 3, "f": 0.25, "t": "abc", "b": true, "n": null, "o": {"x": 1}, "a": [1, "z"],
        "nan": {"$numberDouble": "NaN"}, "inf": Infinity, "big": 18446744073709551617, "s": "3"}"#;
    for (filter, expected) in [
        ("payload.i = 3", YES),
        ("payload.i == 3.0", YES),
        ("3 = payload.i", YES),
        ("4 > payload.i", YES),
        ("payload.i != 3", NO),
        ("payload.i <> 4", YES),
        ("payload.i = '3'", NO),
        ("payload.i != '3'", YES),
        ("payload.i < '4'", None),
        ("payload.s < 4", None),
        ("NOT payload.s < 4", None),
        ("payload.b = TRUE", YES),
        ("payload.b > false", YES),
        ("payload.b = 1", NO),
        ("payload.f BETWEEN 0.25 AND 1", YES),
        ("payload.f NOT BETWEEN 0.25 AND 1", NO),
        ("payload.t > 'abb'", YES),
        ("payload.missing = 1", None),
        ("payload.missing != 1", None),
        ("NOT payload.missing = 1", None),
        ("payload.n = 1", None),
        ("payload.n IS NULL", YES),
        ("payload.missing IS NULL", YES),
        ("payload.i IS NOT NULL", YES),
        ("payload.i = NULL", None),
        ("payload.o = 1", NO),
        ("payload.o != 1", YES),
        ("payload.o < 1", None),
        ("payload.o IS NULL", NO),
        ("payload.o.x = 1", YES),
        ("payload.a[1] = 'z'", YES),
        ("payload.a[2] IS NULL", YES),
        ("payload.nan = NaN", NO),
        ("payload.nan != 0.5", YES),
        ("payload.nan < 1", NO),
        ("NOT payload.nan < 1", YES),
        ("payload.inf > 1e308", YES),
        ("payload.inf = Infinity", YES),
        ("payload.big > 18446744073709551616", YES),
        ("payload.big = 18446744073709551617", YES),
        ("payload.big = 18446744073709551616.0", NO),
        ("payload.i IN (1, 2, 3)", YES),
        ("payload.i IN ('3', 4)", NO),
        ("payload.i NOT IN ('3', 4)", YES),
        ("payload.i IN (4, NULL)", None),
        ("payload.i IN (3, NULL)", YES),
        ("payload.missing IN (1)", None),
        ("payload.t IN ('x', 'abc', 'b')", YES),
        ("payload.t LIKE 'a%'", YES),
        ("payload.t NOT LIKE 'a%'", NO),
        ("payload.t ILIKE 'ABC'", YES),
        ("payload.i LIKE '3'", None),
        ("payload.t ~ '^a.c$'", YES),
        ("payload.t !~ 'b'", NO),
        ("payload.missing ~ 'b'", None),
        ("payload.missing = 1 OR payload.i = 3", YES),
        ("payload.missing = 1 AND payload.i = 3", None),
        ("payload.missing = 1 AND payload.i = 4", NO),
        ("NOT (payload.i = 3 AND payload.t = 'abc')", NO),
    ] {
        assert_eq!(says(filter, payload), expected, "{filter}");
    }
}

#[test]
fn the_fields_of_a_record() {
    for (filter, expected) in [
        ("stage = 'client_round'", YES),
        ("STAGE LIKE 'client%' and Record_Id = \"r-7\"", YES),
        ("index = 7", YES),
        ("index >= 8", NO),
        ("timestamp = '2026-01-02T04:04:05+01:00'", YES),
        ("timestamp >= '2026-01-02'", YES),
        ("timestamp < '2026-01-02 03:05'", YES),
        ("timestamp > now() - 7d", YES),
        ("timestamp < now() - 1h 30m", NO),
        ("timestamp < now() + 1ms", YES),
        ("timestamp LIKE '2026-01-%'", YES),
        ("attributes.start_time >= 1767323045000", YES),
        ("start_time > 1767323045000", NO),
        ("project_id != 'q'", YES),
        ("payload.when < now()", YES),
        ("payload.when = TIMESTAMP '2026-01-01'", YES),
        ("payload.number < now()", None),
        ("payload.word < now()", None),
        ("payload.word != now()", None),
    ] {
        let payload = r#"{"when": "2026-01-01T00:00:00Z", "number": 5, "word": "soon"}"#;
        assert_eq!(says(filter, payload), expected, "{filter}");
    }
    let unsealed = line("{}");
    let mut matcher = Matcher::new(&Filter::parse("index IS NULL").unwrap(), 0).unwrap();
    assert_eq!(matcher.ask(None, unsealed.as_bytes()), Asked::Selected);
    assert_eq!(matcher.ask(Some(1), unsealed.as_bytes()), Asked::Other);
    assert_eq!(matcher.ask(Some(1), b"not json"), Asked::Unreadable);
    let broken = unsealed.replace("2026-01-02T03", "never");
    let filter = Filter::parse("timestamp != '2026-01-01'").unwrap();
    assert_eq!(holds(&filter, &broken), None);
}

#[test]
fn parameters_are_text_as_mlflow_has_them() {
    let payload = r#"{"lr": 0.1, "epochs": 10, "debug": true, "opt": "adam", "a.b": "dotted", "nan": NaN,
        "nested": {"x": 1}}"#;
    for (filter, expected) in [
        ("params.lr = '0.1'", YES),
        ("params.lr = 0.1", YES),
        ("payload.lr = '0.1'", NO),
        ("params.epochs != '10'", NO),
        ("params.epochs IN ('1', '10')", YES),
        ("params.epochs LIKE '1_'", YES),
        ("params.epochs < '9'", YES),
        ("params.epochs < 9", NO),
        ("params.debug = 'True'", YES),
        ("params.debug = true", YES),
        ("tags.opt = \"adam\"", YES),
        ("tags.a.b = 'dotted'", YES),
        ("payload.a.b IS NULL", YES),
        ("params.nan = 'nan'", YES),
        ("params.nested = 'x'", NO),
        ("params.nested LIKE '%'", None),
        ("metrics.lr <= 0.1", YES),
        ("metrics.lr = '0.1'", NO),
    ] {
        assert_eq!(says(filter, payload), expected, "{filter}");
    }
}

#[test]
fn text_is_compared_by_code_points_and_lone_surrogates_survive() {
    let payload = r#"{"lone": "a\udce9b", "pair": "\ud83d\ude00", "plain": "\u00e9"}"#;
    for (filter, expected) in [
        ("payload.lone LIKE 'a_b'", YES),
        ("payload.lone ~ '^a.b$'", YES),
        ("payload.lone != 'a\u{FFFD}b'", YES),
        ("payload.pair = '😀'", YES),
        ("payload.pair > '\u{FFFF}'", YES),
        ("payload.plain = 'é'", YES),
    ] {
        assert_eq!(says(filter, payload), expected, "{filter}");
    }
}

#[test]
fn mistakes_are_pointed_at() {
    for (text, message) in [
        (
            "payload.loss < AND stage = 'x'",
            "expected a value (text stands in quotes), found `AND`\n  \
             payload.loss < AND stage = 'x'\n                 ^^^",
        ),
        (
            "stage = client",
            "expected a value (text stands in quotes), found `client`\n  stage = client\n          ^^^^^^",
        ),
        (
            "stage = 5",
            "`stage` is text, 5 is none; put the text into quotes\n  stage = 5\n          ^",
        ),
        (
            "timestamp > 'monday'",
            "it is no time; write '2026-01-31', '2026-01-31T12:00:00Z' or now() - 7d\n  timestamp > 'monday'\n              ^^^^^^^^",
        ),
        (
            "stage = 'a' ADN index = 1",
            "expected AND, OR or the end, found `ADN`; did you mean AND?\n  stage = 'a' ADN index = 1\n              ^^^",
        ),
        (
            "payload.a LKE 'x'",
            "expected a comparison such as = or <, found `LKE`; did you mean LIKE?\n  payload.a LKE 'x'\n            ^^^",
        ),
        (
            "payload.a = payload.b",
            "expected a value; a field cannot be compared with another field\n  payload.a = payload.b\n              ^^^^^^^^^",
        ),
        (
            "payload.a ~ '('",
            "this is no regular expression that can be used: unclosed group\n  payload.a ~ '('\n              ^^^",
        ),
        ("(stage = 'a'", "expected `)`, found the end\n  (stage = 'a'\n              ^"),
        ("", "expected a field, such as stage or payload.loss, found the end\n  \n  ^"),
        (
            "payload.a IN ()",
            "expected a value: 'text', a number, TRUE, FALSE or now(), found `)`\n  payload.a IN ()\n                ^",
        ),
    ] {
        assert_eq!(Filter::parse(text).unwrap_err().to_string(), message, "{text}");
    }
    let error = Query::parse_knowing("acuracy > 1", &["accuracy"]).unwrap_err();
    assert!(error.message().ends_with("did you mean `payload.accuracy`?"), "{error}");
}

#[test]
fn what_is_too_much_is_refused() {
    let fault = |text: &str| Filter::parse(text).unwrap_err().fault();
    assert_eq!(fault(&" ".repeat(TEXT_LIMIT + 1)), QueryFault::TooLong);
    assert_eq!(fault(&"x".repeat(1 << 20)), QueryFault::TooLong);
    let deep = |depth: usize| format!("{}index = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&deep(63)).is_ok());
    assert_eq!(fault(&deep(64)), QueryFault::TooDeep);
    assert_eq!(fault(&deep(20_000)), QueryFault::TooDeep);
    assert_eq!(fault(&format!("{} index = 1", "NOT ".repeat(10_000))), QueryFault::TooDeep);
    assert_eq!(fault(&vec!["index = 1"; 1001].join(" OR ")), QueryFault::TooMany);
    let values = vec!["1"; 10_001].join(",");
    assert_eq!(fault(&format!("index IN ({values})")), QueryFault::TooMany);
    assert_eq!(fault(&format!("stage LIKE '{}'", "x".repeat(1001))), QueryFault::Pattern);
    assert_eq!(fault(r"stage ~ '\w{500}{500}'"), QueryFault::Pattern);
    assert_eq!(fault("stage LIKE 'a!b' ESCAPE '!'"), QueryFault::Pattern);
}

#[test]
fn slow_patterns_are_linear() {
    let text = "x".repeat(1 << 20);
    let record = line(&format!("{{\"t\": \"{text}\"}}"));
    let started = std::time::Instant::now();
    for filter in [
        "payload.t ~ '(x+x+)+y'",
        "payload.t ~ '(a|x|ax|xx)*$y'",
        &format!("payload.t LIKE '%{}y%'", "x_".repeat(400)),
        &format!("payload.t ILIKE '%{}y%'", "x%".repeat(400)),
    ] {
        assert_eq!(holds(&Filter::parse(filter).unwrap(), &record), NO, "{filter}");
    }
    // Without a bound these run for years.
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn a_builder_makes_what_the_parser_makes() {
    let built = field("stage")
        .unwrap()
        .is("client_round")
        .and(Field::payload("loss").lt(0.3))
        .and(!field("tags.site").unwrap().is_in(["a", "b"]))
        .and(Field::Timestamp.gt(Time::Now(-3_600_000_000)).or(Field::Timestamp.le("2026-01-02")));
    let text = "stage = 'client_round' AND payload.loss < 0.3 AND params.site NOT IN ('a', 'b') AND \
                (timestamp > now() - 1h OR timestamp <= TIMESTAMP '2026-01-02T00:00:00+00:00')";
    assert_eq!(built.to_string(), text);
    assert_eq!(Filter::parse(text).unwrap(), built);
    assert!(Field::Timestamp.lt("soon").check().is_err());
    assert!(Field::Stage.is(5).check().is_err());
    assert_eq!(built.fields().len(), 5);
}

#[test]
fn orders_and_limits() {
    let query = Query::parse("ORDER BY metrics.acc DESC, start_time ASC LIMIT 5;").unwrap();
    assert_eq!(query.to_string(), "ORDER BY payload.acc DESC, timestamp LIMIT 5");
    assert_eq!(Order::parse_list("metrics.acc DESC").unwrap(), query.order[..1]);
    for bad in
        ["LIMIT x", "LIMIT -1", "ORDER payload.a", "ORDER BY", "index = 1 LIMIT 1 ORDER BY index"]
    {
        assert!(Query::parse(bad).is_err(), "{bad}");
    }
}

fn any_field() -> impl Strategy<Value = Field> {
    let name = prop_oneof!["[a-z]{1,3}", "[ -~]{0,6}", "\\PC{1,4}"];
    prop_oneof![
        Just(Field::Stage),
        Just(Field::RecordId),
        name.clone().prop_map(Field::payload),
        (name.clone(), name.clone(), 0..9usize)
            .prop_map(|(a, b, at)| Field::Payload(Path::member(a).element(at).key(b))),
        name.prop_map(|name| Field::Written(Path::member(name))),
    ]
}

fn any_literal() -> impl Strategy<Value = Literal> {
    prop_oneof!["\\PC{0,8}".prop_map(Literal::Text),]
}

fn any_payload_literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any_literal(),
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(Literal::from),
        any::<u64>().prop_map(Literal::from),
        any::<f64>().prop_map(Literal::from),
        Just(Literal::Null),
        (-62_135_596_800_000_000..253_402_300_799_999_999i64).prop_map(|at| Time::At(at).into()),
        any::<i32>().prop_map(|offset| Time::Now(i64::from(offset)).into()),
    ]
}

fn any_leaf() -> impl Strategy<Value = Filter> {
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual)
    ];
    prop_oneof![
        (any_field(), comparison, any_literal(), any_payload_literal()).prop_map(
            |(field, comparison, text, value)| {
                let value = if field.path().is_some() { value } else { text };
                Filter::Compare(field, comparison, value)
            }
        ),
        (any_field(), prop::collection::vec(any_literal(), 1..4))
            .prop_map(|(field, values)| Filter::In(field, values)),
        (any_field(), "[^!]{0,8}", any::<bool>()).prop_map(|(field, pattern, ignore_case)| {
            Filter::Like(field, Like { pattern, escape: Some('!'), ignore_case })
        }),
        (any_field(), "[a-z.*' ]{0,8}").prop_filter_map("an expression", |(field, text)| {
            let filter = Filter::Matches(field, text);
            filter.check().is_ok().then_some(filter)
        }),
        any_field().prop_map(Filter::IsNull),
    ]
}

fn any_filter() -> impl Strategy<Value = Filter> {
    any_leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a.and(b)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a.or(b)),
            inner.prop_map(|a| !a),
        ]
    })
}

proptest! {
    #[test]
    fn text_and_tree_are_one(filter in any_filter()) {
        let text = filter.to_string();
        let read = Filter::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(read, filter);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        match Query::parse(&text) {
            Ok(query) => prop_assert_eq!(Query::parse(&query.to_string()).unwrap(), query),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn not_is_the_opposite_and_null_stays_null(filter in any_filter()) {
        let record = line(r#"{"a": 1, "b": "x", "c": null, "d": [{"a": 2}]}"#);
        prop_assert_eq!(holds(&!filter.clone(), &record), holds(&filter, &record).map(|holds| !holds));
    }

    #[test]
    fn numbers_are_compared_as_their_digits_say(left in any::<i128>(), right in any::<i128>()) {
        let record = line(&format!("{{\"n\": {left}}}"));
        let filter = Filter::parse(&format!("payload.n < {right}")).unwrap();
        prop_assert_eq!(holds(&filter, &record), Some(left < right));
        let float = right as f64;
        let filter = Filter::Compare(Field::payload("n"), Comparison::Equal, Number::Float(float).into());
        prop_assert_eq!(holds(&filter, &record), Some(float.abs() < 1.7e38 && left == float as i128));
    }
}
