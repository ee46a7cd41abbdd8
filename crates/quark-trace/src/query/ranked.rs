//! The first records of an order, without keeping the others.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use quark_trace_core::query::SortKey;

use super::cursor::Position;
use crate::store::Place;

/// A record with its place in the order.
#[derive(Debug)]
pub(super) struct Ranked {
    pub keys: Vec<Key>,
    pub position: Position,
    pub place: Place,
    pub line: Vec<u8>,
}

/// A value that is ordered by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub key: SortKey,
    pub descending: bool,
}

/// Keeps the first `limit` records, and no more bytes of lines than `most_bytes` but for the first.
#[derive(Debug)]
pub(super) struct First {
    heap: BinaryHeap<Ranked>,
    limit: usize,
    bytes: usize,
    most_bytes: usize,
    /// The first record that had to go because of its bytes; none behind it is taken.
    end: Option<Ranked>,
    /// Whether something was left out.
    pub is_full: bool,
}

impl First {
    pub fn new(limit: Option<u64>, most_bytes: usize) -> Self {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let heap = BinaryHeap::new();
        Self { heap, limit, bytes: 0, most_bytes, end: None, is_full: false }
    }

    /// Takes a record if it is one of the first; its line is copied only then.
    pub fn offer(&mut self, keys: &[Key], position: Position, place: Place, line: &[u8]) {
        if self.end.as_ref().is_some_and(|end| end.order(keys, position).is_le()) {
            return;
        }
        if self.heap.len() == self.limit {
            self.is_full = true;
            let worst = self.heap.peek();
            if worst.is_none_or(|worst| worst.order(keys, position).is_le()) {
                return;
            }
            self.drop_last();
        }
        self.bytes += line.len();
        self.heap.push(Ranked { keys: keys.to_vec(), position, place, line: line.to_vec() });
        while self.bytes > self.most_bytes && self.heap.len() > 1 {
            self.is_full = true;
            self.end = self.drop_last();
        }
    }

    fn drop_last(&mut self) -> Option<Ranked> {
        let mut last = self.heap.pop()?;
        self.bytes -= std::mem::take(&mut last.line).len();
        Some(last)
    }

    /// The records, the first one first.
    pub fn into_sorted(self) -> Vec<Ranked> {
        self.heap.into_sorted_vec()
    }
}

/// The order of two records; what is alike is in the order of the log.
pub(super) fn order(left: (&[Key], Position), right: (&[Key], Position)) -> Ordering {
    let keys = left.0.iter().zip(right.0).map(|(one, other)| one.cmp(other));
    keys.fold(Ordering::Equal, Ordering::then).then(left.1.cmp(&right.1))
}

impl Ranked {
    fn order(&self, keys: &[Key], position: Position) -> Ordering {
        order((&self.keys, self.position), (keys, position))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.order(&other.key, self.descending)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Key {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(&other.keys, other.position)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}
