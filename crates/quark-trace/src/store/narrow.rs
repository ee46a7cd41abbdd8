//! From a filter to the few entries that it could select, by whatever indexes a store has.
//!
//! A store says of each condition which of its lookups finds every record for which the condition is
//! TRUE (or FALSE, where it stands behind NOT), and runs the lookups. What is found is never too
//! little and may be too much: the evaluator decides. A lookup that finds too many entries to be
//! worth it is given up and counts as finding all of them.

use std::ops::Range;

use quark_trace_core::query::{Comparison, Field, Filter, Literal, Number};

use super::spans::Spans;

/// How many entries are looked up before the other conditions of an AND are tried.
const STEPS: [u64; 2] = [4096, 65_536];
/// Entries in memory at once, at most.
const MOST: u64 = 1 << 22;
/// Reading an index of this many entries costs what reading one record costs.
const CHEAPER: u64 = 4;

/// The entries that a filter could select, in terms of the lookups `L` of a store.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Narrowed<L> {
    /// All of them, as far as the store can tell.
    Everything,
    /// Not one.
    Nothing,
    /// Those of a span of the log.
    Span(Range<u64>),
    /// Those that a lookup finds.
    Found(L),
    /// Those that are in every one of these.
    Every(Vec<Narrowed<L>>),
    /// Those that are in any of these.
    Any(Vec<Narrowed<L>>),
}

/// How a store finds entries by an index.
pub(super) trait Lookup: Sized {
    /// The lookup that finds no more than either and all that both find, if one does.
    fn meet(&self, other: &Self) -> Option<Self>;
}

impl<L: Lookup> Narrowed<L> {
    /// Narrows to where `filter` could be TRUE. `condition` narrows to where a single condition
    /// could be TRUE or, with `false`, FALSE.
    pub fn of(filter: &Filter, condition: &dyn Fn(&Filter, bool) -> Self) -> Self {
        Self::to(filter, true, condition)
    }

    fn to(filter: &Filter, truth: bool, condition: &dyn Fn(&Filter, bool) -> Self) -> Self {
        let parts = |parts: &[Filter]| -> Vec<Self> {
            parts.iter().map(|part| Self::to(part, truth, condition)).collect()
        };
        match filter {
            Filter::Not(part) => Self::to(part, !truth, condition),
            Filter::And(all) if truth => Self::every(parts(all)),
            Filter::And(all) => Self::any(parts(all)),
            Filter::Or(any) if truth => Self::any(parts(any)),
            Filter::Or(any) => Self::every(parts(any)),
            Filter::Compare(_, _, Literal::Null) => Self::Nothing,
            Filter::Compare(Field::Index, comparison, Literal::Number(number)) => {
                index(said(*comparison, truth), number)
            }
            Filter::In(Field::Index, values) if truth => {
                Self::any(values.iter().map(|value| index_is(value)).collect())
            }
            single => condition(single, truth),
        }
    }

    pub fn every(parts: Vec<Self>) -> Self {
        let mut all = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Everything => {}
                Self::Nothing => return Self::Nothing,
                Self::Every(more) => more.into_iter().for_each(|part| add(&mut all, part)),
                part => add(&mut all, part),
            }
        }
        // What costs nothing comes first.
        all.sort_by_key(|part| match part {
            Self::Span(_) => 0,
            Self::Found(_) => 1,
            _ => 2,
        });
        if all.is_empty() { Self::Everything } else { Self::Every(all) }
    }

    pub fn any(mut parts: Vec<Self>) -> Self {
        parts.retain(|part| !matches!(part, Self::Nothing));
        if parts.iter().any(|part| matches!(part, Self::Everything)) {
            return Self::Everything;
        }
        match parts.len() {
            0 => Self::Nothing,
            1 => parts.remove(0),
            _ => Self::Any(parts),
        }
    }
}

/// Adds what must be met, too. The two ends of a span are one lookup.
fn add<L: Lookup>(all: &mut Vec<Narrowed<L>>, part: Narrowed<L>) {
    if let Narrowed::Found(new) = &part {
        for known in all.iter_mut() {
            if let Narrowed::Found(old) = known
                && let Some(both) = old.meet(new)
            {
                *old = both;
                return;
            }
        }
    }
    all.push(part);
}

/// The comparison that is TRUE where this one is `truth`, for values that have an order.
pub(super) fn said(comparison: Comparison, truth: bool) -> Comparison {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    match (comparison, truth) {
        (same, true) => same,
        (Equal, false) => NotEqual,
        (NotEqual, false) => Equal,
        (Less, false) => GreaterOrEqual,
        (LessOrEqual, false) => Greater,
        (Greater, false) => LessOrEqual,
        (GreaterOrEqual, false) => Less,
    }
}

/// The least and the greatest nearest double of the numbers for which a comparison is TRUE, if that
/// leaves any out.
///
/// A store keeps the nearest double of each number. Where doubles are closer than integers these are
/// exact, and `<` leaves the number itself out.
pub(super) fn bounds(comparison: Comparison, number: &Number) -> Option<(f64, f64)> {
    /// 2^53: below it every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let nearest = number.to_f64();
    let (below, above) = if nearest.abs() < EXACT {
        (nearest.next_down(), nearest.next_up())
    } else {
        (nearest, nearest)
    };
    match comparison {
        _ if nearest.is_nan() => None,
        Comparison::Equal => Some((nearest, nearest)),
        Comparison::NotEqual => None,
        Comparison::Less => Some((f64::NEG_INFINITY, below)),
        Comparison::LessOrEqual => Some((f64::NEG_INFINITY, nearest)),
        Comparison::Greater => Some((above, f64::INFINITY)),
        Comparison::GreaterOrEqual => Some((nearest, f64::INFINITY)),
    }
}

/// The entries whose index compares so with a number.
fn index<L: Lookup>(comparison: Comparison, number: &Number) -> Narrowed<L> {
    // No log has 2^53 entries; where it is not exact it is far beyond.
    match bounds(comparison, number) {
        Some((_, most)) if most < 0.0 => Narrowed::Nothing,
        Some((least, most)) => {
            Narrowed::Span(least.ceil() as u64..(most.floor() as u64).saturating_add(1))
        }
        None => Narrowed::Everything,
    }
}

fn index_is<L: Lookup>(value: &Literal) -> Narrowed<L> {
    match value {
        Literal::Number(number) => index(Comparison::Equal, number),
        _ => Narrowed::Nothing,
    }
}

/// Finds the entries of a lookup, `None` if they are more than so many.
type LookUp<'s, L, E> = &'s mut dyn FnMut(&L, u64) -> Result<Option<Spans>, E>;

/// Runs the lookups that a filter was narrowed to.
pub(super) struct Search<'s, L, E> {
    look_up: LookUp<'s, L, E>,
    /// The entries among which they are.
    within: Range<u64>,
    /// How many more entries may be looked up.
    work: u64,
}

impl<'s, L: Lookup, E> Search<'s, L, E> {
    pub fn new(within: Range<u64>, look_up: LookUp<'s, L, E>) -> Self {
        // However many conditions there are: about what reading the log once costs.
        let work = within.end.saturating_sub(within.start).saturating_mul(2).max(STEPS[1]);
        Self { look_up, within, work }
    }

    /// The entries that the filter could select.
    pub fn run(mut self, narrowed: &Narrowed<L>) -> Result<Spans, E> {
        let within = Spans::span(self.within.clone());
        let limit = (within.len() / 2).clamp(STEPS[0], MOST);
        let found = self.find(narrowed, limit)?;
        Ok(found.map_or(within.clone(), |found| found.intersection(&within)))
    }

    /// The entries, `None` if they are more than `limit` or unknown.
    fn find(&mut self, narrowed: &Narrowed<L>, limit: u64) -> Result<Option<Spans>, E> {
        match narrowed {
            Narrowed::Everything => Ok(None),
            Narrowed::Nothing => Ok(Some(Spans::default())),
            Narrowed::Span(span) => Ok(Some(Spans::span(span.clone()))),
            Narrowed::Found(lookup) => self.look_up(lookup, limit),
            Narrowed::Any(parts) => {
                let mut sets = Vec::with_capacity(parts.len());
                let mut left = limit;
                for part in parts {
                    let Some(found) = self.find(part, left)? else { return Ok(None) };
                    left = left.saturating_sub(found.len());
                    sets.push(found);
                }
                Ok(Some(Spans::union(sets)))
            }
            Narrowed::Every(parts) => self.every(parts, limit),
        }
    }

    /// Every condition leaves some out; a few that find little are enough.
    fn every(&mut self, parts: &[Narrowed<L>], limit: u64) -> Result<Option<Spans>, E> {
        let mut open: Vec<&Narrowed<L>> = parts.iter().collect();
        let mut found = Spans::span(self.within.clone());
        let smaller = STEPS.into_iter().filter(|step| *step < limit);
        for step in smaller.chain([limit]) {
            let mut left = Vec::new();
            for part in open {
                let worth = found.len().saturating_mul(CHEAPER).min(step);
                match self.find(part, worth)? {
                    Some(more) => found = found.intersection(&more),
                    None => left.push(part),
                }
            }
            open = left;
            if open.is_empty() || found.len().saturating_mul(CHEAPER) <= step {
                break;
            }
        }
        Ok((open.len() < parts.len()).then_some(found))
    }

    fn look_up(&mut self, lookup: &L, limit: u64) -> Result<Option<Spans>, E> {
        let limit = limit.min(self.work);
        if limit == 0 {
            return Ok(None);
        }
        let found = (self.look_up)(lookup, limit)?;
        let cost = found.as_ref().map_or(limit, Spans::len);
        self.work = self.work.saturating_sub(cost.max(1));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const SIZE: u64 = 1_000_000;

    /// Finds every entry whose index is a multiple.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Multiples(u64);

    impl Lookup for Multiples {
        fn meet(&self, _: &Self) -> Option<Self> {
            None
        }
    }

    fn found(step: u64) -> Narrowed<Multiples> {
        Narrowed::Found(Multiples(step))
    }

    /// What is found, and how many entries were looked up for it.
    fn run(narrowed: &Narrowed<Multiples>) -> (Spans, u64) {
        let mut read = 0;
        let mut look_up = |multiples: &Multiples, limit: u64| {
            let all: Vec<u64> = (0..SIZE).step_by(multiples.0 as usize).collect();
            read += (all.len() as u64).min(limit + 1);
            Ok::<_, Infallible>((all.len() as u64 <= limit).then(|| Spans::of(all)))
        };
        let Ok(spans) = Search::new(0..SIZE, &mut look_up).run(narrowed);
        (spans, read)
    }

    fn multiples(step: usize) -> Spans {
        Spans::of((0..SIZE).step_by(step).collect())
    }

    #[test]
    fn the_rare_one_of_several_conditions_is_enough() {
        for parts in [vec![found(1), found(1000), found(2)], vec![found(2), found(1000)]] {
            let (spans, read) = run(&Narrowed::every(parts));
            assert_eq!(spans, multiples(1000));
            assert!(read < 5 * STEPS[0], "{read} were looked up for a thousand");
        }
        // Where both help, both are taken.
        let (spans, _) = run(&Narrowed::every(vec![found(1000), found(700)]));
        assert_eq!(spans, multiples(7000));
        let (spans, _) = run(&Narrowed::every(vec![found(100), found(70)]));
        assert_eq!(spans, multiples(700));
    }

    #[test]
    fn what_is_common_is_read_as_it_stands() {
        let everything = Spans::span(0..SIZE);
        assert_eq!(run(&found(1)).0, everything);
        assert_eq!(run(&Narrowed::any(vec![found(1000), found(1)])).0, everything);
        assert_eq!(run(&Narrowed::Everything).0, everything);
        assert_eq!(run(&Narrowed::Nothing).0, Spans::default());
        let both = Spans::union([multiples(1000), multiples(700)]);
        assert_eq!(run(&Narrowed::any(vec![found(1000), found(700)])).0, both);
        let span = Narrowed::every(vec![found(1), Narrowed::Span(5..u64::MAX)]);
        assert_eq!(run(&span).0, Spans::span(5..SIZE));
    }

    #[test]
    fn many_conditions_are_not_looked_up_for_ever() {
        for narrowed in [
            Narrowed::every(vec![found(1); 1000]),
            Narrowed::every(vec![Narrowed::any(vec![found(3), found(2)]); 500]),
            Narrowed::any(vec![found(100); 1000]),
        ] {
            let (spans, read) = run(&narrowed);
            assert_eq!(spans, Spans::span(0..SIZE));
            assert!(read <= 2 * SIZE + SIZE / 2 + 1000, "{read}");
        }
    }

    #[test]
    fn ends_are_those_of_doubles() {
        let of = |comparison, number: f64| bounds(comparison, &Number::Float(number));
        assert_eq!(of(Comparison::Less, 3.0), Some((f64::NEG_INFINITY, 3_f64.next_down())));
        assert_eq!(of(Comparison::Greater, 1e300), Some((1e300, f64::INFINITY)));
        assert_eq!(of(Comparison::Less, f64::INFINITY), Some((f64::NEG_INFINITY, f64::INFINITY)));
        assert_eq!(of(Comparison::Equal, f64::NAN), None);
        let span = |comparison, number: f64| index(comparison, &Number::Float(number));
        let spans: [(_, _, Narrowed<Multiples>); 6] = [
            (Comparison::Less, 5.0, Narrowed::Span(0..5)),
            (Comparison::LessOrEqual, 5.5, Narrowed::Span(0..6)),
            (Comparison::Greater, 5.0, Narrowed::Span(6..u64::MAX)),
            (Comparison::Greater, -5.0, Narrowed::Span(0..u64::MAX)),
            (Comparison::Less, 0.0, Narrowed::Nothing),
            (Comparison::NotEqual, 5.0, Narrowed::Everything),
        ];
        for (comparison, number, wanted) in spans {
            assert_eq!(span(comparison, number), wanted, "{comparison:?} {number}");
        }
    }
}
