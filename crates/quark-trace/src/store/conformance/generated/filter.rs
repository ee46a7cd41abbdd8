//! Filters of every shape, with every kind of condition.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quark_trace_core::query::{Comparison, Field, Filter, Like, Literal, Number, Path, Time};

use super::{LENGTHS, NAMES, NEAR, NUMBERS, long_text, near_name, text};

/// Instants about those that records have, in microseconds since 1970.
const INSTANTS: &[i64] = &[
    1_767_323_045_000_000,
    1_767_323_045_000_001,
    1_767_323_046_000_000,
    -62_135_596_800_000_000,
    253_402_300_799_999_999,
    -500_000,
    0,
];

fn path() -> impl Strategy<Value = Path> {
    let name = || {
        prop_oneof![
            16 => select(NAMES).prop_map(|(_, name)| name.to_owned()),
            2 => long_text(select(LENGTHS), "k"),
        ]
    };
    let step = prop_oneof![
        4 => name().prop_map(Ok),
        1 => (0..3_usize).prop_map(Err),
    ];
    let walked = (name(), vec(step, 0..3)).prop_map(|(name, steps)| {
        steps.into_iter().fold(Path::member(name), |path, step| match step {
            Ok(name) => path.key(name),
            Err(place) => path.element(place),
        })
    });
    let deep =
        (6..11_usize).prop_map(|depth| (1..depth).fold(Path::member("a"), |path, _| path.key("a")));
    prop_oneof![12 => walked, 1 => deep]
}

fn number() -> BoxedStrategy<Literal> {
    numbers(NUMBERS)
}

fn numbers(all: &'static [&'static str]) -> BoxedStrategy<Literal> {
    let edge = text(all).prop_map(|token| {
        let filter = Filter::parse(&format!("payload.a = {token}"));
        match filter {
            Ok(Filter::Compare(_, _, value)) => value,
            _ => Literal::Number(Number::Float(f64::NEG_INFINITY)),
        }
    });
    prop_oneof![6 => edge, 1 => (-4..30_i64).prop_map(Literal::from), 1 => any::<f64>().prop_map(Literal::from)]
        .boxed()
}

/// A field and a value that it can be compared with.
fn compared() -> BoxedStrategy<(Field, Literal)> {
    let literal_text = || {
        prop_oneof![
            8 => select(&["a", "b", "client_round", "end", "None", "7", "[1, \"a\"]", "a\0b",
                "Köln", "0.3", "nan", "True", "'; DROP TABLE qt_log; --", "r1", "r2", ""][..])
                .prop_map(Literal::from),
            1 => long_text(198..203_usize, "x").prop_map(Literal::from),
            1 => long_text(98..103_usize, "é").prop_map(Literal::from),
        ]
    };
    let own = select(&[Field::RecordId, Field::Stage, Field::Stage, Field::ProjectId][..]);
    let any_value = prop_oneof![
        6 => number(),
        2 => literal_text(),
        1 => any::<bool>().prop_map(Literal::from),
        1 => instant(),
    ];
    let payload = prop_oneof![
        3 => path().prop_map(Field::Payload),
        1 => path().prop_map(Field::Written),
    ];
    let pair = prop_oneof![
        4 => (own, literal_text()),
        3 => (Just(Field::Timestamp), instant()),
        2 => (Just(Field::Index), number()),
        10 => (payload, any_value),
        10 => (near_name().prop_map(Field::payload), numbers(NEAR)),
    ];
    (pair, prop::bool::weighted(0.05))
        .prop_map(|((field, value), null)| (field, if null { Literal::Null } else { value }))
        .boxed()
}

fn instant() -> BoxedStrategy<Literal> {
    select(INSTANTS).prop_map(|at| Literal::Time(Time::At(at))).boxed()
}

fn condition() -> BoxedStrategy<Filter> {
    let comparison = select(
        &[
            Comparison::Equal,
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::LessOrEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
        ][..],
    );
    let field = || compared().prop_map(|(field, _)| field);
    let like = (select(&["a%", "%", "_", "client%", "%\\%", "K_ln", "É%", ""][..]), any::<bool>())
        .prop_map(|(pattern, ignore_case)| Like {
            pattern: pattern.to_owned(),
            escape: None,
            ignore_case,
        });
    let expression = select(&["^a", "o", "[0-9]+$", "(?i)END", "\u{FFFD}"][..]);
    let several = (compared(), vec(compared(), 0..4)).prop_map(|((field, first), others)| {
        let alike = others.into_iter().filter(|(other, _)| {
            other.path().is_some() == field.path().is_some()
                && (field.path().is_some() || *other == field)
        });
        let values = alike.map(|(_, value)| value).chain([first]).collect();
        Filter::is_in(field, values)
    });
    prop_oneof![
        10 => (compared(), comparison).prop_map(|((field, value), comparison)| {
            Filter::compare(field, comparison, value)
        }),
        3 => several,
        1 => (field(), like).prop_map(|(field, like)| Filter::Like(field, like)),
        1 => (field(), expression).prop_map(|(field, text)| field.matches(text)),
        1 => field().prop_map(Field::is_null),
    ]
    .boxed()
}

/// A filter of any shape.
pub fn filter() -> BoxedStrategy<Filter> {
    condition()
        .prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                2 => vec(inner.clone(), 2..4).prop_map(Filter::And),
                2 => vec(inner.clone(), 2..4).prop_map(Filter::Or),
                2 => inner.prop_map(|filter| !filter),
            ]
        })
        .boxed()
}
