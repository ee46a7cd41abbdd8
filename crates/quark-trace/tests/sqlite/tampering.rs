//! Whatever is changed in a sealed log by SQL is noticed, and where: every column of every row of
//! every table, and every row.

use std::path::Path;
use std::sync::Arc;

use quark_trace::core::ledger::Kind;
use quark_trace::core::sheet::{Amendment, FactSheet, template};
use quark_trace::store::{Commit, Durability, NewEntry, SqliteStore, Store};
use quark_trace::verify::{Level, Policy, Severity, Verdict, verify};
use quark_trace::{ErrorKind, Project, TraceLog};
use rusqlite::types::Value;

use crate::folder::{Folder, project};

/// A sealed log with every kind of derived row, and what it is verified with.
struct Sealed {
    folder: Folder,
    /// The file as it was sealed.
    bytes: Vec<u8>,
    policy: Policy,
}

const AT: &str = "2026-01-02T03:04:05+00:00";
const RECORDS: usize = 300;

impl Sealed {
    fn new() -> Self {
        let folder = Folder::new();
        let store = Arc::new(folder.open_signing());
        let sheet = FactSheet::from_yaml(template("demo").as_bytes(), AT).unwrap().0;
        let mut opened = Project::load(sheet, TraceLog::new(store.clone(), project())).unwrap();
        let fields = serde_json::json!({ "purpose": "Detect fraud sooner" });
        let amendment =
            Amendment::parse(fields.as_object().unwrap(), "Jane Doe", "asked for").unwrap();
        opened.amend(&amendment, AT).unwrap();
        drop(opened);
        let lines: Vec<Vec<u8>> = (0..RECORDS).map(line).collect();
        let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
        for part in entries.chunks(100) {
            let commit = Commit { entries: part, expected: None, durability: Durability::Os };
            store.append(&project(), &commit).unwrap();
        }
        // A log beside it, which rows could be moved to.
        let line = line(1);
        let other = [NewEntry::new(Kind::Record, &line)];
        let commit = Commit { entries: &other, expected: None, durability: Durability::Os };
        store.append(&"other".parse().unwrap(), &commit).unwrap();
        store.close().unwrap();
        drop(store);
        let connection = folder.connect();
        connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
            .unwrap();
        drop(connection);
        let keys = folder.keys();
        let key = keys.signer(&keys.origin(&project())).verifier().clone();
        let policy = Policy { level: Level::L2, keys: vec![key], ..Policy::default() };
        let bytes = std::fs::read(folder.database()).unwrap();
        let sealed = Self { folder, bytes, policy };
        let verdict = sealed.verify().unwrap();
        assert_eq!((verdict.exit_code(), verdict.size), (0, RECORDS as u64 + 3), "{verdict:?}");
        sealed
    }

    fn verify(&self) -> quark_trace::Result<Verdict> {
        verify(&SqliteStore::new(self.folder.database())?, &project(), &self.policy)
    }

    /// Puts the file back as it was sealed.
    fn restore(&self) {
        for end in ["-wal", "-shm", "-journal"] {
            let path = format!("{}{end}", self.folder.database().display());
            if Path::new(&path).exists() {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::write(self.folder.database(), &self.bytes).unwrap();
    }
}

fn line(n: usize) -> Vec<u8> {
    format!(
        "{{\"record_id\": \"{n}\", \"project_id\": \"demo\", \"stage\": \"s{}\", \"timestamp\": \
         \"2026-01-02T03:04:05.{n:06}+00:00\", \"payload\": {{\"round\": {n}, \"m\": {{\"loss\": \
         0.{n}}}}}}}",
        n % 3
    )
    .into_bytes()
}

/// What cannot be known, and why.
fn is_unknowable(table: &str, column: &str) -> bool {
    match (table, column) {
        // Nothing says who erased an object that is there; with the bytes gone it says who did,
        // which the entry of the erasure tells.
        ("qt_object", "erased_by") => false,
        // Until somebody anchors a log, nothing is in it, and it is nobody's to check.
        ("qt_evidence", _) => true,
        _ => false,
    }
}

/// Another value of the same type.
fn others(value: &Value, column: &str) -> Vec<Value> {
    match value {
        Value::Null if column == "erased_by" => vec![Value::Integer(3)],
        Value::Null => vec![Value::Text("something".to_owned())],
        Value::Integer(number) => {
            vec![Value::Integer(number + 1), Value::Integer(number - 1), Value::Null]
        }
        Value::Real(number) => vec![Value::Real(number + 0.25), Value::Null],
        Value::Text(text) => {
            vec![Value::Text(format!("{text}x")), Value::Text(String::new()), Value::Null]
        }
        Value::Blob(blob) => {
            let mut flipped = blob.clone();
            flipped.iter_mut().last().into_iter().for_each(|last| *last ^= 1);
            let changed = Some(Value::Blob(flipped)).filter(|other| other != value);
            changed.into_iter().chain([Value::Blob(vec![]), Value::Null]).collect()
        }
    }
}

fn is_noticed(sealed: &Sealed, change: &str) {
    match sealed.verify() {
        // Reading fails, and says so.
        Err(error) => assert!(!error.message().is_empty(), "{change}"),
        Ok(verdict) => {
            assert_ne!(verdict.exit_code(), 0, "{change}: {verdict:?}");
            let grave = |severity| matches!(severity, Severity::Error | Severity::Unknown);
            let named = verdict.findings.iter().any(|finding| {
                let place = match finding.index {
                    Some(index) => format!("entry {index}"),
                    None if finding.message.contains("checkpoint") => "checkpoint".to_owned(),
                    None if finding.message.contains("key") => "key".to_owned(),
                    None if finding.message.contains("user_version") => "version".to_owned(),
                    None if change.contains("INDEX") => "index ".to_owned(),
                    None => "qt_".to_owned(),
                };
                grave(finding.severity) && finding.message.contains(&place)
            });
            assert!(named, "{change}: nothing says where: {verdict:?}");
        }
    }
}

#[test]
fn every_column_of_every_table() {
    let sealed = Sealed::new();
    let connection = sealed.folder.connect();
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'qt_%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(tables.len(), 10);
    drop(connection);
    let (mut updates, mut deletes) = (0, 0);
    for table in tables {
        let connection = sealed.folder.connect();
        let columns: Vec<String> = connection
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let own = columns.contains(&"log_id".to_owned());
        let filter = if own {
            "WHERE log_id = (SELECT log_id FROM qt_log WHERE project_id = 'demo')"
        } else {
            ""
        };
        let list = columns.join(", ");
        let rows: Vec<Vec<Value>> = connection
            .prepare(&format!("SELECT {list} FROM {table} {filter} ORDER BY {list}"))
            .unwrap()
            .query_map([], |row| (0..columns.len()).map(|at| row.get(at)).collect())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        drop(connection);
        assert!(table == "qt_evidence" || !rows.is_empty(), "{table} is filled");
        // Of a long table the first rows, the last, and some between.
        let step = (rows.len() / 6).max(1);
        for (at, row) in rows.iter().enumerate() {
            if !(at < 2 || at + 1 == rows.len() || at % step == 0) {
                continue;
            }
            let found: Vec<String> = columns
                .iter()
                .enumerate()
                .map(|(at, column)| format!("{column} IS ?{}", at + 1))
                .collect();
            let found = found.join(" AND ");
            for (column, value) in columns.iter().zip(row) {
                for other in others(value, column) {
                    let change = format!(
                        "UPDATE {table} SET {column} = ?{} WHERE {found}",
                        columns.len() + 1
                    );
                    let mut values = row.clone();
                    values.push(other.clone());
                    let connection = sealed.folder.connect();
                    let done = connection.execute(&change, rusqlite::params_from_iter(values));
                    drop(connection);
                    // A value that the table does not take changes nothing.
                    if done.is_ok_and(|count| count == 1) && !is_unknowable(&table, column) {
                        is_noticed(&sealed, &format!("{change} of row {at} to {other:?}"));
                        updates += 1;
                    }
                    sealed.restore();
                }
            }
            let change = format!("DELETE FROM {table} WHERE {found}");
            let connection = sealed.folder.connect();
            let done = connection.execute(&change, rusqlite::params_from_iter(row.clone()));
            assert_eq!(done.unwrap(), 1);
            drop(connection);
            is_noticed(&sealed, &format!("{change} of row {at}"));
            deletes += 1;
            sealed.restore();
        }
    }
    assert!(updates > 300 && deletes > 30, "{updates} updates, {deletes} deletes");
}

#[test]
fn what_is_added_or_moved() {
    let sealed = Sealed::new();
    let log = "(SELECT log_id FROM qt_log WHERE project_id = 'demo')";
    let other = "(SELECT log_id FROM qt_log WHERE project_id = 'other')";
    for change in [
        format!("INSERT INTO qt_object (log_id, sha256, bytes) VALUES ({log}, x'00', x'00')"),
        format!("INSERT INTO qt_tile VALUES ({log}, 0, 7, x'00')"),
        format!("INSERT INTO qt_tile VALUES ({log}, 1, 0, x'00')"),
        format!("INSERT INTO qt_checkpoint VALUES ({log}, 5, 'a note')"),
        format!("INSERT INTO qt_record (log_id, idx) VALUES ({log}, 0)"),
        format!("INSERT INTO qt_record (log_id, idx) VALUES ({log}, 999)"),
        format!("INSERT INTO qt_number VALUES ({log}, '/round', 7, 5)"),
        format!("INSERT INTO qt_number VALUES ({log}, '/round', 7, 999)"),
        format!(
            "INSERT INTO qt_entry SELECT log_id, 303, entry, leaf_hash, kind, object_id FROM qt_entry WHERE log_id = {log} AND idx = 5"
        ),
        format!(
            "UPDATE qt_entry SET entry = (SELECT entry FROM qt_entry WHERE log_id = {log} AND idx = 5) WHERE log_id = {log} AND idx = 6"
        ),
        format!(
            "UPDATE qt_object SET bytes = x'7b7d' WHERE log_id = {log} AND sha256 = (SELECT sha256 FROM qt_object WHERE log_id = {log} LIMIT 1)"
        ),
        format!(
            "UPDATE qt_entry SET object_id = (SELECT object_id FROM qt_entry WHERE log_id = {other} AND idx = 1) WHERE log_id = {log} AND idx = 5"
        ),
        format!("DELETE FROM qt_entry WHERE log_id = {log} AND idx > 100"),
        format!("DELETE FROM qt_entry WHERE log_id = {log}"),
        format!("DELETE FROM qt_number WHERE log_id = {log}"),
        format!("DELETE FROM qt_record WHERE log_id = {log}"),
        format!("DELETE FROM qt_tile WHERE log_id = {log}"),
        "DELETE FROM qt_log".to_owned(),
        "DROP TABLE qt_number".to_owned(),
        "DROP INDEX qt_record_time".to_owned(),
        "CREATE INDEX mine ON qt_entry (kind)".to_owned(),
        format!("INSERT INTO qt_id VALUES ({log}, 1, x'00')"),
        format!("INSERT INTO qt_id VALUES ({log}, -1, x'00')"),
        format!("DELETE FROM qt_id WHERE log_id = {log}"),
        format!("UPDATE qt_id SET keys = zeroblob(2048) WHERE log_id = {log}"),
        "DROP TABLE qt_id".to_owned(),
        "PRAGMA user_version = 0".to_owned(),
        "PRAGMA user_version = 1".to_owned(),
        "PRAGMA application_id = 0".to_owned(),
    ] {
        sealed.folder.connect().execute_batch(&change).unwrap();
        is_noticed(&sealed, &change);
        sealed.restore();
    }
}

#[test]
fn a_bit_of_some_bytes_of_the_file() {
    let flips = flip(&|at| at % 9973 == 0);
    assert!(flips > 200, "{flips}");
}

#[test]
#[ignore = "takes an hour; `make soak` runs it"]
fn every_bit_of_the_file() {
    assert!(flip(&|_| true) > 1_000_000);
}

/// Flips the chosen bits of the file, one at a time; gives how many.
///
/// What is noticed is an error or a finding; else it is a bit that nobody uses, and everything that
/// is read is as it was.
fn flip(chosen: &dyn Fn(usize) -> bool) -> usize {
    let sealed = Sealed::new();
    let content = || crate::folder::try_ledger(&sealed.folder.open());
    let before = content().unwrap();
    let root = sealed.verify().unwrap().root;
    let mut flips = 0;
    for at in (0..sealed.bytes.len() * 8).filter(|at| chosen(*at)) {
        let mut changed = sealed.bytes.clone();
        changed[at / 8] ^= 1 << (at % 8);
        std::fs::write(sealed.folder.database(), &changed).unwrap();
        flips += 1;
        if let Ok(verdict) = sealed.verify()
            && verdict.exit_code() == 0
        {
            assert_eq!(verdict.root, root, "bit {at}");
            assert_eq!(content().unwrap(), before, "bit {at}");
        }
        sealed.restore();
    }
    flips
}

#[test]
fn nobody_amends_a_sheet_that_is_not_the_one_of_the_ledger() {
    let sealed = Sealed::new();
    let last = "object_id = (SELECT object_id FROM qt_entry WHERE kind = 'sheet' ORDER BY idx DESC \
                LIMIT 1)";
    for (change, fault) in [
        (
            format!(
                "UPDATE qt_object SET bytes = CAST(replace(bytes, 'sooner', 'later') AS BLOB) WHERE {last}"
            ),
            "entry 2 is not the one it names",
        ),
        (format!("DELETE FROM qt_object WHERE {last}"), "entry 2 is missing"),
    ] {
        assert_eq!(sealed.folder.connect().execute(&change, []).unwrap(), 1, "{change}");
        let log = TraceLog::new(Arc::new(sealed.folder.open_signing()), project());
        let refused = Project::resume(log).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupted, "{change}");
        assert!(refused.message().contains(fault), "{change}: {refused}");
        sealed.restore();
    }
}
