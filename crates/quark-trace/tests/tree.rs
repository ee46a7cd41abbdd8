//! The tree of a log beside every store: proofs, tiles and what it refuses.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::merkle::{Levels, leaf_hash, verify_consistency};
use quark_trace::core::ledger::tiles::entries_of;
use quark_trace::core::ledger::{Digest, Entry, Kind, Tile, VerifierKey};
use quark_trace::error::{ErrorKind, Result};
use quark_trace::prove::{Proof, prove};
use quark_trace::store::{Commit, Durability, FileStore, NewEntry, Plan, Row, Store};
use quark_trace::tree::LogTree;

#[allow(dead_code, reason = "other tests ask more of a place")]
#[path = "copy/places.rs"]
mod places;

use places::{Keys, Place, place};

/// An empty store that signs.
fn signed(kind: &'static str) -> Place {
    place(kind, Some(Keys::new().ring.clone()))
}

fn project() -> ProjectId {
    "demo".parse().unwrap()
}

fn append(store: &dyn Store, numbers: std::ops::Range<u64>) {
    let lines: Vec<String> = numbers
        .map(|n| {
            format!(
                r#"{{"record_id": "{n}", "project_id": "demo", "stage": "s", "timestamp": "2026-01-02T03:04:05+00:00", "payload": {{"n": "{}"}}}}"#,
                "x".repeat((n % 50) as usize)
            )
        })
        .collect();
    for lines in lines.chunks(500) {
        let entries: Vec<_> =
            lines.iter().map(|line| NewEntry::new(Kind::Record, line.as_bytes())).collect();
        let durability = Durability::Os;
        store
            .append(&project(), &Commit { entries: &entries, expected: None, durability })
            .unwrap();
    }
}

/// The lines of the ledger, as a scan of everything gives them.
fn lines(store: &dyn Store) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let scanned = store.scan(&project(), &Plan::default(), &mut |row| {
        if let Row::Entry { line, .. } = row {
            lines.push(line.to_vec());
        }
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    lines
}

fn check(proof: &Proof, index: u64) -> u64 {
    let key = VerifierKey::parse(proof.keys.as_deref().unwrap().trim_end()).unwrap();
    assert_eq!(proof.proof.index, index);
    let entry = Entry::parse(&proof.entry).unwrap();
    assert_eq!(proof.object.as_deref().map(Digest::of), Some(entry.object), "entry {index}");
    proof.proof.verify(leaf_hash(&proof.entry), &key).unwrap().size
}

fn each_place(test: impl Fn(&Place, Arc<dyn Store>)) {
    for kind in places::kinds() {
        let place = signed(kind);
        let store = Arc::clone(&place.store);
        test(&place, store);
    }
}

#[test]
fn a_tree_that_grows_proves_every_entry() {
    each_place(|_, store| {
        let tree = LogTree::new(Arc::clone(&store), project());
        let mut size = 1;
        for more in [1, 3, 250, 1, 1, 700, 66] {
            append(store.as_ref(), size - 1..size - 1 + more);
            size += more;
            for index in [0, 1, size / 3, size / 2, size - 1] {
                let proof = tree.inclusion(index).unwrap();
                assert!(check(&proof, index) > index);
                assert_eq!(prove(store.as_ref(), &project(), index).unwrap().entry, proof.entry);
            }
            store.seal(&project()).unwrap();
            let proof = tree.inclusion(size / 2).unwrap();
            assert_eq!(check(&proof, size / 2), size);
            assert_eq!(proof, prove(store.as_ref(), &project(), size / 2).unwrap());
            assert_eq!(tree.size(), size);
        }
        let (lines, mut levels) = (lines(store.as_ref()), Levels::new());
        lines.iter().for_each(|line| levels.push(leaf_hash(line)));
        for (from, to) in [(0, 0), (0, 5), (1, 5), (255, 256), (256, 1023), (700, 1023), (9, 9)] {
            let path = tree.consistency(from, to).unwrap();
            let (old, new) = (levels.root(from).unwrap(), levels.root(to).unwrap());
            verify_consistency(from, old, to, new, &path).unwrap();
            assert_eq!((tree.root(from).unwrap(), tree.root(to).unwrap()), (old, new));
        }
    });
}

#[test]
fn tiles_are_made_of_the_entries() {
    each_place(|_, store| {
        append(store.as_ref(), 0..1200);
        store.seal(&project()).unwrap();
        let (lines, tree) = (lines(store.as_ref()), LogTree::new(store, project()));
        let size = lines.len() as u64;
        let last = Tile::last_of(size);
        let hashes: Vec<u8> = lines.iter().flat_map(|line| leaf_hash(line).0).collect();
        assert_eq!(last.len(), 3);
        for number in 0..=last[0].number() {
            let of = |wide: bool| last[0].number() == number && !wide;
            let width = if of(false) { last[0].width() } else { 256 };
            let bundle = tree.entry_bundle(number, width, size).unwrap().unwrap();
            let start = number as usize * 256;
            let range = start..start + usize::from(width);
            let expected: Vec<_> = lines[range.clone()].iter().map(Vec::as_slice).collect();
            assert_eq!(entries_of(&bundle), Some(expected));
            let path = format!("tile/0/{number:03}");
            let path = if width == 256 { path } else { format!("{path}.p/{width}") };
            let tile = tree.tile(path.parse().unwrap(), size).unwrap();
            assert_eq!(tile.unwrap(), hashes[range.start * 32..range.end * 32]);
        }
        let upper = tree.tile("tile/1/000.p/4".parse().unwrap(), size).unwrap().unwrap();
        assert_eq!(upper.len(), 4 * 32);
        // Tiles of smaller trees are there, those of larger ones and of a smaller size asked for not.
        assert!(tree.tile("tile/0/000.p/7".parse().unwrap(), size).unwrap().is_some());
        for (path, size) in [
            ("tile/0/004", size),
            ("tile/0/003", 1023),
            ("tile/1/000.p/5", size),
            ("tile/entries/004.p/178", size),
            ("tile/0/000.p/1", 0),
            ("tile/9/000", u64::MAX),
            ("tile/0/004.p/178", u64::MAX),
        ] {
            assert_eq!(tree.tile(path.parse().unwrap(), size).unwrap(), None, "{path} {size}");
        }
        assert_eq!(tree.entry_bundle(0, 0, size).unwrap(), None);
        assert_eq!(tree.entry_bundle(0, 257, size).unwrap(), None);
    });
}

#[test]
fn what_is_not_there_is_said_so() {
    each_place(|_, store| {
        let tree = LogTree::new(Arc::clone(&store), project());
        let absent = tree.inclusion(0).unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
        assert!(absent.to_string().contains("no project \"demo\""), "{absent}");
        append(store.as_ref(), 0..3);
        let beyond = tree.inclusion(4).unwrap_err();
        assert_eq!(beyond.kind(), ErrorKind::NotFound);
        assert!(beyond.to_string().contains("the log has 4"), "{beyond}");
        let kind = |result: Result<Vec<Digest>>| result.unwrap_err().kind();
        assert_eq!(kind(tree.consistency(3, 2)), ErrorKind::InvalidInput);
        assert_eq!(kind(tree.consistency(3, 5)), ErrorKind::NotFound);
    });
}

#[test]
fn a_log_without_a_key_has_no_proofs() {
    let place = place("memory", None);
    append(place.store.as_ref(), 0..3);
    let unsealed = LogTree::new(place.store.as_ref(), project()).inclusion(1).unwrap_err();
    assert!(unsealed.to_string().contains("no signed checkpoint covers entry 1"), "{unsealed}");
}

#[test]
fn threads_prove_while_others_append() {
    each_place(|_, store| {
        append(store.as_ref(), 0..300);
        let tree = LogTree::new(Arc::clone(&store), project());
        thread::scope(|scope| {
            scope.spawn(|| (3..9).for_each(|n| append(store.as_ref(), n * 100..n * 100 + 100)));
            for at in 0..3 {
                let tree = &tree;
                scope.spawn(move || {
                    for n in 0..20 {
                        let index = (n * 37 + at * 101) % 300;
                        check(&tree.inclusion(index).unwrap(), index);
                        let size = tree.size();
                        assert!(!tree.consistency(index + 1, size).unwrap().is_empty());
                    }
                });
            }
        });
        assert_eq!(check(&tree.inclusion(900).unwrap(), 900), 901);
    });
}

/// Puts one byte of the ledger of a file store to another digit.
fn alter(place: &Place, entry: usize) {
    let path = ledger(place);
    let mut bytes = std::fs::read(&path).unwrap();
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let at = starts.take(entry).last().unwrap() + 20;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    std::fs::write(&path, bytes).unwrap();
}

fn ledger(place: &Place) -> std::path::PathBuf {
    let mut found = Vec::new();
    let mut folders = vec![place.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => folders.push(entry),
                false if entry.ends_with("demo.qtlog/ledger") => found.push(entry),
                false => {}
            }
        }
    }
    found.pop().expect("the ledger of a file store")
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> bool {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-ROOT"), "{error}");
    true
}

#[test]
fn an_entry_that_was_altered_is_not_proven() {
    let place = signed("file");
    append(place.store.as_ref(), 0..1000);
    place.store.close().unwrap();
    let store = FileStore::new(ledger(&place).ancestors().nth(2).unwrap());
    let tree = LogTree::new(&store, project());
    check(&tree.inclusion(700).unwrap(), 700);
    alter(&place, 20);
    // What was read before is known; what has to be read again is not believed.
    check(&tree.inclusion(700).unwrap(), 700);
    assert!(refused(tree.inclusion(20)));
    assert!(refused(tree.inclusion(21)));
    assert!(refused(tree.tile("tile/0/000".parse().unwrap(), 1001)));
    assert!(refused(tree.entry_bundle(0, 256, 1001)));
    assert!(refused(LogTree::new(&store, project()).inclusion(700)));
    assert!(refused(prove(&store, &project(), 700)));
}

#[test]
fn a_log_that_was_cut_off_or_goes_another_way_is_refused() {
    let place = signed("file");
    append(place.store.as_ref(), 0..1000);
    place.store.close().unwrap();
    let folder = ledger(&place).ancestors().nth(2).unwrap().to_owned();
    let store = FileStore::new(&folder);
    let tree = LogTree::new(&store, project());
    tree.refresh().unwrap();
    let whole = std::fs::read(ledger(&place)).unwrap();
    std::fs::write(ledger(&place), &whole[..79 * 500 - 3]).unwrap();
    assert!(refused(tree.refresh()));
    // Without its checkpoint it would pass for a short log, but not to one who saw the long one.
    let note = ledger(&place).with_file_name("checkpoint");
    let text = std::fs::read(&note).unwrap();
    std::fs::remove_file(&note).unwrap();
    assert!(refused(tree.refresh()));
    LogTree::new(&store, project()).refresh().unwrap();
    std::fs::write(&note, text).unwrap();
    std::fs::write(ledger(&place), &whole).unwrap();
    check(&tree.inclusion(7).unwrap(), 7);
}

#[test]
fn entries_that_no_checkpoint_covers_may_be_lost() {
    let place = signed("file");
    append(place.store.as_ref(), 0..400);
    place.store.close().unwrap();
    let folder = ledger(&place).ancestors().nth(2).unwrap().to_owned();
    // This one does not sign, so that what it appends stays uncovered.
    let store = FileStore::new(&folder);
    append(&store, 400..900);
    store.close().unwrap();
    let reader = FileStore::new(&folder);
    let tree = LogTree::new(&reader, project());
    tree.refresh().unwrap();
    assert_eq!(tree.size(), 901);
    let whole = std::fs::read(ledger(&place)).unwrap();
    let shorter = whole.split_inclusive(|byte| *byte == b'\n').take(600).flatten().copied();
    std::fs::write(ledger(&place), shorter.collect::<Vec<u8>>()).unwrap();
    tree.refresh().unwrap();
    assert_eq!(tree.size(), 600);
    check(&tree.inclusion(300).unwrap(), 300);
}

#[test]
fn one_entry_is_found_though_lines_before_it_were_moved() {
    let place = signed("file");
    append(place.store.as_ref(), 0..3000);
    place.store.close().unwrap();
    let folder = ledger(&place).ancestors().nth(2).unwrap().to_owned();
    let records = folder.join("demo_trace_log.jsonl");
    let store = FileStore::new(&folder);
    let one = |store: &FileStore, from: u64| {
        let mut rows = Vec::new();
        let plan = Plan { from, until: Some(from + 2), ..Plan::default() };
        let scanned = store.scan(&project(), &plan, &mut |row| {
            let Row::Entry { index, object, displaced, .. } = row else { panic!("{row:?}") };
            rows.push((index, object.map(|object| object.into_owned()), displaced));
            ControlFlow::Continue(())
        });
        scanned.unwrap();
        rows
    };
    let sound: Vec<_> = [5, 1500, 2900].map(|from| one(&store, from)).into();
    let text = std::fs::read_to_string(&records).unwrap();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    // A line is removed, then one put in its place elsewhere: every offset behind is another.
    let gone = lines.remove(100);
    std::fs::write(&records, lines.concat()).unwrap();
    for handle in [&store, &FileStore::new(&folder)] {
        for (from, sound) in [5, 1500, 2900].into_iter().zip(&sound) {
            assert_eq!(one(handle, from), *sound, "from {from}, a line removed");
        }
        assert_eq!(one(handle, 100)[1].1, None);
    }
    lines.insert(2000, gone);
    std::fs::write(&records, lines.concat()).unwrap();
    for handle in [&store, &FileStore::new(&folder)] {
        for (from, sound) in [5, 1500, 2900].into_iter().zip(&sound) {
            assert_eq!(one(handle, from), *sound, "from {from}, a line moved");
        }
    }
}
