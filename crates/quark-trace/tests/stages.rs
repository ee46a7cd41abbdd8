//! Schemas of stages in a log: in force for later records, checked again by `verify`, never tampering.

use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::core::ledger::Kind;
use quark_trace::core::payload::Payload;
use quark_trace::core::stages::Mode;
use quark_trace::keys::Keyring;
use quark_trace::store::{Commit, Durability, FileStore, MemoryStore, NewEntry, Store};
use quark_trace::verify::{Code, Policy, Severity, Verdict, verify};
use quark_trace::{ErrorKind, TraceLog};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("quark-stages-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> Arc<dyn Store> {
        let keys = Keyring::load_or_create(&self.0.join("keys")).unwrap();
        Arc::new(FileStore::new(self.0.join("traces")).with_keys(keys))
    }

    /// The file that holds the object of the schema in `line` of the ledger.
    fn schema(&self, line: usize) -> PathBuf {
        let log = self.0.join("traces/demo.qtlog");
        let ledger = std::fs::read_to_string(log.join("ledger")).unwrap();
        let line = ledger.lines().nth(line).unwrap();
        assert!(line.starts_with("schema sha256:"), "{line}");
        let hex = &line["schema sha256:".len()..][..64];
        log.join("objects").join(&hex[..2]).join(&hex[2..])
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn log(store: &Arc<dyn Store>) -> TraceLog {
    TraceLog::new(Arc::clone(store), "demo".parse().unwrap())
}

fn verdict(store: &Arc<dyn Store>) -> Verdict {
    verify(store.as_ref(), &"demo".parse().unwrap(), &Policy::default()).unwrap()
}

fn found(verdict: &Verdict, code: Code) -> Vec<(Option<u64>, String)> {
    let findings = verdict.findings.iter().filter(|finding| finding.code == code);
    findings.map(|finding| (finding.index, finding.message.clone())).collect()
}

fn bad() -> Payload {
    Payload::new().with("round", "one")
}

#[test]
fn verify_checks_against_the_schemas_of_their_time() {
    let folder = Folder::new();
    let store = folder.open();
    let log = log(&store);
    log.log("client_round", &bad()).unwrap(); // entry 1, before any schema
    assert_eq!(found(&verdict(&store), Code::Schema), []);
    assert_eq!(log.stages().adopt_builtin("client_round", Mode::Warn).unwrap(), 2);
    assert_eq!(log.stages().adopt_builtin("client_round", Mode::Warn).unwrap(), 2, "once");
    assert_eq!(log.log("client_round", &bad()).unwrap().faults().len(), 1); // 3
    log.log("client_round", &Payload::new().with("round", 2).with("loss", f64::NAN)).unwrap();
    log.log("client_round", &bad()).unwrap(); // 5
    log.stages().set_mode("client_round", Mode::Off).unwrap(); // 6
    assert!(log.log("client_round", &bad()).unwrap().faults().is_empty());
    log.stages().set_mode("*", Mode::Strict).unwrap(); // 8
    log.stages().adopt_text("free", br#"{"required": ["why"]}"#, None).unwrap(); // 9
    log.log("client_round", &bad()).unwrap();
    log.log("free", &bad()).unwrap(); // 11
    assert_eq!(log.log("evaluation", &bad()).unwrap_err().kind(), ErrorKind::SchemaBroken);
    store.close().unwrap();
    let verdict = verdict(&store);
    let warnings = found(&verdict, Code::Schema);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(warnings[0].0, Some(3));
    assert_eq!(
        warnings[0].1,
        "2 record(s) of stage \"client_round\" break the schema of entry 2, the first is entry 3: \
         /round: expected a whole number, came text \"one\""
    );
    assert_eq!(warnings[1].0, Some(11));
    let severities = verdict.findings.iter().filter(|finding| finding.code == Code::Schema);
    assert!(severities.into_iter().all(|finding| finding.severity == Severity::Warning));
    assert_eq!((verdict.exit_code(), verdict.is_tampered()), (0, false));
    let broken = log.stages().review().unwrap();
    let broken: Vec<_> = broken.broken().iter().map(|one| (one.first, one.records)).collect();
    assert_eq!(broken, [(3, 2), (11, 1)]);
    assert_eq!(quark_trace::project::summary(&log).unwrap().broken.len(), 2);
}

#[test]
fn a_schema_that_is_gone_or_changed_is_found_like_any_object() {
    for gone in [true, false] {
        let folder = Folder::new();
        let store = folder.open();
        log(&store).stages().adopt_builtin("client_round", Mode::Strict).unwrap();
        store.close().unwrap();
        let path = folder.schema(1);
        if gone {
            std::fs::remove_file(&path).unwrap();
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replace("strict", "off")).unwrap();
        }
        let verdict = verdict(&folder.open());
        let code = if gone { Code::Missing } else { Code::Altered };
        assert_eq!(found(&verdict, code).len(), 1);
        assert_eq!(found(&verdict, code)[0].0, Some(1));
        assert_eq!(verdict.exit_code(), 1);
        // It holds nobody to anything, and logging goes on.
        log(&folder.open()).log("client_round", &bad()).unwrap();
    }
}

#[test]
fn a_schema_that_cannot_be_used_stops_nobody() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let append = |attributes: &str, object: &[u8]| {
        let entries = [NewEntry { attributes, ..NewEntry::new(Kind::Schema, object) }];
        let commit = Commit { entries: &entries, expected: None, durability: Durability::Os };
        store.append(&"demo".parse().unwrap(), &commit).unwrap();
    };
    append(" stage=client_round", b"\xff no schema");
    append(" stage=evaluation", br#"{"$ref": "https://example.org/x"}"#);
    append("", b"{}");
    let log = log(&store);
    assert!(log.log("client_round", &bad()).unwrap().faults().is_empty());
    assert!(log.log("evaluation", &bad()).unwrap().faults().is_empty());
    let verdict = verdict(&store);
    let warnings = found(&verdict, Code::Schema);
    let indexes: Vec<_> = warnings.iter().map(|warning| warning.0).collect();
    assert_eq!(indexes, [Some(1), Some(2), Some(3)], "{warnings:?}");
    assert_eq!(verdict.exit_code(), 0);
}

#[test]
fn the_cache_knows_the_schemas() {
    let folder = Folder::new();
    let store = folder.open();
    log(&store).stages().adopt_builtin("client_round", Mode::Strict).unwrap();
    log(&store).log("other", &bad()).unwrap();
    store.close().unwrap();
    let state = std::fs::read_to_string(folder.0.join("traces/demo.qtlog/state")).unwrap();
    assert!(state.contains("\nschemas 2 client_round:1:"), "{state}");
    let again = folder.open();
    let error = log(&again).log("client_round", &bad()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaBroken);
    // A state of before schemas were kept, or another's, is not believed.
    again.close().unwrap();
    let without = state.replace("\nschemas 2 ", "\nschemas 0 ");
    std::fs::write(folder.0.join("traces/demo.qtlog/state"), without).unwrap();
    let error = log(&folder.open()).log("client_round", &bad()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaBroken);
}

#[test]
fn buffered_records_are_held_to_what_is_known() {
    let folder = Folder::new();
    let store = folder.open();
    let log = log(&store).with_durability(Durability::Buffered);
    log.stages().adopt_builtin("client_round", Mode::Strict).unwrap();
    for _ in 0..3 {
        log.log("client_round", &Payload::new().with("round", 1)).unwrap();
        assert_eq!(log.log("client_round", &bad()).unwrap_err().kind(), ErrorKind::SchemaBroken);
    }
    log.stages().set_mode("client_round", Mode::Warn).unwrap();
    assert_eq!(log.log("client_round", &bad()).unwrap().faults().len(), 1);
    store.close().unwrap();
    assert_eq!(log.history().unwrap().len(), 4);
    assert_eq!(verdict(&store).exit_code(), 0);
}

#[test]
fn copies_keep_what_they_copy() {
    let from: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let log = log(&from);
    log.log("client_round", &bad()).unwrap();
    log.stages().adopt_builtin("client_round", Mode::Warn).unwrap();
    log.log("client_round", &bad()).unwrap();
    log.stages().set_mode("client_round", Mode::Strict).unwrap();
    let to: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let project = "demo".parse().unwrap();
    quark_trace::copy::copy(from.as_ref(), to.as_ref(), &project, &mut |_, _| {}).unwrap();
    let root = |store: &Arc<dyn Store>| store.head(&project).unwrap().unwrap().range.root();
    assert_eq!(root(&from), root(&to));
    assert_eq!(from.schemas(&project).unwrap(), to.schemas(&project).unwrap());
    let copied = TraceLog::new(to, "demo".parse().unwrap());
    assert_eq!(copied.log("client_round", &bad()).unwrap_err().kind(), ErrorKind::SchemaBroken);
}

#[test]
fn a_draft_fits_what_it_was_made_from() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let log = log(&store);
    for round in 0..20_i64 {
        let mut payload = Payload::new().with("round", round).with("loss", 1.0 / round as f64);
        if round % 3 == 0 {
            payload = payload.with("note", "slow").with("sites", vec!["a", "b"]);
        }
        log.log("mine", &payload).unwrap();
    }
    let draft = log.stages().infer("mine").unwrap();
    assert_eq!(draft.payloads(), 20);
    let text = draft.schema("mine").to_string();
    log.stages().adopt_text("mine", text.as_bytes(), Some(Mode::Strict)).unwrap();
    log.log("mine", &Payload::new().with("round", 20).with("loss", f64::NAN)).unwrap();
    let error = log.log("mine", &Payload::new().with("round", -1)).unwrap_err();
    let mut paths: Vec<_> = error.faults().iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/loss", "/round"]);
}

/// What nobody can read any more says nothing; the schema before it says nothing of later records.
#[test]
fn a_schema_that_is_gone_leaves_the_one_before_it_replaced() {
    let folder = Folder::new();
    let store = folder.open();
    let log = log(&store);
    log.stages().adopt_builtin("client_round", Mode::Warn).unwrap();
    log.stages().adopt_text("client_round", b"{}", None).unwrap();
    log.log("client_round", &bad()).unwrap();
    assert_eq!(log.stages().review().unwrap().broken(), []);
    std::fs::remove_file(folder.schema(2)).unwrap();
    assert_eq!(log.stages().review().unwrap().broken(), []);
    let verdict = verdict(&store);
    assert_eq!(found(&verdict, Code::Schema), []);
    assert_eq!(found(&verdict, Code::Missing).len(), 1);
}
