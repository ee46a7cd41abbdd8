//! Lines of a file as Python's universal newlines see them: ended by LF, CR LF or CR.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::store::check::is_blank;

const CHUNK: usize = 256 * 1024;

/// One line, its terminator cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub bytes: &'a [u8],
    /// Where it begins in the file.
    pub offset: u64,
    /// Where the next line begins.
    pub end: u64,
    /// Number of the line in what this reader read, from 1.
    pub number: u64,
    /// Whether a terminator was there.
    pub whole: bool,
}

impl Line<'_> {
    /// Whether the original would have passed over it: nothing but white space.
    pub fn is_blank(&self) -> bool {
        is_blank(self.bytes)
    }
}

/// Reads lines of any length, one at a time, from a place in a file.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    buffer: Vec<u8>,
    /// The unread part of `buffer`.
    start: usize,
    end: usize,
    /// Offset in the file of `buffer[start]`.
    offset: u64,
    number: u64,
    at_end: bool,
    /// Whether only LF ends a line, as in the ledger.
    strict: bool,
    /// Offset in the file behind which nothing is read.
    limit: u64,
    /// Where the line that was given last is in `buffer`.
    last: Range<usize>,
}

impl Lines {
    /// Lines of records, as the original would have read them.
    pub fn new(mut file: File, offset: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        let buffer = vec![0; CHUNK];
        let (start, end, number, at_end, strict) = (0, 0, 0, false, false);
        let limit = u64::MAX;
        let last = 0..0;
        Ok(Self { file, buffer, start, end, offset, number, at_end, strict, limit, last })
    }

    /// Lines of the ledger: LF alone ends one, and none is passed over.
    pub fn strict(file: File, offset: u64) -> io::Result<Self> {
        Ok(Self { strict: true, ..Self::new(file, offset)? })
    }

    /// Reads nothing behind this offset in the file.
    pub fn limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Counts the lines from `number` on, which come before the place where reading begins.
    pub fn count_from(&mut self, number: u64) {
        self.number = number;
    }

    /// How many lines come before the next.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Offset of the next line.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line; of records the next that is not blank.
    pub fn next_filled(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            let Some((start, length, step, whole)) = self.advance()? else { return Ok(None) };
            let line = Line {
                bytes: &self.buffer[start..start + length],
                offset: self.offset - step as u64,
                end: self.offset,
                number: self.number,
                whole,
            };
            // A blank rest without a terminator may be the beginning of a line.
            if self.strict || !line.is_blank() || !whole {
                let bytes = start..start + length;
                return Ok(Some(Line { bytes: &self.buffer[bytes], ..line }));
            }
        }
    }

    /// The bytes of the line that was given last.
    pub fn last(&self) -> &[u8] {
        &self.buffer[self.last.clone()]
    }

    /// Passes over one line; gives its start in the buffer, length, step, and whether it was whole.
    fn advance(&mut self) -> io::Result<Option<(usize, usize, usize, bool)>> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start + searched..self.end];
            if let Some(at) = self.find_end(unread) {
                let length = searched + at;
                let carriage = unread[at] == b'\r';
                // Whether LF follows the CR is known only when one more byte is there.
                if !carriage || self.start + length + 1 < self.end || self.at_end {
                    let pair = carriage && unread.get(at + 1) == Some(&b'\n');
                    return Ok(Some(self.take(length, length + 1 + usize::from(pair), true)));
                }
                searched = length;
            } else {
                searched = self.end - self.start;
            }
            if self.at_end {
                return Ok((searched > 0).then(|| self.take(searched, searched, false)));
            }
            self.fill()?;
        }
    }

    fn find_end(&self, bytes: &[u8]) -> Option<usize> {
        match self.strict {
            true => memchr::memchr(b'\n', bytes),
            false => memchr::memchr2(b'\n', b'\r', bytes),
        }
    }

    fn take(&mut self, length: usize, step: usize, whole: bool) -> (usize, usize, usize, bool) {
        let start = self.start;
        self.last = start..start + length;
        self.start += step;
        self.offset += step as u64;
        self.number += 1;
        (start, length, step, whole)
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let position = self.offset + (self.end - self.start) as u64;
        let room = (self.buffer.len() - self.end) as u64;
        let room = room.min(self.limit.saturating_sub(position)) as usize;
        loop {
            match self.file.read(&mut self.buffer[self.end..self.end + room]) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(bytes: &[u8]) -> Vec<(String, u64, u64, bool)> {
        let path = std::env::temp_dir().join(format!("quark-lines-{}", uuid::Uuid::new_v4()));
        File::create(&path).unwrap().write_all(bytes).unwrap();
        let mut lines = Lines::new(File::open(&path).unwrap(), 0).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut out = Vec::new();
        while let Some(line) = lines.next_filled().unwrap() {
            let text = String::from_utf8_lossy(line.bytes).into_owned();
            out.push((text, line.offset, line.number, line.whole));
        }
        out
    }

    #[test]
    fn all_three_terminators_and_blank_lines() {
        let found = read(b"a\r\n\r\n \nb\rc\n\x1c\nd");
        let expected =
            [("a", 0, 1, true), ("b", 7, 4, true), ("c", 9, 5, true), ("d", 13, 7, false)];
        let expected: Vec<_> = expected
            .iter()
            .map(|&(text, at, number, whole)| (text.to_owned(), at, number, whole))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(read(b""), []);
        assert_eq!(read(b"x\r").len(), 1);
    }

    #[test]
    fn lines_longer_than_the_buffer_and_on_its_edge() {
        for length in [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let mut bytes = vec![b'x'; length];
            bytes.extend_from_slice(b"\r\ny\n");
            let found = read(&bytes);
            assert_eq!(found[0].0.len(), length);
            assert_eq!((found[1].0.as_str(), found[1].1), ("y", length as u64 + 2));
        }
    }
}
