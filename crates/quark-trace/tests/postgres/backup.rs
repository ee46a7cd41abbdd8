//! A backup of yesterday that is put back today.

use quark_trace::ErrorKind;
use quark_trace::core::ids::ProjectId;
use quark_trace::store::Store;
use quark_trace::verify::{Code, Policy, verify};

use crate::server::Schema;
use crate::sharing::append;

const TABLES: [&str; 7] =
    ["qt_log", "qt_entry", "qt_object", "qt_tile", "qt_checkpoint", "qt_id", "qt_number"];

#[test]
fn an_old_backup_is_sound_in_itself_and_gets_no_second_history() {
    let schema = Schema::new();
    let project: ProjectId = "demo".parse().unwrap();
    let mut client = schema.client();
    let store = schema.open_signing();
    for n in 0..5 {
        append(&store, &format!("monday-{n}")).unwrap();
    }
    store.close().unwrap();
    for table in TABLES {
        client.batch_execute(&format!("CREATE TABLE backup_{table} AS TABLE {table}")).unwrap();
    }
    for n in 0..5 {
        append(&store, &format!("tuesday-{n}")).unwrap();
    }
    let tuesday = store.seal(&project).unwrap().unwrap().beside.checkpoint;
    drop(store);
    for table in TABLES {
        client
            .batch_execute(&format!("TRUNCATE {table}; INSERT INTO {table} TABLE backup_{table}"))
            .unwrap();
    }
    // In itself it is a sound log that ends on Monday.
    let store = schema.open_signing();
    let verdict = verify(&store, &project, &Policy::default()).unwrap();
    assert_eq!((verdict.exit_code(), verdict.size), (0, 6), "{verdict:?}");
    // Who has a checkpoint of Tuesday sees that the end is missing.
    let policy = Policy { checkpoint: tuesday, ..Policy::default() };
    let verdict = verify(&store, &project, &policy).unwrap();
    assert_eq!(verdict.exit_code(), 1);
    assert!(verdict.findings.iter().any(|finding| finding.code == Code::Trunc), "{verdict:?}");
    // The key has signed more than is here: records are taken, nothing is signed.
    assert_eq!(store.unsigned(), []);
    append(&store, "wednesday").unwrap();
    let told = store.unsigned();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].project == project && told[0].reason.contains("--new-epoch"), "{told:?}");
    let error = store.seal(&project).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity("E-FORK"), "{error}");
    assert_eq!(store.head(&project).unwrap().unwrap().range.size(), 7);
}
