//! Sets of entries, as spans of their indexes.

use std::ops::Range;

/// Entries by their indexes: spans in order, none of which is empty or touches the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spans(Vec<Range<u64>>);

impl Spans {
    /// The entries of one span.
    pub fn span(span: Range<u64>) -> Self {
        Self(if span.is_empty() { Vec::new() } else { vec![span] })
    }

    /// These entries, in any order and however often each is named.
    pub fn of(mut indexes: Vec<u64>) -> Self {
        indexes.sort_unstable();
        let mut spans = Self::default();
        indexes.into_iter().for_each(|index| spans.extend_by(index..index.saturating_add(1)));
        spans
    }

    /// The entries that are in any of the sets.
    pub fn union(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<_> = sets.into_iter().flat_map(|set| set.0).collect();
        all.sort_unstable_by_key(|span| span.start);
        let mut spans = Self::default();
        all.into_iter().for_each(|span| spans.extend_by(span));
        spans
    }

    /// The entries that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Self::default();
        while let (Some(one), Some(another)) = (left.peek(), right.peek()) {
            let (start, end) = (one.start.max(another.start), one.end.min(another.end));
            if start < end {
                both.0.push(start..end);
            }
            if one.end < another.end {
                left.next()
            } else {
                right.next()
            };
        }
        both
    }

    /// Adds a span that begins where the last one does or behind that.
    fn extend_by(&mut self, span: Range<u64>) {
        match self.0.last_mut().filter(|last| span.start <= last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => self.0.push(span),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|span| span.end - span.start).sum()
    }

    /// The spans in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(all: &[Range<u64>]) -> Spans {
        Spans::union(all.iter().cloned().map(Spans::span))
    }

    #[test]
    fn indexes_that_follow_each_other_are_one_span() {
        assert_eq!(Spans::of(vec![7, 3, 4, 4, 9, 8]), spans(&[3..5, 7..10]));
        assert_eq!(Spans::of(vec![7, 3, 4, 4, 9, 8]).len(), 5);
        assert_eq!(Spans::of(vec![]), Spans::span(4..4));
        assert_eq!(spans(&[5..9, 1..3, 3..4, 6..7]).iter().collect::<Vec<_>>(), [1..4, 5..9]);
    }

    #[test]
    fn sets_are_combined_as_sets_are() {
        let sets: Vec<Vec<u64>> =
            (0..64_u64).map(|bits| (0..6).filter(|bit| bits >> bit & 1 == 1).collect()).collect();
        for left in &sets {
            for right in &sets {
                let (one, other) = (Spans::of(left.clone()), Spans::of(right.clone()));
                let both = left.iter().filter(|index| right.contains(index)).copied().collect();
                assert_eq!(one.intersection(&other), Spans::of(both));
                let any = [left.clone(), right.clone()].concat();
                assert_eq!(Spans::union([one, other]), Spans::of(any));
            }
        }
    }
}
