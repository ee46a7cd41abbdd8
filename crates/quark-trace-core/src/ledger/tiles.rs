//! A log as files (C2SP tlog-tiles): which tiles there are, their paths and their bytes.
//!
//! A tile has up to 256 consecutive hashes of one height of the tree; a bundle has the entries
//! under a tile of leaves. What a full tile holds never changes, so that a log can be served from
//! files and kept by caches, and clients make every proof themselves.
//!
//! ```
//! use quark_trace_core::ledger::Tile;
//! // A log of 70,000 entries ends in these tiles:
//! let last: Vec<_> = Tile::last_of(70_000).iter().map(Tile::to_string).collect();
//! assert_eq!(last, ["tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17",
//!     "tile/2/000.p/1"]);
//! let tile: Tile = "tile/0/x001/x234/067".parse()?;
//! assert_eq!((tile.number(), tile.width()), (1_234_067, 256));
//! assert!(!tile.is_within(70_000));
//! # Ok::<(), quark_trace_core::ledger::tiles::NoTile>(())
//! ```

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// How many hashes or entries a full tile has.
pub const WIDTH: u16 = 256;
/// The height of a tile: each level is so many times two to one further up.
pub(super) const HEIGHT: u32 = 8;
/// The highest level that a path can name.
const LAST_LEVEL: u8 = 63;

/// What a tile is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The entries themselves: a bundle.
    Entries,
    /// Hashes: of leaves at level 0, each over a full tile of the level below further up; 0 to 63.
    Hashes(u8),
}

impl Level {
    /// How many leaves are under one hash or entry, as a power of two.
    fn shift(self) -> u32 {
        match self {
            Self::Entries => 0,
            Self::Hashes(level) => HEIGHT * u32::from(level),
        }
    }

    /// How many hashes or entries this level has in a tree of `size` leaves.
    fn length(self, size: u64) -> u64 {
        size.checked_shr(self.shift()).unwrap_or(0)
    }
}

/// The coordinates of a tile or bundle.
///
/// Its text is its path below the prefix of a log: `tile/<L>/<N>[.p/<W>]` or
/// `tile/entries/<N>[.p/<W>]`. Reading is strict: each tile has one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    level: Level,
    number: u64,
    width: u16,
}

impl Tile {
    /// The tile `number` of a level, with `width` hashes or entries; `None` where there is no such
    /// tile: the width is not 1 to 256, or the level is above 63.
    pub fn new(level: Level, number: u64, width: u16) -> Option<Self> {
        let level_fits = !matches!(level, Level::Hashes(level) if level > LAST_LEVEL);
        let width_fits = (1..=WIDTH).contains(&width);
        (level_fits && width_fits).then_some(Self { level, number, width })
    }

    /// What it is made of.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Its place among the tiles of its level.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many hashes or entries it has, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it is full; else it is partial.
    pub fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The hashes or entries in it, by their places in the level; `None` beyond any tree.
    pub fn places(&self) -> Option<Range<u64>> {
        let start = self.number.checked_mul(u64::from(WIDTH))?;
        Some(start..start.checked_add(u64::from(self.width))?)
    }

    /// Whether a tree of `size` leaves has all of its hashes or entries: it is a tile of this tree
    /// or of a smaller one.
    pub fn is_within(&self, size: u64) -> bool {
        self.places().is_some_and(|places| places.end <= self.level.length(size))
    }

    /// Whether it is one of the tiles that make up a tree of `size` leaves: full, or the last one
    /// of its level with the width that this size gives it.
    pub fn is_of(&self, size: u64) -> bool {
        let length = self.level.length(size);
        self.places()
            .is_some_and(|places| places.end == length || self.is_full() && places.end < length)
    }

    /// The last bundle and the last tile of each level of a tree of `size` leaves, from below;
    /// every tile before one of these is full. Empty for the empty tree.
    pub fn last_of(size: u64) -> Vec<Self> {
        let levels = (0..=LAST_LEVEL).map(Level::Hashes);
        let last = |level: Level| {
            let before = level.length(size).checked_sub(1)?;
            let (number, width) = (before / u64::from(WIDTH), before % u64::from(WIDTH) + 1);
            Some(Self { level, number, width: width as u16 })
        };
        std::iter::once(Level::Entries).chain(levels).map_while(last).collect()
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Entries => formatter.write_str("tile/entries/")?,
            Level::Hashes(level) => write!(formatter, "tile/{level}/")?,
        }
        let mut power = 1_u64;
        while self.number / power >= 1000 {
            power *= 1000;
        }
        while power > 1 {
            write!(formatter, "x{:03}/", self.number / power % 1000)?;
            power /= 1000;
        }
        write!(formatter, "{:03}", self.number % 1000)?;
        if self.is_full() { Ok(()) } else { write!(formatter, ".p/{}", self.width) }
    }
}

/// The text is not the path of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the path of a tile: tile/L/N or tile/entries/N was expected, with N in groups of three \
     digits such as x001/x234/067, and .p/W behind it for a partial tile"
)]
pub struct NoTile;

impl FromStr for Tile {
    type Err = NoTile;

    fn from_str(path: &str) -> Result<Self, NoTile> {
        parse(path).ok_or(NoTile)
    }
}

fn parse(path: &str) -> Option<Tile> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let level = match level {
        "entries" => Level::Entries,
        level => Level::Hashes(u8::try_from(decimal(level, LAST_LEVEL.into())?).ok()?),
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, u16::try_from(decimal(width, 255)?).ok()?),
        None => (rest, WIDTH),
    };
    Tile::new(level, grouped(number)?, width)
}

/// A decimal number without leading zeros, at most `most`.
fn decimal(text: &str, most: u64) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| canonical && *number <= most)
}

/// A number in groups of three digits, each but the last behind an `x` and none of them idle.
fn grouped(text: &str) -> Option<u64> {
    let (before, last) = match text.rsplit_once('/') {
        Some((before, last)) => (Some(before), last),
        None => (None, text),
    };
    let mut number = 0_u64;
    for group in before.iter().flat_map(|before| before.split('/')) {
        number = number.checked_mul(1000)?.checked_add(three_digits(group.strip_prefix('x')?)?)?;
        if number == 0 {
            return None;
        }
    }
    number.checked_mul(1000)?.checked_add(three_digits(last)?)
}

fn three_digits(text: &str) -> Option<u64> {
    let fits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

/// An entry has more bytes than a bundle can hold: 65,535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entry has {0} bytes; a bundle holds entries of at most 65,535")]
pub struct TooLong(pub usize);

/// Appends an entry to a bundle: its length in two bytes, the higher one first, and its bytes.
///
/// ```
/// use quark_trace_core::ledger::tiles;
/// let mut bundle = Vec::new();
/// tiles::push_entry(&mut bundle, b"one")?;
/// assert_eq!(bundle, b"\x00\x03one");
/// assert_eq!(tiles::entries_of(&bundle), Some(vec![b"one".as_slice()]));
/// # Ok::<(), tiles::TooLong>(())
/// ```
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| TooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries in a bundle; `None` when it ends within one, or has more than 256.
pub fn entries_of(mut bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk() {
        let (entry, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        entries.push(entry);
        bundle = rest;
    }
    (bundle.is_empty() && entries.len() <= usize::from(WIDTH)).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(level: u8, number: u64, width: u16) -> Tile {
        Tile::new(Level::Hashes(level), number, width).unwrap()
    }

    #[test]
    fn paths_of_the_specification() {
        for (path, expected) in [
            ("tile/0/x001/x234/067", tile(0, 1_234_067, 256)),
            ("tile/0/000", tile(0, 0, 256)),
            ("tile/0/x001/067.p/5", tile(0, 1067, 5)),
            ("tile/63/999.p/255", tile(63, 999, 255)),
            ("tile/1/x001/000", tile(1, 1000, 256)),
            ("tile/entries/x123/x456/789.p/1", Tile::new(Level::Entries, 123_456_789, 1).unwrap()),
            ("tile/0/x018/x446/x744/x073/x709/x551/615", tile(0, u64::MAX, 256)),
        ] {
            assert_eq!(path.parse(), Ok(expected), "{path}");
            assert_eq!(expected.to_string(), path);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile/00/000",
            "tile/01/000",
            "tile/64/000",
            "tile/256/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/data/000",
            "tile/entries/",
            "tile//000",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/067",
            "tile/0/x000/x001/067",
            "tile/0/x001",
            "tile/0/x001/x067",
            "tile/0/001/067",
            "tile/0/x01/067",
            "tile/0/X001/067",
            "tile/0/x001//067",
            "tile/0/+01",
            "tile/0/x+01/067",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/05",
            "tile/0/000.p/+5",
            "tile/0/000.p/5/",
            "tile/0/000.p/5.p/5",
            "tile/0/000.P/5",
            "tile/0/000 ",
            "tile/0/٠٠٠",
            "tile/0/000?x",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/..",
            "tile/0/000.p/../1",
        ] {
            assert_eq!(path.parse::<Tile>(), Err(NoTile), "{path:?}");
        }
        assert_eq!(Tile::new(Level::Hashes(0), 0, 0), None);
        assert_eq!(Tile::new(Level::Hashes(0), 0, 257), None);
        assert_eq!(Tile::new(Level::Hashes(64), 0, 1), None);
    }

    #[test]
    fn the_tiles_of_a_tree_are_those_of_the_specification() {
        let paths = |size| Tile::last_of(size).iter().map(Tile::to_string).collect::<Vec<_>>();
        assert_eq!(paths(0), Vec::<String>::new());
        assert_eq!(paths(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(Tile::last_of(u64::MAX).len(), 9);
        for size in [1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000, u64::MAX] {
            for last in Tile::last_of(size) {
                assert!(last.is_of(size) && last.is_within(size), "{last} of {size}");
                let Some(wider) = Tile::new(last.level, last.number, last.width + 1) else {
                    continue;
                };
                assert!(!wider.is_of(size) && !wider.is_within(size), "{wider} of {size}");
                if let Some(narrower) = Tile::new(last.level, last.number, last.width - 1) {
                    assert!(!narrower.is_of(size) && narrower.is_within(size));
                }
            }
        }
        // Full ones stay, partial ones have one width at each size.
        assert!(tile(0, 0, 256).is_of(257) && !tile(0, 0, 255).is_of(256));
        assert!(tile(1, 0, 1).is_of(257) && !tile(1, 0, 1).is_of(512));
        assert!(!tile(8, 0, 1).is_within(u64::MAX) && !tile(63, 0, 1).is_within(u64::MAX));
        assert!(!tile(0, u64::MAX, 1).is_within(u64::MAX));
    }

    #[test]
    fn bundles_are_read_back_and_cut_ones_refused() {
        let entries = [b"".as_slice(), b"one", &[7; 65_535]];
        let mut bundle = Vec::new();
        entries.iter().for_each(|entry| push_entry(&mut bundle, entry).unwrap());
        assert_eq!(entries_of(&bundle), Some(entries.to_vec()));
        assert_eq!(entries_of(&bundle[..bundle.len() - 1]), None);
        assert_eq!(entries_of(&bundle[..1]), None);
        assert_eq!(entries_of(&[0; 2 * 257]), None);
        assert_eq!(push_entry(&mut bundle, &[0; 65_536]), Err(TooLong(65_536)));
    }
}
