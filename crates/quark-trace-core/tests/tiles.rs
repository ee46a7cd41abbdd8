//! Our tiles beside those of `tlog_tiles`: the same coordinates, the same bytes, and its client,
//! which trusts nothing but a root, makes its proofs from them.

use std::cell::RefCell;
use std::convert::Infallible;

use proptest::prelude::*;
use quark_trace_core::ledger::merkle::{Levels, leaf_hash};
use quark_trace_core::ledger::tiles::{Level, WIDTH, entries_of, push_entry};
use quark_trace_core::ledger::{Digest, Tile, TileTree};
use tlog_tiles::{TileHashReader, TileReader, tlog};

/// A tile has two to the power of this many hashes.
const HEIGHT: u8 = 8;

fn entry(index: u64) -> Vec<u8> {
    format!("record sha256:{}", Digest::of(&index.to_be_bytes())).into_bytes()
}

/// A log that serves tiles and counts them.
struct Log {
    tree: TileTree,
    leaves: Vec<Digest>,
    served: RefCell<Vec<Tile>>,
}

impl Log {
    fn new(size: u64) -> Self {
        let leaves: Vec<Digest> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
        let mut tree = TileTree::new();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        Self { tree, leaves, served: RefCell::default() }
    }

    fn leaves_of(&self, tile: u64) -> Result<&[Digest], Infallible> {
        let start = usize::try_from(tile).unwrap() * usize::from(WIDTH);
        Ok(&self.leaves[start..start + usize::from(WIDTH)])
    }

    fn serve(&self, tile: Tile) -> Vec<u8> {
        self.served.borrow_mut().push(tile);
        self.tree.tile(tile, |number| self.leaves_of(number)).unwrap()
    }

    fn root(&self, size: u64) -> Digest {
        self.tree.root(size, |number| self.leaves_of(number)).unwrap()
    }
}

/// The path without the height of tiles, which C2SP fixes at 8.
fn ours(theirs: &tlog_tiles::Tile) -> Tile {
    let path = theirs.path();
    let rest = path.strip_prefix("tile/8/").unwrap().replace("data/", "entries/");
    format!("tile/{rest}").parse().unwrap()
}

fn theirs(path: &str) -> Option<tlog_tiles::Tile> {
    let rest = path.strip_prefix("tile/")?;
    // What one calls data the other calls entries, and neither knows the other's word.
    let rest = match rest.strip_prefix("entries/") {
        Some(number) => format!("data/{number}"),
        None => rest.strip_prefix("data/").is_none().then(|| rest.to_owned())?,
    };
    tlog_tiles::Tile::from_path(&format!("tile/{HEIGHT}/{rest}")).ok()
}

impl TileReader for Log {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        Ok(tiles.iter().map(|tile| self.serve(ours(tile))).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn a_client_of_tlog_tiles_makes_our_proofs_from_our_tiles() {
    let log = Log::new(66_000);
    let mut levels = Levels::new();
    log.leaves.iter().for_each(|leaf| levels.push(*leaf));
    for size in [1, 2, 255, 256, 257, 511, 512, 1025, 65_535, 65_536, 65_537, 66_000] {
        let root = log.root(size);
        let client = TileHashReader::new(size, tlog::Hash(root.0), &log);
        let hashes = |path: Vec<Digest>| path.iter().map(|hash| tlog::Hash(hash.0)).collect();
        for index in [0, 1, 255, 256, size / 2, size - 1].into_iter().filter(|at| *at < size) {
            let path = log.tree.inclusion_proof(index, size, |number| log.leaves_of(number));
            let path: Vec<tlog::Hash> = hashes(path.unwrap());
            assert_eq!(tlog::prove_record(size, index, &client).unwrap(), path, "{index} {size}");
        }
        for old in [1, 2, 255, 256, 257, size / 2, size].into_iter().filter(|at| *at <= size) {
            if old == 0 {
                continue;
            }
            let path = log.tree.consistency_proof(old, size, |number| log.leaves_of(number));
            let path: Vec<tlog::Hash> = hashes(path.unwrap());
            assert_eq!(tlog::prove_tree(size, old, &client).unwrap(), path, "{old} {size}");
        }
        for tile in log.served.take() {
            assert!(tile.is_within(size), "{tile} was asked for in a tree of {size}");
        }
    }
}

#[test]
fn a_tree_has_the_tiles_that_tlog_tiles_publishes_for_it() {
    let mut stored = Stored(Vec::new());
    for size in 1..=1025_u64 {
        let hashes = tlog::stored_hashes(size - 1, &entry(size - 1), &stored).unwrap();
        stored.0.extend(hashes);
    }
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 1023, 1025] {
        let log = Log::new(size);
        let published = tlog_tiles::Tile::new_tiles(HEIGHT, 0, size);
        for tile in &published {
            assert!(ours(tile).is_of(size), "{} of {size}", tile.path());
            assert_eq!(log.serve(ours(tile)), tile.read_data(&stored).unwrap(), "{}", tile.path());
        }
        let numbers = |last: &Tile| last.number() + 1;
        let hashes = |last: &&Tile| matches!(last.level(), Level::Hashes(_));
        let count: u64 = Tile::last_of(size).iter().filter(hashes).map(numbers).sum();
        assert_eq!(published.len() as u64, count, "size {size}");
    }
}

struct Stored(Vec<tlog::Hash>);

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|at| self.0[usize::try_from(*at).unwrap()]).collect())
    }
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Entries), (0..=63_u8).prop_map(Level::Hashes)]
}

fn tile() -> impl Strategy<Value = Tile> {
    let number = prop_oneof![0..2000_u64, any::<u64>(), (0..64).prop_map(|bit| 1_u64 << bit)];
    (level(), number, 1..=WIDTH).prop_map(|(level, n, width)| Tile::new(level, n, width).unwrap())
}

proptest! {
    #[test]
    fn every_path_reads_back_and_is_that_of_tlog_tiles(tile in tile()) {
        let path = tile.to_string();
        prop_assert_eq!(path.parse(), Ok(tile));
        // Theirs bounds the length of a path at what levels below 10 need.
        if path.len() <= 50 {
            let theirs = theirs(&path).unwrap();
            prop_assert_eq!(theirs.level_index(), tile.number());
            prop_assert_eq!(theirs.width(), u32::from(tile.width()));
            prop_assert_eq!(ours(&theirs), tile);
        }
    }

    /// Whatever one of the two refuses, so does the other.
    #[test]
    fn what_is_nearly_a_path_is_read_alike(
        tile in tile(),
        at in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"0123456789x/.pentris+-X ".to_vec()),
        insert in any::<bool>(),
    ) {
        let mut path = tile.to_string().into_bytes();
        let at = at.index(path.len());
        if insert { path.insert(at, byte) } else { path[at] = byte }
        let path = String::from_utf8(path).unwrap();
        let parsed = path.parse::<Tile>().ok();
        prop_assume!(path.len() <= 50);
        // They accept a width of 0 and stop at levels of 64 and more.
        prop_assume!(!path.ends_with(".p/0"));
        let level = path.split('/').nth(1).and_then(|level| level.parse::<u8>().ok());
        prop_assume!(level.is_none_or(|level| level < 64));
        let theirs = theirs(&path).map(|theirs| (theirs.level_index(), theirs.width()));
        let ours = parsed.map(|tile| (tile.number(), u32::from(tile.width())));
        prop_assert_eq!(ours, theirs, "{}", path);
    }

    #[test]
    fn no_reader_panics(path in "tile/(\\d{1,3}|entries)/[x0-9/.p]{0,30}|\\PC*") {
        if let Ok(tile) = path.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn bundles_are_read_back(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..256),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bundle = Vec::new();
        entries.iter().for_each(|entry| push_entry(&mut bundle, entry).unwrap());
        prop_assert_eq!(entries_of(&bundle).unwrap(), entries.clone());
        bundle.truncate(cut.index(bundle.len() + 1));
        // A cut between two entries leaves a shorter bundle, any other none.
        if let Some(rest) = entries_of(&bundle) {
            prop_assert_eq!(&rest[..], &entries[..rest.len()]);
        }
    }
}
