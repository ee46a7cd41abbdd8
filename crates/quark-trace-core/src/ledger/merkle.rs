//! The Merkle tree of RFC 6962: roots, inclusion proofs, consistency proofs.
//!
//! The appender keeps a [`CompactRange`] (at most 64 hashes); [`Levels`] keeps every node for
//! making proofs, [`TileTree`](super::TileTree) one in 128 and reads the leaves that it needs. Checking follows RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use std::ops::Range;

use super::Digest;

/// The hash of a leaf: SHA-256(0x00 || entry).
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// The hash of a node: SHA-256(0x01 || left || right).
pub fn node_hash(left: Digest, right: Digest) -> Digest {
    let mut block = [1; 65];
    block[1..33].copy_from_slice(&left.0);
    block[33..].copy_from_slice(&right.0);
    Digest::of(&block)
}

/// The right-hand edge of a tree: what is needed to append to it and to know its root.
///
/// One hash for each bit set in the size, the largest subtree first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Digest>,
}

impl CompactRange {
    /// The edge of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up an edge that was stored; `None` when the number of hashes does not fit the size.
    pub fn from_parts(size: u64, hashes: Vec<Digest>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, the largest subtree first.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// Appends a leaf: amortised one node hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root; of the empty tree the SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        let mut hashes = self.hashes.iter().rev().copied();
        match hashes.next() {
            None => Digest::of(b""),
            Some(last) => hashes.fold(last, |right, left| node_hash(left, right)),
        }
    }
}

/// Every full node of a tree, level by level, for making proofs in logarithmic time.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    levels: Vec<Vec<Digest>>,
}

impl Levels {
    /// The levels of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// How many hashes are kept.
    pub(super) fn nodes(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        for height in 0.. {
            if self.levels.len() == height {
                self.levels.push(Vec::new());
            }
            let level = &mut self.levels[height];
            level.push(hash);
            if level.len() % 2 == 1 {
                return;
            }
            hash = node_hash(level[level.len() - 2], hash);
        }
    }

    /// The hash of a leaf.
    pub fn leaf(&self, index: u64) -> Option<Digest> {
        self.levels.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// The root over the first `size` leaves; `None` when there are fewer.
    pub fn root(&self, size: u64) -> Option<Digest> {
        match size {
            0 => Some(Digest::of(b"")),
            _ if size > self.size() => None,
            _ => Some(self.subtree(0, size)),
        }
    }

    /// The audit path of `index` in the tree of `size` leaves (RFC 6962, 2.1.1); `None` outside it.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        if index >= size || size > self.size() {
            return None;
        }
        Some(self.subtrees(inclusion_path(index, size)))
    }

    /// The proof that the tree of `old` leaves is a prefix of the tree of `new` (RFC 6962, 2.1.2);
    /// `None` unless `old <= new <= size`. Empty when `old` is 0 or equals `new`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Option<Vec<Digest>> {
        if old > new || new > self.size() {
            return None;
        }
        Some(self.subtrees(consistency_path(old, new)))
    }

    fn subtrees(&self, ranges: Vec<Range<u64>>) -> Vec<Digest> {
        ranges.into_iter().map(|range| self.subtree(range.start, range.end)).collect()
    }

    /// The hash over leaves `start..end`; `start` is a multiple of the largest power in the range.
    pub(super) fn subtree(&self, start: u64, end: u64) -> Digest {
        let width = end - start;
        if width.is_power_of_two() {
            let height = width.trailing_zeros();
            return self.levels[height as usize][(start >> height) as usize];
        }
        let split = start + largest_power_below(width);
        node_hash(self.subtree(start, split), self.subtree(split, end))
    }
}

/// The leaves under each hash of the audit path of `index`, which is below `size`.
pub(super) fn inclusion_path(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let split = start + largest_power_below(end - start);
        if index < split {
            path.push(split..end);
            end = split;
        } else {
            path.push(start..split);
            start = split;
        }
    }
    path.reverse();
    path
}

/// The leaves under each hash of the proof of consistency of `old`, which is at most `new`.
pub(super) fn consistency_path(old: u64, new: u64) -> Vec<Range<u64>> {
    if old == 0 || old == new {
        return Vec::new();
    }
    let mut path = Vec::new();
    let (mut start, mut end, mut whole) = (0, new, true);
    while old != end {
        let split = start + largest_power_below(end - start);
        if old <= split {
            path.push(split..end);
            end = split;
        } else {
            path.push(start..split);
            start = split;
            whole = false;
        }
    }
    if !whole {
        path.push(start..end);
    }
    path.reverse();
    path
}

/// The largest power of two smaller than `width`, which is at least 2.
pub(super) fn largest_power_below(width: u64) -> u64 {
    1 << (63 - (width - 1).leading_zeros())
}

/// Why a proof does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// The index is not in the tree, or the old tree is larger than the new one.
    #[error("the proof is for an entry or tree outside the tree")]
    OutOfRange,
    /// Too many or too few hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Checks that `leaf` is entry `index` of the tree of `size` leaves with this root.
pub fn verify_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: Digest,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault::OutOfRange);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for &sibling in path {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last, hash == root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofFault::Root),
        _ => Err(ProofFault::Length),
    }
}

/// Checks that the tree (`old_size`, `old_root`) is a prefix of the tree (`new_size`, `new_root`).
pub fn verify_consistency(
    old_size: u64,
    old_root: Digest,
    new_size: u64,
    new_root: Digest,
    path: &[Digest],
) -> Result<(), ProofFault> {
    if old_size > new_size {
        return Err(ProofFault::OutOfRange);
    }
    if old_size == 0 || old_size == new_size {
        let expected = if old_size == 0 { Digest::of(b"") } else { new_root };
        return match (path.is_empty(), old_root == expected) {
            (true, true) => Ok(()),
            (true, false) => Err(ProofFault::Root),
            (false, _) => Err(ProofFault::Length),
        };
    }
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let mut path = path.iter().copied();
    let first = if node == 0 { old_root } else { path.next().ok_or(ProofFault::Length)? };
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in path {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, old_hash);
            new_hash = node_hash(sibling, new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last, old_hash == old_root && new_hash == new_root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofFault::Root),
        _ => Err(ProofFault::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(size: u64) -> Levels {
        let mut levels = Levels::new();
        (0..size).for_each(|leaf| levels.push(leaf_hash(&leaf.to_be_bytes())));
        levels
    }

    #[test]
    fn the_edge_and_the_levels_agree_on_every_root() {
        let levels = tree(300);
        let mut range = CompactRange::new();
        for size in 0..=300 {
            assert_eq!(Some(range.root()), levels.root(size));
            let parts = CompactRange::from_parts(range.size(), range.hashes().to_vec());
            assert_eq!(parts.as_ref(), Some(&range));
            range.push(leaf_hash(&size.to_be_bytes()));
        }
        assert_eq!(CompactRange::from_parts(3, vec![]), None);
    }

    #[test]
    fn every_proof_of_small_trees_holds_and_no_altered_one_does() {
        let levels = tree(70);
        for size in 1..=70 {
            let root = levels.root(size).unwrap();
            for index in 0..size {
                let leaf = levels.leaf(index).unwrap();
                let path = levels.inclusion_proof(index, size).unwrap();
                assert_eq!(verify_inclusion(leaf, index, size, &path, root), Ok(()));
                for at in 0..path.len() {
                    let mut wrong = path.clone();
                    wrong[at].0[0] ^= 1;
                    assert_eq!(
                        verify_inclusion(leaf, index, size, &wrong, root),
                        Err(ProofFault::Root)
                    );
                    wrong.remove(at);
                    assert!(verify_inclusion(leaf, index, size, &wrong, root).is_err());
                }
                let mut long = path.clone();
                long.push(root);
                assert!(verify_inclusion(leaf, index, size, &long, root).is_err());
                assert!(
                    verify_inclusion(leaf, (index + 1) % size, size, &path, root).is_err()
                        || size == 1
                );
            }
        }
    }

    #[test]
    fn every_consistency_proof_of_small_trees_holds() {
        let levels = tree(70);
        for new in 0..=70 {
            for old in 0..=new {
                let (a, b) = (levels.root(old).unwrap(), levels.root(new).unwrap());
                let path = levels.consistency_proof(old, new).unwrap();
                assert_eq!(verify_consistency(old, a, new, b, &path), Ok(()), "{old} {new}");
                assert!(verify_consistency(old, leaf_hash(b"x"), new, b, &path).is_err());
                let mut long = path.clone();
                long.push(a);
                assert!(verify_consistency(old, a, new, b, &long).is_err());
            }
        }
    }
}
