//! A process that forks, as training programs do: the child forgets the parent's connections.

use quark_trace::keys::Keyring;
use quark_trace::store::{PostgresStore, Store};

use crate::server::{Schema, count};
use crate::sharing::append;

/// Runs `work` in a forked child and gives its exit status.
fn in_child(work: impl FnOnce()) -> i32 {
    // SAFETY: the child runs nothing of the harness; it leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: ends this process at once, without the clean-up of the parent.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    status
}

#[test]
fn a_child_leaves_the_connections_of_its_parent_alone() {
    let schema = Schema::new();
    let url = format!("{}&application_name={}", schema.url, schema.name);
    let keys = Keyring::load_or_create(&schema.keys).unwrap();
    let sessions = || -> Vec<i32> {
        let query = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY pid";
        let rows = schema.client().query(query, &[&schema.name]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let mut store = Some(PostgresStore::new(&url).unwrap().with_keys(keys));
    append(store.as_ref().unwrap(), "parent-0").unwrap();
    for n in 1..4 {
        let before = sessions();
        assert_eq!(before.len(), 1, "the parent keeps its connection");
        let status = in_child(|| {
            // What was inherited is used as if nothing had happened, and then dropped.
            let store = store.take().unwrap();
            append(&store, &format!("child-{n}")).unwrap();
            drop(store);
        });
        assert_eq!(status, 0, "the child failed");
        while sessions().len() > 1 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(sessions(), before, "the child ended a connection that is not its own");
        append(store.as_ref().unwrap(), &format!("parent-{n}")).unwrap();
        assert_eq!(sessions(), before);
        assert_eq!(
            (count(&schema, &format!("child-{n}")), count(&schema, &format!("parent-{n}"))),
            (1, 1)
        );
    }
    let store = store.unwrap();
    store.before_fork().unwrap();
    while !sessions().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    append(&store, "after").unwrap();
}
