//! Copies between any two stores: the same root, or a refusal.

use std::io::Write;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use quark_trace::copy::{copy, is_signed_elsewhere};
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::{Entry, Kind};
use quark_trace::store::{Commit, Durability, NewEntry, Plan, Row, Store};
use quark_trace::verify::{Level, Policy, verify};
use quark_trace::{ErrorKind, Result};

mod faulty;
mod places;

use faulty::{Fault, FaultySource, FaultyTarget, Loss};
use places::{Keys, kinds, place};

fn project() -> ProjectId {
    "demo".parse().unwrap()
}

fn line(number: usize) -> Vec<u8> {
    format!(
        "{{\"record_id\": \"r{number}\", \"project_id\": \"demo\", \"stage\": \"s\", \
         \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": {{\"n\": {number}}}}}"
    )
    .into_bytes()
}

fn sheet(version: usize) -> Vec<u8> {
    let at = "2026-01-02T03:04:05+00:00";
    let yaml = quark_trace::core::sheet::template("demo");
    let mut sheet = quark_trace::core::sheet::FactSheet::from_yaml(yaml.as_bytes(), at).unwrap().0;
    for number in 1..version {
        let fields = serde_json::json!({ "purpose": format!("purpose {number}") });
        let fields = fields.as_object().unwrap();
        let amendment =
            quark_trace::core::sheet::Amendment::parse(fields, "Jane Doe", "why").unwrap();
        sheet = sheet.amend(&amendment, at).unwrap();
    }
    sheet.to_json_bytes()
}

/// A log of `size` entries with all that a log may have: several sheets, adopted records that
/// repeat ids and lines, lines that are no JSON, attributes, kinds of a later version.
fn fill(store: &dyn Store, size: usize) {
    let sheets: Vec<_> = (1..=3).map(sheet).collect();
    let lines: Vec<_> = (0..size).map(line).collect();
    let mut entries = vec![NewEntry::new(Kind::Sheet, &sheets[0])];
    for (number, line) in lines.iter().enumerate().skip(2) {
        entries.push(match number {
            20 => NewEntry::new(Kind::Sheet, &sheets[1]),
            60 => NewEntry::new(Kind::SheetAdopted, &sheets[2]),
            n if n % 23 == 0 => NewEntry::new(Kind::RecordAdopted, &lines[n - 5]),
            n if n % 29 == 0 => NewEntry::new(Kind::RecordAdopted, b"no JSON \xff\x00 at all"),
            n if n % 31 == 0 => NewEntry {
                attributes: " x=y z=%20",
                ..NewEntry::new(Kind::Other("erratum-2"), line)
            },
            n if n % 37 == 0 => NewEntry::new(Kind::Key, b"{}"),
            n if n % 5 == 0 => NewEntry {
                attributes: " at=1767323045000 by=site%2D1",
                ..NewEntry::new(Kind::Record, line)
            },
            _ => NewEntry::new(Kind::Record, line),
        });
    }
    for entries in entries.chunks(700) {
        let commit = Commit { entries, expected: None, durability: Durability::Os };
        store.append(&project(), &commit).unwrap();
    }
    assert_eq!(store.seal(&project()).unwrap().unwrap().range.size(), size as u64);
}

/// Every entry and object of a log.
fn rows(store: &dyn Store) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut rows = Vec::new();
    store
        .scan(&project(), &Plan::default(), &mut |row| {
            let Row::Entry { line, object, .. } = row else { panic!("not an entry: {row:?}") };
            rows.push((line.to_vec(), object.map(Into::into)));
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

fn copied(from: &dyn Store, to: &dyn Store) -> Result<()> {
    let head = copy(from, to, &project(), &mut |_, _| {})?;
    let source = from.head(&project())?.unwrap();
    assert_eq!(head.range, source.range, "the copy has the root of the source");
    Ok(())
}

fn assert_same(one: &dyn Store, other: &dyn Store) {
    assert!(rows(one) == rows(other), "the same entries and the same objects");
    let verdict = verify(other, &project(), &Policy::default()).unwrap();
    assert_eq!(verdict.exit_code(), 0, "{verdict:?}");
    assert_eq!(one.sheet(&project()).unwrap(), other.sheet(&project()).unwrap());
}

#[test]
fn between_all_pairs_of_stores() {
    let keys = Keys::new();
    for from in kinds() {
        let source = place(from, Some(keys.ring.clone()));
        fill(source.store.as_ref(), 200);
        for to in kinds() {
            let target = place(to, Some(keys.ring.clone()));
            copied(source.store.as_ref(), target.store.as_ref()).unwrap();
            assert_same(source.store.as_ref(), target.store.as_ref());
            // And again: there is nothing left to do.
            copied(source.store.as_ref(), target.store.as_ref()).unwrap();
            // And back.
            let back = place(from, Some(keys.ring.clone()));
            copied(target.store.as_ref(), back.store.as_ref()).unwrap();
            assert_same(source.store.as_ref(), back.store.as_ref());
        }
    }
}

#[test]
fn a_resumed_copy_ends_at_the_same_root() {
    for from in kinds() {
        let source = place(from, None);
        fill(source.store.as_ref(), 2500);
        for to in kinds() {
            for at in [1, 999, 1000, 1001, 2000, 2499] {
                for loss in [Loss::Fails, Loss::FailsAfter] {
                    let target = place(to, None);
                    let faulty = FaultyTarget { inner: target.store.clone(), loss, at };
                    let error = copied(source.store.as_ref(), &faulty).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
                    let size = rows(target.store.as_ref()).len();
                    assert!(size < 2500 || loss == Loss::FailsAfter, "{size}");
                    copied(source.store.as_ref(), target.store.as_ref()).unwrap();
                    assert!(rows(source.store.as_ref()) == rows(target.store.as_ref()));
                }
            }
        }
    }
}

/// Copies through a faulty source and expects a refusal that leaves `target` a beginning of the
/// source. A fault that only the first of several readings saw may also have done no harm.
fn assert_refused(
    source: &Arc<dyn Store>,
    target: &dyn Store,
    all: &[(Vec<u8>, Option<Vec<u8>>)],
    (fault, at): (Fault, usize),
    readings: RangeInclusive<u32>,
) {
    let before = rows(target).len();
    let shown = format!("{fault:?} at {at} in readings {readings:?}");
    // The last row once more is one that was appended since.
    let harmless = *readings.end() == 1 || (fault == Fault::Twice && at == all.len() - 1);
    let read = AtomicU32::new(0);
    let faulty = FaultySource { inner: source.clone(), fault, at, readings, read };
    let done = copy(&faulty, target, &project(), &mut |_, _| {});
    let found = rows(target);
    assert!(found.len() >= before && found[..] == all[..found.len()], "{shown} got into the copy");
    match done {
        Ok(_) => assert!(harmless && found.len() == all.len(), "{shown} was not noticed"),
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Integrity(_)), "{shown}: {error}"),
    }
}

#[test]
fn a_row_dropped_or_changed_on_the_way_is_refused_at_each_place() {
    const SIZE: usize = 200;
    let source = place("memory", None);
    fill(source.store.as_ref(), SIZE);
    let all = rows(source.store.as_ref());
    std::thread::scope(|scope| {
        for fault in Fault::ALL {
            let (source, all) = (&source.store, &all);
            scope.spawn(move || {
                for at in 0..SIZE {
                    let one = 1 + at as u32 % 3;
                    for readings in [1..=9, one..=one] {
                        let target = place("memory", None);
                        assert_refused(source, target.store.as_ref(), all, (fault, at), readings);
                        if at % 40 == 0 {
                            copied(source.as_ref(), target.store.as_ref()).unwrap();
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn a_fault_in_any_store_is_refused_also_when_the_copy_is_resumed() {
    const SIZE: usize = 200;
    let keys = Keys::new();
    for from in kinds() {
        let source = place(from, Some(keys.ring.clone()));
        fill(source.store.as_ref(), SIZE);
        let all = rows(source.store.as_ref());
        for to in kinds() {
            for (number, fault) in Fault::ALL.into_iter().enumerate() {
                let target = place(to, Some(keys.ring.clone()));
                let faults = [3 + number, 100, 199 - number];
                assert_refused(&source.store, target.store.as_ref(), &all, (fault, 7), 3..=3);
                // A beginning is there: as if the copy had stopped on its way.
                begin(target.store.as_ref(), &all[..50]);
                for at in faults {
                    let target = target.store.as_ref();
                    assert_refused(&source.store, target, &all, (fault, at), 1..=9);
                    assert_refused(&source.store, target, &all, (fault, at), 2..=3);
                }
                copied(source.store.as_ref(), target.store.as_ref()).unwrap();
                assert_same(source.store.as_ref(), target.store.as_ref());
            }
        }
    }
}

/// Appends the first rows of a log to an empty store.
fn begin(store: &dyn Store, rows: &[(Vec<u8>, Option<Vec<u8>>)]) {
    let entries: Vec<_> = rows[1..]
        .iter()
        .map(|(line, object)| {
            let entry = Entry::parse(line).unwrap();
            let attributes = &line[entry.kind.as_str().len() + 72..];
            let attributes = std::str::from_utf8(attributes).unwrap();
            NewEntry { attributes, ..NewEntry::new(entry.kind, object.as_deref().unwrap()) }
        })
        .collect();
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
    store.append(&project(), &commit).unwrap();
}

#[test]
fn a_fault_in_a_later_batch_leaves_the_batches_before_it() {
    let source = place("memory", None);
    fill(source.store.as_ref(), 2500);
    let all = rows(source.store.as_ref());
    for fault in Fault::ALL {
        for at in [999, 1000, 1001, 2000, 2499] {
            let target = place("memory", None);
            assert_refused(&source.store, target.store.as_ref(), &all, (fault, at), 3..=3);
            let first = match fault {
                Fault::Twice => at + 1,
                Fault::Swapped => at - 1,
                _ => at,
            };
            let whole = first / 1000 * 1000;
            let found = rows(target.store.as_ref()).len();
            assert!(found == whole || first == 2500, "{fault:?} at {at}: {found}");
        }
    }
}

#[test]
fn a_target_that_loses_a_row_is_found_out_before_it_is_signed_for() {
    let keys = Keys::new();
    let source = place("memory", None);
    fill(source.store.as_ref(), 200);
    for at in 1..200 {
        for loss in [Loss::Swallows, Loss::Changes] {
            let target = place("memory", Some(keys.ring.clone()));
            let faulty = FaultyTarget { inner: target.store.clone(), loss, at };
            let error = copied(source.store.as_ref(), &faulty).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Integrity(_)), "{loss:?} at {at}: {error}");
            let head = target.store.head(&project()).unwrap().unwrap();
            assert_eq!(head.beside.checkpoint, None, "{loss:?} at {at} was signed for");
        }
    }
}

#[test]
fn another_history_and_a_longer_one_are_left_alone() {
    for from in kinds() {
        let source = place(from, None);
        fill(source.store.as_ref(), 40);
        for to in kinds() {
            let forked = place(to, None);
            begin(forked.store.as_ref(), &rows(source.store.as_ref())[..30]);
            let own = [NewEntry::new(Kind::Record, b"its own")];
            let commit = Commit { entries: &own, expected: None, durability: Durability::Os };
            forked.store.append(&project(), &commit).unwrap();
            let error = copied(source.store.as_ref(), forked.store.as_ref()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity("E-FORK"), "{error}");
            assert_eq!(rows(forked.store.as_ref()).len(), 31);

            let longer = place(to, None);
            copied(source.store.as_ref(), longer.store.as_ref()).unwrap();
            longer.store.append(&project(), &commit).unwrap();
            let error = copied(source.store.as_ref(), longer.store.as_ref()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict { actual: 41 }, "{error}");
            assert!(error.to_string().contains("the right way round"), "{error}");
        }
    }
}

#[test]
fn a_folder_of_the_original_is_sealed_first() {
    let source = place("file", None);
    let folder = source.folder().join("traces");
    std::fs::create_dir(&folder).unwrap();
    let lines: Vec<_> = [1, 2, 2, 3, 2].into_iter().map(line).collect();
    let mut text = lines.join(&b'\n');
    text.extend_from_slice(b"\nhalf a lin");
    std::fs::write(folder.join("demo_trace_log.jsonl"), text).unwrap();
    std::fs::write(folder.join("demo_fact_sheet.json"), sheet(1)).unwrap();
    for to in kinds() {
        let target = place(to, None);
        let error = copied(source.store.as_ref(), target.store.as_ref()).unwrap_err();
        assert!(error.to_string().contains("quark-trace seal"), "{error}");
        assert_eq!(target.store.head(&project()).unwrap(), None, "nothing was written");
    }
    source.store.seal(&project()).unwrap();
    assert_eq!(rows(source.store.as_ref()).len(), 7, "header, sheet and five lines");
    for to in kinds() {
        let target = place(to, None);
        copied(source.store.as_ref(), target.store.as_ref()).unwrap();
        assert_same(source.store.as_ref(), target.store.as_ref());
    }
    // And a line that the original appended since.
    let mut records = std::fs::OpenOptions::new();
    let mut records = records.append(true).open(folder.join("demo_trace_log.jsonl")).unwrap();
    records.write_all(&[line(9), b"\n".to_vec()].concat()).unwrap();
    source.store.close().unwrap();
    let target = place("memory", None);
    let error = copied(source.store.as_ref(), target.store.as_ref()).unwrap_err();
    assert!(error.to_string().contains("quark-trace seal"), "{error}");
}

#[test]
fn what_is_not_there_is_said() {
    for from in kinds() {
        for to in kinds() {
            let (source, target) = (place(from, None), place(to, None));
            let error = copied(source.store.as_ref(), target.store.as_ref()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert_eq!(target.store.projects().unwrap(), []);
        }
    }
}

/// A target that signs once a second meets, on its way, states that the key has left behind.
#[test]
fn a_slow_copy_under_the_same_key_is_signed_in_the_end() {
    let keys = Keys::new();
    let source = place("memory", Some(keys.ring.clone()));
    fill(source.store.as_ref(), 900);
    for to in kinds() {
        let target = place(to, Some(keys.ring.clone()));
        let slow = |from: &dyn Store| {
            copy(from, target.store.as_ref(), &project(), &mut |_, _| {
                std::thread::sleep(std::time::Duration::from_millis(1200));
            })
        };
        slow(source.store.as_ref()).unwrap();
        // The source goes on, and its copy follows.
        let lines: Vec<_> = (5000..6500).map(line).collect();
        let more: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
        let commit = Commit { entries: &more, expected: None, durability: Durability::Os };
        source.store.append(&project(), &commit).unwrap();
        let head = source.store.seal(&project()).unwrap().unwrap();
        let copied = slow(source.store.as_ref()).unwrap_or_else(|error| panic!("{to}: {error}"));
        assert_eq!(copied.range, head.range);
        let verdict = verify(target.store.as_ref(), &project(), &Policy::default()).unwrap();
        assert_eq!((verdict.exit_code(), verdict.sealed), (0, head.range.size()), "{verdict:?}");
    }
}

#[test]
fn what_vouches_for_the_original_goes_along_with_a_copy_of_somebody_else() {
    let (theirs, ours) = (Keys::new(), Keys::new());
    for from in kinds() {
        let source = place(from, Some(theirs.ring.clone()));
        fill(source.store.as_ref(), 40);
        for to in kinds() {
            let signing = place(to, Some(ours.ring.clone()));
            let (one, other) = (source.store.as_ref(), signing.store.as_ref());
            assert!(is_signed_elsewhere(one, other, &project(), &ours.ring).unwrap());
            assert!(!is_signed_elsewhere(one, other, &project(), &theirs.ring).unwrap());

            let target = place(to, None);
            copied(one, target.store.as_ref()).unwrap();
            let beside = target.store.beside(&project()).unwrap();
            assert_eq!(beside, one.beside(&project()).unwrap(), "{from} to {to}");
            let verdict = verify(target.store.as_ref(), &project(), &Policy::default()).unwrap();
            assert_eq!((verdict.exit_code(), verdict.sealed), (0, 40), "{verdict:?}");
            assert_eq!(verdict.level, Level::L2);

            // A copy that is signed already stays with its key.
            copied(one, other).unwrap();
            assert!(!is_signed_elsewhere(one, other, &project(), &ours.ring).unwrap());
            let own = other.beside(&project()).unwrap();
            assert_ne!(own, beside);
            target.store.vouch(&project(), &own.unwrap()).unwrap();
            assert_eq!(target.store.beside(&project()).unwrap(), beside, "it is bound already");
        }
    }
}

#[test]
fn a_newer_checkpoint_of_the_original_follows() {
    let theirs = Keys::new();
    let source = place("memory", Some(theirs.ring.clone()));
    fill(source.store.as_ref(), 40);
    let targets: Vec<_> = kinds().into_iter().map(|kind| place(kind, None)).collect();
    for turn in 0..3 {
        for target in &targets {
            copied(source.store.as_ref(), target.store.as_ref()).unwrap();
            let beside = target.store.beside(&project()).unwrap();
            assert_eq!(beside, source.store.beside(&project()).unwrap(), "turn {turn}");
        }
        let own = line(900 + turn);
        let own = [NewEntry::new(Kind::Record, &own)];
        let commit = Commit { entries: &own, expected: None, durability: Durability::Os };
        source.store.append(&project(), &commit).unwrap();
        // Once without a new checkpoint: the one before still holds for what it covers.
        if turn != 1 {
            source.store.seal(&project()).unwrap();
        }
    }
}
