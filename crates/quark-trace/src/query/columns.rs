//! What a search finds as typed columns: one thread reads and asks, others take the lines apart.

use std::mem::take;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, available_parallelism, scope};

use quark_trace_core::columns::{Chunk, Columns, Refused, Selection};

use super::Search;
use crate::error::{Error, ErrorKind, Result};

/// Records of one chunk, unless they are long.
const CHUNK_ROWS: usize = 16 * 1024;
/// Bytes of lines after which a chunk ends.
const CHUNK_BYTES: usize = 8 * 1024 * 1024;
/// Chunks that wait for a thread, so that a slow one does not fill the memory.
const WAITING: usize = 2;
/// More threads than that would wait for the one that reads.
const MOST_THREADS: usize = 4;

/// Lines on their way into a chunk.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Index and end of each.
    rows: Vec<(Option<u64>, usize)>,
}

impl Lines {
    fn push(&mut self, index: Option<u64>, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.rows.push((index, self.bytes.len()));
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK_ROWS || self.bytes.len() >= CHUNK_BYTES
    }

    fn chunk(&self, selection: &Selection) -> std::result::Result<Chunk, Refused> {
        let mut chunk = Chunk::new(selection);
        let mut start = 0;
        for &(index, end) in &self.rows {
            chunk.push(index, &self.bytes[start..end])?;
            start = end;
        }
        Ok(chunk)
    }
}

type Made = (usize, std::result::Result<Chunk, Refused>);

/// The threads, begun when there is more than one chunk.
struct Threads {
    lines: SyncSender<(usize, Lines)>,
    chunks: Receiver<Made>,
    sent: usize,
}

impl Threads {
    fn begin<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        queue: &'env Mutex<Option<Receiver<(usize, Lines)>>>,
        selection: &'env Selection,
    ) -> Self {
        let (lines, waiting) = sync_channel(WAITING);
        *queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
        let (done, chunks) = channel();
        let cores = available_parallelism().map_or(1, usize::from);
        for _ in 0..cores.saturating_sub(1).clamp(1, MOST_THREADS) {
            let done: Sender<Made> = done.clone();
            scope.spawn(move || work(queue, selection, &done));
        }
        Self { lines, chunks, sent: 0 }
    }

    /// Breaks when no thread takes lines any more: one has refused some.
    fn send(&mut self, lines: Lines) -> ControlFlow<()> {
        let place = self.sent;
        self.sent += 1;
        match self.lines.send((place, lines)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// All chunks in the order in which their lines came.
    fn finish(self) -> std::result::Result<Vec<Chunk>, Refused> {
        drop(self.lines);
        let mut made: Vec<Made> = self.chunks.iter().collect();
        made.sort_by_key(|(place, _)| *place);
        made.into_iter().map(|(_, chunk)| chunk).collect()
    }
}

fn work(
    queue: &Mutex<Option<Receiver<(usize, Lines)>>>,
    selection: &Selection,
    done: &Sender<Made>,
) {
    loop {
        let next = {
            let waiting = queue.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.as_ref().and_then(|waiting| waiting.recv().ok())
        };
        let Some((place, lines)) = next else { return };
        let chunk = lines.chunk(selection);
        if chunk.is_err() {
            // Nobody needs the others any more; the one who reads finds the way closed.
            queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        if done.send((place, chunk)).is_err() {
            return;
        }
    }
}

impl Search<'_> {
    /// The records as typed columns; `seen` is told now and then how many there are so far.
    ///
    /// # Errors
    /// As [`Search::each`]; [`ErrorKind::TooLarge`] when the payloads hold more different values
    /// than a table has columns and none are selected.
    pub fn columns(self, selection: &Selection, mut seen: impl FnMut(u64)) -> Result<Columns> {
        let queue = Mutex::new(None);
        scope(|scope| {
            let mut lines = Lines::default();
            let mut threads: Option<Threads> = None;
            let mut rows = 0;
            self.each(|hit| {
                lines.push(hit.index, hit.line);
                if !lines.is_full() {
                    return ControlFlow::Continue(());
                }
                rows += lines.rows.len() as u64;
                seen(rows);
                let threads =
                    threads.get_or_insert_with(|| Threads::begin(scope, &queue, selection));
                threads.send(take(&mut lines))
            })?;
            let made = match threads {
                None => lines.chunk(selection).map(|chunk| vec![chunk]),
                Some(mut threads) => {
                    // A refusal comes with the chunks.
                    let _ = threads.send(lines);
                    threads.finish()
                }
            };
            made.and_then(Columns::new).map_err(refused)
        })
    }
}

fn refused(refused: Refused) -> Error {
    let kind = match refused {
        Refused::TooManyColumns => ErrorKind::TooLarge,
        Refused::Element(_) => ErrorKind::InvalidInput,
        Refused::Line(_) => ErrorKind::Corrupted,
    };
    Error::new(kind, "put the records into columns", refused.to_string())
}
