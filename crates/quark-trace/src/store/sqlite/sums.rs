//! Whether rows that belong to entries, in no order, are those that the entries make, in bounded
//! memory: sums of hashes over spans of entries. Only where these differ are rows looked at.

use std::ops::Range;

use quark_trace_core::ledger::Digest;

const SPANS: u64 = 1024;
/// A few are enough to know where.
const TOLD: usize = 4;

/// A sum for each span of the entries of a log.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    /// Entries in a span.
    width: u64,
    sums: Vec<u128>,
}

impl Sums {
    pub fn of_log(size: u64) -> Self {
        Self { width: size.div_ceil(SPANS).max(1), sums: vec![0; SPANS as usize] }
    }

    /// As many sums of no rows.
    pub fn of_none(&self) -> Self {
        Self { width: self.width, sums: vec![0; self.sums.len()] }
    }

    /// Adds a row of an entry, which says this.
    pub fn add(&mut self, index: u64, said: &[&[u8]]) {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&index.to_be_bytes());
        said.iter().for_each(|part| bytes.extend_from_slice(part));
        let digest = Digest::of(&bytes).0;
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        let span = self.span(index);
        self.sums[span] = self.sums[span].wrapping_add(u128::from_be_bytes(first));
    }

    /// The last span takes what lies behind the end of the log.
    pub fn span(&self, index: u64) -> usize {
        (index / self.width).min(SPANS - 1) as usize
    }

    /// The first spans of which the sums differ.
    pub fn differing(&self, other: &Self) -> Vec<usize> {
        let differs = |span: &usize| self.sums[*span] != other.sums[*span];
        (0..self.sums.len()).filter(differs).take(TOLD).collect()
    }

    /// The entries of a span, as far as they lie before `end`.
    pub fn entries(&self, span: usize, end: u64) -> Range<u64> {
        let from = span as u64 * self.width;
        from..(from + self.width).min(end).max(from)
    }
}
