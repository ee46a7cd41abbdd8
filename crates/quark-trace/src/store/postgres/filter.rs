//! What the tables of this store can say of a condition of a filter.
//!
//! The columns do not hold every value: a stage may be too long, a number is the nearest double, what
//! stands in arrays or too deep is not kept. What is said here is never too little for all that.

use std::ops::RangeInclusive;

use quark_trace_core::query::{Comparison, Field, Filter, Literal, Number, Path, Step, Time};

use super::columns::{is_kept, record_key};
use super::numbers;
use crate::store::narrow::{self, Narrowed, bounds, said};

/// Records that one statement finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lookup {
    /// Those with an id of these keys.
    Keys(Vec<Vec<u8>>),
    /// Those of these stages.
    Stages(Vec<String>),
    /// Those whose stage the column cannot hold.
    NoStage,
    /// Those of a span of time, in microseconds since 1970.
    Time(RangeInclusive<i64>),
    /// Those with a number in this span under this path; NaN is the greatest number.
    Number(String, f64, f64),
    /// Those with one of these numbers under this path.
    Numbers(String, Vec<f64>),
}

impl narrow::Lookup for Lookup {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Time(one), Self::Time(other)) => {
                let first = *one.start().max(other.start());
                Some(Self::Time(first..=*one.end().min(other.end())))
            }
            // NaN is in no span but its own.
            (Self::Number(_, least, _), _) | (_, Self::Number(_, least, _)) if least.is_nan() => {
                None
            }
            // A record has one number under a path.
            (Self::Number(path, least, most), Self::Number(other, more, less)) if path == other => {
                Some(Self::Number(path.clone(), least.max(*more), most.min(*less)))
            }
            _ => None,
        }
    }
}

/// Narrows to the records that a filter could select.
pub(super) fn narrowed(filter: &Filter) -> Narrowed<Lookup> {
    Narrowed::of(filter, &|condition, truth| match condition {
        Filter::Compare(field, comparison, value) => compared(field, *comparison, value, truth),
        Filter::In(field, values) if truth => is_in(field, values),
        _ => Narrowed::Everything,
    })
}

fn compared(
    field: &Field,
    comparison: Comparison,
    value: &Literal,
    truth: bool,
) -> Narrowed<Lookup> {
    let said = said(comparison, truth);
    match (field, value) {
        (Field::Timestamp, Literal::Time(Time::At(instant))) => during(said, *instant),
        (Field::Payload(path) | Field::Written(path), Literal::Number(number)) => {
            let Some(path) = column_path(path) else { return Narrowed::Everything };
            match said {
                // What is not equal may be text, or missing.
                Comparison::NotEqual => Narrowed::Everything,
                Comparison::Equal if !truth && number.is_nan() => Narrowed::Everything,
                _ => numbered(path, said, number, truth),
            }
        }
        _ if said == Comparison::Equal => is_in(field, std::slice::from_ref(value)),
        _ => Narrowed::Everything,
    }
}

/// Equal to any of the values.
fn is_in(field: &Field, values: &[Literal]) -> Narrowed<Lookup> {
    let values = values.iter().filter(|value| **value != Literal::Null);
    match field {
        Field::RecordId => match values.map(text).collect::<Option<Vec<_>>>() {
            Some(ids) => {
                let keys = ids.into_iter().map(|id| record_key(id).0.to_vec()).collect();
                Narrowed::Found(Lookup::Keys(keys))
            }
            None => Narrowed::Everything,
        },
        Field::Stage => match values.map(text).collect::<Option<Vec<_>>>() {
            Some(stages) => staged(stages),
            None => Narrowed::Everything,
        },
        Field::Timestamp => Narrowed::any(
            values
                .map(|value| match value {
                    Literal::Time(Time::At(at)) => during(Comparison::Equal, *at),
                    _ => Narrowed::Everything,
                })
                .collect(),
        ),
        Field::Payload(path) | Field::Written(path) => {
            let number = |value: &Literal| match value {
                Literal::Number(number) => Some(number.to_f64()),
                _ => None,
            };
            // Nothing equals NaN, but it is kept and would be found.
            match (column_path(path), values.map(number).collect::<Option<Vec<_>>>()) {
                (Some(path), Some(mut numbers)) => {
                    numbers.retain(|number| !number.is_nan());
                    Narrowed::Found(Lookup::Numbers(path, numbers))
                }
                _ => Narrowed::Everything,
            }
        }
        Field::ProjectId | Field::Index => Narrowed::Everything,
    }
}

fn text(value: &Literal) -> Option<&str> {
    match value {
        Literal::Text(text) => Some(text),
        _ => None,
    }
}

fn staged(stages: Vec<&str>) -> Narrowed<Lookup> {
    let (kept, others): (Vec<_>, Vec<_>) = stages.into_iter().partition(|stage| is_kept(stage));
    let kept: Vec<String> = kept.into_iter().map(str::to_owned).collect();
    let kept = (!kept.is_empty()).then_some(Narrowed::Found(Lookup::Stages(kept)));
    let others = (!others.is_empty()).then_some(Narrowed::Found(Lookup::NoStage));
    Narrowed::any(kept.into_iter().chain(others).collect())
}

fn during(comparison: Comparison, instant: i64) -> Narrowed<Lookup> {
    let times = match comparison {
        Comparison::Equal => instant..=instant,
        Comparison::NotEqual => return Narrowed::Everything,
        Comparison::Less => i64::MIN..=instant.saturating_sub(1),
        Comparison::LessOrEqual => i64::MIN..=instant,
        Comparison::Greater => instant.saturating_add(1)..=i64::MAX,
        Comparison::GreaterOrEqual => instant..=i64::MAX,
    };
    Narrowed::Found(Lookup::Time(times))
}

/// Where a comparison of numbers is not TRUE the number may be NaN.
fn numbered(
    path: String,
    comparison: Comparison,
    number: &Number,
    truth: bool,
) -> Narrowed<Lookup> {
    let Some((least, most)) = bounds(comparison, number) else {
        return if truth { Narrowed::Nothing } else { Narrowed::Everything };
    };
    let is_nan = Narrowed::Found(Lookup::Number(path.clone(), f64::NAN, f64::NAN));
    let is_found = Narrowed::Found(Lookup::Number(path, least, most));
    match comparison {
        Comparison::Equal => is_found,
        _ if truth => is_found,
        _ => Narrowed::any(vec![is_found, is_nan]),
    }
}

/// The path as it is kept; `None` for one whose numbers are not.
fn column_path(path: &Path) -> Option<String> {
    let names = path.steps().iter().map(|step| match step {
        Step::Key(name) => Some(name.as_str()),
        Step::Element(_) => None,
    });
    numbers::path(&names.collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookups(text: &str) -> Narrowed<Lookup> {
        narrowed(&Filter::parse(text).unwrap())
    }

    fn number(path: &str, least: f64, most: f64) -> Narrowed<Lookup> {
        Narrowed::Found(Lookup::Number(path.to_owned(), least, most))
    }

    fn stages(names: &[&str]) -> Narrowed<Lookup> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Narrowed::Found(Lookup::Stages(names))
    }

    #[test]
    fn conditions_are_lookups() {
        assert_eq!(lookups("stage = 'a'"), stages(&["a"]));
        assert_eq!(lookups("NOT stage != 'a'"), stages(&["a"]));
        assert_eq!(lookups("stage IN ('a', NULL, 'b')"), stages(&["a", "b"]));
        let keys = vec![record_key("r'1").0.to_vec()];
        assert_eq!(lookups("record_id = 'r''1'"), Narrowed::Found(Lookup::Keys(keys)));
        let times = Lookup::Time(1..=i64::MAX);
        assert_eq!(lookups("timestamp > '1970-01-01T00:00:00Z'"), Narrowed::Found(times));
        let between = Narrowed::Every(vec![number("a", 1.0, 2.0), stages(&["a"])]);
        assert_eq!(lookups("payload.a BETWEEN 1 AND 2 AND stage = 'a'"), between);
        assert_eq!(lookups("params.a >= 0.5"), number("a", 0.5, f64::INFINITY));
        let numbers = Lookup::Numbers("a\\.b.c\\\\".to_owned(), vec![3.0, 4.5]);
        let found = lookups("payload.\"a.b\".\"c\\\" IN (3, 4.5, NaN)");
        assert_eq!(found, Narrowed::Found(numbers));
        assert_eq!(
            lookups("NOT (stage != 'a' OR payload.b != 2)"),
            Narrowed::Every(vec![stages(&["a"]), number("b", 2.0, 2.0)])
        );
    }

    #[test]
    fn where_a_number_is_not_less_it_may_be_nan() {
        let Narrowed::Any(parts) = lookups("NOT payload.a < 3") else { panic!("two lookups") };
        assert_eq!(parts[0], number("a", 3.0, f64::INFINITY));
        let is_nan = |least: f64, most: f64| least.is_nan() && most.is_nan();
        assert!(matches!(&parts[1], Narrowed::Found(Lookup::Number(path, least, most))
            if path == "a" && is_nan(*least, *most)));
        assert_eq!(lookups("NOT payload.a < NaN"), Narrowed::Everything);
        assert_eq!(lookups("payload.a < NaN"), Narrowed::Nothing);
    }

    #[test]
    fn what_no_column_knows_leaves_nothing_out() {
        for text in [
            "stage != 'a'",
            "stage LIKE 'a%'",
            "payload.a = 'text'",
            "params.a = '3'",
            "payload.a = TRUE",
            "payload.a != 3",
            "NOT payload.a = 3",
            "payload.a != NaN",
            "NOT payload.a != NaN",
            "payload.a IN (1, 'b')",
            "payload.a NOT IN (1)",
            "payload.a[0] = 3",
            "payload.\"\".b = 3",
            "payload.a IS NULL",
            "payload.a.b.c.d.e.f.g.h.i = 1",
            "project_id = 'p'",
            &format!("payload.{} = 3", "x".repeat(201)),
        ] {
            assert_eq!(lookups(text), Narrowed::Everything, "{text}");
        }
        assert_eq!(lookups("payload.a.b.c.d.e.f.g.h = 1"), number("a.b.c.d.e.f.g.h", 1.0, 1.0));
        let long = "x".repeat(201);
        assert_eq!(lookups(&format!("stage = '{long}'")), Narrowed::Found(Lookup::NoStage));
    }
}
