//! The tables and the statements over them.

use quark_trace::store::{SqliteStore, Store};
use quark_trace::{ErrorKind, Outcome};

use crate::folder::{Folder, append, project};

#[test]
fn every_statement_is_one_that_sqlite_takes() {
    let folder = Folder::new();
    append(&folder.open(), "a").unwrap();
    let connection = folder.connect();
    assert!(SqliteStore::statements().len() > 30);
    for statement in SqliteStore::statements() {
        connection.prepare(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[test]
fn filters_use_an_index() {
    let folder = Folder::new();
    append(&folder.open(), "a").unwrap();
    let connection = folder.connect();
    let mut filters = 0;
    for statement in SqliteStore::statements() {
        let index = match statement {
            text if text.contains("record_key = ?3") => "PRIMARY KEY (log_id=? AND idx>?)",
            text if text.contains("keys FROM qt_id") => {
                "sqlite_autoindex_qt_id_1 (log_id=? AND n>? AND n<?)"
            }
            text if text.contains("stage = ?2") || text.contains("stage IS NULL") => {
                "INDEX qt_record_stage (log_id=? AND stage=?)"
            }
            text if text.contains("at_us >= ?2") => {
                "INDEX qt_record_time (log_id=? AND at_us>? AND at_us<?)"
            }
            text if text.contains("value >= ?3") => "(log_id=? AND path=? AND value>? AND value<?)",
            text if text.contains("numbers IS NULL") => "INDEX qt_record_unnumbered (log_id=?)",
            text if text.contains("e.kind = 'schema'") => "INDEX qt_entry_schema (log_id=?",
            text if text.contains("e.idx < ?3") => "PRIMARY KEY (log_id=? AND idx>? AND idx<?)",
            text if text.contains("e.kind IN ('sheet'") => "INDEX qt_entry_sheet (log_id=?",
            _ => continue,
        };
        filters += 1;
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let count = plan.parameter_count();
        let none = rusqlite::params_from_iter(vec![rusqlite::types::Null; count]);
        let steps: Vec<String> =
            plan.query_map(none, |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(steps.iter().any(|step| step.contains(index)), "{statement}: {steps:?}");
        let scans = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
        assert!(!steps.iter().any(scans), "{statement}: {steps:?}");
    }
    assert_eq!(filters, 12);
}

#[test]
fn looking_makes_nothing() {
    let folder = Folder::new();
    let store = folder.open_signing();
    assert_eq!(store.projects().unwrap(), []);
    assert_eq!(store.head(&project()).unwrap(), None);
    assert_eq!(store.seal(&project()).unwrap(), None);
    store.close().unwrap();
    drop(store);
    assert!(!folder.database().exists());
    std::fs::write(folder.database(), b"").unwrap();
    assert_eq!(folder.open().projects().unwrap(), [], "an empty file is an empty database");
    assert_eq!(std::fs::metadata(folder.database()).unwrap().len(), 0);
}

#[cfg(unix)]
#[test]
fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = folder.open();
    append(&store, "a").unwrap();
    for end in ["", "-wal", "-shm"] {
        let path = format!("{}{end}", folder.database().display());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    let found = std::fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(found, 3, "nothing else is left there");
}

#[test]
fn a_newer_schema_is_refused() {
    for change in
        ["INSERT INTO qt_migration VALUES (999, 'of tomorrow', x'')", "PRAGMA user_version = 999"]
    {
        let folder = Folder::new();
        append(&folder.open(), "a").unwrap();
        folder.connect().execute_batch(change).unwrap();
        let error = append(&folder.open(), "b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
        assert!(error.to_string().contains("version 999"), "{error}");
        assert_eq!(folder.open().projects().unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn a_schema_of_unknown_making_is_not_written_to() {
    for change in [
        "UPDATE qt_migration SET sha256 = x'00'",
        "UPDATE qt_migration SET name = 'another'",
        "DELETE FROM qt_migration",
        "DROP TABLE qt_migration",
        "PRAGMA user_version = 0",
        "DROP INDEX qt_record_stage",
        "CREATE UNIQUE INDEX mine ON qt_entry (kind)",
        "CREATE TRIGGER mine AFTER INSERT ON qt_entry BEGIN DELETE FROM qt_entry; END",
        "ALTER TABLE qt_log ADD COLUMN mine TEXT",
    ] {
        let folder = Folder::new();
        append(&folder.open(), "a").unwrap();
        folder.connect().execute_batch(change).unwrap();
        let error = append(&folder.open(), "b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{change}: {error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
        assert_eq!(folder.open().projects().unwrap().len(), 1, "it can be read");
    }
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = Folder::new();
    folder.connect().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(folder.database()).unwrap();
    let error = append(&folder.open(), "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    assert_eq!(folder.open().projects().unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(folder.database()).unwrap(), before);
}

#[test]
fn programs_that_make_the_tables_at_once_take_turns() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let store = folder.open();
                scope.spawn(move || append(&store, &n.to_string()))
            })
            .collect();
        let mut sizes: Vec<u64> =
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, (2..10).collect::<Vec<_>>());
    });
}
