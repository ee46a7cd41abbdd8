//! Exit codes, environment variables, and the sentences that go with them.

use std::fs;
use std::process::Stdio;

use session::Session;

mod session;

#[test]
fn zero_is_done_and_verified() {
    let session = Session::with_demo();
    for verb in ["verify", "history", "summary", "sheets", "seal", "tail", "open"] {
        session.run(&[verb, "traces", "demo"]).done();
    }
    session.run(&["verify", "traces", "demo", "--level", "L2"]).done();
    session.run(&["--version"]).done();
    session.run(&["help", "verify"]).done();
}

#[test]
fn one_is_tampered_or_an_invalid_sheet() {
    let session = Session::with_demo();
    let file = session.folder.join("traces/demo_trace_log.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("0.97", "0.99")).unwrap();
    let said = session.run(&["verify", "traces", "demo"]);
    assert_eq!(said.code, 1);
    assert!(said.out().starts_with("TAMPERED"), "{}", said.out());
    assert!(said.out().contains("entry 3"), "{}", said.out());
    session.run(&["copy", "traces", "backup"]).fails(1, "entry 3");
    session.run(&["copy", "traces", "backup"]).fails(1, "help: `quark-trace verify` shows");
    fs::write(session.folder.join("sheet.yaml"), "purpose: 3\n").unwrap();
    session.run(&["check", "sheet.yaml"]).fails(1, "sheet.yaml");
    session.run(&["check", "sheet.yaml", "--quiet"]).fails(1, "sheet.yaml");
    session.run(&["open", "other", "--sheet", "sheet.yaml"]).fails(1, "is not valid");
    // Those behind one that cannot be read are checked too.
    let said = session.run(&["check", "none.yaml", "sheet.yaml", "fact_sheet.yaml"]);
    said.fails(1, "could not read none.yaml");
    said.fails(1, "sheet.yaml:1:");
    assert!(said.out().contains("valid  fact_sheet.yaml"), "{}", said.out());
    session.run(&["check", "none.yaml", "fact_sheet.yaml"]).fails(2, "none.yaml");
    assert!(!session.folder.join("other").exists(), "nothing was written");
}

#[test]
fn a_record_that_could_not_be_signed_for_is_said_to_be_in_the_log() {
    let session = Session::with_demo();
    session.run(&["log", "sqlite:t.db", "demo", "train"]).done();
    for (store, file, backup) in [("traces", "traces", "backup"), ("sqlite:t.db", "t.db", "b.db")] {
        session.plain("cp", &["-r", file, backup]).status().unwrap();
        session.run(&["log", store, "demo", "deployment"]).done();
        session.plain("rm", &["-r", file]).status().unwrap();
        session.plain("mv", &[backup, file]).status().unwrap();
        // The key has signed what the backup does not have.
        for more in [&[][..], &["--json"]] {
            let said = session.run(&[&["log", store, "demo", "later"], more].concat());
            let warned =
                "warning: the record is in the log, but no checkpoint was signed over it: ";
            assert!(said.err().contains(warned), "{store}: {}", said.err());
            assert!(!said.err().contains("nothing was written"), "{}", said.err());
            assert!(said.done().contains("later"));
        }
        let logged = session.run(&["history", store, "demo", "--stage", "later"]).done();
        assert_eq!(logged.lines().count(), 1 + 2, "{logged}");
        let adopt = ["stages", store, "demo", "--use", "training"];
        session.run(&adopt).fails(1, "help: the schema is in force all the same, entry ");
    }
    let amend = ["amend", "traces", "demo", "domain=X", "--by", "me", "--reason", "so"];
    session.run(&amend).fails(1, "help: the fact sheet is amended all the same");
    session.run(&["sheets", "traces", "demo", "--show", "2"]).done();
}

#[test]
fn a_backup_that_was_put_back_is_sealed_only_when_somebody_says_so() {
    let session = Session::with_demo();
    session.plain("cp", &["-r", "traces", "backup"]).status().unwrap();
    session.run(&["log", "traces", "demo", "deployment"]).done();
    session.run(&["log", "backup", "demo", "deployment"]).done();
    session.run(&["seal", "backup", "demo"]).fails(1, "seal --new-epoch REASON");
    let said = session.run(&["verify", "backup", "demo"]);
    assert_eq!(
        (said.code, said.out().contains("signed  4 of 5 entries")),
        (0, true),
        "{}",
        said.out()
    );
    session.run(&["seal", "backup", "demo", "--new-epoch", "the disk failed"]).done();
    let history = session.run(&["history", "backup", "demo"]).done();
    assert!(history.contains("new_epoch") && history.contains("the disk failed"), "{history}");
    session.run(&["log", "backup", "demo", "incident"]).done();
    session.run(&["seal", "backup", "demo"]).done();
    session.run(&["seal", "traces", "demo"]).done();
}

#[test]
fn processes_that_sign_logs_of_one_name_at_the_same_time_all_get_a_signature() {
    let session = Session::new();
    let stores = ["a", "b", "c"];
    for _ in 0..4 {
        let start = |store: &&str| {
            let mut command = session.command(&["log", store, "demo", "round", "--sync"]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let running: Vec<_> = stores.iter().chain(&stores).map(start).collect();
        for child in running {
            session::Said::from(child.wait_with_output().unwrap()).done();
        }
    }
    for store in stores {
        session.run(&["seal", store, "demo"]).done();
        let said = session.run(&["verify", store, "demo", "--level", "L2"]).done();
        assert!(said.contains("signed  9 of 9 entries"), "{said}");
    }
}

#[test]
fn two_is_incomplete_or_failed() {
    let session = Session::with_demo();
    let said = session.run(&["verify", "traces", "demo", "--level", "L3"]);
    assert_eq!(said.code, 2);
    assert!(said.out().starts_with("INCOMPLETE"), "{}", said.out());
    let said = session.run(&["verify", "traces", "nothing"]);
    said.fails(2, "there is no project \"nothing\"");
    said.fails(2, "help: it has: demo");
    session.run(&["check", "missing.yaml"]).fails(2, "help: `quark-trace init`");
    session.run(&["init", "demo"]).fails(2, "is not overwritten");
    session.run(&["prove", "traces", "demo", "99"]).fails(2, "entry 99");
    session.run(&["prove", "traces", "demo", "no-such-id"]).fails(2, "no record has the id");
    session.run(&["sheets", "traces", "demo", "--diff", "1", "7"]).fails(2, "no version 7");
    session.run(&["history", "fact_sheet.yaml", "demo"]).fails(2, "it is a file");
    session.run(&["log", "traces", "demo", "x", "--payload", "@none.json"]).fails(2, "none.json");
}

#[test]
fn three_is_wrong_usage() {
    let session = Session::with_demo();
    session.run(&[]).fails(3, "Usage");
    session.run(&["frobnicate"]).fails(3, "frobnicate");
    session.run(&["verify"]).fails(3, "help: write `quark-trace VERB STORE PROJECT`");
    session.run(&["verify", "demo"]).fails(3, "one word is a project");
    session.run(&["verify", "traces/"]).fails(3, "no project is named");
    session.run(&["verify", "traces", "../x"]).fails(3, "starts with a dot");
    session.run(&["verify", "traces", "demo", "--level", "L9"]).fails(3, "L9");
    session.run(&["verify", "traces", "demo", "--key", "nonsense"]).fails(3, "--key");
    session.run(&["verify", "redis:x", "demo"]).fails(3, "redis");
    session.run(&["log", "traces", "demo", "a=1"]).fails(3, "project");
    session.run(&["log", "traces", "demo", "s", "a=1", "b"]).fails(3, "is not NAME=VALUE");
    session.run(&["log", "traces", "demo", "s", "a=1", "a=2"]).fails(3, "twice");
    session.run(&["log", "traces", "demo", "s", "a=1", "--payload", "{}"]).fails(3, "not both");
    session.run(&["log", "traces", "demo", "s", "--payload", "[1]"]).fails(3, "payload");
    let amend = |field: &str| {
        session.run(&["amend", "traces", "demo", field, "--by", "me", "--reason", "because"])
    };
    amend("nonsense=1").fails(3, "nonsense");
    amend("project_id=other").fails(3, "project_id");
    session.run(&["amend", "traces", "demo", "domain=X", "--by", "me"]).fails(3, "--reason");
}

#[test]
fn a_url_in_the_wrong_place_shows_no_password() {
    let session = Session::with_demo();
    let url = "postgres://me:geheim@127.0.0.1:1/d";
    for words in [
        &[url, "verify"][..],
        &["verify", "traces", url],
        &["verify", "traces", "demo", "--checkpoint", url],
        &["log", "demo", url, "s", "a=1"],
        &["log", "traces", "demo", "s", "a=1", url],
        &["log", url, "demo", "s", "a=1"],
        &["verify", "traces", "demo", "--level", url],
        &["copy", "traces", url],
    ] {
        let said = session.run(words);
        assert!(said.code >= 2, "{words:?}: {}", said.out());
        let shown = format!("{}{}", said.err(), said.out());
        assert!(!shown.contains("geheim"), "{words:?}: {shown}");
    }
    session.run(&["log", url, "demo", "s", "a=1"]).fails(2, "nothing was written");
}

#[test]
fn a_payload_over_a_limit_is_wrong_usage() {
    let session = Session::with_demo();
    let log = |payload: &str| {
        fs::write(session.folder.join("payload.json"), payload).unwrap();
        session.run(&["log", "traces", "demo", "s", "--payload", "@payload.json"])
    };
    log(&format!("{{\"text\": \"{}\"}}", "x".repeat(17 << 20))).fails(3, "the limit is");
    let deep = |levels: usize| format!("{{\"a\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
    log(&deep(100_000)).fails(3, "nested");
    log("{\"a\": 1").fails(3, "payload");
    let before = session.run(&["history", "traces", "demo", "--json"]).done();
    assert_eq!(before.lines().count(), 2, "nothing was written");
    log(&format!("{{\"text\": \"{}\"}}", "x".repeat(15 << 20))).done();
    log(&deep(100)).done();
    session.run(&["verify", "traces", "demo"]).done();
}

#[test]
fn one_project_that_cannot_be_copied_does_not_keep_the_others_from_it() {
    let session = Session::with_demo();
    for project in ["a", "b", "c"] {
        for stage in ["one", "two", "three"] {
            session.run(&["log", "traces", project, stage]).done();
        }
    }
    // One row of b is missing.
    let file = session.folder.join("traces/b_trace_log.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let without: Vec<_> = text.lines().filter(|line| !line.contains("\"two\"")).collect();
    fs::write(&file, without.join("\n") + "\n").unwrap();
    let said = session.run(&["copy", "traces", "backup", "a", "nothing", "b", "c", "--json"]);
    assert_eq!(said.code, 1, "the worst: {}", said.err());
    assert!(said.err().contains("error: nothing: "), "{}", said.err());
    assert!(said.err().contains("error: b: could not copy the log: "), "{}", said.err());
    assert!(said.err().contains("entry 2"), "{}", said.err());
    let done: Vec<serde_json::Value> =
        said.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done: Vec<_> = done.iter().map(|line| line["project_id"].as_str().unwrap()).collect();
    assert_eq!(done, ["a", "c"]);
    for project in ["a", "c"] {
        session.run(&["verify", "backup", project, "--level", "L2"]).done();
    }
    session.run(&["verify", "backup", "b"]).fails(2, "there is no project");
    session.run(&["copy", "traces", "backup", "a", "nothing", "c"]).fails(2, "error: nothing: ");
}

#[test]
fn the_environment_stands_in_for_words() {
    let session = Session::with_demo();
    let (store, project) = (("QUARK_TRACE_STORE", "traces"), ("QUARK_TRACE_PROJECT", "demo"));
    let both = [store, project];
    for verb in ["verify", "history", "summary", "sheets", "tail", "seal", "open"] {
        session.run_with(&both, &[verb]).done();
        session.run_with(&[store], &[verb, "demo"]).done();
        session.run_with(&[project], &[verb, "traces"]).done();
        session.run_with(&[project, ("QUARK_TRACE_STORE", "none")], &[verb, "./traces"]).done();
        session.run_with(&[store, ("QUARK_TRACE_PROJECT", "none")], &[verb, "demo"]).done();
    }
    session.run_with(&both, &["log", "stage", "a=1"]).done();
    session.run_with(&both, &["prove", "2"]).done();
    session.run_with(&[store], &["projects"]).done();
    session.run_with(&both, &["amend", "domain=X", "--by", "me", "--reason", "because"]).done();
    session.run_with(&[store], &["open", "--sheet", "fact_sheet.yaml"]).done();
    let empty = [("QUARK_TRACE_STORE", ""), ("QUARK_TRACE_PROJECT", "")];
    session.run_with(&empty, &["verify"]).fails(3, "no store");
}

#[test]
fn the_key_is_where_it_was_asked_to_be() {
    let session = Session::new();
    let log = |variables: &[(&str, &str)], without: &[&str]| {
        let mut command = session.command(&["log", "traces", "demo", "stage"]);
        command.env_remove("QUARK_TRACE_KEYS").env_remove("XDG_CONFIG_HOME").env_remove("HOME");
        for name in without {
            command.env_remove(name);
        }
        session::Said::from(command.envs(variables.iter().copied()).output().unwrap())
    };
    let folder = |name: &str| session.folder.join(name).to_string_lossy().into_owned();
    log(&[("QUARK_TRACE_KEYS", &folder("a"))], &[]).done();
    log(&[("XDG_CONFIG_HOME", &folder("b"))], &[]).done();
    log(&[("HOME", &folder("c"))], &[]).done();
    for key in ["a/log.key", "b/quark-trace/log.key", "c/.config/quark-trace/log.key"] {
        assert!(session.folder.join(key).is_file(), "{key}");
    }
    let said = log(&[], &["APPDATA"]);
    assert!(said.err().contains("the log goes on unsigned"), "{}", said.err());
    said.done();
    assert_eq!(session.run(&["history", "traces", "demo", "--json"]).done().lines().count(), 4);
}

#[test]
fn reading_makes_no_key() {
    let session = Session::with_demo();
    fs::remove_dir_all(session.folder.join("keys")).unwrap();
    for verb in ["verify", "history", "summary", "sheets", "tail"] {
        session.run(&[verb, "traces", "demo"]).done();
    }
    session.run(&["prove", "traces", "demo", "2"]).done();
    session.run(&["projects", "traces"]).done();
    assert!(!session.folder.join("keys").exists());
}

#[test]
fn values_are_json_or_text() {
    let session = Session::with_demo();
    let words = ["a=1", "b=1.50", "c=true", "d=null", "e=[1, {\"x\": 2}]", "f=text", "g=\"1\""];
    let more = ["h=", "i=a=b", "j=NaN", "k=18446744073709551617", "val/loss=0.2"];
    let mut arguments = vec!["log", "traces", "demo", "values", "--json"];
    arguments.extend(words.iter().chain(&more));
    let line = session.run(&arguments).done();
    for part in [
        r#""a": 1, "b": 1.50, "c": true, "d": null, "e": [1, {"x": 2}], "f": "text", "g": "1""#,
        r#""h": "", "i": "a=b", "j": {"$numberDouble": "NaN"}, "k": 18446744073709551617"#,
        r#""val/loss": 0.2"#,
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let stored = session.run(&["history", "traces", "demo", "--json", "-n", "1"]).done();
    assert_eq!(line, stored, "what log shows is what is stored");
}

#[test]
fn colours_are_asked_for() {
    let session = Session::with_demo();
    let verify = ["verify", "traces", "demo"];
    let forced = ("CLICOLOR_FORCE", "1");
    assert!(!session.run(&verify).done().contains('\u{1b}'));
    assert!(session.run_with(&[forced], &verify).done().contains('\u{1b}'));
    let both = [forced, ("NO_COLOR", "1")];
    assert!(!session.run_with(&both, &verify).done().contains('\u{1b}'));
    let json = session.run_with(&[forced], &["verify", "traces", "demo", "--json"]).done();
    assert!(!json.contains('\u{1b}'));
}

#[test]
fn json_of_every_verb_is_json() {
    let session = Session::with_demo();
    for verb in [
        &["init", "other", "--file", "other.yaml"] as &[&str],
        &["open", "traces", "demo"],
        &["log", "traces", "demo", "s", "a=1"],
        &["history", "traces", "demo"],
        &["summary", "traces", "demo"],
        &["amend", "traces", "demo", "domain=K\u{f6}ln", "--by", "me", "--reason", "because"],
        &["sheets", "traces", "demo"],
        &["sheets", "traces", "demo", "--diff", "1", "2"],
        &["verify", "traces", "demo"],
        &["prove", "traces", "demo", "2"],
        &["seal", "traces", "demo"],
        &["copy", "traces", "backup"],
        &["tail", "traces", "demo"],
        &["projects", "traces"],
        &["check", "fact_sheet.yaml"],
    ] {
        let said = session.run(&[verb, &["--json"]].concat()).done();
        assert!(said.is_ascii() && !said.is_empty(), "{verb:?}: {said}");
        for line in said.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value.is_object(), "{verb:?}: {line}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let session = Session::with_demo();
    for verb in ["history", "verify", "summary", "sheets", "tail"] {
        for json in [&[] as &[&str], &["--json"]] {
            let mut command = session.command(&[&[verb, "traces", "demo"], json].concat());
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let done = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
            let said = session::Said::from(done.wait_with_output().unwrap());
            assert_eq!((said.code, said.err().as_str()), (0, ""), "{verb}");
        }
    }
    let mut command = session.command(&["verify", "traces", "nothing"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(command.stderr(writer).status().unwrap().code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_an_error() {
    let session = Session::with_demo();
    for verb in ["history", "verify", "summary"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = session.command(&[verb, "traces", "demo"]);
        let done = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        session::Said::from(done.wait_with_output().unwrap())
            .fails(2, "could not write the output");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let session = Session::with_demo();
    let key = session.folder.join("keys/log.key");
    let seal = || {
        let said = session.run(&["seal", "traces", "demo"]);
        assert_eq!(said.code, 0, "{}", said.err());
        said.err()
    };
    assert_eq!(seal(), "");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(seal().contains("warning: others than you can read the key"), "{}", seal());
}
