//! What the tables of this store can say of a condition of a filter.
//!
//! The columns do not hold every value: a stage may be too long, a number is the nearest double, NaN
//! and what stands in arrays is not kept. What is said here is never too little for all that.

use std::ops::RangeInclusive;

use quark_trace_core::ledger::Digest;
use quark_trace_core::query::{Comparison, Field, Filter, Literal, Number, Path, Step, Time};

use super::columns::{TEXT_LIMIT, is_kept, record_key};
use crate::store::narrow::{self, Narrowed, bounds, said};

/// Records that one statement finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lookup {
    /// Those with the id of this key.
    Key(Digest),
    /// Those of this stage.
    Stage(String),
    /// Those whose stage the column cannot hold.
    NoStage,
    /// Those of a span of time, in microseconds since 1970.
    Time(RangeInclusive<i64>),
    /// Those with a number in this span under this path, and those of which no numbers are kept.
    Number(String, f64, f64),
}

impl narrow::Lookup for Lookup {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Time(one), Self::Time(other)) => {
                let first = *one.start().max(other.start());
                Some(Self::Time(first..=*one.end().min(other.end())))
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
        Filter::In(field, values) if truth => Narrowed::any(
            values.iter().map(|value| compared(field, Comparison::Equal, value, true)).collect(),
        ),
        _ => Narrowed::Everything,
    })
}

fn compared(
    field: &Field,
    comparison: Comparison,
    value: &Literal,
    truth: bool,
) -> Narrowed<Lookup> {
    let is_equal = said(comparison, truth) == Comparison::Equal;
    match (field, value) {
        (_, Literal::Null) => Narrowed::Nothing,
        (Field::RecordId, Literal::Text(id)) if is_equal => {
            Narrowed::Found(Lookup::Key(record_key(id)))
        }
        (Field::Stage, Literal::Text(stage)) if is_equal => Narrowed::Found(match is_kept(stage) {
            true => Lookup::Stage(stage.clone()),
            false => Lookup::NoStage,
        }),
        (Field::Timestamp, Literal::Time(Time::At(instant))) => {
            during(said(comparison, truth), *instant)
        }
        // Where a comparison of numbers is not TRUE the number may be NaN, which is not kept.
        (Field::Payload(path) | Field::Written(path), Literal::Number(number))
            if truth || comparison == Comparison::NotEqual =>
        {
            numbered(path, said(comparison, truth), number)
        }
        _ => Narrowed::Everything,
    }
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

fn numbered(path: &Path, comparison: Comparison, number: &Number) -> Narrowed<Lookup> {
    /// What a path is lengthened by where an infinity is tagged.
    const TAG: usize = "/$numberDouble".len();
    if number.is_nan() && comparison != Comparison::NotEqual {
        return Narrowed::Nothing;
    }
    let (Some(path), Some((least, most))) = (pointer(path), bounds(comparison, number)) else {
        return Narrowed::Everything;
    };
    let is_found = least.is_finite() && most.is_finite() || path.len() + TAG <= TEXT_LIMIT;
    if is_found { Narrowed::Found(Lookup::Number(path, least, most)) } else { Narrowed::Everything }
}

/// The path as it is kept; `None` for one whose numbers are not.
fn pointer(path: &Path) -> Option<String> {
    let mut pointer = String::new();
    for step in path.steps() {
        let Step::Key(name) = step else { return None };
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    }
    is_kept(&pointer).then_some(pointer)
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

    fn stage(name: &str) -> Narrowed<Lookup> {
        Narrowed::Found(Lookup::Stage(name.to_owned()))
    }

    fn time(span: RangeInclusive<i64>) -> Narrowed<Lookup> {
        Narrowed::Found(Lookup::Time(span))
    }

    #[test]
    fn conditions_are_lookups() {
        assert_eq!(lookups("stage = 'a'"), stage("a"));
        assert_eq!(lookups("stage IN ('a', 'b')"), Narrowed::Any(vec![stage("a"), stage("b")]));
        let key = Lookup::Key(record_key("r'1"));
        assert_eq!(lookups("record_id = 'r''1'"), Narrowed::Found(key));
        assert_eq!(lookups("timestamp > '1970-01-01T00:00:00Z'"), time(1..=i64::MAX));
        assert_eq!(lookups("payload.\"a/b~\".c = 3"), number("/a~1b~0/c", 3.0, 3.0));
        let between = Narrowed::Every(vec![number("/a", 1.0, 2.0), stage("a")]);
        assert_eq!(lookups("payload.a BETWEEN 1 AND 2 AND stage = 'a'"), between);
        assert_eq!(lookups("params.a >= 0.5"), number("/a", 0.5, f64::INFINITY));
        assert_eq!(lookups("index BETWEEN 3 AND 5"), {
            Narrowed::Every(vec![Narrowed::Span(3..u64::MAX), Narrowed::Span(0..6)])
        });
        assert_eq!(lookups("index IN (3, 5.5)"), {
            Narrowed::Any(vec![Narrowed::Span(3..4), Narrowed::Span(6..6)])
        });
    }

    #[test]
    fn what_stands_behind_not_is_turned_round() {
        assert_eq!(lookups("NOT stage != 'a'"), stage("a"));
        assert_eq!(lookups("NOT timestamp < '1970-01-01T00:00:01Z'"), time(1_000_000..=i64::MAX));
        assert_eq!(
            lookups("NOT (stage != 'a' OR payload.b != 2)"),
            Narrowed::Every(vec![stage("a"), number("/b", 2.0, 2.0)])
        );
        assert_eq!(
            lookups("NOT (stage != 'a' AND stage != 'b')"),
            Narrowed::Any(vec![stage("a"), stage("b")])
        );
        // NaN is not less than 3, and not found by any number.
        assert_eq!(lookups("NOT payload.a < 3"), Narrowed::Everything);
    }

    #[test]
    fn what_no_column_knows_leaves_nothing_out() {
        for text in [
            "stage != 'a'",
            "stage LIKE 'a%'",
            "stage ~ 'a'",
            "payload.a = 'text'",
            "params.a = '3'",
            "payload.a = TRUE",
            "payload.a != 3",
            "payload.a IN (1, 'b')",
            "payload.a NOT IN (1)",
            "payload.a[0] = 3",
            "payload.a IS NULL",
            "payload.a IS NOT NULL",
            "project_id = 'p'",
            "stage = 'a' OR payload.b ~ 'c'",
            &format!("payload.{} = 3", "x".repeat(200)),
            &format!("payload.{} > 3", "x".repeat(190)),
        ] {
            assert_eq!(lookups(text), Narrowed::Everything, "{text}");
        }
        assert_eq!(lookups("payload.a = NULL"), Narrowed::Nothing);
        assert_eq!(lookups("payload.a < NaN OR payload.a IN (NULL)"), Narrowed::Nothing);
        assert_eq!(lookups("stage = 'a' AND payload.b ~ 'c'"), Narrowed::Every(vec![stage("a")]));
        let long = "x".repeat(201);
        assert_eq!(lookups(&format!("stage = '{long}'")), Narrowed::Found(Lookup::NoStage));
    }

    #[test]
    fn numbers_are_compared_with_what_is_kept_of_them() {
        let below = 3_f64.next_down();
        assert_eq!(lookups("payload.a < 3"), number("/a", f64::NEG_INFINITY, below));
        // 2^53 + 1 is kept as 2^53.
        let kept = 9_007_199_254_740_992.0;
        assert_eq!(lookups("payload.a > 9007199254740992"), number("/a", kept, f64::INFINITY));
        assert_eq!(lookups("payload.a = 9007199254740993"), number("/a", kept, kept));
        assert_eq!(lookups("payload.a < -0.0"), {
            number("/a", f64::NEG_INFINITY, 0_f64.next_down())
        });
        let huge = format!("payload.a = 1{}", "0".repeat(400));
        assert_eq!(lookups(&huge), number("/a", f64::INFINITY, f64::INFINITY));
    }
}
