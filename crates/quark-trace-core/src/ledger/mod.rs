//! The ledger: an RFC 6962 Merkle log in the C2SP formats, nothing private about it.
//!
//! [`entry`] says what a leaf is, [`merkle`] how leaves make a root and how proofs are made and
//! checked, [`note`] and [`checkpoint`] how a root is signed, [`proof`] how one entry is proven to a
//! third party, [`dsse`] how a node signs what it reports, [`tiles`] how a log is published as files,
//! [`tile_tree`] how proofs are made from them.

pub mod checkpoint;
pub mod digest;
pub mod dsse;
pub mod entry;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod tile_tree;
pub mod tiles;

pub use checkpoint::{Checkpoint, Origin};
pub use digest::Digest;
pub use entry::{Entry, Kind};
pub use merkle::CompactRange;
pub use note::{Note, SignerKey, VerifierKey};
pub use tile_tree::TileTree;
pub use tiles::Tile;
