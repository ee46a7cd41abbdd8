//! The tiles of leaves that were read last.

use std::collections::VecDeque;
use std::sync::Arc;

use quark_trace_core::ledger::Digest;

/// How many are kept; each has 8 KiB. The last tiles of a log are in every proof.
const MOST: usize = 32;

/// A few tiles, the one that was used last in front.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<(u64, Arc<[Digest]>)>);

impl Recent {
    pub fn find(&mut self, tile: u64) -> Option<Arc<[Digest]>> {
        let at = self.0.iter().position(|(number, _)| *number == tile)?;
        let found = self.0.remove(at)?;
        let leaves = Arc::clone(&found.1);
        self.0.push_front(found);
        Some(leaves)
    }

    pub fn keep(&mut self, tile: u64, leaves: Arc<[Digest]>) {
        self.0.retain(|(number, _)| *number != tile);
        self.0.push_front((tile, leaves));
        self.0.truncate(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut recent = Recent::default();
        let leaves = |n: u64| Arc::from([Digest::of(&n.to_be_bytes())]);
        for n in 0..100 {
            recent.keep(n, leaves(n));
            assert_eq!(recent.find(0), Some(leaves(0)), "after {n}");
        }
        assert_eq!(recent.0.len(), MOST);
        assert_eq!(recent.find(99), Some(leaves(99)));
        assert_eq!(recent.find(50), None);
    }
}
