//! Bytes go in and come out; what could not be told apart again is refused.

use quark_trace_core::ledger::{Digest, Entry, Kind};
use quark_trace_core::record::RECORD_LIMIT;

use super::{Place, all, append, checked_range, new_record, project, record};
use crate::error::{ErrorKind, Outcome};
use crate::store::NewEntry;

pub(super) fn verbatim(place: &Place) {
    let (store, project) = (place(), project());
    let every_byte: Vec<u8> = (0..=255).filter(|byte| !b"\r\n".contains(byte)).collect();
    let hostile: Vec<Vec<u8>> = vec![
        b"x".to_vec(),
        b"null".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe\xc3\x28".to_vec(),
        every_byte,
        "\u{feff}{} \u{2028} \u{85} \u{1b}[31m".as_bytes().to_vec(),
        b"{\"record_id\": \"\\ud800\", \"payload\": NaN".to_vec(),
        b"record sha256:0000000000000000000000000000000000000000000000000000000000000000".to_vec(),
        vec![b' '; 5].into_iter().chain(*b"x ").collect(),
        vec![b'['; 100_000],
        record(&project, "big", &"y".repeat(1 << 20)),
    ];
    for object in &hostile {
        append(store.as_ref(), &project, &[new_record(object)]).unwrap();
    }
    let seen = all(store.as_ref(), &project);
    assert_eq!(seen.len(), hostile.len() + 1);
    for (seen, object) in seen[1..].iter().zip(&hostile) {
        assert!(seen.object.as_ref() == Some(object), "entry {} has other bytes", seen.index);
        assert_eq!(seen.line, format!("record sha256:{}", Digest::of(object)).as_bytes());
    }
    checked_range(store.as_ref(), &project);
}

pub(super) fn kinds(place: &Place) {
    let (store, project) = (place(), project());
    let line = record(&project, "a", "x");
    let attributes = " at=1767323045000 by=site%2D1";
    let entries = [
        NewEntry::new(Kind::Sheet, b"{\n  \"purpose\": \"one\"\r\n}\n"),
        NewEntry { attributes, ..new_record(&line) },
        NewEntry { attributes: " stage=s", ..NewEntry::new(Kind::Schema, b"{}") },
        NewEntry::new(Kind::Key, b""),
        // Appended twice, kept twice in the ledger.
        NewEntry::new(Kind::Sheet, b"two"),
        NewEntry::new(Kind::Sheet, b"two"),
        // Of a later version of the format.
        NewEntry::new(Kind::Other("a-kind-2"), b"\x00\xff"),
        NewEntry { attributes: " x=y", ..NewEntry::new(Kind::Other("erratum"), b"1\n2\n") },
    ];
    let appended = append(store.as_ref(), &project, &entries).unwrap();
    assert_eq!(appended.size, 9);
    for (seen, new) in all(store.as_ref(), &project)[1..].iter().zip(&entries) {
        let entry = Entry::parse(&seen.line).unwrap();
        assert_eq!((entry.kind, entry.object), (new.kind, new.digest));
        assert!(seen.line.ends_with(new.attributes.as_bytes()));
        assert_eq!(seen.object.as_deref(), Some(new.object));
    }
    checked_range(store.as_ref(), &project);
}

pub(super) fn limits(place: &Place) {
    let (store, project) = (place(), project());
    let largest = vec![b'x'; RECORD_LIMIT];
    let larger = vec![b'x'; RECORD_LIMIT + 1];
    let small = record(&project, "a", "x");
    let batch = [new_record(&small), new_record(&larger)];
    let error = append(store.as_ref(), &project, &batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    assert_eq!(all(store.as_ref(), &project), []);
    append(store.as_ref(), &project, &[new_record(&largest)]).unwrap();
    assert!(all(store.as_ref(), &project)[1].object.as_ref() == Some(&largest));
}

pub(super) fn refused(place: &Place) {
    let (store, project) = (place(), project());
    let small = record(&project, "a", "x");
    let with = |attributes| NewEntry { attributes, ..new_record(&small) };
    for bad in [
        new_record(b"{\"a\":\n1}"),
        new_record(b"{}\r"),
        new_record(b"\n"),
        new_record(b""),
        new_record(b" \t "),
        new_record("\u{3000}".as_bytes()),
        NewEntry::new(Kind::Log, b"{}"),
        NewEntry::new(Kind::Other(""), b"{}"),
        NewEntry::new(Kind::Other("A b"), b"{}"),
        NewEntry::new(Kind::Other("x sha256:0"), b"{}"),
        NewEntry::new(Kind::Other("record"), b"a\nb"),
        with("at=1"),
        with(" at=1\nrecord"),
        with(" at="),
    ] {
        let error = append(store.as_ref(), &project, &[new_record(&small), bad]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    }
    assert_eq!(all(store.as_ref(), &project), []);
}
