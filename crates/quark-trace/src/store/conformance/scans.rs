//! Which rows a scan gives.

use std::ops::ControlFlow;

use quark_trace_core::ledger::Kind;

use super::{Place, Seen, all, append, new_record, project, record, scan, seen};
use crate::store::{NewEntry, Plan, Row, Select};

fn filled(place: &Place) -> Vec<Seen> {
    let (store, project) = (place(), project());
    for n in 0..12 {
        let line = record(&project, &format!("r{n}"), "x");
        let sheet = format!("sheet {n}");
        let sheet = NewEntry::new(Kind::Sheet, sheet.as_bytes());
        let schema = format!("{{\"title\": \"{n}\"}}");
        let schema = NewEntry::new(Kind::Schema, schema.as_bytes());
        let schema = NewEntry { attributes: " stage=s", ..schema };
        let entries = [new_record(&line), sheet, schema];
        let entries = &entries[..if n % 3 == 0 { 3 } else { 1 }];
        append(store.as_ref(), &project, entries).unwrap();
    }
    all(store.as_ref(), &project)
}

pub(super) fn plans(place: &Place) {
    assert_eq!(place().last_sheet(&project()).unwrap(), None);
    let rows = filled(place);
    let (store, project) = (place(), project());
    assert_eq!(rows.len(), 21);
    let sheet = rows.iter().rfind(|seen| seen.line.starts_with(b"sheet")).cloned().unwrap();
    let last = store.last_sheet(&project).unwrap().unwrap();
    assert_eq!((last.index, Some(last.bytes)), (Some(sheet.index), sheet.object));
    let selected: [(Select, &[u8]); 4] = [
        (Select::All, b""),
        (Select::Records, b"record"),
        (Select::Sheets, b"sheet"),
        (Select::Schemas, b"schema"),
    ];
    for (select, kind) in selected {
        for from in 0..=rows.len() as u64 + 1 {
            let wanted: Vec<_> = rows
                .iter()
                .filter(|seen| seen.index >= from && seen.line.starts_with(kind))
                .cloned()
                .collect();
            assert_eq!(scan(store.as_ref(), &project, from, select), wanted, "{select:?} {from}");
        }
    }
}

pub(super) fn bounds(place: &Place) {
    let rows = filled(place);
    let (store, project) = (place(), project());
    for select in [Select::All, Select::Records, Select::Sheets, Select::Entries] {
        for (from, until) in [(0, 0), (0, 1), (0, 7), (3, 9), (5, 5), (9, 3), (0, 17), (2, 99)] {
            let plan = Plan { from, until: Some(until), select, ..Plan::default() };
            let mut found = Vec::new();
            let scanned = store.scan(&project, &plan, &mut |row| {
                let Row::Entry { index, .. } = row else { panic!("{row:?} is no entry") };
                found.push(index);
                ControlFlow::Continue(())
            });
            scanned.unwrap();
            let all = scan(store.as_ref(), &project, 0, select);
            let inside = all.iter().map(|seen| seen.index).filter(|at| (from..until).contains(at));
            assert_eq!(found, inside.collect::<Vec<_>>(), "{plan:?}");
        }
    }
    assert_eq!(all(store.as_ref(), &project), rows);
}

/// Entries without their objects, and a few of many objects from anywhere in the log.
pub(super) fn lines(place: &Place) {
    const COUNT: usize = 2600;
    let (store, project) = (place(), project());
    let objects: Vec<Vec<u8>> =
        (0..COUNT).map(|n| record(&project, &format!("r{n}"), &"x".repeat(n % 40))).collect();
    for some in objects.chunks(500) {
        let entries: Vec<_> = some.iter().map(|object| new_record(object)).collect();
        append(store.as_ref(), &project, &entries).unwrap();
    }
    let rows = all(store.as_ref(), &project);
    let bare = |seen: &Seen| Seen { object: None, ..seen.clone() };
    for handle in [&store, &place()] {
        for from in [0, 1, 2599, 1023, 1024, 1025, 2047, 2048, 2600, 2601, 9999, 0] {
            let wanted: Vec<_> = rows.iter().skip(from).map(bare).collect();
            let found = scan(handle.as_ref(), &project, from as u64, Select::Entries);
            assert_eq!(found, wanted, "from {from}");
        }
        for (from, until) in [(1500, 1501), (2048, 2304), (1023, 1025), (2600, 2601), (7, 9)] {
            for select in [Select::All, Select::Entries] {
                let plan = Plan { from, until: Some(until), select, ..Plan::default() };
                let found = seen(handle.as_ref(), &project, &plan);
                let rows = &rows[from as usize..until as usize];
                let wanted = rows.iter().map(|row| match select {
                    Select::Entries => bare(row),
                    _ => row.clone(),
                });
                assert_eq!(found, wanted.collect::<Vec<_>>(), "{plan:?}");
            }
        }
    }
    // What another handle has read does not hide what is new.
    let other = place();
    assert_eq!(scan(other.as_ref(), &project, 2601, Select::Entries), []);
    append(store.as_ref(), &project, &[new_record(b"{}")]).unwrap();
    assert_eq!(scan(other.as_ref(), &project, 2601, Select::Entries).len(), 1);
}

pub(super) fn break_off(place: &Place) {
    let rows = filled(place).len();
    let (store, project) = (place(), project());
    for stop in 1..=rows {
        let mut taken = 0;
        let scanned = store.scan(&project, &Plan::default(), &mut |_| {
            taken += 1;
            if taken == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        scanned.unwrap();
        assert_eq!(taken, stop, "rows came after the sink had broken off");
    }
}

pub(super) fn nested(place: &Place) {
    let rows = filled(place).len();
    let (store, project) = (place(), project());
    let mut outer = 0;
    let scanned = store.scan(&project, &Plan::default(), &mut |row| {
        if let Row::Entry { index, .. } = row {
            outer += 1;
            assert!(store.head(&project).unwrap().is_some());
            assert_eq!(scan(store.as_ref(), &project, index, Select::All)[0].index, index);
        }
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    assert_eq!(outer, rows);
}
