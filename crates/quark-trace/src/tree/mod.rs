//! The tree of one log, kept in memory beside its store: proofs and tiles without reading the log.
//!
//! A [`LogTree`] keeps one hash for every 256 entries and reads what is new when it is asked, so that
//! a proof takes a few small reads however long the log is. The entries are the truth: what the store
//! keeps beside them for speed is not used.

use std::fmt;
use std::ops::{ControlFlow, Deref};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::proof::TlogProof;
use quark_trace_core::ledger::tile_tree::TreeFault;
use quark_trace_core::ledger::tiles::{self, Level};
use quark_trace_core::ledger::{Checkpoint, Digest, Note, Tile, TileTree};

use crate::error::{Error, ErrorKind, Result};
use crate::prove::Proof;
use crate::store::{Beside, Store};

mod read;
mod recent;

use recent::Recent;

const PROVE: &str = "prove the entry";
const READ: &str = "read the tree of the log";

/// How long it is believed that a log contradicts itself before it is read again.
const BELIEVED: Duration = Duration::from_secs(30);

/// What is known of the checkpoints of a log.
#[derive(Debug, Default)]
struct Proven {
    /// The last checkpoint to which the entries led.
    last: Option<Checkpoint>,
    /// The checkpoint to which they did not, and when that was found out. To find out takes reading
    /// the whole log, which nobody may have done with each request.
    failed: Option<(Option<Checkpoint>, Instant)>,
}

/// The tree of one log.
///
/// It holds no lock while the store seals, and any number of threads make proofs at once.
///
/// ```
/// use std::sync::Arc;
/// use quark_trace::{TraceLog, tree::LogTree};
/// use quark_trace::core::{ledger::{VerifierKey, merkle::leaf_hash}, payload::Payload};
/// use quark_trace::keys::Keyring;
/// use quark_trace::store::{MemoryStore, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("quark-{}", uuid::Uuid::new_v4()));
/// let keys = Keyring::load_or_create(&folder)?;
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::new().with_keys(keys));
/// let log = TraceLog::new(Arc::clone(&store), "demo".parse()?);
/// log.log("training", &Payload::new().with("loss", 0.5))?;
///
/// let tree = LogTree::new(store, "demo".parse()?);
/// let proof = tree.inclusion(1)?;
/// let key = VerifierKey::parse(proof.keys.as_deref().unwrap_or_default().trim_end())?;
/// assert_eq!(proof.proof.verify(leaf_hash(&proof.entry), &key)?.size, 2);
/// assert!(tree.tile("tile/0/000.p/2".parse()?, 2)?.is_some());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
pub struct LogTree<S = Arc<dyn Store>> {
    store: S,
    project: ProjectId,
    /// Replaced or added to as a whole: whoever makes a proof takes it along and holds no lock.
    tree: RwLock<Arc<TileTree>>,
    /// Held by the one who reads what is new.
    proven: Mutex<Proven>,
    /// Tiles of leaves that were read lately.
    recent: Mutex<Recent>,
}

impl<S> LogTree<S>
where
    S: Deref,
    S::Target: Store,
{
    /// The tree of a project's log. Nothing is read yet.
    pub fn new(store: S, project: ProjectId) -> Self {
        let (tree, proven, recent) = Default::default();
        Self { store, project, tree, proven, recent }
    }

    /// The project.
    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    /// How many entries were taken up so far.
    pub fn size(&self) -> u64 {
        self.known().size()
    }

    /// How many bytes its hashes take in memory: about a quarter of a byte for each entry.
    pub fn memory(&self) -> usize {
        self.known().memory()
    }

    /// Takes up the entries that were added since, and gives the last checkpoint and the keys.
    ///
    /// # Errors
    ///
    /// `NotFound` when the store has nothing of the project. `Integrity("E-ROOT")` when the entries
    /// do not lead to the root of the checkpoint, or no longer to that of one before.
    pub fn refresh(&self) -> Result<Beside> {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        // The checkpoint first: the entries under it are there by then.
        let beside = self.store.beside(&self.project)?.ok_or_else(|| not_found(&self.project))?;
        let sealed = sealed(&beside.checkpoint);
        if let Some((failed, at)) = &proven.failed
            && *failed == sealed
            && at.elapsed() < BELIEVED
        {
            return Err(self.contradicted());
        }
        proven.failed = None;
        let goes_on = self.read_on()?;
        // Nothing that was added changes the root of what was there.
        if !goes_on || sealed != proven.last && self.check(&sealed, &proven.last).is_err() {
            // Entries that no checkpoint covers may be lost with the machine that had them, and
            // others follow in their place. What a checkpoint covers may not.
            self.read_again()?;
            if let Err(error) = self.check(&sealed, &proven.last) {
                proven.failed = Some((sealed, Instant::now()));
                return Err(error);
            }
        }
        let last = proven.last.as_ref().map_or(0, |last| last.size);
        if let Some(sealed) = sealed.filter(|sealed| last < sealed.size) {
            proven.last = Some(sealed);
        }
        Ok(beside)
    }

    /// Proves entry `index` against the last checkpoint, which is renewed first when it does not
    /// cover the entry and the store can sign.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such entry, or no checkpoint that covers it;
    /// `Integrity("E-ROOT")` as [`LogTree::refresh`] says.
    pub fn inclusion(&self, index: u64) -> Result<Proof> {
        let mut beside = self.refresh()?;
        let size = self.size();
        if index >= size {
            let message = format!("entry {index} does not exist; the log has {size}");
            return Err(Error::new(ErrorKind::NotFound, PROVE, message));
        }
        let covers = |beside: &Beside| sealed(&beside.checkpoint).filter(|it| it.size > index);
        if covers(&beside).is_none() && self.store.info().signs {
            self.store.seal(&self.project)?.ok_or_else(|| not_found(&self.project))?;
            beside = self.refresh()?;
        }
        let (Some(sealed), Some(checkpoint)) = (covers(&beside), beside.checkpoint) else {
            let message = format!("no signed checkpoint covers entry {index}; seal the log first");
            return Err(Error::new(ErrorKind::NotFound, PROVE, message));
        };
        let tree = self.known();
        let path = tree.inclusion_proof(index, sealed.size, |tile| self.leaves(tile));
        let leaf = tree.leaf(index, |tile| self.leaves(tile)).map_err(fault)?;
        let (entry, object) = self
            .entry(index)?
            .filter(|(line, _)| leaf_hash(line) == leaf)
            .ok_or_else(|| altered(format!("entry {index} is not what it was when it was read")))?;
        let proof = TlogProof { index, path: path.map_err(fault)?, checkpoint };
        Ok(Proof { entry, object, proof, keys: beside.keys })
    }

    /// The proof that the log of `from` entries is the beginning of the log of `to` entries (RFC
    /// 9162, 2.1.4.1); empty when `from` is 0 or equals `to`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when `from` is larger than `to`, `NotFound` when the log is shorter than `to`.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<Digest>> {
        self.refresh()?;
        let tree = self.known();
        if from > to {
            let message = format!("from {from} to {to} is backwards; give the smaller size first");
            return Err(Error::new(ErrorKind::InvalidInput, READ, message));
        }
        if to > tree.size() {
            let message = format!("the log has {} entries, not {to}", tree.size());
            return Err(Error::new(ErrorKind::NotFound, READ, message));
        }
        tree.consistency_proof(from, to, |tile| self.leaves(tile)).map_err(fault)
    }

    /// The root of the log of its first `size` entries, as far as they were taken up.
    ///
    /// # Errors
    ///
    /// `NotFound` when fewer were.
    pub fn root(&self, size: u64) -> Result<Digest> {
        self.known().root(size, |tile| self.leaves(tile)).map_err(fault)
    }

    /// The bytes of a tile or bundle (C2SP tlog-tiles) of the log of `size` entries or of a shorter
    /// one; `None` when there is no such tile. `size` is what a checkpoint covers: what comes behind
    /// it is not promised yet.
    pub fn tile(&self, tile: Tile, size: u64) -> Result<Option<Vec<u8>>> {
        if size > self.size() {
            self.refresh()?;
        }
        let tree = self.known();
        if !tile.is_within(size.min(tree.size())) {
            return Ok(None);
        }
        match tile.level() {
            Level::Hashes(_) => {
                tree.tile(tile, |number| self.leaves(number)).map_err(fault).map(Some)
            }
            Level::Entries => self.bundle(&tree, tile).map(Some),
        }
    }

    /// Entries `256 * number` and the `width - 1` behind it, each with its length in front; `None`
    /// when the log of `size` entries has not all of them. The same as [`LogTree::tile`] of a tile
    /// of entries.
    pub fn entry_bundle(&self, number: u64, width: u16, size: u64) -> Result<Option<Vec<u8>>> {
        let tile = Tile::new(Level::Entries, number, width);
        tile.map_or(Ok(None), |tile| self.tile(tile, size))
    }

    fn bundle(&self, tree: &TileTree, tile: Tile) -> Result<Vec<u8>> {
        let places = tile.places().unwrap_or_default();
        let hashes = Tile::new(Level::Hashes(0), tile.number(), tile.width());
        let hashes = hashes.map(|tile| tree.tile(tile, |number| self.leaves(number)));
        let hashes = hashes.transpose().map_err(fault)?.unwrap_or_default();
        let (mut bundle, mut left) = (Vec::new(), hashes.chunks_exact(32));
        let mut as_they_were = true;
        self.lines(places.start, Some(places.end), &mut |_, line| {
            as_they_were &= left.next() == Some(&leaf_hash(line).0)
                && tiles::push_entry(&mut bundle, line).is_ok();
            ControlFlow::Continue(())
        })?;
        if as_they_were && left.next().is_none() {
            return Ok(bundle);
        }
        Err(altered(format!("the entries of {tile} are not those that the tree was made of")))
    }

    /// Whether the entries lead to the roots of both checkpoints.
    fn check(&self, sealed: &Option<Checkpoint>, proven: &Option<Checkpoint>) -> Result<()> {
        let tree = self.known();
        for checkpoint in [sealed, proven].into_iter().flatten() {
            let root = match tree.root(checkpoint.size, |tile| self.leaves(tile)) {
                Err(TreeFault::OutOfRange { .. }) => None,
                root => Some(root.map_err(fault)?),
            };
            if root != Some(checkpoint.root) {
                return Err(self.contradicted());
            }
        }
        Ok(())
    }

    fn contradicted(&self) -> Error {
        altered("the ledger does not lead to the root of its checkpoint; verify the log")
            .on(self.project.as_str())
    }

    fn known(&self) -> Arc<TileTree> {
        Arc::clone(&self.tree.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> fmt::Debug for LogTree<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let project = self.project.as_str();
        formatter.debug_struct("LogTree").field("project", &project).finish_non_exhaustive()
    }
}

/// What a checkpoint says, its signature not checked.
fn sealed(note: &Option<String>) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note.as_deref()?).ok()?.text()).ok()
}

fn fault(fault: TreeFault<Error>) -> Error {
    match fault {
        TreeFault::Leaves(error) => error,
        TreeFault::Altered { .. } => altered(format!("{fault}; verify the log")),
        TreeFault::OutOfRange { .. } => Error::new(ErrorKind::NotFound, READ, fault.to_string()),
    }
}

fn altered(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Integrity("E-ROOT"), READ, message)
}

fn not_found(project: &ProjectId) -> Error {
    let message = format!("there is no project {:?}", project.as_str());
    Error::new(ErrorKind::NotFound, PROVE, message)
}
