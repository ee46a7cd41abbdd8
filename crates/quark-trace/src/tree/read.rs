//! Reading the entries of which a tree is made.

use std::ops::{ControlFlow, Deref};
use std::sync::{Arc, PoisonError};

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::tile_tree::TreeFault;
use quark_trace_core::ledger::tiles::WIDTH;
use quark_trace_core::ledger::{Digest, TileTree};

use super::recent::Recent;
use super::{LogTree, altered, fault};
use crate::error::Result;
use crate::store::{Plan, Row, Select, Store};

/// Leaves that are taken up together while the log is read.
const PART: usize = 16 * 1024;

/// The line of an entry, and its object if it is there.
type Stored = (Vec<u8>, Option<Vec<u8>>);

impl<S> LogTree<S>
where
    S: Deref,
    S::Target: Store,
{
    /// The leaf hashes of a full tile.
    pub(super) fn leaves(&self, tile: u64) -> Result<Arc<[Digest]>> {
        if let Some(leaves) = self.recent().find(tile) {
            return Ok(leaves);
        }
        let from = tile * u64::from(WIDTH);
        let mut leaves = Vec::with_capacity(WIDTH.into());
        self.lines(from, Some(from + u64::from(WIDTH)), &mut |_, line| {
            leaves.push(leaf_hash(line));
            ControlFlow::Continue(())
        })?;
        let leaves: Arc<[Digest]> = leaves.into();
        self.recent().keep(tile, Arc::clone(&leaves));
        Ok(leaves)
    }

    /// The line and the object of one entry.
    pub(super) fn entry(&self, index: u64) -> Result<Option<Stored>> {
        let mut found = None;
        let plan = Plan { from: index, until: Some(index + 1), ..Plan::default() };
        self.store.scan(&self.project, &plan, &mut |row| {
            if let Row::Entry { index: at, line, object, .. } = row
                && at == index
            {
                found = Some((line.to_vec(), object.map(|bytes| bytes.into_owned())));
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The lines of entries, whose indexes must follow one another.
    pub(super) fn lines(
        &self,
        from: u64,
        until: Option<u64>,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut next = from;
        let mut gap = None;
        let plan = Plan { from, until, select: Select::Entries, ..Plan::default() };
        self.store.scan(&self.project, &plan, &mut |row| {
            let Row::Entry { index, line, .. } = row else { return ControlFlow::Continue(()) };
            if index != next {
                gap = Some(next);
                return ControlFlow::Break(());
            }
            next += 1;
            each(index, line)
        })?;
        gap.map_or(Ok(()), |index| Err(altered(format!("entry {index} is missing"))))
    }

    /// Reads what follows; `false` when what is known is not the beginning of the log any more.
    pub(super) fn read_on(&self) -> Result<bool> {
        let known = self.known();
        // The last one that is known once more: it tells whether this is still the same log.
        let Some(last) = known.size().checked_sub(1) else {
            return self.read_again().map(|()| true);
        };
        let expected = match known.leaf(last, |tile| self.leaves(tile)) {
            Err(TreeFault::Altered { .. }) => return Ok(false),
            expected => expected.map_err(fault)?,
        };
        drop(known);
        let (mut same, mut part) = (false, Vec::new());
        self.lines(last, None, &mut |index, line| {
            let leaf = leaf_hash(line);
            if index == last {
                same = leaf == expected;
                return if same { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
            }
            part.push(leaf);
            if part.len() == PART {
                self.take(&mut part);
            }
            ControlFlow::Continue(())
        })?;
        self.take(&mut part);
        Ok(same)
    }

    fn take(&self, part: &mut Vec<Digest>) {
        if part.is_empty() {
            return;
        }
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let tree = Arc::make_mut(&mut tree);
        part.drain(..).for_each(|leaf| tree.push(leaf));
    }

    /// Reads the log from its beginning.
    pub(super) fn read_again(&self) -> Result<()> {
        let mut tree = TileTree::new();
        self.lines(0, None, &mut |_, line| {
            tree.push(leaf_hash(line));
            ControlFlow::Continue(())
        })?;
        *self.recent() = Recent::default();
        *self.tree.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tree);
        Ok(())
    }
}
