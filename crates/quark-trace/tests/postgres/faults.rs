//! What goes wrong with a server, as errors that say whether anything was written. After each, the
//! same ids again give one record each.

use std::time::Duration;

use quark_trace::store::{PostgresStore, Store};
use quark_trace::verify::{Policy, verify};
use quark_trace::{Error, ErrorKind, Outcome};

use crate::server::{self, Schema, count};
use crate::sharing::append;

/// The error of an append that cannot have written anything.
fn refused(url: &str) -> Error {
    let error = append(&PostgresStore::new(url).unwrap(), "a").unwrap_err();
    assert_eq!(error.outcome(), Some(Outcome::NotWritten), "{error}");
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains("only-for-tests") && !shown.contains("not-the-word"), "{shown}");
    }
    error
}

#[test]
fn a_server_that_lets_nobody_in() {
    let schema = Schema::new();
    let change = |from: &str, to: &str| {
        assert!(schema.url.contains(from));
        refused(&schema.url.replace(from, to))
    };
    let wrong = change("only-for-tests", "not-the-word");
    assert_eq!(wrong.kind(), ErrorKind::PermissionDenied, "{wrong}");
    assert_eq!(change("/postgres?", "/no_such_database?").kind(), ErrorKind::NotFound);
    let none = change(":only-for-tests@", "@");
    assert_eq!(none.kind(), ErrorKind::PermissionDenied, "{none}");
    assert!(none.to_string().contains("PGPASSWORD"), "{none}");
    let host = change("127.0.0.1", "no-such-host.invalid");
    assert_eq!(host.kind(), ErrorKind::Io, "{host}");
    assert!(host.to_string().contains("cannot be reached"), "{host}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = refused(&format!("postgres://quark@{silent}/postgres"));
    assert!(nobody.to_string().contains("cannot be reached"), "{nobody}");
    assert!(nobody.is_retryable());
}

#[test]
fn a_server_that_never_answers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let error =
        refused(&format!("postgres://quark:not-the-word@{address}/postgres?connect_timeout=1"));
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
}

#[test]
fn a_standby_is_read_and_never_written() {
    let schema = Schema::new();
    append(&schema.open(), "a").unwrap();
    let project = "demo".parse().unwrap();
    let port = |url: &str| url.split("127.0.0.1:").nth(1).unwrap()[..5].to_owned();
    let url = schema.url.replace(&port(&schema.url), &port(&server::standby_url()));
    let standby = PostgresStore::new(&url).unwrap();
    let follows = || standby.head(&project).unwrap().is_some_and(|head| head.range.size() == 2);
    while !follows() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!verify(&standby, &project, &Policy::default()).unwrap().is_tampered());
    let error = refused(&url);
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    let error = standby.seal(&project).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
}

#[test]
fn a_role_without_rights() {
    let schema = Schema::new();
    let role = format!("role_{}", schema.name);
    let mut client = schema.client();
    client.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'not-the-word'")).unwrap();
    let url = schema.url.replace("quark:only-for-tests", &format!("{role}:not-the-word"));
    client.batch_execute(&format!("GRANT USAGE ON SCHEMA {} TO {role}", schema.name)).unwrap();
    assert_eq!(refused(&url).kind(), ErrorKind::PermissionDenied, "it may not make tables");
    append(&schema.open(), "a").unwrap();
    assert_eq!(refused(&url).kind(), ErrorKind::PermissionDenied, "it may not read them");
    let grant =
        |rights: &str| format!("GRANT {rights} ON ALL TABLES IN SCHEMA {} TO {role}", schema.name);
    client.batch_execute(&grant("SELECT")).unwrap();
    assert_eq!(refused(&url).kind(), ErrorKind::PermissionDenied, "it may not write");
    client.batch_execute(&grant("INSERT, UPDATE, DELETE")).unwrap();
    assert_eq!(append(&PostgresStore::new(&url).unwrap(), "b").unwrap(), 2);
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn a_log_that_somebody_holds_too_long() {
    let schema = Schema::new();
    append(&schema.open(), "a").unwrap();
    let url = format!("{}%20-c%20statement_timeout%3D200", schema.url);
    let patient = PostgresStore::new(&url).unwrap();
    // Once for the statement that needs no lock, once for the one that takes it.
    for first in [None, Some("b")] {
        if let Some(id) = first {
            append(&patient, id).unwrap();
        }
        let mut client = schema.client();
        let mut holder = client.transaction().unwrap();
        holder.query("SELECT size FROM qt_log FOR UPDATE", &[]).unwrap();
        let error = append(&patient, "c").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten), "{error}");
        assert!(error.is_retryable());
        holder.rollback().unwrap();
    }
    append(&patient, "c").unwrap();
    assert_eq!(count(&schema, "c"), 1);
}

#[test]
fn connections_that_died_while_nobody_used_them() {
    let schema = Schema::new();
    let store = schema.open();
    for n in 0..3 {
        append(&store, &format!("r{n}")).unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'quark-trace' AND query LIKE '%qt_entry%' \
                   AND pid <> pg_backend_pid() AND state = 'idle'";
        schema.client().batch_execute(end).unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(store.head(&"demo".parse().unwrap()).unwrap().unwrap().range.size(), 4);
}

#[test]
fn a_connection_that_is_ended_in_the_middle() {
    let schema = Schema::new();
    let store = schema.open();
    append(&store, "a").unwrap();
    for id in ["b", "c"] {
        let mut client = schema.client();
        let mut holder = client.transaction().unwrap();
        holder.query("SELECT size FROM qt_log FOR UPDATE", &[]).unwrap();
        let error = std::thread::scope(|scope| {
            let writer = scope.spawn(|| append(&store, id).unwrap_err());
            let waits = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE wait_event_type = 'Lock' AND query LIKE '%qt_log%' \
                         AND $1 = ANY (pg_blocking_pids(pid))";
            let mine: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
            let mut other = schema.client();
            while other.query_one(waits, &[&mine]).unwrap().get::<_, i64>(0) == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
            writer.join().unwrap()
        });
        // It was one statement and its own commit: nobody who lost the answer can tell.
        assert!(error.outcome().is_some(), "{error}");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        holder.rollback().unwrap();
        append(&store, id).unwrap();
        assert_eq!(count(&schema, id), 1);
    }
}

#[test]
fn a_full_disk() {
    let small = server::folder().join("small");
    if !small.is_dir() {
        // `tools/with-postgres` has said SKIPPED, and why.
        return;
    }
    let name = format!("full_{}", uuid::Uuid::new_v4().simple());
    let mut client = server::client(&server::url());
    let folder = small.display();
    client.batch_execute(&format!("CREATE TABLESPACE {name} LOCATION '{folder}'")).unwrap();
    client.batch_execute(&format!("CREATE DATABASE {name} TABLESPACE {name}")).unwrap();
    let url = format!("{}/{name}", server::url().strip_suffix("/postgres").unwrap());
    let mut filler = server::client(&url);
    filler
        .batch_execute(
            "CREATE TABLE filler AS SELECT repeat(md5(n::text), 60) AS text \
             FROM generate_series(1, 2000) n",
        )
        .unwrap();
    let store = PostgresStore::new(&url).unwrap();
    append(&store, "first").unwrap();
    let mut failed = None;
    for n in 0..200 {
        if let Err(error) = server::append_large(&store, &format!("r{n}"), 1 << 19) {
            failed = Some((n, error));
            break;
        }
    }
    let (n, error) = failed.expect("a small disk is full at some time");
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten), "{error}");
    filler.batch_execute("DROP TABLE filler").unwrap();
    server::append_large(&store, &format!("r{n}"), 1 << 19).unwrap();
    let project = "demo".parse().unwrap();
    assert!(!verify(&store, &project, &Policy::default()).unwrap().is_tampered());
    assert_eq!(store.head(&project).unwrap().unwrap().range.size(), n + 3);
    store.close().unwrap();
    drop((store, filler));
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    client.batch_execute(&format!("DROP TABLESPACE {name}")).unwrap();
}
