//! Whatever is changed in the files of a sealed log is detected and located: every bit, every
//! truncation, every deletion, swap, duplicate, edit and splice of a log of 20 records.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quark_trace::core::payload::Payload;
use quark_trace::core::sheet::{Amendment, FactSheet, template};
use quark_trace::keys::Keyring;
use quark_trace::store::{FileStore, Store};
use quark_trace::verify::{Code, Level, Policy, Severity, Verdict, verify};
use quark_trace::{Error, Project, TraceLog};

const AT: &str = "2026-01-02T03:04:05+00:00";
const RECORDS: usize = 20;

/// A sealed log of 20 records and two versions of the sheet, and the key it is known by.
struct Sealed {
    folder: PathBuf,
    project: &'static str,
    policy: Policy,
}

impl Sealed {
    fn new(project: &'static str) -> Self {
        let folder = std::env::temp_dir().join(format!("quark-tamper-{}", uuid::Uuid::new_v4()));
        let keys = Keyring::load_or_create(&folder.join("keys")).unwrap();
        let store = Arc::new(FileStore::new(folder.join("data")).with_keys(keys.clone()));
        let sheet = FactSheet::from_yaml(template(project).as_bytes(), AT).unwrap().0;
        let log = TraceLog::new(store.clone(), project.parse().unwrap());
        let mut opened = Project::load(sheet, log).unwrap();
        for n in 0..RECORDS {
            if n == 7 {
                let fields = serde_json::json!({ "purpose": "Detect fraud sooner" });
                let fields = fields.as_object().unwrap();
                let amendment = Amendment::parse(fields, "Jane Doe", "asked for").unwrap();
                opened.amend(&amendment, AT).unwrap();
            }
            opened.log("client_round", &Payload::new().with("round", n as u64)).unwrap();
        }
        store.close().unwrap();
        let id = project.parse().unwrap();
        let policy = Policy {
            level: Level::L2,
            keys: vec![keys.signer(&keys.origin(&id)).verifier().clone()],
            ..Policy::default()
        };
        let sealed = Self { folder, project, policy };
        let verdict = sealed.verify().unwrap();
        assert_eq!((verdict.exit_code(), verdict.size), (0, 23), "{verdict:?}");
        sealed
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name.replace("{P}", self.project))
    }

    fn verify(&self) -> Result<Verdict, Error> {
        self.verify_by(&self.policy)
    }

    fn verify_by(&self, policy: &Policy) -> Result<Verdict, Error> {
        let store = FileStore::new(self.folder.join("data"));
        verify(&store as &dyn Store, &self.project.parse().unwrap(), policy)
    }

    /// Every file of the log that verification speaks of.
    fn files(&self) -> Vec<PathBuf> {
        let names = ["{P}_trace_log.jsonl", "{P}_fact_sheet.json", "{P}.qtlog/ledger"];
        let beside = ["{P}.qtlog/checkpoint", "{P}.qtlog/log.vkey"];
        let mut files: Vec<_> = names.iter().chain(&beside).map(|name| self.file(name)).collect();
        let objects = fs::read_dir(self.file("{P}.qtlog/objects")).unwrap();
        for folder in objects {
            let inside = fs::read_dir(folder.unwrap().path()).unwrap();
            files.extend(inside.map(|file| file.unwrap().path()));
        }
        assert_eq!(files.len(), 8, "the header and two sheets are objects");
        files
    }

    /// Puts other bytes in a file's place while `look` looks.
    fn with(&self, file: &Path, bytes: Option<&[u8]>, look: impl FnOnce(Result<Verdict, Error>)) {
        let before = fs::read(file).unwrap();
        match bytes {
            Some(bytes) => fs::write(file, bytes).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        // Who brings the key does not ask for the one beside the log; who does not relies on it.
        let found = Policy { level: Level::L2, ..Policy::default() };
        let beside = file.extension().is_some_and(|extension| extension == "vkey");
        look(self.verify_by(if beside { &found } else { &self.policy }));
        fs::write(file, before).unwrap();
    }

    fn detected(&self, file: &Path, bytes: Option<&[u8]>, what: &str) {
        self.with(file, bytes, |verdict| {
            let name = file.strip_prefix(self.folder.join("data")).unwrap().display();
            let verdict = verdict.unwrap_or_else(|error| panic!("{name}, {what}: {error}"));
            assert_ne!(verdict.exit_code(), 0, "{name}, {what}: {verdict:?}");
            assert!(is_located(&verdict), "{name}, {what}: nothing says where: {verdict:?}");
        });
    }

    fn records(&self) -> (PathBuf, Vec<Vec<u8>>) {
        let path = self.file("{P}_trace_log.jsonl");
        let lines = fs::read(&path).unwrap();
        let lines = lines.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        (path, lines)
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether what was found says where: an entry, a line, or which of the files beside the log.
fn is_located(verdict: &Verdict) -> bool {
    verdict.findings.iter().any(|finding| {
        let beside = [Code::Sig, Code::Key, Code::Sheet, Code::Root].contains(&finding.code);
        let grave = finding.severity == Severity::Error || finding.severity == Severity::Unknown;
        let named = finding.index.is_some() || finding.place.line > 0 || beside;
        (grave || verdict.exit_code() == 2) && named
    })
}

/// The entries that errors speak of.
fn indexes(verdict: &Verdict) -> Vec<u64> {
    let errors = verdict.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let mut indexes: Vec<_> = errors.filter_map(|finding| finding.index).collect();
    indexes.dedup();
    indexes
}

#[test]
fn a_bit_of_every_byte() {
    assert!(flip(&|at| at % 8 == at / 8 % 8) > 7_500);
}

#[test]
#[ignore = "takes minutes; `make soak` runs it"]
fn every_bit() {
    assert!(flip(&|_| true) > 60_000);
}

/// Flips the bits that are chosen, one at a time, in every file; gives how many.
fn flip(chosen: &dyn Fn(usize) -> bool) -> usize {
    let sealed = Sealed::new("demo");
    let mut flips = 0;
    for file in sealed.files() {
        let bytes = fs::read(&file).unwrap();
        for at in (0..bytes.len() * 8).filter(|at| chosen(*at)) {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            if is_line_end_alone(&file, &bytes, &changed, at / 8) {
                continue;
            }
            sealed.detected(&file, Some(&changed), &format!("bit {at}"));
            flips += 1;
        }
    }
    flips
}

/// CR for LF at the end of a line changes no object: line ends are no part of the records, so that
/// they survive a conversion. No single bit turns LF into CR; this asserts that none is let through.
fn is_line_end_alone(file: &Path, before: &[u8], after: &[u8], at: usize) -> bool {
    let records = file.extension().is_some_and(|extension| extension == "jsonl");
    records && before[at] == b'\n' && after[at] == b'\r'
}

#[test]
fn every_truncation_and_every_missing_file() {
    let sealed = Sealed::new("demo");
    for file in sealed.files() {
        let bytes = fs::read(&file).unwrap();
        let kind = file.extension().and_then(|extension| extension.to_str());
        for length in 0..bytes.len() {
            // Without the last line feed the records, and the key, are all still there.
            if !(matches!(kind, Some("jsonl" | "vkey")) && length + 1 == bytes.len()) {
                sealed.detected(&file, Some(&bytes[..length]), &format!("cut to {length}"));
            }
        }
        sealed.detected(&file, None, "missing");
    }
}

#[test]
fn every_deletion_swap_duplicate_and_edit_of_a_record() {
    let sealed = Sealed::new("demo");
    let (path, lines) = sealed.records();
    let entry_of = |line: usize| line as u64 + if line < 7 { 2 } else { 3 };
    let check = |changed: Vec<Vec<u8>>, what: String, expected: &[u64]| {
        sealed.with(&path, Some(&changed.concat()), |verdict| {
            let verdict = verdict.unwrap();
            assert_eq!(verdict.exit_code(), 1, "{what}: {verdict:?}");
            let found = indexes(&verdict);
            assert!(
                expected.iter().any(|index| found.contains(index)),
                "{what}: expected one of {expected:?}, found {found:?}"
            );
            assert!(found.len() <= 2, "{what}: one change, reported as {found:?}");
        });
    };
    for i in 0..RECORDS {
        let mut changed = lines.clone();
        changed.remove(i);
        check(changed, format!("{i} deleted"), &[entry_of(i)]);
        let mut changed = lines.clone();
        let text = String::from_utf8(changed[i].clone()).unwrap();
        changed[i] = text.replace("\"round\": ", "\"round\": 1").into_bytes();
        check(changed, format!("{i} edited"), &[entry_of(i)]);
        for j in 0..=RECORDS {
            let mut changed = lines.clone();
            changed.insert(j, lines[i].clone());
            check(changed, format!("{i} again at {j}"), &[entry_of(i)]);
        }
        for j in i + 1..RECORDS {
            let mut changed = lines.clone();
            changed.swap(i, j);
            check(changed, format!("{i} and {j} swapped"), &[entry_of(i), entry_of(j)]);
        }
    }
}

#[test]
fn every_change_of_the_ledger_alone() {
    let sealed = Sealed::new("demo");
    let path = sealed.file("{P}.qtlog/ledger");
    let bytes = fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    for i in 0..lines.len() {
        let mut changed = lines.clone();
        changed.remove(i);
        sealed.detected(&path, Some(&changed.concat()), &format!("entry {i} deleted"));
        let mut changed = lines.clone();
        changed.insert(i, lines[i]);
        sealed.detected(&path, Some(&changed.concat()), &format!("entry {i} twice"));
        for j in i + 1..lines.len() {
            let mut changed = lines.clone();
            changed.swap(i, j);
            sealed.detected(&path, Some(&changed.concat()), &format!("entries {i}, {j} swapped"));
        }
    }
}

#[test]
fn records_and_entries_changed_together() {
    // By somebody without the key, who keeps both files in step.
    let sealed = Sealed::new("demo");
    let (records, lines) = sealed.records();
    let ledger = sealed.file("{P}.qtlog/ledger");
    let entries = fs::read(&ledger).unwrap();
    let entries: Vec<&[u8]> = entries.split_inclusive(|&byte| byte == b'\n').collect();
    for i in 0..RECORDS {
        let (mut lines, mut entries) = (lines.clone(), entries.clone());
        lines.remove(i);
        entries.remove(i + if i < 7 { 2 } else { 3 });
        let whole = fs::read(&records).unwrap();
        fs::write(&records, lines.concat()).unwrap();
        sealed.with(&ledger, Some(&entries.concat()), |verdict| {
            assert_eq!(verdict.unwrap().exit_code(), 1, "record {i} and its entry deleted");
        });
        fs::write(&records, whole).unwrap();
    }
}

#[test]
fn every_splice_from_another_project() {
    let (sealed, other) = (Sealed::new("demo"), Sealed::new("other"));
    let (path, lines) = sealed.records();
    let (_, foreign) = other.records();
    for i in 0..RECORDS {
        for replace in [true, false] {
            let mut changed = lines.clone();
            if replace {
                changed[i] = foreign[i].clone();
            } else {
                changed.insert(i, foreign[i].clone());
            }
            sealed.detected(&path, Some(&changed.concat()), &format!("foreign line at {i}"));
        }
    }
    for name in
        ["{P}_trace_log.jsonl", "{P}_fact_sheet.json", "{P}.qtlog/ledger", "{P}.qtlog/checkpoint"]
    {
        let bytes = fs::read(other.file(name)).unwrap();
        sealed.detected(&sealed.file(name), Some(&bytes), "from another project");
    }
}

#[test]
fn line_ends_are_no_part_of_the_records() {
    let sealed = Sealed::new("demo");
    let (path, lines) = sealed.records();
    let root = sealed.verify().unwrap().root;
    for end in [&b"\r\n"[..], b"\r", b"\n\n", b"\r\n \r\n"] {
        let converted: Vec<u8> =
            lines.iter().flat_map(|line| [&line[..line.len() - 1], end].concat()).collect();
        sealed.with(&path, Some(&converted), |verdict| {
            let verdict = verdict.unwrap();
            assert_eq!((verdict.exit_code(), verdict.root), (0, root), "{end:?}: {verdict:?}");
        });
    }
}

/// What is wrong elsewhere in the ledger does not hide the sheet.
#[test]
fn the_sheet_is_found_beside_lines_that_are_no_entries() {
    let sealed = Sealed::new("demo");
    let path = sealed.file("{P}.qtlog/ledger");
    let ledger = fs::read_to_string(&path).unwrap();
    let (rest, last) = ledger.trim_end().rsplit_once('\n').unwrap();
    fs::write(&path, format!("{rest}\n{}\n", last.replacen("record", "recor\u{1}", 1))).unwrap();
    let store = FileStore::new(sealed.folder.join("data")).read_only();
    let log = TraceLog::new(Arc::new(store), "demo".parse().unwrap());
    let project = Project::resume(log).unwrap();
    assert_eq!(project.sheet().purpose(), "Detect fraud sooner");
}
