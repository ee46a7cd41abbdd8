//! Roots and proofs of any size from one hash in 256 and a few tiles of leaves.
//!
//! A tree of a million entries takes 250 kB here; all of its nodes would take 64 MB. The leaf
//! hashes stay where they are, and a proof reads at most two tiles of them. What is read is checked
//! against the hash that was kept, so that leaves which were changed meanwhile make no proof.

use std::ops::Range;

use super::Digest;
use super::merkle::{Levels, consistency_path, inclusion_path, largest_power_below, node_hash};
use super::tiles::{HEIGHT, Level, Tile, WIDTH};

/// Leaves of a full tile.
const LEAVES: u64 = WIDTH as u64;

/// The hashes of all complete subtrees of 256 leaves and of everything above them, and the leaves
/// behind the last of them.
///
/// `leaves` of its methods fetches the leaf hashes of the full tile with that number of level 0, all
/// 256 of them, from wherever they are; what it fails with is passed on.
///
/// ```
/// use quark_trace_core::ledger::{Digest, TileTree, merkle::{leaf_hash, verify_inclusion}};
/// let leaves: Vec<Digest> = (0..1000_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
/// let mut tree = TileTree::new();
/// leaves.iter().for_each(|leaf| tree.push(*leaf));
/// let mut read = |tile: u64| {
///     let start = tile as usize * 256;
///     leaves.get(start..start + 256).ok_or(std::io::ErrorKind::NotFound)
/// };
/// let (path, root) = (tree.inclusion_proof(7, 999, &mut read), tree.root(999, &mut read));
/// assert_eq!(verify_inclusion(leaves[7], 7, 999, &path.unwrap(), root.unwrap()), Ok(()));
/// ```
#[derive(Debug, Clone, Default)]
pub struct TileTree {
    /// Subtrees of 256 leaves stand here where `Levels` has leaves.
    upper: Levels,
    /// The leaves of the tile that is not full.
    last: Levels,
}

/// Why a tree gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault<E> {
    /// The size, index or tile is not in the tree.
    #[error("it is outside the tree, which has {size} leaves")]
    OutOfRange {
        /// Leaves of the tree.
        size: u64,
    },
    /// The leaves of this tile are not those that were pushed.
    #[error("the leaves of tile {tile} are not those that the tree was made of")]
    Altered {
        /// The tile of level 0.
        tile: u64,
    },
    /// The leaves could not be fetched.
    #[error(transparent)]
    Leaves(E),
}

impl TileTree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.upper.size() * LEAVES + self.last.size()
    }

    /// How many bytes its hashes take.
    pub fn memory(&self) -> usize {
        (self.upper.nodes() + self.last.nodes()) * size_of::<Digest>()
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Digest) {
        self.last.push(leaf);
        if self.last.size() == LEAVES {
            self.upper.push(self.last.subtree(0, LEAVES));
            self.last = Levels::new();
        }
    }

    /// The root over the first `size` leaves.
    pub fn root<L, E>(
        &self,
        size: u64,
        leaves: impl FnMut(u64) -> Result<L, E>,
    ) -> Result<Digest, TreeFault<E>>
    where
        L: AsRef<[Digest]>,
    {
        self.within(size <= self.size())?;
        match size {
            0 => Ok(Digest::of(b"")),
            _ => Reader::new(self, leaves).subtree(0..size),
        }
    }

    /// The audit path of `index` in the tree of `size` leaves (RFC 6962, 2.1.1).
    pub fn inclusion_proof<L, E>(
        &self,
        index: u64,
        size: u64,
        leaves: impl FnMut(u64) -> Result<L, E>,
    ) -> Result<Vec<Digest>, TreeFault<E>>
    where
        L: AsRef<[Digest]>,
    {
        self.within(index < size && size <= self.size())?;
        Reader::new(self, leaves).all(inclusion_path(index, size))
    }

    /// The proof that the tree of `old` leaves is a prefix of the tree of `new` (RFC 6962, 2.1.2);
    /// empty when `old` is 0 or equals `new`.
    pub fn consistency_proof<L, E>(
        &self,
        old: u64,
        new: u64,
        leaves: impl FnMut(u64) -> Result<L, E>,
    ) -> Result<Vec<Digest>, TreeFault<E>>
    where
        L: AsRef<[Digest]>,
    {
        self.within(old <= new && new <= self.size())?;
        Reader::new(self, leaves).all(consistency_path(old, new))
    }

    /// The hash of leaf `index`.
    pub fn leaf<L, E>(
        &self,
        index: u64,
        leaves: impl FnMut(u64) -> Result<L, E>,
    ) -> Result<Digest, TreeFault<E>>
    where
        L: AsRef<[Digest]>,
    {
        self.within(index < self.size())?;
        Reader::new(self, leaves).subtree(index..index + 1)
    }

    /// The bytes of a tile of hashes: 32 for each, one after another. A bundle of entries is outside
    /// the tree, too: it knows none.
    pub fn tile<L, E>(
        &self,
        tile: Tile,
        leaves: impl FnMut(u64) -> Result<L, E>,
    ) -> Result<Vec<u8>, TreeFault<E>>
    where
        L: AsRef<[Digest]>,
    {
        let (Level::Hashes(level), Some(places)) = (tile.level(), tile.places()) else {
            return Err(TreeFault::OutOfRange { size: self.size() });
        };
        self.within(tile.is_within(self.size()))?;
        let shift = HEIGHT * u32::from(level);
        let ranges = places.map(|at| at << shift..(at + 1) << shift).collect();
        let hashes = Reader::new(self, leaves).all(ranges)?;
        Ok(hashes.iter().flat_map(|hash| hash.0).collect())
    }

    fn within<E>(&self, holds: bool) -> Result<(), TreeFault<E>> {
        if holds { Ok(()) } else { Err(TreeFault::OutOfRange { size: self.size() }) }
    }
}

/// Reads nodes of one tree; the tile of leaves that was read last stays for the next node.
struct Reader<'t, F> {
    tree: &'t TileTree,
    leaves: F,
    tile: Option<(u64, Levels)>,
}

impl<'t, F, L, E> Reader<'t, F>
where
    F: FnMut(u64) -> Result<L, E>,
    L: AsRef<[Digest]>,
{
    fn new(tree: &'t TileTree, leaves: F) -> Self {
        Self { tree, leaves, tile: None }
    }

    fn all(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Digest>, TreeFault<E>> {
        ranges.into_iter().map(|range| self.subtree(range)).collect()
    }

    /// The hash over a range whose start is a multiple of the largest power of two in it.
    fn subtree(&mut self, range: Range<u64>) -> Result<Digest, TreeFault<E>> {
        let (start, width) = (range.start, range.end - range.start);
        if width < LEAVES {
            return self.below(range);
        }
        if width.is_power_of_two() {
            return Ok(self.tree.upper.subtree(start / LEAVES, range.end / LEAVES));
        }
        let split = start + largest_power_below(width);
        Ok(node_hash(self.subtree(start..split)?, self.subtree(split..range.end)?))
    }

    /// The hash over leaves that are in one tile.
    fn below(&mut self, range: Range<u64>) -> Result<Digest, TreeFault<E>> {
        let number = range.start / LEAVES;
        let (start, end) = (range.start - number * LEAVES, range.end - number * LEAVES);
        let Some(kept) = self.tree.upper.leaf(number) else {
            return Ok(self.tree.last.subtree(start, end));
        };
        let tile = match self.tile.take().filter(|(read, _)| *read == number) {
            Some((_, tile)) => tile,
            None => self.read(number, kept)?,
        };
        let hash = tile.subtree(start, end);
        self.tile = Some((number, tile));
        Ok(hash)
    }

    /// Reads the leaves of a full tile, whose hash is known.
    fn read(&mut self, number: u64, kept: Digest) -> Result<Levels, TreeFault<E>> {
        let leaves = (self.leaves)(number).map_err(TreeFault::Leaves)?;
        let mut tile = Levels::new();
        leaves.as_ref().iter().for_each(|leaf| tile.push(*leaf));
        if tile.size() != LEAVES || tile.subtree(0, LEAVES) != kept {
            return Err(TreeFault::Altered { tile: number });
        }
        Ok(tile)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

    use proptest::prelude::*;

    use super::super::merkle::leaf_hash;
    use super::*;

    /// A tree beside one that keeps everything, with its leaves and how often they were fetched.
    struct Both {
        levels: Levels,
        tree: TileTree,
        leaves: Vec<Digest>,
        fetched: Cell<u32>,
    }

    impl Both {
        fn new(size: u64) -> Self {
            let (levels, tree) = (Levels::new(), TileTree::new());
            let mut both = Self { levels, tree, leaves: Vec::new(), fetched: Cell::new(0) };
            (0..size).for_each(|_| both.push());
            both
        }

        fn push(&mut self) {
            let leaf = leaf_hash(&self.tree.size().to_be_bytes());
            self.leaves.push(leaf);
            self.levels.push(leaf);
            self.tree.push(leaf);
        }

        fn read(&self) -> impl FnMut(u64) -> Result<Vec<Digest>, Infallible> {
            self.fetched.set(0);
            |tile| {
                self.fetched.set(self.fetched.get() + 1);
                let start = usize::try_from(tile).unwrap() * 256;
                Ok(self.leaves[start..start + 256].to_vec())
            }
        }

        fn inclusion(&self, index: u64, size: u64) {
            let ours = self.tree.inclusion_proof(index, size, self.read()).ok();
            assert_eq!(ours, self.levels.inclusion_proof(index, size), "{index} in {size}");
            assert!(self.fetched.get() <= 2, "{} tiles were read", self.fetched.get());
            let leaf = self.tree.leaf(index, self.read()).ok();
            assert_eq!(leaf, self.levels.leaf(index));
        }

        fn consistency(&self, old: u64, new: u64) {
            let ours = self.tree.consistency_proof(old, new, self.read()).ok();
            assert_eq!(ours, self.levels.consistency_proof(old, new), "{old} in {new}");
            assert!(self.fetched.get() <= 2, "{} tiles were read", self.fetched.get());
        }

        fn root(&self, size: u64) {
            assert_eq!(self.tree.root(size, self.read()).ok(), self.levels.root(size), "{size}");
            assert!(self.fetched.get() <= 1, "{} tiles were read", self.fetched.get());
        }
    }

    #[test]
    fn sizes_0_to_1025_have_the_roots_and_proofs_of_all_levels() {
        let mut both = Both::new(0);
        for size in 0..=1025 {
            assert_eq!(both.tree.size(), size);
            both.root(size);
            both.root(size + 1);
            // Every place is tried many times over, each in trees of other sizes.
            (size % 97..=size + 1).step_by(97).for_each(|at| both.inclusion(at, size));
            (size % 97..=size + 1).step_by(97).for_each(|at| both.consistency(at, size));
            both.push();
        }
        // A large tree answers for all smaller ones, too.
        for size in 0..=1025 {
            both.root(size);
            both.consistency(size, 1025);
            both.inclusion(size % 1026, 1025);
            both.inclusion(size / 2, size);
        }
    }

    /// A large tree, made once.
    fn large() -> MutexGuard<'static, Both> {
        static LARGE: LazyLock<Mutex<Both>> = LazyLock::new(|| Mutex::new(Both::new(140_000)));
        LARGE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compare(both: &Both, places: Vec<(u64, u64)>) {
        let size = both.tree.size();
        for (one, other) in places {
            let (smaller, place) = (one % (size + 1), other % size);
            both.root(smaller);
            both.inclusion(place % smaller.max(1), smaller);
            both.inclusion(place, size);
            both.consistency(place.min(smaller), smaller);
            both.consistency(smaller, size);
        }
    }

    fn places() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((any::<u64>(), any::<u64>()), 1..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn larger_sizes_have_them_too(size in 1026_u64..6000, places in places()) {
            compare(&Both::new(size), places);
        }

        #[test]
        fn a_large_tree_has_them_too(places in places()) {
            compare(&large(), places);
        }
    }

    #[test]
    fn memory_is_a_quarter_of_a_byte_for_each_leaf() {
        let tree = Both::new(100_000).tree;
        assert!(tree.memory() < 100_000 / 4 + 16_384, "{}", tree.memory());
        assert!(tree.memory() > 100_000 / 8, "{}", tree.memory());
    }

    #[test]
    fn tiles_have_the_hashes_of_their_level() {
        let both = Both::new(66_000);
        let tile = |path: &str| both.tree.tile(path.parse().unwrap(), both.read());
        let level = |height: u32, from: u64, until: u64| -> Vec<u8> {
            let node = |at: u64| both.levels.subtree(at << height, (at + 1) << height);
            (from..until).flat_map(|at| node(at).0).collect()
        };
        assert_eq!(tile("tile/0/000").unwrap(), level(0, 0, 256));
        assert_eq!(tile("tile/0/257.p/208").unwrap(), level(0, 65_792, 66_000));
        assert_eq!(tile("tile/0/100.p/3").unwrap(), level(0, 25_600, 25_603));
        assert_eq!(tile("tile/1/000").unwrap(), level(8, 0, 256));
        assert_eq!(tile("tile/1/001.p/1").unwrap(), level(8, 256, 257));
        assert_eq!(tile("tile/2/000.p/1").unwrap(), level(16, 0, 1));
        for outside in [
            "tile/0/257",
            "tile/0/257.p/209",
            "tile/1/001.p/2",
            "tile/3/000.p/1",
            "tile/63/000.p/1",
            "tile/entries/000",
        ] {
            assert_eq!(tile(outside), Err(TreeFault::OutOfRange { size: 66_000 }), "{outside}");
        }
    }

    #[test]
    fn leaves_that_were_altered_make_no_proof() {
        let both = Both::new(600);
        let mut short = |_| Ok::<_, Infallible>(both.leaves[..255].to_vec());
        let altered = Err(TreeFault::Altered { tile: 0 });
        assert_eq!(both.tree.inclusion_proof(3, 600, &mut short), altered);
        let mut other = |_| Ok::<_, Infallible>(both.leaves[1..257].to_vec());
        assert_eq!(both.tree.inclusion_proof(3, 600, &mut other), altered);
        let mut broken = |tile: u64| Err::<Vec<Digest>, _>(tile);
        let failed = both.tree.inclusion_proof(300, 600, &mut broken);
        assert_eq!(failed, Err(TreeFault::Leaves(1)));
        // What is in memory needs no leaves.
        assert!(both.tree.inclusion_proof(590, 600, &mut broken).is_ok());
        assert!(both.tree.root(600, &mut broken).is_ok());
    }
}
