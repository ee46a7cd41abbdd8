//! Reading the records on several threads, of which each passes on what a filter may select.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, available_parallelism};

use quark_trace_core::query::{Asked, Field, Filter, Matcher};

use super::folder;
use super::needles::Needles;
use crate::store::check::is_blank;

/// Bytes that a thread reads at once.
const PIECE: u64 = 1024 * 1024;

/// Most threads that read.
const MOST: usize = 4;

/// A line that may be selected.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// How many lines that are not blank were left out since the one that was kept before it.
    pub passed_over: u64,
    /// Its number in the piece, from 1.
    pub number: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// Where it is in the text of the piece.
    pub bytes: Range<usize>,
    /// Whether a terminator was there.
    pub whole: bool,
}

/// What was kept of lines that follow one another.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub text: Vec<u8>,
    pub kept: Vec<Kept>,
    /// How many lines that are not blank were left out behind the last that was kept.
    pub passed_over: u64,
    /// How many lines there are, blank ones among them.
    pub lines: u64,
}

/// Pieces in the order of the file.
pub(super) struct Sieve {
    readers: Vec<Receiver<io::Result<Piece>>>,
    next: usize,
    left: u64,
}

/// What each thread does.
#[derive(Debug, Clone)]
struct Work {
    path: PathBuf,
    /// Where the first line begins, and where the file ended when reading began.
    span: Range<u64>,
    piece: u64,
    matcher: Option<Matcher>,
}

impl Sieve {
    /// Begins to read lines in `span`, at whose start a line begins.
    pub fn start<'s>(
        scope: &'s Scope<'s, '_>,
        path: &Path,
        span: Range<u64>,
        filter: &'s Filter,
    ) -> Self {
        Self::with_pieces(scope, path, span, filter, PIECE)
    }

    fn with_pieces<'s>(
        scope: &'s Scope<'s, '_>,
        path: &Path,
        span: Range<u64>,
        filter: &'s Filter,
        piece: u64,
    ) -> Self {
        let threads = available_parallelism().map_or(1, usize::from).min(MOST);
        let pieces = (span.end - span.start).div_ceil(piece);
        // One that cannot be made ready leaves out nothing.
        let matcher = without_index(filter).and_then(|filter| Matcher::new(&filter, 0).ok());
        let work = Work { path: path.to_owned(), span, piece, matcher };
        let start = |first: usize| {
            let (sender, receiver) = sync_channel(1);
            let work = work.clone();
            scope.spawn(move || {
                let needles = Needles::of(filter);
                work.run(first as u64, threads, needles.as_ref(), &sender);
            });
            receiver
        };
        Self { readers: (0..threads).map(start).collect(), next: 0, left: pieces }
    }

    /// The next piece; `None` at the end.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let reader = self.next;
        self.next = (self.next + 1) % self.readers.len();
        let ended = || Err(io::Error::other("a thread that read the records ended"));
        self.readers[reader].recv().unwrap_or_else(|_| ended()).map(Some)
    }
}

/// The filter as far as it can be asked without the place of a record in the ledger.
fn without_index(filter: &Filter) -> Option<Filter> {
    let knows = |filter: &Filter| !filter.fields().contains(&&Field::Index);
    match filter {
        whole if knows(whole) => Some(whole.clone()),
        Filter::And(parts) => parts.iter().filter(|part| knows(part)).cloned().reduce(Filter::and),
        _ => None,
    }
}

impl Work {
    /// Reads every `step`th piece from `first` on, until nobody listens.
    fn run(
        mut self,
        first: u64,
        step: usize,
        needles: Option<&Needles>,
        out: &SyncSender<io::Result<Piece>>,
    ) {
        let mut file = match folder::open_read(&self.path) {
            Ok(file) => file,
            Err(error) => return drop(out.send(Err(error))),
        };
        let pieces = (self.span.end - self.span.start).div_ceil(self.piece);
        let mut buffer = Vec::new();
        for at in (first..pieces).step_by(step) {
            let piece = self
                .read(&mut file, at, &mut buffer)
                .map(|(lines, offset)| self.sift(&buffer[lines], offset, needles));
            if out.send(piece).is_err() {
                return;
            }
        }
    }

    /// Reads the lines that begin in a piece; gives where they are in `buffer` and in the file.
    fn read(
        &self,
        file: &mut File,
        at: u64,
        buffer: &mut Vec<u8>,
    ) -> io::Result<(Range<usize>, u64)> {
        // From the byte before, so that a line which begins exactly there is found.
        let start = self.span.start + at * self.piece;
        let from = if at == 0 { start } else { start - 1 };
        let end = (start + self.piece).min(self.span.end);
        file.seek(SeekFrom::Start(from))?;
        buffer.clear();
        let mut limit = end;
        // The line that begins last ends at the first LF from the last byte of the piece on.
        let mut searched = ((end - from) as usize).saturating_sub(1);
        let lines_end = loop {
            let length = limit - from - buffer.len() as u64;
            let read = file.by_ref().take(length).read_to_end(buffer)?;
            let begins = memchr::memchr(b'\n', buffer).is_some_and(|at| at < searched);
            if at > 0 && limit == end && !begins {
                // No line begins here: one that is long is read where it begins, and there alone.
                return Ok((0..0, from));
            }
            let found = memchr::memchr(b'\n', buffer.get(searched..).unwrap_or_default());
            if let Some(found) = found.filter(|_| end < self.span.end) {
                break searched + found + 1;
            }
            if read as u64 != length || limit == self.span.end {
                break buffer.len();
            }
            searched = searched.max(buffer.len());
            limit = (limit + self.piece / 4 + 1).min(self.span.end);
        };
        let lines_start = match at {
            0 => 0,
            _ => memchr::memchr(b'\n', buffer).map_or(buffer.len(), |found| found + 1),
        };
        let lines = lines_start.min(lines_end)..lines_end;
        Ok((lines.clone(), from + lines.start as u64))
    }

    fn sift(&mut self, text: &[u8], offset: u64, needles: Option<&Needles>) -> Piece {
        let mut search = needles.map(|needles| needles.search(text));
        let mut piece = Piece::default();
        let mut at = 0;
        while at < text.len() {
            let start = at;
            let end = memchr::memchr2(b'\n', b'\r', &text[at..]).map(|found| at + found);
            let whole = end.is_some();
            let end = end.unwrap_or(text.len());
            let pair = text[end..].starts_with(b"\r\n");
            at = end + usize::from(whole) + usize::from(pair);
            piece.lines += 1;
            let line = &text[start..end];
            if whole && is_blank(line) {
                continue;
            }
            let looked = search.as_mut().is_none_or(|search| search.is_in(start, end));
            if !looked || !self.may_select(line) {
                piece.passed_over += 1;
                continue;
            }
            let begin = piece.text.len();
            piece.text.extend_from_slice(line);
            piece.kept.push(Kept {
                passed_over: std::mem::take(&mut piece.passed_over),
                number: piece.lines,
                offset: offset + start as u64,
                bytes: begin..piece.text.len(),
                whole,
            });
        }
        piece
    }

    /// A line that cannot be read is passed on, so that it is counted.
    fn may_select(&mut self, line: &[u8]) -> bool {
        self.matcher.as_mut().is_none_or(|matcher| matcher.ask(None, line) != Asked::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file::lines::Lines;

    /// Every line of a file is found once, in order, whatever the pieces are.
    #[test]
    fn pieces_are_the_whole() {
        let path = std::env::temp_dir().join(format!("quark-sieve-{}", uuid::Uuid::new_v4()));
        let long = "y".repeat(300);
        for text in [
            "",
            "a",
            "a\n",
            "a\r\n\r\n \nb\rc\n\x1c\nd",
            "\n\n\nx\n\n",
            &format!("short\n{long}\n{long}\r\nend"),
            &"line of some length\n".repeat(50),
        ] {
            std::fs::write(&path, text).unwrap();
            let mut lines = Lines::new(File::open(&path).unwrap(), 0).unwrap();
            let mut expected = Vec::new();
            while let Some(line) = lines.next_filled().unwrap() {
                expected.push((line.bytes.to_vec(), line.number, line.offset, line.whole));
            }
            // Nothing is left out: no line is a record.
            let filter = Filter::parse("payload.a != 1").unwrap();
            for piece in 1..40 {
                let mut found = Vec::new();
                std::thread::scope(|scope| {
                    let span = 0..text.len() as u64;
                    let mut sieve = Sieve::with_pieces(scope, &path, span, &filter, piece);
                    let mut before = 0;
                    while let Some(piece) = sieve.next_piece().unwrap() {
                        for kept in piece.kept {
                            assert_eq!(kept.passed_over, 0);
                            let bytes = piece.text[kept.bytes].to_vec();
                            found.push((bytes, before + kept.number, kept.offset, kept.whole));
                        }
                        before += piece.lines;
                    }
                });
                assert_eq!(found, expected, "{text:?} in pieces of {piece}");
            }
        }
        std::fs::remove_file(&path).unwrap();
    }

    /// A line that lies across many pieces is read once, not by every thread that has one of them.
    #[test]
    fn a_long_line_is_read_where_it_begins() {
        let path = std::env::temp_dir().join(format!("quark-sieve-{}", uuid::Uuid::new_v4()));
        let text = format!("short\n{}\nshort\n", "y".repeat(10_000));
        std::fs::write(&path, &text).unwrap();
        let span = 0..text.len() as u64;
        let work = Work { path: path.clone(), span, piece: 100, matcher: None };
        let (mut file, mut buffer) = (File::open(&path).unwrap(), Vec::new());
        let (lines, _) = work.read(&mut file, 0, &mut buffer).unwrap();
        assert_eq!(buffer[lines].len(), "short\n".len() + 10_001);
        for at in 1..100 {
            let (lines, _) = work.read(&mut file, at, &mut buffer).unwrap();
            assert!(lines.is_empty() && buffer.len() <= 101, "{at}: {} bytes", buffer.len());
        }
        let (lines, offset) = work.read(&mut file, 100, &mut buffer).unwrap();
        assert_eq!((&buffer[lines], offset), (b"short\n".as_slice(), 10_007));
        std::fs::remove_file(path).unwrap();
    }
}
