//! Pairing entries with lines again after lines were altered, removed, inserted or moved, so that
//! a fault is located and not repeated for everything behind it.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use quark_trace_core::ledger::Digest;

use super::folder::{self, Names};
use super::pairs::{self, Pair, Pairs};
use super::scan::{Sink, Step};
use crate::error::{Error, Result};
use crate::store::{Place, Row};

/// A line as the alignment needs it: where it is and what it hashes to.
struct Found {
    digest: Digest,
    place: Place,
    length: usize,
    whole: bool,
    taken: bool,
}

/// What stands for an entry in the records.
#[derive(Clone, Copy)]
struct Match {
    line: usize,
    displaced: bool,
}

pub(super) struct Alignment {
    file: Option<File>,
    lines: Vec<Found>,
    matches: HashMap<u64, Match>,
    bytes: Vec<u8>,
}

/// The object of one entry, as far as there is one.
pub(super) struct Object<'a> {
    bytes: Option<&'a [u8]>,
    digest: Option<Digest>,
    place: Place,
    displaced: bool,
}

impl Object<'_> {
    pub fn emit(self, pair: &Pair<'_>, sink: Sink<'_>) -> Step {
        sink(Row::Entry {
            index: pair.index,
            line: pair.line,
            object: self.bytes.map(Into::into),
            digest: self.digest,
            place: self.place,
            displaced: self.displaced,
        })
        .into()
    }
}

impl Alignment {
    /// Pairs the record entries from `from` on with the lines that are not behind earlier ones;
    /// the ledger is read up to `limit`.
    pub fn of(names: &Names, from: u64, limit: u64) -> Result<Self> {
        let (entries, before) = record_entries(names, from, limit)?;
        let lines = lines_after(names, before)?;
        let mut alignment = Self {
            file: folder::open_read(&names.records).ok(),
            lines,
            matches: HashMap::new(),
            bytes: Vec::new(),
        };
        alignment.match_equal(&entries);
        alignment.match_altered(&entries);
        alignment.mark_displaced(&entries);
        Ok(alignment)
    }

    /// Each entry gets the first free line with its digest.
    fn match_equal(&mut self, entries: &[(u64, Digest)]) {
        let mut by_digest: HashMap<Digest, VecDeque<usize>> = HashMap::new();
        for (at, line) in self.lines.iter().enumerate() {
            by_digest.entry(line.digest).or_default().push_back(at);
        }
        for (index, digest) in entries {
            if let Some(line) = by_digest.get_mut(digest).and_then(VecDeque::pop_front) {
                self.take(*index, line);
            }
        }
    }

    /// An entry without a line gets the free line right behind the one of its predecessor: that is
    /// where it stood before it was changed.
    fn match_altered(&mut self, entries: &[(u64, Digest)]) {
        let mut next = 0;
        for (index, _) in entries {
            match self.matches.get(index) {
                Some(found) => next = found.line + 1,
                None if self.lines.get(next).is_some_and(|line| !line.taken) => {
                    self.take(*index, next);
                    next += 1;
                }
                None => {}
            }
        }
    }

    fn take(&mut self, index: u64, line: usize) {
        self.lines[line].taken = true;
        self.matches.insert(index, Match { line, displaced: false });
    }

    /// What is outside the longest run of lines in order has been moved.
    fn mark_displaced(&mut self, entries: &[(u64, Digest)]) {
        let order: Vec<(u64, usize)> = entries
            .iter()
            .filter_map(|(index, _)| Some((*index, self.matches.get(index)?.line)))
            .collect();
        let kept = longest_increasing(&order);
        for (at, (index, _)) in order.iter().enumerate() {
            if !kept[at]
                && let Some(found) = self.matches.get_mut(index)
            {
                found.displaced = true;
            }
        }
    }

    /// What the records hold for an entry.
    pub fn object_of(&mut self, index: u64) -> Result<Object<'_>> {
        let Some(&Match { line, displaced }) = self.matches.get(&index) else {
            let place = Place::default();
            return Ok(Object { bytes: None, digest: None, place, displaced: false });
        };
        self.load(line)?;
        let Found { digest, place, .. } = self.lines[line];
        Ok(Object { bytes: Some(&self.bytes), digest: Some(digest), place, displaced })
    }

    /// The lines that stand for no entry.
    pub fn loose(&mut self, sink: Sink<'_>) -> Result<ControlFlow<()>> {
        let last = self.matches.values().map(|found| found.line).max();
        for at in 0..self.lines.len() {
            if self.lines[at].taken {
                continue;
            }
            self.load(at)?;
            let Found { place, whole, length, .. } = self.lines[at];
            let inside = last.is_some_and(|last| at < last);
            let row = if whole {
                Row::Loose { object: &self.bytes, place, inside }
            } else {
                Row::Torn { what: "records", place, length: length as u64, entered: false }
            };
            if sink(row).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn load(&mut self, line: usize) -> Result<()> {
        let Found { place, length, .. } = self.lines[line];
        self.bytes.resize(length, 0);
        let Some(file) = &mut self.file else { return Ok(()) };
        file.seek(SeekFrom::Start(place.offset))
            .and_then(|_| file.read_exact(&mut self.bytes))
            .map_err(|error| Error::io("read the log", "the records", error))
    }
}

/// The record entries from `from` on, and how many there are before it.
fn record_entries(names: &Names, from: u64, limit: u64) -> Result<(Vec<(u64, Digest)>, u64)> {
    let mut entries = Vec::new();
    let mut before = 0;
    let mut pairs = Pairs::open_until(names, limit)?;
    pairs.records = None;
    while let Some(pair) = pairs.next_pair()? {
        let Some(entry) = pair.entry else { continue };
        if !entry.kind.is_record() {
            continue;
        }
        if pair.index < from {
            before += 1;
        } else {
            entries.push((pair.index, entry.object));
        }
    }
    Ok((entries, before))
}

/// All lines but the first `skip`.
fn lines_after(names: &Names, skip: u64) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let Some(mut lines) = pairs::open_lines(&names.records, 0, false)? else { return Ok(found) };
    let wrap = |error| Error::io("read the log", names.records.display().to_string(), error);
    let mut seen = 0;
    while let Some(line) = lines.next_filled().map_err(wrap)? {
        seen += 1;
        if seen > skip {
            found.push(Found {
                digest: Digest::of(line.bytes),
                place: Place { line: line.number, offset: line.offset },
                length: line.bytes.len(),
                whole: line.whole,
                taken: false,
            });
        }
    }
    Ok(found)
}

/// Which elements belong to one longest run with rising lines (patience sorting).
fn longest_increasing(order: &[(u64, usize)]) -> Vec<bool> {
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(order.len());
    for (at, &(_, line)) in order.iter().enumerate() {
        let place = tails.partition_point(|&tail| order[tail].1 < line);
        before.push(place.checked_sub(1).map(|previous| tails[previous]));
        if place == tails.len() {
            tails.push(at);
        } else {
            tails[place] = at;
        }
    }
    let mut kept = vec![false; order.len()];
    let mut next = tails.last().copied();
    while let Some(at) = next {
        kept[at] = true;
        next = before[at];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moved_line_is_outside_the_run() {
        let order: Vec<(u64, usize)> =
            [0, 4, 1, 2, 3].into_iter().zip(0..).map(|(l, i)| (i, l)).collect();
        assert_eq!(longest_increasing(&order), [true, false, true, true, true]);
        assert_eq!(longest_increasing(&[]), [false; 0]);
    }
}
