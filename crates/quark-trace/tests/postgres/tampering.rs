//! Every column of every row of a sealed log is changed, and every row deleted, one at a time, by
//! plain SQL: `verify` notices each, and says where.

use postgres::Client;
use quark_trace::ErrorKind;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, NewEntry, Store};
use quark_trace::verify::{Policy, Verdict, verify};

use crate::server::Schema;

struct Column {
    table: String,
    name: String,
    kind: String,
}

/// A log with records, a schema and a record that nobody can read.
fn fill(schema: &Schema, records: usize) -> ProjectId {
    let project: ProjectId = "demo".parse().unwrap();
    let store = schema.open_signing();
    let lines: Vec<Vec<u8>> = (0..records)
        .map(|n| {
            format!(
                "{{\"record_id\": \"r{n}\", \"project_id\": \"demo\", \"stage\": \"s\", \
                 \"timestamp\": \"2026-01-02T03:04:05+00:00\", \"payload\": {{\"loss\": {n}.5}}}}"
            )
            .into_bytes()
        })
        .collect();
    let mut entries = vec![NewEntry::new(Kind::Schema, b"{}")];
    entries.extend(lines.iter().map(|line| NewEntry::new(Kind::Record, line)));
    entries.push(NewEntry::new(Kind::Record, b"not a record"));
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
    store.append(&project, &commit).unwrap();
    store.seal(&project).unwrap();
    project
}

fn columns(client: &mut Client, schema: &Schema) -> Vec<Column> {
    let query = "SELECT table_name::text, column_name::text, data_type::text \
                 FROM information_schema.columns WHERE table_schema = $1 \
                 AND table_name LIKE 'qt\\_%' ORDER BY table_name, ordinal_position";
    let rows = client.query(query, &[&schema.name]).unwrap();
    rows.iter()
        .map(|row| Column { table: row.get(0), name: row.get(1), kind: row.get(2) })
        .collect()
}

/// Other values for a column, as SQL over its present one.
fn others(column: &Column) -> &'static [&'static str] {
    match column.kind.as_str() {
        "bigint" => &["coalesce(#, 0) + 1000"],
        "bytea" => &["coalesce(#, '') || '\\x00'", "'\\x'", "NULL"],
        "text" => &["coalesce(#, '') || 'x'", "NULL"],
        "double precision" => &["# + 1", "'NaN'"],
        other => panic!("a column of type {other} is new; say how to change it"),
    }
}

/// The tables as they were, to put back after each change.
struct Original<'a> {
    client: &'a mut Client,
    tables: Vec<String>,
}

impl<'a> Original<'a> {
    fn keep(client: &'a mut Client, columns: &[Column]) -> Self {
        let mut tables: Vec<String> = columns.iter().map(|column| column.table.clone()).collect();
        tables.dedup();
        for table in &tables {
            client.batch_execute(&format!("CREATE TABLE kept_{table} AS TABLE {table}")).unwrap();
        }
        Self { client, tables }
    }

    fn put_back(&mut self, table: &str) {
        let again = format!("TRUNCATE {table}; INSERT INTO {table} TABLE kept_{table}");
        self.client.batch_execute(&again).unwrap();
    }

    /// The places of the rows of a table, which `put_back` keeps in order.
    fn rows(&mut self, table: &str) -> i64 {
        self.client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).unwrap().get(0)
    }

    /// Changes row `at`; `false` where the table does not allow it, or nothing changes.
    fn change(&mut self, table: &str, at: i64, set: &str) -> bool {
        let place = format!("ctid = (SELECT ctid FROM {table} ORDER BY ctid OFFSET {at} LIMIT 1)");
        let done = if set.is_empty() {
            self.client.execute(&format!("DELETE FROM {table} WHERE {place}"), &[])
        } else {
            let (name, value) = set.split_once(" = ").unwrap();
            let differs = format!("{name} IS DISTINCT FROM ({value})");
            let update = format!("UPDATE {table} SET {set} WHERE {place} AND {differs}");
            self.client.execute(&update, &[])
        };
        done.is_ok_and(|rows| rows == 1)
    }
}

/// What `verify` says: the words of its findings, or of the error that it ends with.
fn judge(schema: &Schema, project: &ProjectId) -> Result<Verdict, String> {
    verify(&schema.open(), project, &Policy::default()).map_err(|error| error.to_string())
}

/// Whether somebody who reads this knows where to look.
fn is_located(
    judged: &Result<Verdict, String>,
    table: &str,
    column: &str,
    index: Option<u64>,
) -> bool {
    let says = |text: &str| {
        text.contains(table) || (!column.is_empty() && text.contains(&format!("column {column}")))
    };
    match judged {
        Err(error) => error.contains("E-") || says(error) || error.contains("schema of version"),
        Ok(verdict) => verdict.findings.iter().any(|finding| {
            // Whoever reads the message alone knows where, too.
            let told = |index| finding.message.contains(&format!("entry {index}"));
            assert!(finding.index.is_none_or(told), "{finding:?}");
            says(&finding.message)
                || (index.is_some() && finding.index == index)
                || (table == "qt_checkpoint" && finding.message.contains("checkpoint"))
                || (column == "verifier_keys" && finding.message.contains("key"))
        }),
    }
}

fn tamper(schema: &Schema, project: &ProjectId, chosen: impl Fn(&str, i64) -> bool) -> usize {
    let judged = judge(schema, project).unwrap();
    assert!(!judged.is_tampered(), "before anything was changed: {judged:?}");
    let mut client = schema.client();
    let columns = columns(&mut client, schema);
    let mut original = Original::keep(&mut client, &columns);
    let mut changes = 0;
    for table in original.tables.clone() {
        for at in (0..original.rows(&table)).filter(|at| chosen(&table, *at)) {
            let of_table = columns.iter().filter(|column| column.table == table);
            let updates = of_table.flat_map(|column| {
                others(column).iter().map(|other| {
                    let value = other.replace('#', &column.name);
                    (column.name.as_str(), format!("{} = {value}", column.name))
                })
            });
            let mut sets: Vec<(&str, String)> = updates.collect();
            sets.push(("", String::new()));
            let index = (table == "qt_entry").then_some(at as u64);
            for (column, set) in sets {
                original.put_back(&table);
                if !original.change(&table, at, &set) {
                    continue;
                }
                changes += 1;
                let judged = judge(schema, project);
                let noticed = judged.as_ref().map_or(true, |verdict| verdict.exit_code() == 1);
                assert!(noticed, "{table} row {at}: {set:?} passed as {judged:?}");
                let located = is_located(&judged, &table, column, index)
                    || (table == "qt_object"
                        && judged.as_ref().is_ok_and(|verdict| {
                            verdict.findings.iter().any(|finding| finding.index.is_some())
                        }));
                assert!(located, "{table} row {at}: {set:?} is not located by {judged:?}");
            }
            original.put_back(&table);
        }
    }
    let judged = judge(schema, project).unwrap();
    assert!(!judged.is_tampered(), "after everything was put back: {judged:?}");
    changes
}

#[test]
fn every_column_of_every_row() {
    let schema = Schema::new();
    let project = fill(&schema, 3);
    let changes = tamper(&schema, &project, |_, _| true);
    assert!(changes > 150, "only {changes} changes were tried");
}

#[test]
fn tiles_of_a_longer_log() {
    let schema = Schema::new();
    let project = fill(&schema, 300);
    let changes = tamper(&schema, &project, |table, at| {
        let is_row = ["qt_tile", "qt_id", "qt_number", "qt_log"].contains(&table);
        is_row || (["qt_entry", "qt_object"].contains(&table) && at == 255)
    });
    assert!(changes > 45, "only {changes} changes were tried");
}

#[test]
fn rows_that_were_added() {
    let schema = Schema::new();
    let project = fill(&schema, 3);
    let mut client = schema.client();
    for (add, remove) in [
        (
            "INSERT INTO qt_entry SELECT log_id, 6, entry, leaf_hash, object, kind, record_key, stage, \
             at_us FROM qt_entry WHERE idx = 3",
            "DELETE FROM qt_entry WHERE idx = 6",
        ),
        (
            "INSERT INTO qt_entry SELECT log_id, 7000, entry, leaf_hash, object, kind, record_key, \
             stage, at_us FROM qt_entry WHERE idx = 3",
            "DELETE FROM qt_entry WHERE idx = 7000",
        ),
        (
            "INSERT INTO qt_object SELECT log_id, 7000, bytes, NULL FROM qt_object LIMIT 1",
            "DELETE FROM qt_object WHERE idx = 7000",
        ),
        ("INSERT INTO qt_id SELECT log_id, 0, '' FROM qt_log", "DELETE FROM qt_id"),
        ("INSERT INTO qt_id SELECT log_id, -1, '' FROM qt_log", "DELETE FROM qt_id"),
        (
            "INSERT INTO qt_number SELECT log_id, 7, 'loss', 1, 1, '' FROM qt_log",
            "DELETE FROM qt_number",
        ),
        ("INSERT INTO qt_tile SELECT log_id, 0, 0, '' FROM qt_log", "DELETE FROM qt_tile"),
        (
            "INSERT INTO qt_checkpoint SELECT log_id, 2, note FROM qt_checkpoint",
            "DELETE FROM qt_checkpoint WHERE size = 2",
        ),
    ] {
        client.batch_execute(add).unwrap();
        let judged = judge(&schema, &project);
        assert_eq!(judged.as_ref().map(Verdict::exit_code), Ok(1), "{add}: {judged:?}");
        client.batch_execute(remove).unwrap();
        assert_ne!(judge(&schema, &project).unwrap().exit_code(), 1, "after {remove}");
    }
}

#[test]
fn the_last_sheet_is_the_one_that_the_ledger_names() {
    let schema = Schema::new();
    let project: ProjectId = "demo".parse().unwrap();
    let store = schema.open();
    for sheet in [b"{\"version\": 1}", b"{\"version\": 2}"] {
        let entries = [NewEntry::new(Kind::Sheet, sheet)];
        let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
        store.append(&project, &commit).unwrap();
    }
    let last = store.last_sheet(&project).unwrap().unwrap();
    assert_eq!((last.index, last.bytes.as_slice()), (Some(2), &b"{\"version\": 2}"[..]));
    let mut client = schema.client();
    for (change, fault) in [
        ("UPDATE qt_object SET bytes = '{}' WHERE idx = 2", "entry 2 is not the one it names"),
        ("DELETE FROM qt_object WHERE idx = 2", "entry 2 is missing"),
    ] {
        assert_eq!(client.execute(change, &[]).unwrap(), 1, "{change}");
        let refused = store.last_sheet(&project).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupted, "{change}");
        assert!(refused.message().contains(fault), "{change}: {refused}");
    }
}
