//! Numbers in payloads, kept apart so that they can be filtered without reading every record: those
//! at one path in 256 entries make a row, with the least and the greatest of them.
//!
//! The table is filled behind the writers: `indexed` in `qt_log` says how far. Whoever filters takes
//! it up to there and reads the records behind, so that nothing depends on how far it is.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use postgres::types::Type;

use super::connection::{Connection, Value};
use super::edge::WIDTH;
use super::fault::{Fault, Moment};
use super::numbers::of_entry;
use super::page::Page;
use super::row::value;
use super::{ids, statements as sql};

/// Entries that are taken up in one statement, at most, and numbers after which no more are.
const ENTRIES: i64 = 16 * WIDTH as i64;
const NUMBERS: usize = 128 * 1024;
/// Bytes of a number: the place of its entry in the block, and a double.
const BYTES: usize = 9;

/// The numbers at one path in a block, in the order of its entries.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Block {
    pub least: f64,
    pub most: f64,
    pub numbers: Vec<u8>,
}

/// Blocks by the place of the block and the path.
pub(super) type Blocks = BTreeMap<(i64, String), Block>;

/// Adds the numbers of an entry, which is behind all that are there; gives how many.
pub(super) fn add(blocks: &mut Blocks, index: i64, line: &[u8], object: Option<&[u8]>) -> usize {
    let (n, place) = (index.div_euclid(WIDTH as i64), index.rem_euclid(WIDTH as i64) as u8);
    let numbers = of_entry(line, object);
    let count = numbers.len();
    for (path, number) in numbers {
        let block = blocks.entry((n, path)).or_insert_with(|| Block {
            least: number,
            most: number,
            numbers: Vec::new(),
        });
        if order(number, block.least).is_lt() {
            block.least = number;
        }
        if order(number, block.most).is_gt() {
            block.most = number;
        }
        block.numbers.push(place);
        block.numbers.extend_from_slice(&number.to_be_bytes());
    }
    count
}

/// The entries of a block and their numbers.
pub(super) fn numbers_of(n: i64, numbers: &[u8]) -> impl Iterator<Item = (u64, f64)> {
    let (numbers, _) = numbers.as_chunks::<BYTES>();
    numbers.iter().map(move |[place, number @ ..]| {
        let first = u64::try_from(n).unwrap_or_default().saturating_mul(WIDTH);
        (first.saturating_add(u64::from(*place)), f64::from_be_bytes(*number))
    })
}

/// The order that the server has: NaN is the greatest number, and zero has no sign.
pub(super) fn order(one: f64, other: f64) -> Ordering {
    one.partial_cmp(&other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
}

/// Takes up what is in the log by now and not in the table yet, as far as blocks are full, for as long
/// as is given. Others may do so at the same time.
pub(super) fn catch_up(
    connection: &mut Connection,
    log_id: i64,
    longest: Option<Duration>,
) -> Result<(), Fault> {
    let (begun, mut goal) = (Instant::now(), None);
    loop {
        let rows = connection.rows(sql::INDEXED, &[(&log_id, Type::INT8)]).map_err(before)?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (from, size): (i64, i64) = (value(row, 0)?, value(row, 1)?);
        // Not what is appended meanwhile, which may come faster than it is taken up.
        let size = *goal.get_or_insert(size);
        ids::catch_up(connection, log_id, size)?;
        let width = WIDTH as i64;
        let to = i64::min(from.saturating_add(ENTRIES), size) / width * width;
        if from >= to || longest.is_some_and(|longest| begun.elapsed() >= longest) {
            return Ok(());
        }
        take_up(connection, log_id, from, to)?;
    }
}

fn take_up(connection: &mut Connection, log_id: i64, from: i64, to: i64) -> Result<(), Fault> {
    let (mut blocks, mut count, mut end) = (Blocks::new(), 0, to);
    let _ =
        Page::new((from, to), ENTRIES).read(connection, sql::PAGE, log_id, |entry, object| {
            let index: i64 = value(entry, 0)?;
            if index >= to {
                return Ok(ControlFlow::Break(()));
            }
            if count > NUMBERS && index % WIDTH as i64 == 0 {
                end = index;
                return Ok(ControlFlow::Break(()));
            }
            let bytes = object.map_or(Ok(None), |object| value(object, 1))?;
            count += add(&mut blocks, index, value(entry, 1)?, bytes);
            Ok(ControlFlow::Continue(()))
        })?;
    let (mut places, mut paths) = (Vec::new(), Vec::new());
    let (mut least, mut most, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for ((n, path), block) in blocks {
        places.push(n);
        paths.push(path);
        least.push(block.least);
        most.push(block.most);
        numbers.push(block.numbers);
    }
    let values: [Value<'_>; 8] = [
        (&log_id, Type::INT8),
        (&from, Type::INT8),
        (&end, Type::INT8),
        (&places, Type::INT8_ARRAY),
        (&paths, Type::TEXT_ARRAY),
        (&least, Type::FLOAT8_ARRAY),
        (&most, Type::FLOAT8_ARRAY),
        (&numbers, Type::BYTEA_ARRAY),
    ];
    connection.commit_rows(sql::TAKE_UP, &values).map(drop)
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
