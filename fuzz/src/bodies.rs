//! What each fuzz target does with bytes from anywhere: it reads them, and holds what it could read
//! to a rule. A reader that panics, hangs or forgets something fails.

use std::fs;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use quark_trace::TraceLog;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::proof::TlogProof;
use quark_trace::core::ledger::{Checkpoint, Digest, Entry, Note, SignerKey, VerifierKey, entry};
use quark_trace::core::payload::Payload;
use quark_trace::core::query::{Asked, Filter, Matcher, Query};
use quark_trace::core::record::View;
use quark_trace::core::sheet::FactSheet;
use quark_trace::core::stages::{MOST_FAULTS, StageSchema};
use quark_trace::store::{FileStore, Store};
use quark_trace::verify::{Policy, verify};

/// A target by its name.
pub type Body = fn(&[u8]);

/// Every target; the name is that of its corpus folder.
pub const TARGETS: [(&str, Body); 11] = [
    ("record_line", record_line),
    ("entry", entry_line),
    ("note", note),
    ("proof", proof),
    ("payload", payload),
    ("stage_schema", stage_schema),
    ("sheet_yaml", sheet_yaml),
    ("sheet_json", sheet_json),
    ("records_file", records_file),
    ("ledger_file", ledger_file),
    ("query", query),
];

/// A line of records.
pub fn record_line(data: &[u8]) {
    let Ok(view) = View::parse(data) else { return };
    for field in [view.record_id, view.project_id, view.stage, view.timestamp] {
        let _ = field.to_str();
    }
    let inside = data.as_ptr_range();
    let payload = view.payload.as_ptr_range();
    assert!(
        view.payload == b"{}" || inside.start <= payload.start && payload.end <= inside.end,
        "the payload is a part of the line"
    );
}

/// A schema on the first line, a payload on the second.
pub fn stage_schema(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == b'\n');
    let (text, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(schema) = StageSchema::read(text) else { return };
    let again = StageSchema::read(schema.object()).expect("what is kept can be read");
    assert_eq!(again.object(), schema.object(), "what is kept stays as it is");
    let faults = schema.faults(payload);
    assert!(faults.len() <= MOST_FAULTS, "faults are bounded");
    assert_eq!(again.faults(payload), faults, "the same schema says the same");
    for fault in &faults {
        let shown = fault.to_string();
        assert!(!shown.contains(char::is_control), "faults are safe to show");
        assert!(shown.chars().count() < 1_500, "faults are short");
    }
}

/// A line of the ledger.
pub fn entry_line(data: &[u8]) {
    let Ok(read) = Entry::parse(data) else { return };
    let mut written = Vec::new();
    entry::write(&mut written, read.kind, read.object);
    for (name, value) in read.attributes() {
        written.extend_from_slice(format!(" {name}={value}").as_bytes());
    }
    assert_eq!(written, data, "an entry is its parts");
}

/// A signed note, a checkpoint, a verifier key.
pub fn note(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text, "a verifier key is its parts");
    }
    let Ok(note) = Note::parse(text) else { return };
    assert!(note.signatures().count() > 0);
    assert!(text.starts_with(note.text()));
    if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
        assert_eq!(checkpoint.text(), note.text(), "a checkpoint is its parts");
    }
    let stranger = SignerKey::new("stranger", [3; 32]).expect("a key name without white space");
    assert!(stranger.verifier().verify(&note).is_err(), "nobody signed with that key");
}

/// A proof of inclusion.
pub fn proof(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(proof) = TlogProof::parse(text) else { return };
    let again = TlogProof::parse(&proof.to_string()).expect("what was written can be read");
    assert_eq!(again, proof);
    let stranger = SignerKey::new("stranger", [3; 32]).expect("a key name without white space");
    assert!(proof.verify(Digest::of(data), stranger.verifier()).is_err());
}

/// A payload as JSON text.
pub fn payload(data: &[u8]) {
    let Ok(payload) = Payload::from_json(data) else { return };
    let bytes = payload.as_bytes();
    assert!(bytes.is_ascii() && !bytes.contains(&b'\n'), "one line of ASCII");
    assert_eq!(Payload::from_json(bytes).as_ref(), Ok(&payload), "encoding again changes nothing");
}

/// A fact sheet as people write it.
pub fn sheet_yaml(data: &[u8]) {
    let Ok((sheet, _)) = FactSheet::from_yaml(data, "2026-01-02T03:04:05+00:00") else { return };
    let bytes = sheet.to_json_bytes();
    let again = FactSheet::from_json(&bytes).expect("what was written can be read");
    assert_eq!(again.to_json_bytes(), bytes, "a sheet is stored as it was read");
}

/// A fact sheet as it is stored.
pub fn sheet_json(data: &[u8]) {
    let Ok(sheet) = FactSheet::from_json(data) else { return };
    let bytes = sheet.to_json_bytes();
    let again = FactSheet::from_json(&bytes).expect("what was written can be read");
    assert_eq!(again.to_json_bytes(), bytes, "a sheet is stored as it was read");
}

/// A query: what can be read is shown as text that is read as the same, and can be asked.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => {
            assert!(!error.to_string().chars().any(|shown| shown.is_control() && shown != '\n'));
            return;
        }
    };
    let again = Query::parse(&query.to_string()).expect("what is shown can be read");
    assert_eq!(again, query);
    let Some(filter) = query.filter else { return };
    let record = br#"{"record_id": "r", "project_id": "p", "stage": "client_round",
        "timestamp": "2026-01-02T03:04:05+00:00", "payload": {"x": 1, "a": [0.5, {"b": null}], "a b": "x_"}}"#;
    let asked = |filter: &Filter| {
        Matcher::new(filter, 0).expect("a filter that was read").ask(Some(1), record)
    };
    let both = (asked(&filter), asked(&!filter.clone()));
    assert!(both != (Asked::Selected, Asked::Selected), "not both a thing and its opposite");
}

/// A file of records that anyone could have left: it is read, sealed and then verifies.
pub fn records_file(data: &[u8]) {
    // An empty file is as good as none: there is no project then.
    if data.is_empty() {
        return;
    }
    with_folder(|folder, project| {
        let path = folder.join("p_trace_log.jsonl");
        fs::write(&path, data).expect("a file in a new folder");
        // An old file: the store waits a while for the end of a line that was begun just now.
        let old = fs::File::options().write(true).open(&path);
        old.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH)).expect("our own file");
        let store = Arc::new(FileStore::new(folder));
        let before = lines(&store, project);
        for (line, offset) in &before {
            assert!(data[*offset..].starts_with(line), "a line stands where it is said to stand");
        }
        store.seal(project).expect("any file of records can be sealed");
        let after = lines(&store, project);
        assert!(
            before.starts_with(&after) && before.len() - after.len() <= 1,
            "all but a torn end"
        );
        let verdict = verify(store.as_ref(), project, &Policy::default()).expect("it can be read");
        let sealed = after.is_empty() || verdict.exit_code() == 0;
        assert!(sealed, "what was sealed verifies: {:?}", verdict.findings);
    });
}

/// A ledger that anyone could have written, beside one record: it never verifies by accident.
pub fn ledger_file(data: &[u8]) {
    with_folder(|folder, project| {
        fs::create_dir(folder.join("p.qtlog")).expect("a new folder");
        fs::write(folder.join("p.qtlog/ledger"), data).expect("a file in a new folder");
        fs::write(folder.join("p_trace_log.jsonl"), b"{}\n").expect("a file in a new folder");
        let store = FileStore::new(folder);
        let verdict = verify(&store, project, &Policy::default()).expect("it can be read");
        let whole_lines = data.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(verdict.size, whole_lines, "each whole line is a leaf");
        assert!(whole_lines == 0 || verdict.exit_code() == 1, "the header's object is not there");
    });
}

fn lines(store: &Arc<FileStore>, project: &ProjectId) -> Vec<(Vec<u8>, usize)> {
    let mut found = Vec::new();
    let log = TraceLog::new(store.clone(), project.clone());
    log.each_line(|line, place| {
        found.push((line.to_vec(), usize::try_from(place.offset).expect("a small file")));
        ControlFlow::Continue(())
    })
    .expect("any file of records can be read");
    found
}

fn with_folder(act: impl FnOnce(&std::path::Path, &ProjectId)) {
    let folder = std::env::temp_dir().join(format!("quark-fuzz-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&folder).expect("a new folder");
    act(&folder, &"p".parse().expect("a plain id"));
    fs::remove_dir_all(&folder).expect("nobody else uses it");
}
