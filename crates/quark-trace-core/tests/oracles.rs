//! Our ledger beside other people's implementations of the same standards.
//!
//! `ct-merkle` and `tlog_tiles` make and check the trees of RFC 6962 and 9162, `signed_note` the
//! notes of C2SP. What they make we must accept, what we make they must accept, byte for byte.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use quark_trace_core::ledger::merkle::{Levels, leaf_hash, verify_consistency, verify_inclusion};
use quark_trace_core::ledger::{
    Checkpoint, CompactRange, Digest, Note, Origin, SignerKey, VerifierKey,
};
use sha2::Sha256;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::tlog;

/// Every tree up to this size is compared in full.
const EXHAUSTIVE: u64 = 40;
/// Sizes round powers of two, where proofs change their shape, and two that are none.
const SAMPLED: [u64; 14] = [63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 511, 1000, 1024, 1025];

fn entry(index: u64) -> Vec<u8> {
    format!("record sha256:{}", Digest::of(&index.to_be_bytes())).into_bytes()
}

fn ours(size: u64) -> Levels {
    let mut levels = Levels::new();
    (0..size).for_each(|index| levels.push(leaf_hash(&entry(index))));
    levels
}

fn theirs(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|index| tree.push(entry(index)));
    tree
}

fn bytes(path: &[Digest]) -> Vec<u8> {
    path.iter().flat_map(|digest| digest.0).collect()
}

fn digests(bytes: &[u8]) -> Vec<Digest> {
    bytes.chunks_exact(32).map(|chunk| Digest(chunk.try_into().unwrap())).collect()
}

/// A few places in a tree: its ends, its middle and where a subtree begins.
fn places(size: u64) -> Vec<u64> {
    let power = 1 << size.ilog2();
    let mut places = vec![0, 1, size / 3, size / 2, power - 1, power, size - 1];
    places.retain(|place| *place < size);
    places.sort_unstable();
    places.dedup();
    places
}

#[test]
fn roots_of_sizes_0_to_1025_are_those_of_ct_merkle() {
    let mut tree = theirs(0);
    let mut range = CompactRange::new();
    for size in 0..=1025 {
        assert_eq!(range.root().0.as_slice(), tree.root().as_bytes().as_slice(), "size {size}");
        tree.push(entry(size));
        range.push(leaf_hash(&entry(size)));
    }
}

#[test]
fn small_trees_have_the_inclusion_proofs_of_ct_merkle() {
    for size in 1..=EXHAUSTIVE {
        (0..size).for_each(|index| compare_inclusion(&ours(size), &theirs(size), index));
    }
}

#[test]
fn large_trees_have_the_inclusion_proofs_of_ct_merkle() {
    for size in SAMPLED {
        let (ours, theirs) = (ours(size), theirs(size));
        places(size).into_iter().for_each(|index| compare_inclusion(&ours, &theirs, index));
    }
}

fn compare_inclusion(ours: &Levels, theirs: &MemoryBackedTree<Sha256, Vec<u8>>, index: u64) {
    let size = ours.size();
    let path = ours.inclusion_proof(index, size).unwrap();
    let proof = theirs.prove_inclusion(usize::try_from(index).unwrap());
    assert_eq!(proof.as_bytes(), bytes(&path), "entry {index} of {size}");
    theirs.root().verify_inclusion(&entry(index), index, &proof).unwrap();
    let (leaf, root) = (leaf_hash(&entry(index)), ours.root(size).unwrap());
    verify_inclusion(leaf, index, size, &path, root).unwrap();
    assert!(verify_inclusion(leaf_hash(b"other"), index, size, &path, root).is_err());
    assert!(size == 1 || verify_inclusion(leaf, (index + 1) % size, size, &path, root).is_err());
}

#[test]
fn small_trees_have_the_consistency_proofs_of_ct_merkle() {
    for new in 1..=EXHAUSTIVE {
        (1..=new).for_each(|old| compare_consistency(&ours(new), &theirs(new), old));
    }
}

#[test]
fn large_trees_have_the_consistency_proofs_of_ct_merkle() {
    for new in SAMPLED {
        let (ours, theirs) = (ours(new), theirs(new));
        let olds = places(new).into_iter().filter(|old| *old > 0);
        olds.for_each(|old| compare_consistency(&ours, &theirs, old));
    }
}

fn compare_consistency(ours: &Levels, theirs: &MemoryBackedTree<Sha256, Vec<u8>>, old: u64) {
    let new = ours.size();
    let path = ours.consistency_proof(old, new).unwrap();
    let proof = theirs.prove_consistency(usize::try_from(new - old).unwrap());
    assert_eq!(proof.as_bytes(), bytes(&path), "{old} in {new}");
    let (old_root, new_root) = (ours.root(old).unwrap(), ours.root(new).unwrap());
    verify_consistency(old, old_root, new, new_root, &path).unwrap();
    let other = Digest::of(b"another root");
    assert!(verify_consistency(old, other, new, new_root, &path).is_err());
    assert!(verify_consistency(old, old_root, new, other, &path).is_err());
}

/// The stored hashes of a tree as `tlog_tiles` numbers them.
struct Stored(Vec<tlog::Hash>);

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|at| self.0[usize::try_from(*at).unwrap()]).collect())
    }
}

fn tiled(size: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for index in 0..size {
        let hashes = tlog::stored_hashes(index, &entry(index), &stored).unwrap();
        stored.0.extend(hashes);
    }
    stored
}

#[test]
fn tlog_tiles_and_we_accept_each_others_proofs() {
    for size in (1..=33).chain([255, 256, 257, 1025]) {
        let (ours, stored) = (ours(size), tiled(size));
        let root = ours.root(size).unwrap();
        assert_eq!(tlog::tree_hash(size, &stored).unwrap().0, root.0);
        for place in places(size) {
            let (leaf, path) = (leaf_hash(&entry(place)), ours.inclusion_proof(place, size));
            let proof = path.unwrap().iter().map(|hash| tlog::Hash(hash.0)).collect();
            let (root, leaf) = (tlog::Hash(root.0), tlog::Hash(leaf.0));
            tlog::check_record(&proof, size, root, place, leaf).unwrap();
            assert_eq!(tlog::prove_record(size, place, &stored).unwrap(), proof);
        }
        for old in places(size).into_iter().filter(|old| *old > 0) {
            let path = ours.consistency_proof(old, size).unwrap();
            let proof = path.iter().map(|hash| tlog::Hash(hash.0)).collect();
            let old_root = tlog::Hash(ours.root(old).unwrap().0);
            tlog::check_tree(&proof, size, tlog::Hash(root.0), old, old_root).unwrap();
            assert_eq!(tlog::prove_tree(size, old, &stored).unwrap(), proof);
        }
    }
}

/// The tree that the Certificate Transparency project published as its reference.
mod reference {
    pub const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", LEAF_7];
    const LEAF_7: &str = "606162636465666768696a6b6c6d6e6f";
    pub const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    /// Index, size, audit path.
    pub const INCLUSION: [(u64, u64, &str); 4] = [
        (
            0,
            8,
            concat!(
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ),
        ),
        (
            5,
            8,
            concat!(
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ),
        ),
        (2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (
            1,
            5,
            concat!(
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ),
        ),
    ];
    /// Old size, new size, proof.
    pub const CONSISTENCY: [(u64, u64, &str); 3] = [
        (1, 8, INCLUSION[0].2),
        (
            2,
            8,
            concat!(
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ),
        ),
        (
            6,
            8,
            concat!(
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ),
        ),
    ];
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

#[test]
fn the_published_vectors_of_rfc_6962() {
    let mut levels = Levels::new();
    assert_eq!(CompactRange::new().root().to_string(), reference::ROOTS[0]);
    for (leaf, root) in reference::LEAVES.iter().zip(&reference::ROOTS[1..]) {
        levels.push(leaf_hash(&hex(leaf)));
        assert_eq!(levels.root(levels.size()).unwrap().to_string(), *root);
    }
    for (index, size, path) in reference::INCLUSION {
        assert_eq!(levels.inclusion_proof(index, size).unwrap(), digests(&hex(path)));
        let (leaf, root) = (levels.leaf(index).unwrap(), levels.root(size).unwrap());
        verify_inclusion(leaf, index, size, &digests(&hex(path)), root).unwrap();
    }
    for (old, new, path) in reference::CONSISTENCY {
        assert_eq!(levels.consistency_proof(old, new).unwrap(), digests(&hex(path)));
    }
}

#[test]
fn hostile_proofs_are_refused() {
    let (size, path) = (13, ours(13).inclusion_proof(6, 13).unwrap());
    let (root, leaf) = (ours(13).root(13).unwrap(), leaf_hash(&entry(6)));
    let longer = [path.clone(), vec![root]].concat();
    let shorter = &path[..path.len() - 1];
    assert!(verify_inclusion(leaf, 6, size, &longer, root).is_err());
    assert!(verify_inclusion(leaf, 6, size, shorter, root).is_err());
    assert!(verify_inclusion(leaf, size, size, &path, root).is_err());
    assert!(verify_inclusion(leaf, u64::MAX, u64::MAX, &path, root).is_err());
    assert!(verify_inclusion(root, 0, 1, &path, root).is_err());
    assert!(verify_inclusion(leaf, 0, 0, &[], Digest::of(b"")).is_err());
    assert!(verify_consistency(14, root, 13, root, &path).is_err());
    assert!(verify_consistency(u64::MAX, root, u64::MAX, root, &path).is_err());
    assert!(verify_consistency(0, root, 13, root, &[]).is_err());
}

const ORIGIN: &str = "trace.example.org/tlog/demo";
const SEED: [u8; 32] = [7; 32];

fn signed() -> (SignerKey, Checkpoint, String) {
    let key = SignerKey::new(ORIGIN, SEED).unwrap();
    let mut range = CompactRange::new();
    (0..5).for_each(|index| range.push(leaf_hash(&entry(index))));
    let checkpoint = Checkpoint::of(&Origin::parse(ORIGIN).unwrap(), &range).unwrap();
    let note = checkpoint.sign(&key);
    (key, checkpoint, note)
}

fn they_accept(note: &[u8], key: &VerifierKey) -> bool {
    let verifier = StandardVerifier::new(&key.to_string()).unwrap();
    let list = VerifierList::new(vec![Box::new(verifier)]);
    signed_note::Note::from_bytes(note).is_ok_and(|note| note.verify(&list).is_ok())
}

#[test]
fn signed_note_and_tlog_tiles_read_our_checkpoints() {
    let (key, checkpoint, note) = signed();
    assert!(they_accept(note.as_bytes(), key.verifier()));
    let text = Note::parse(&note).unwrap().text().to_owned();
    let read = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
    assert_eq!(read.origin(), ORIGIN);
    assert_eq!((read.size(), read.hash().0), (5, checkpoint.root.0));
    assert_eq!(read.extension(), "");
    assert_eq!(read.to_bytes(), text.as_bytes());
}

#[test]
fn we_read_the_notes_that_signed_note_writes() {
    let (key, checkpoint, note) = signed();
    let id = key.verifier().id();
    let private = [&[1], SEED.as_slice()].concat();
    let private = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, private);
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id:08x}+{private}")).unwrap();
    let mut theirs = signed_note::Note::new(checkpoint.text().as_bytes(), &[]).unwrap();
    theirs.add_sigs(&[&signer]).unwrap();
    assert_eq!(theirs.to_bytes(), note.as_bytes());
    assert_eq!(Checkpoint::open(&note, key.verifier()).unwrap(), checkpoint);
}

#[test]
fn a_note_with_one_bit_flipped_is_refused_by_both() {
    let (key, _, note) = signed();
    for bit in 0..note.len() * 8 {
        let mut bytes = note.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!they_accept(&bytes, key.verifier()), "theirs, bit {bit}");
        let text = String::from_utf8_lossy(&bytes);
        assert!(Checkpoint::open(&text, key.verifier()).is_err(), "ours, bit {bit}");
    }
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    let tests = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            concat!(
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555",
                "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "r",
            concat!(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0",
                "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
    ];
    for (seed, public, text, signature) in tests {
        let key = SignerKey::new("rfc8032", hex(seed).try_into().unwrap()).unwrap();
        assert_eq!(key.verifier().public_key().as_slice(), hex(public));
        let line = key.sign(text);
        let blob = line.trim_end().rsplit(' ').next().unwrap();
        let engine = base64::engine::general_purpose::STANDARD;
        assert_eq!(base64::Engine::decode(&engine, blob).unwrap()[4..], hex(signature));
    }
}

#[test]
fn keys_of_small_order_are_refused() {
    // The eight points of small order, and encodings of them with coordinates not below the prime.
    for public in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let key = hex(public).try_into().unwrap();
        assert!(VerifierKey::new(ORIGIN, key).is_err(), "{public}");
    }
}

#[test]
fn a_signature_with_the_group_order_added_is_refused() {
    let (key, _, note) = signed();
    let line = note.trim_end().rsplit(' ').next().unwrap();
    let engine = base64::engine::general_purpose::STANDARD;
    let mut blob = base64::Engine::decode(&engine, line).unwrap();
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, add) in blob[36..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "the sum must still fit the 32 bytes");
    let malleable = note.replace(line, &base64::Engine::encode(&engine, blob));
    assert_ne!(malleable, note);
    assert!(Checkpoint::open(&malleable, key.verifier()).is_err());
}
