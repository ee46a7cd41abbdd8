//! Random operations on the store and on a memory store, which is the model: each answer and, at
//! the end, every entry line, object and root must be the same.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{CompactRange, Kind};

use super::{Place, Seen, all, checked_range, record};
use crate::error::{ErrorKind, Outcome, Result};
use crate::store::{Appended, Commit, Durability, MemoryStore, NewEntry, Store};

const CASES: u32 = 48;

#[derive(Debug, Clone)]
enum Step {
    /// Append entries to a project, at an expected size that is off by so much.
    Append {
        project: usize,
        entries: Vec<Draft>,
        expected: Option<i64>,
        durability: Durability,
    },
    Seal(usize),
    /// Go on with a new handle; whether the old one stays open beside it.
    Reopen {
        keep: bool,
    },
}

#[derive(Debug, Clone)]
enum Draft {
    /// A record: its id, which of its two payloads, whether the id is to be looked at.
    Record {
        id: u8,
        variant: bool,
        once: bool,
        length: usize,
    },
    Sheet(u8),
    Schema(u8),
}

/// What the store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinds {
    /// Entries of every kind.
    All,
    /// Records, whose ids it looks at each time; it notes in their entries what it likes.
    Records,
}

fn drafts(kinds: Kinds) -> impl Strategy<Value = Draft> {
    let lengths = prop_oneof![8 => 0..200_usize, 1 => 60_000..70_000_usize];
    let record = (0..12_u8, prop::bool::weighted(0.2), prop::bool::weighted(0.7), lengths);
    let records = kinds == Kinds::Records;
    let record = record.prop_map(move |(id, variant, once, length)| Draft::Record {
        id,
        variant,
        once: once || records,
        length,
    });
    if records {
        return record.boxed();
    }
    let sheet = any::<u8>().prop_map(Draft::Sheet);
    let schema = (0..3_u8).prop_map(Draft::Schema);
    prop_oneof![8 => record, 1 => sheet, 1 => schema].boxed()
}

fn steps(kinds: Kinds) -> impl Strategy<Value = Vec<Step>> {
    let durability = prop_oneof![
        6 => Just(Durability::Os),
        1 => Just(Durability::Sync),
        2 => Just(Durability::Buffered),
    ];
    let expected =
        prop_oneof![4 => Just(None), 2 => Just(Some(0)), 1 => (-1..=1_i64).prop_map(Some)];
    // Nothing at all begins no log where the header is made with what comes first.
    let least = usize::from(kinds == Kinds::Records);
    let entries = prop::collection::vec(drafts(kinds), least..6);
    let append = (0..2_usize, entries, expected, durability);
    let step = prop_oneof![
        12 => append.prop_map(|(project, entries, expected, durability)| {
            Step::Append { project, entries, expected, durability }
        }),
        1 => (0..2_usize).prop_map(Step::Seal),
        2 => any::<bool>().prop_map(|keep| Step::Reopen { keep }),
    ];
    prop::collection::vec(step, 1..24)
}

pub(super) fn run(make: &dyn Fn() -> Place, kinds: Kinds) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(kinds), |steps| {
        play(&make(), &steps, kinds);
        Ok(())
    });
    outcome.unwrap_or_else(|fault| panic!("the store is unlike the memory store: {fault}"));
}

fn play(place: &Place, steps: &[Step], kinds: Kinds) {
    let model = MemoryStore::new();
    let mut stores: Vec<Arc<dyn Store>> = vec![place()];
    let projects: [ProjectId; 2] = ["one".parse().unwrap(), "two".parse().unwrap()];
    for step in steps {
        let store = stores.last().expect("one is always open").as_ref();
        match step {
            Step::Append { project, entries, expected, durability } => {
                let project = &projects[*project];
                let size = model.head(project).unwrap().map_or(0, |head| head.range.size());
                let expected = expected.map(|off| size.saturating_add_signed(off));
                let ours = append(store, project, entries, expected, *durability);
                let wanted = append(&model, project, entries, expected, *durability);
                compare(ours, wanted);
            }
            Step::Seal(project) => {
                let ours = store.seal(&projects[*project]).unwrap().map(|head| head.range);
                let wanted = model.seal(&projects[*project]).unwrap().map(|head| head.range);
                match kinds {
                    Kinds::All => assert_eq!(ours, wanted),
                    Kinds::Records => assert_eq!(ours.map(size_of), wanted.map(size_of)),
                }
            }
            Step::Reopen { keep } => {
                if !keep {
                    stores.clear();
                } else {
                    // What is buffered in one handle is not yet there for another.
                    projects.iter().for_each(|project| drop(store.head(project).unwrap()));
                }
                stores.push(place());
            }
        }
    }
    let store = stores.last().expect("one is always open").as_ref();
    assert_eq!(store.projects().unwrap(), model.projects().unwrap());
    for project in &projects {
        let (ours, wanted) = (all(store, project), all(&model, project));
        let (range, model) = (checked_range(store, project), checked_range(&model, project));
        match kinds {
            Kinds::All => assert_eq!((ours, range), (wanted, model)),
            Kinds::Records => {
                let objects = |rows: Vec<Seen>| {
                    rows.into_iter().map(|seen| (seen.index, seen.object)).collect::<Vec<_>>()
                };
                // The headers name logs that are not one.
                assert_eq!(objects(ours).get(1..), objects(wanted).get(1..));
                assert_eq!(range.size(), model.size());
            }
        }
    }
}

fn size_of(range: CompactRange) -> u64 {
    range.size()
}

fn append(
    store: &dyn Store,
    project: &ProjectId,
    drafts: &[Draft],
    expected: Option<u64>,
    durability: Durability,
) -> Result<Appended> {
    let parts: Vec<(String, Vec<u8>)> = drafts
        .iter()
        .map(|draft| match draft {
            Draft::Record { id, variant, length, .. } => {
                let id = format!("r{id}-{length}");
                let payload = if *variant { "z" } else { "y" }.repeat(*length + 1);
                (id.clone(), record(project, &id, &payload))
            }
            Draft::Sheet(number) => (String::new(), format!("sheet {number}").into_bytes()),
            Draft::Schema(number) => (String::new(), format!("schema {number}").into_bytes()),
        })
        .collect();
    let entries: Vec<NewEntry<'_>> = drafts
        .iter()
        .zip(&parts)
        .map(|(draft, (id, object))| match draft {
            Draft::Record { once, .. } => {
                NewEntry { record_id: once.then_some(id), ..NewEntry::new(Kind::Record, object) }
            }
            Draft::Sheet(_) => NewEntry::new(Kind::Sheet, object),
            Draft::Schema(_) => NewEntry::new(Kind::Schema, object),
        })
        .collect();
    store.append(project, &Commit { entries: &entries, expected, durability })
}

fn compare(ours: Result<Appended>, wanted: Result<Appended>) {
    match (ours, wanted) {
        (Ok(ours), Ok(wanted)) => assert_eq!(ours, wanted),
        (Err(ours), Err(wanted)) => {
            assert_eq!(ours.kind(), wanted.kind(), "{ours}");
            assert_eq!(ours.outcome(), Some(Outcome::NotWritten), "{ours}");
            let refusals = [ErrorKind::RecordConflict, ErrorKind::TooLarge];
            let conflict = matches!(ours.kind(), ErrorKind::Conflict { .. });
            assert!(conflict || refusals.contains(&ours.kind()), "{ours}");
        }
        (ours, wanted) => panic!("answered {ours:?}, the model {wanted:?}"),
    }
}
