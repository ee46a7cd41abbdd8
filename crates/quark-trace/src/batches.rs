//! Working on the lines of a log on several threads while they are read, results in order.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, available_parallelism, scope};

use crate::error::Result;

/// Bytes of lines that are handed over together.
const BATCH: usize = 512 * 1024;

/// Most threads that work.
const MOST: usize = 4;

/// Lines that follow one another.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    text: Vec<u8>,
    lines: Vec<Range<usize>>,
}

impl Batch {
    /// The lines in the order of the log.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(|range| &self.text[range.clone()])
    }

    fn push(&mut self, line: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(line);
        self.lines.push(start..self.text.len());
    }
}

type Take<'t> = &'t mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// Has `read` give lines, has `work` done on batches of them, and gives the results to `join` in
/// order. A few batches are kept at a time. Less than a batch is worked on here.
pub(crate) fn in_batches<T: Send>(
    read: impl FnOnce(Take<'_>) -> Result<()>,
    work: &(impl Fn(&Batch) -> T + Sync),
    join: &mut impl FnMut(T),
) -> Result<()> {
    let jobs: Jobs<T> = Jobs { waiting: Mutex::new(None) };
    scope(|scope| {
        let mut crew: Option<Crew<T>> = None;
        let mut batch = Batch::default();
        let done = read(&mut |line| {
            batch.push(line);
            if batch.text.len() >= BATCH {
                let crew = crew.get_or_insert_with(|| Crew::start(scope, &jobs, work));
                crew.hand_over(std::mem::take(&mut batch), join);
            }
            ControlFlow::Continue(())
        });
        if let Some(crew) = crew {
            crew.finish(join);
        }
        join(work(&batch));
        done
    })
}

/// A batch and where its result goes.
type Job<T> = (Batch, Sender<T>);

struct Jobs<T> {
    waiting: Mutex<Option<Receiver<Job<T>>>>,
}

/// Threads at work, and the results that are still to come.
struct Crew<T> {
    hand: SyncSender<Job<T>>,
    due: VecDeque<Receiver<T>>,
    most_due: usize,
}

impl<T: Send> Crew<T> {
    fn start<'s, 'e: 's>(
        scope: &'s Scope<'s, 'e>,
        jobs: &'e Jobs<T>,
        work: &'e (impl Fn(&Batch) -> T + Sync),
    ) -> Self {
        let threads = available_parallelism().map_or(1, usize::from).min(MOST);
        let (hand, waiting) = sync_channel(threads);
        *jobs.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
        for _ in 0..threads {
            scope.spawn(move || {
                loop {
                    let waiting = jobs.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(Ok((batch, result))) = waiting.as_ref().map(Receiver::recv) else {
                        return;
                    };
                    drop(waiting);
                    // Nobody waits for it any more when the reader has failed.
                    let _ = result.send(work(&batch));
                }
            });
        }
        Self { hand, due: VecDeque::new(), most_due: 2 * threads }
    }

    fn hand_over(&mut self, batch: Batch, join: &mut impl FnMut(T)) {
        let (sender, result) = channel();
        self.due.push_back(result);
        let _ = self.hand.send((batch, sender));
        while self.due.len() > self.most_due {
            self.next(join);
        }
    }

    /// Waits for the oldest result. There is none when its thread panicked, which the scope passes on.
    fn next(&mut self, join: &mut impl FnMut(T)) {
        if let Some(Ok(result)) = self.due.pop_front().map(|due| due.recv()) {
            join(result);
        }
    }

    fn finish(mut self, join: &mut impl FnMut(T)) {
        while !self.due.is_empty() {
            self.next(join);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_lines() {
        for count in [0, 1, 1000, 200_000] {
            let mut joined = Vec::new();
            let read = |take: Take<'_>| {
                (0..count).try_for_each(|at: usize| match take(format!("line {at}").as_bytes()) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => panic!("nobody broke off"),
                })
            };
            let work =
                |batch: &Batch| batch.lines().map(|line| line[5..].to_vec()).collect::<Vec<_>>();
            in_batches(read, &work, &mut |lines: Vec<Vec<u8>>| joined.extend(lines)).unwrap();
            let numbers = joined.iter().map(|line| String::from_utf8_lossy(line).parse::<usize>());
            assert!(numbers.eq((0..count).map(Ok)), "{count}");
        }
    }
}
