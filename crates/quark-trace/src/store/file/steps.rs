//! Where every thousandth entry stands, so that whoever asks for a few entries begins near them and
//! not at the first. It is kept in memory and belongs to one store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::folder::Names;
use super::mark::ends_line;
use super::pairs::Pairs;
use crate::error::Result;

/// Entries from one step to the next. Reading so many lines takes no longer than opening the files.
const EVERY: u64 = 1024;

/// The places that readers have passed, in the order of the entries from the first on.
#[derive(Debug, Default)]
pub(super) struct Steps(Mutex<Vec<Step>>);

/// A place between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    /// Offset in the ledger.
    ledger: u64,
    /// Offset in the records, and how many lines come before it; `None` when nobody read them.
    records: Option<(u64, u64)>,
}

/// What is in front of the first entry.
const START: Step = Step { ledger: 0, records: Some((0, 0)) };

impl Steps {
    /// Opens the ledger alone, at or before entry `from`.
    pub fn open_ledger(&self, names: &Names, from: u64) -> Result<Pairs> {
        let stands = |step: &Step| ends_line(&names.ledger(), step.ledger);
        let (index, step) = self.last_before(from, |_| true, stands);
        Pairs::open_ledger(names, index, step.ledger)
    }

    /// Opens ledger and records, at or before entry `from`.
    pub fn open(&self, names: &Names, from: u64) -> Result<Pairs> {
        let (index, step) = self.last_before(
            from,
            |step| step.records.is_some(),
            |step| {
                ends_line(&names.ledger(), step.ledger)
                    && step.records.is_some_and(|(offset, _)| ends_line(&names.records, offset))
            },
        );
        let (offset, lines) = step.records.unwrap_or_default();
        let mut pairs = Pairs::open_at(names, index, step.ledger, offset)?;
        if let Some(records) = &mut pairs.records {
            records.count_from(lines);
        }
        Ok(pairs)
    }

    /// The last usable step at or before entry `from`, if lines end there; else the start.
    fn last_before(
        &self,
        from: u64,
        usable: impl Fn(&Step) -> bool,
        stands: impl Fn(&Step) -> bool,
    ) -> (u64, Step) {
        let steps = self.steps();
        let known = usize::try_from(from / EVERY).unwrap_or(usize::MAX).saturating_add(1);
        let before = steps.iter().take(known).enumerate();
        // Looking into the files costs a little, and where the last one does not stand others may not.
        let last = before.rev().find(|(_, step)| usable(step)).filter(|(_, step)| stands(step));
        last.map_or((0, START), |(at, step)| (at as u64 * EVERY, *step))
    }

    /// Takes note of where a reader stands, if a step is there.
    pub fn pass(&self, pairs: &Pairs) {
        let index = pairs.index();
        if !index.is_multiple_of(EVERY) {
            return;
        }
        let records = pairs.records.as_ref().map(|lines| (lines.offset(), lines.number()));
        let step = Step { ledger: pairs.ledger.offset(), records };
        let mut steps = self.steps();
        let (at, length) = ((index / EVERY) as usize, steps.len());
        match steps.get_mut(at) {
            Some(known) if known.ledger == step.ledger => {
                known.records = step.records.or(known.records);
            }
            // The files are others than those that were read before.
            Some(_) => {
                steps.truncate(at);
                steps.push(step);
            }
            None if at == length => steps.push(step),
            None => {}
        }
    }

    fn steps(&self) -> MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
