//! The end of a log: size, right-hand edge of the tree, and the tiles that are not full yet.

use std::collections::BTreeMap;

use quark_trace_core::ledger::merkle::node_hash;
use quark_trace_core::ledger::{CompactRange, Digest};
use rusqlite::Connection;

use super::fault::Fault;
use super::statements as sql;

/// Hashes in a full tile.
pub(super) const WIDTH: u64 = 256;
/// Levels of tiles that a log of 2^63 entries has.
const LEVELS: u32 = 8;

/// A full tile (C2SP tlog-tiles), about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tile {
    pub level: i64,
    pub n: i64,
    pub data: Vec<u8>,
}

/// The end of a log.
#[derive(Debug, Clone, Default)]
pub(super) struct Edge {
    pub range: CompactRange,
    /// Index behind the last schema, where it is known.
    pub schemas: Option<u64>,
    /// Hashes of the last tile of each level, as far as they were needed here.
    open: BTreeMap<u32, Vec<Digest>>,
}

impl Edge {
    /// An edge as it was stored.
    pub fn new(range: CompactRange) -> Self {
        Self { range, schemas: None, open: BTreeMap::new() }
    }

    /// An empty log of which every tile is kept along.
    pub fn with_all_tiles() -> Self {
        let open = (0..LEVELS).map(|level| (level, Vec::new())).collect();
        Self { range: CompactRange::new(), schemas: None, open }
    }

    /// Reads what is missing of the tiles that `more` entries will fill.
    pub fn load(&mut self, connection: &Connection, log_id: i64, more: u64) -> Result<(), Fault> {
        for level in 0..LEVELS {
            let span = WIDTH.pow(level);
            let (before, after) = (self.range.size() / span, (self.range.size() + more) / span);
            if before / WIDTH == after / WIDTH {
                break;
            }
            let begun = before % WIDTH;
            if self.open.get(&level).is_some_and(|open| open.len() as u64 == begun) {
                continue;
            }
            let hashes = hashes_of(connection, log_id, level, before - begun, before)?;
            self.open.insert(level, hashes);
        }
        Ok(())
    }

    /// Appends a leaf; the tiles that it fills go to `full`.
    pub fn push(&mut self, leaf: Digest, full: &mut Vec<Tile>) {
        self.range.push(leaf);
        let size = self.range.size();
        let mut hash = leaf;
        for level in 0..LEVELS {
            let at = size / WIDTH.pow(level) - 1;
            let begun = |open: &&mut Vec<Digest>| open.len() as u64 == at % WIDTH;
            let Some(open) = self.open.get_mut(&level).filter(begun) else {
                // Not read, because nothing of what is appended now fills this tile.
                self.open.remove(&level);
                return;
            };
            open.push(hash);
            if (open.len() as u64) < WIDTH {
                return;
            }
            hash = tile_root(open);
            let data = open.iter().flat_map(|hash| hash.0).collect();
            full.push(Tile { level: i64::from(level), n: (at / WIDTH) as i64, data });
            open.clear();
        }
    }

    /// The edge as a column holds it.
    pub fn frontier(&self) -> Vec<u8> {
        frontier(&self.range)
    }
}

/// The right-hand edge of a tree as a column holds it.
pub(super) fn frontier(range: &CompactRange) -> Vec<u8> {
    range.hashes().iter().flat_map(|hash| hash.0).collect()
}

/// An edge from its columns; `None` when they do not fit each other.
pub(super) fn range_of(size: i64, frontier: &[u8]) -> Option<CompactRange> {
    CompactRange::from_parts(u64::try_from(size).ok()?, digests(frontier)?)
}

/// The hashes of a column; `None` when it holds no whole number of them.
pub(super) fn digests(data: &[u8]) -> Option<Vec<Digest>> {
    let (chunks, rest) = data.as_chunks::<32>();
    rest.is_empty().then(|| chunks.iter().map(|chunk| Digest(*chunk)).collect())
}

/// Whether a column holds this hash.
pub(super) fn holds(column: Option<&[u8]>, hash: &Digest) -> bool {
    column.is_some_and(|column| column == hash.0)
}

/// The root of a full tile.
fn tile_root(hashes: &[Digest]) -> Digest {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| node_hash(pair[0], pair[1])).collect();
    }
    level[0]
}

/// The edge that a log had at an earlier size, from its tiles. It is as true as the root that it
/// leads to.
pub(super) fn range_at(
    connection: &Connection,
    log_id: i64,
    size: u64,
) -> Result<Option<CompactRange>, Fault> {
    let (mut hashes, mut start) = (Vec::new(), 0);
    for bit in (0..64).rev().filter(|bit| size >> bit & 1 == 1) {
        let (level, span) = (bit / 8, WIDTH.pow(bit / 8));
        let from = start / span;
        let leaves = hashes_of(connection, log_id, level, from, from + (1 << (bit % 8)))?;
        hashes.push(tile_root(&leaves));
        start += 1 << bit;
    }
    Ok(CompactRange::from_parts(size, hashes))
}

/// The hashes `from..to` of a level, of one tile.
fn hashes_of(
    connection: &Connection,
    log_id: i64,
    level: u32,
    from: u64,
    to: u64,
) -> Result<Vec<Digest>, Fault> {
    let (first, end) = (from as i64, to as i64);
    let mut hashes = Vec::new();
    let (mut leaves, mut tiles);
    let mut rows = if level == 0 {
        leaves = connection.prepare_cached(sql::LEAVES)?;
        leaves.query((log_id, first, end))?
    } else {
        tiles = connection.prepare_cached(sql::TILES)?;
        tiles.query((log_id, level - 1, first, end))?
    };
    while let Some(row) = rows.next()? {
        let found = digests(row.get_ref(0)?.as_blob().unwrap_or_default()).unwrap_or_default();
        match (level, &found[..]) {
            (0, [leaf]) => hashes.push(*leaf),
            (1.., tile) if tile.len() as u64 == WIDTH => hashes.push(tile_root(tile)),
            _ => {}
        }
    }
    if hashes.len() as u64 != to - from {
        return Err(Fault::corrupted("hashes of the log's last tile are missing"));
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_trace_core::ledger::merkle::leaf_hash;

    #[test]
    fn tiles_are_full_at_every_256th_hash_of_a_level() {
        let mut edge = Edge::with_all_tiles();
        let mut full = Vec::new();
        let mut range = CompactRange::new();
        for n in 0..WIDTH * WIDTH + 300 {
            range.push(leaf_hash(&n.to_be_bytes()));
            edge.push(leaf_hash(&n.to_be_bytes()), &mut full);
        }
        assert_eq!(edge.range, range);
        let of_level = |level| full.iter().filter(move |tile| tile.level == level);
        let numbers: Vec<_> = of_level(0).map(|tile| tile.n).collect();
        assert_eq!(numbers, (0..257).collect::<Vec<_>>());
        assert_eq!(of_level(1).map(|tile| tile.n).collect::<Vec<_>>(), [0]);
        // The tile of level 1 has the root of all it covers, which the tree has as its first edge.
        let above = digests(&of_level(1).next().unwrap().data).unwrap();
        assert_eq!(tile_root(&above), range.hashes()[0]);
    }
}
