//! `verify` with what the person brings along: keys and checkpoints.

use std::fs;

use session::Session;

mod session;

/// A verifier key of nobody here.
const OTHER: &str =
    "trace.example.org/tlog/demo+62f8fa13+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

fn vkey(session: &Session) -> String {
    fs::read_to_string(session.folder.join("traces/demo.qtlog/log.vkey")).unwrap()
}

#[test]
fn a_key_from_a_file_is_the_one_that_counts() {
    let session = Session::with_demo();
    session.run(&["seal", "traces", "demo"]).done();
    fs::write(session.folder.join("known"), format!("\n{OTHER}\n{}", vkey(&session))).unwrap();
    let said = session.run(&["verify", "traces", "demo", "--level", "L2", "--key", "@known"]);
    assert!(said.done().contains("(given by you)"));
    // The key beside the log is not asked when one is given.
    fs::write(session.folder.join("other"), OTHER).unwrap();
    for key in ["@other", OTHER] {
        let said = session.run(&["verify", "traces", "demo", "--key", key]);
        assert_eq!(said.code, 1, "{}", said.out());
        assert!(said.out().contains("E-KEY  the checkpoint is of l-"), "{}", said.out());
        assert!(said.out().contains("the key you gave of trace.example.org"), "{}", said.out());
    }
}

#[test]
fn the_key_of_another_who_uses_the_same_name_is_named() {
    let session = Session::with_demo();
    session.run(&["seal", "traces", "demo"]).done();
    let name = vkey(&session).split('+').next().unwrap().to_owned();
    let origin = quark_trace::core::ledger::Origin::parse(&name).unwrap();
    let keys = quark_trace::keys::Keyring::load_or_create(&session.folder.join("theirs")).unwrap();
    let theirs = keys.signer(&origin).verifier().to_string();
    let said = session.run(&["verify", "traces", "demo", "--key", &theirs]);
    assert_eq!(said.code, 1);
    assert!(
        said.out().contains("is not signed by the key (with the key you gave"),
        "{}",
        said.out()
    );
}

#[test]
fn keys_that_are_none_are_wrong_usage() {
    let session = Session::with_demo();
    let key = |key: &str| session.run(&["verify", "traces", "demo", "--key", key]);
    key("@none").fails(2, "could not read none for --key: No such file");
    key("@traces").fails(2, "could not read traces for --key: it is a folder");
    fs::write(session.folder.join("bad"), format!("{OTHER}\nrubbish\n")).unwrap();
    key("@bad").fails(3, "--key @bad, line 2: not a verifier key: no + after the name");
    // Nothing would be pinned.
    fs::write(session.folder.join("empty"), "\n \n").unwrap();
    key("@empty").fails(3, "--key @empty: there is no key in it");
    key("").fails(3, "there is no key in it");
}

#[test]
fn a_checkpoint_that_is_none_is_wrong_usage() {
    let session = Session::with_demo();
    let checkpoint = |file: &str| session.run(&["verify", "traces", "demo", "--checkpoint", file]);
    fs::write(session.folder.join("rubbish"), "rubbish\n").unwrap();
    fs::write(session.folder.join("bytes"), b"\xff\xfe\x00").unwrap();
    for file in ["rubbish", "bytes", "fact_sheet.yaml"] {
        checkpoint(file).fails(3, &format!("--checkpoint {file}: it is not a signed note"));
    }
    checkpoint("none").fails(2, "could not read none for --checkpoint");
    checkpoint("traces").fails(2, "it is a folder");
}

#[test]
fn a_log_that_lost_its_checkpoint_is_not_taken_for_one_that_never_had_any() {
    let session = Session::with_demo();
    session.run(&["seal", "traces", "demo"]).done();
    let key = vkey(&session);
    let folder = session.folder.join("traces/demo.qtlog");
    fs::remove_file(folder.join("checkpoint")).unwrap();
    let said = session.run(&["verify", "traces", "demo"]);
    assert_eq!(said.code, 2, "{}", said.out());
    let beside = "E-SIG  a key lies beside the log and there is no checkpoint that it signed";
    assert!(said.out().contains(beside), "{}", said.out());
    // Whoever brings the key finds it out when the one beside the log was removed as well.
    fs::remove_file(folder.join("log.vkey")).unwrap();
    session.run(&["verify", "traces", "demo"]).done();
    let said = session.run(&["verify", "traces", "demo", "--key", &key]);
    assert_eq!(said.code, 2, "{}", said.out());
    assert!(said.out().contains("E-SIG  you gave a key and there is no checkpoint"));
}

#[test]
fn a_seal_says_what_it_signed_and_not_what_others_did() {
    let session = Session::with_demo();
    session.run(&["seal", "traces", "demo"]).done();
    let elsewhere = [("QUARK_TRACE_KEYS", "other")];
    session.run_with(&elsewhere, &["log", "traces", "demo", "round", "round=1"]).done();
    let said = session.run_with(&elsewhere, &["seal", "traces", "demo"]);
    assert!(said.out().starts_with("chained, not signed  5 entries"), "{}", said.out());
    assert!(said.err().contains("the last checkpoint covers 4 of 5 entries"), "{}", said.err());
    let json = session.run_with(&elsewhere, &["seal", "traces", "demo", "--json"]).done();
    assert!(json.contains("\"signed\":false"), "{json}");
    assert!(session.run(&["seal", "traces", "demo"]).done().starts_with("sealed  5 entries"));
}

#[cfg(unix)]
#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let session = Session::with_demo();
    assert!(session.plain("mkfifo", &["fifo"]).status().unwrap().success());
    for arguments in [
        &["verify", "traces", "demo", "--key", "@fifo"] as &[&str],
        &["verify", "traces", "demo", "--checkpoint", "fifo"],
        &["verify", "traces", "demo", "--checkpoint", "/dev/zero"],
        &["check", "fifo"],
        &["open", "other", "--sheet", "fifo"],
    ] {
        session.run(arguments).fails(2, "it is not a plain file");
    }
    fs::create_dir(session.folder.join("piped")).unwrap();
    assert!(session.plain("mkfifo", &["piped/log.key"]).status().unwrap().success());
    let said = session.run_with(&[("QUARK_TRACE_KEYS", "piped")], &["seal", "traces", "demo"]);
    assert!(said.err().contains("it is not a plain file"), "{}", said.err());
    said.done();
}

#[test]
fn a_kept_checkpoint_finds_an_end_that_was_cut_off_and_a_history_that_was_rewritten() {
    let session = Session::with_demo();
    session.plain("cp", &["-r", "traces", "earlier"]).status().unwrap();
    for round in ["1", "2"] {
        session.run(&["log", "traces", "demo", "round", &format!("round={round}")]).done();
    }
    session.run(&["seal", "traces", "demo"]).done();
    session.plain("cp", &["traces/demo.qtlog/checkpoint", "kept"]).status().unwrap();
    let verify = |store: &str| session.run(&["verify", store, "demo", "--checkpoint", "kept"]);
    verify("traces").done();

    let said = verify("earlier");
    assert_eq!(said.code, 1);
    let cut =
        "E-TRUNC  the checkpoint you gave covers 6 entries, the ledger has 4: the end is missing";
    assert!(said.out().contains(cut), "{}", said.out());

    // Gone on elsewhere, signed with the same key because its owner said so.
    for round in ["7", "8"] {
        session.run(&["log", "earlier", "demo", "round", &format!("round={round}")]).done();
    }
    session.run(&["seal", "earlier", "demo", "--new-epoch", "to see what happens"]).done();
    session.run(&["verify", "earlier", "demo"]).done();
    let said = verify("earlier");
    assert_eq!(said.code, 1);
    let fork = "E-FORK  entries 0 to 5 do not have the root that the checkpoint you gave signs";
    assert!(said.out().contains(fork), "{}", said.out());
}
