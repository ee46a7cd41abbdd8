//! `index`: what a database has not taken up yet.

use session::Session;

mod session;

#[test]
fn projects_are_indexed_and_answer_as_before() {
    let session = Session::with_demo();
    session.run(&["copy", "traces", "sqlite:trace.db"]).done();
    let ask = ["query", "sqlite:trace.db", "demo", "payload.loss < 1", "--json"];
    let before = session.run(&ask).done();
    assert!(before.contains("train"), "{before}");
    let said = session.run(&["index", "sqlite:trace.db"]);
    assert!(said.out().contains("indexed  demo  4 entries"), "{}{}", said.out(), said.err());
    let said = session.run(&["index", "sqlite:trace.db", "demo", "nothing", "--json"]);
    said.fails(2, "error: nothing: there is no such project");
    assert_eq!(said.out(), "{\"project_id\":\"demo\",\"size\":4}\n");
    assert_eq!(session.run(&ask).done(), before);
    session.run(&["verify", "sqlite:trace.db", "demo"]).done();
}

#[test]
fn what_has_no_index_is_left_alone() {
    let session = Session::with_demo();
    session.run(&["index", "traces", "demo"]).done();
    session.run(&["index", "sqlite:none.db"]).fails(2, "there are no projects in sqlite:none.db");
    assert!(!session.folder.join("none.db").exists());
    session.run(&["index", "http://127.0.0.1:9", "demo"]).fails(3, "takes up by itself");
    session.run(&["index"]).fails(3, "STORE");
}
