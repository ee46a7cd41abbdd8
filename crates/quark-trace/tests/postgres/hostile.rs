//! A database that somebody else had in hand: nothing is built on it, nothing of it is signed, and
//! reading it ends in words.

use quark_trace::core::ids::ProjectId;
use quark_trace::store::{Plan, Store};
use quark_trace::verify::{Policy, verify};
use quark_trace::{ErrorKind, Outcome};

use crate::server::Schema;
use crate::sharing::append;

fn project() -> ProjectId {
    "demo".parse().unwrap()
}

/// A log with a checkpoint over its four entries.
fn sealed() -> Schema {
    let schema = Schema::new();
    let store = schema.open_signing();
    for id in ["a", "b", "c"] {
        append(&store, id).unwrap();
    }
    store.close().unwrap();
    schema
}

#[test]
fn a_log_that_was_cut_off_is_not_written_to() {
    let schema = sealed();
    // As a log of three entries stands there, checkpoint and all later rows apart.
    let shorter = Schema::new();
    let store = shorter.open();
    for id in ["a", "b"] {
        append(&store, id).unwrap();
    }
    let query = "SELECT frontier FROM qt_log";
    let frontier: Vec<u8> = shorter.client().query_one(query, &[]).unwrap().get(0);
    let mut client = schema.client();
    client.batch_execute("DELETE FROM qt_entry WHERE idx = 3").unwrap();
    client.execute("UPDATE qt_log SET size = 3, frontier = $1", &[&frontier]).unwrap();
    for store in [schema.open_signing(), schema.open()] {
        let error = append(&store, "d").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity("E-TRUNC"), "{error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
        let error = store.seal(&project()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity("E-TRUNC"), "{error}");
    }
}

#[test]
fn an_edge_that_does_not_follow_is_neither_built_on_nor_signed() {
    let schema = sealed();
    // Open since before, and not the one that wrote last.
    let before = schema.open_signing();
    append(&before, "d").unwrap();
    append(&schema.open(), "e").unwrap();
    let change = "UPDATE qt_log SET frontier = decode(repeat('00', length(frontier)), 'hex')";
    schema.client().batch_execute(change).unwrap();
    let error = append(&schema.open_signing(), "f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-ALTERED"), "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    let checkpoint = || before.beside(&project()).unwrap().unwrap().checkpoint;
    let signed = checkpoint();
    for store in [&before, &schema.open_signing()] {
        let error = store.seal(&project()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Integrity(_)), "{error}");
    }
    assert_eq!(checkpoint(), signed);
}

/// Whoever owns the tables can take their guards away.
#[test]
fn columns_of_another_kind_are_told_in_words() {
    for change in [
        "ALTER TABLE qt_entry ALTER leaf_hash DROP NOT NULL; UPDATE qt_entry SET leaf_hash = NULL",
        "ALTER TABLE qt_entry ALTER entry DROP NOT NULL; UPDATE qt_entry SET entry = NULL",
        "ALTER TABLE qt_entry ALTER object DROP NOT NULL; UPDATE qt_entry SET object = NULL",
        "ALTER TABLE qt_entry ALTER kind DROP NOT NULL; UPDATE qt_entry SET kind = NULL",
        "ALTER TABLE qt_entry ALTER stage TYPE bytea USING NULL",
        "ALTER TABLE qt_entry ALTER at_us TYPE text",
        "ALTER TABLE qt_entry ALTER record_key TYPE text USING ''",
        "ALTER TABLE qt_log ALTER size DROP NOT NULL; UPDATE qt_log SET size = NULL",
        "ALTER TABLE qt_log ALTER size TYPE numeric",
        "ALTER TABLE qt_log ALTER frontier TYPE text USING ''",
        "ALTER TABLE qt_log ALTER frontier DROP NOT NULL; UPDATE qt_log SET frontier = NULL",
        "ALTER TABLE qt_log ALTER indexed TYPE text",
        "ALTER TABLE qt_log ALTER project_id DROP NOT NULL; UPDATE qt_log SET project_id = NULL",
        "ALTER TABLE qt_log ALTER origin TYPE bytea USING ''",
        "ALTER TABLE qt_checkpoint ALTER note DROP NOT NULL; UPDATE qt_checkpoint SET note = NULL",
        "ALTER TABLE qt_checkpoint ALTER size TYPE text",
        "ALTER TABLE qt_object ALTER bytes TYPE text USING encode(bytes, 'hex')",
        "ALTER TABLE qt_object ALTER erased_by TYPE text",
        "ALTER TABLE qt_log ALTER identified TYPE text",
        "INSERT INTO qt_number SELECT log_id, 0, 'a', 1, 1, '' FROM qt_log; \
         ALTER TABLE qt_number ALTER least TYPE text",
        "ALTER TABLE qt_number ALTER numbers DROP NOT NULL; \
         INSERT INTO qt_number SELECT log_id, 0, 'a', 1, 1, NULL FROM qt_log",
        "ALTER TABLE qt_id ALTER keys DROP NOT NULL; \
         INSERT INTO qt_id SELECT log_id, 0, NULL FROM qt_log; UPDATE qt_log SET identified = 256",
        "INSERT INTO qt_id SELECT log_id, 0, 'abc' FROM qt_log; \
         ALTER TABLE qt_id ALTER keys TYPE text USING ''",
        "ALTER TABLE qt_migration ALTER name DROP NOT NULL; UPDATE qt_migration SET name = NULL",
        "ALTER TABLE qt_migration ALTER version TYPE text",
        "ALTER TABLE qt_log ALTER verifier_keys TYPE bytea USING ''",
    ] {
        let schema = sealed();
        schema.client().batch_execute(change).unwrap_or_else(|error| panic!("{change}: {error:?}"));
        let store = schema.open_signing();
        match verify(&store, &project(), &Policy::default()) {
            Ok(verdict) => assert_eq!(verdict.exit_code(), 1, "{change}: {verdict:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "{change}: {error}"),
        }
        // Whatever else is asked is answered, by a result or by words.
        let _ = store.projects();
        let _ = store.head(&project());
        let _ = store.sheet(&project());
        let _ = store.scan(&project(), &Plan { from: 1, ..Plan::default() }, &mut |_| {
            std::ops::ControlFlow::Continue(())
        });
        let _ = append(&store, "d");
        let _ = store.seal(&project());
        let _ = store.close();
    }
}

/// A record that is there is not taken for a new one because its row was changed.
#[test]
fn a_record_of_which_the_object_cannot_be_read_is_not_appended_again() {
    let schema = sealed();
    let change = "UPDATE qt_entry SET object = '\\x00' WHERE record_key = sha256('b')";
    schema.client().batch_execute(change).unwrap();
    let error = append(&schema.open(), "b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    assert_eq!(error.outcome(), Some(Outcome::NotWritten));
}

#[test]
fn a_store_for_reading_only_writes_nothing() {
    let schema = sealed();
    let vouching = schema.open().beside(&project()).unwrap().unwrap();
    let store = schema.open().read_only();
    for done in [store.vouch(&project(), &vouching), store.index(&project())] {
        let error = done.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert_eq!(error.outcome(), Some(Outcome::NotWritten));
    }
    assert_eq!(append(&store, "d").unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.seal(&project()).unwrap_err().kind(), ErrorKind::ReadOnly);
    store.close().unwrap();
}
