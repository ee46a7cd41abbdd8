//! What a person sees: tables that fit the terminal, readable text, colours.

use session::Session;

mod session;

/// What a terminal of `columns` shows; `None` where there is no program `script`.
fn terminal(session: &Session, columns: u32, arguments: &str) -> Option<String> {
    let command = format!("stty cols {columns}; {} {arguments}", session::COMMAND);
    let shown = session.plain("script", &["-qec", &command, "typescript"]).output().ok()?;
    Some(String::from_utf8(shown.stdout).unwrap().replace("\r\n", "\n"))
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn tables_fit_the_terminal() {
    let session = Session::with_demo();
    let long = format!("note={}", "many words in a row ".repeat(15));
    session.run(&["log", "traces", "demo", "a_stage_with_a_long_name", &long]).done();
    for columns in [60, 80, 100, 160] {
        for verb in ["history", "summary", "verify"] {
            let Some(shown) = terminal(&session, columns, &format!("{verb} traces demo")) else {
                return;
            };
            // Hashes and keys stay in one piece.
            let whole = |line: &&str| !line.starts_with("root ") && !line.starts_with("key ");
            let shown = without_colours(&shown);
            for line in shown.lines().filter(whole) {
                // A bar was wiped away before it.
                let line = line.rsplit('\r').next().unwrap();
                let length = line.chars().count();
                assert!(length <= columns as usize, "{verb} at {columns}: {length} {line:?}");
            }
        }
    }
}

#[test]
fn a_terminal_that_does_not_know_its_width_gets_whole_words() {
    let session = Session::with_demo();
    for (verb, words) in [
        ("history", "evaluation  accuracy=0.97 ok=true"),
        ("summary", "purpose   Detect fraudulent card payments"),
        ("verify", "proves nothing against people"),
    ] {
        let Some(shown) = terminal(&session, 0, &format!("{verb} traces demo")) else { return };
        assert!(without_colours(&shown).contains(words), "{verb}: {shown}");
    }
}

#[test]
fn a_terminal_gets_colours_and_a_pipe_does_not() {
    let session = Session::with_demo();
    let Some(shown) = terminal(&session, 100, "verify traces demo") else { return };
    assert!(shown.contains("\u{1b}[1m\u{1b}[32mVERIFIED at level L2"), "{shown:?}");
    assert!(session.run(&["verify", "traces", "demo"]).done().starts_with("VERIFIED at level L2"));
}

#[test]
fn long_work_shows_a_bar_on_a_terminal_and_only_there() {
    let session = Session::with_demo();
    for round in 0..5 {
        session.run(&["log", "traces", "demo", "round", &format!("round={round}")]).done();
    }
    session.run(&["seal", "traces", "demo"]).done();
    for (number, (verb, word)) in
        [("verify traces demo", "verifying"), ("copy traces backup", "copying")].iter().enumerate()
    {
        let Some(shown) = terminal(&session, 100, verb) else { return };
        assert!(shown.contains(word), "{verb}: {shown:?}");
        // It is wiped away before the result is shown.
        let result = shown.rfind(["VERIFIED", "copied"][number]).unwrap();
        assert!(!shown[result..].contains(word), "{verb}: {shown:?}");
        let Some(quiet) = terminal(&session, 100, &format!("{verb} --quiet")) else { return };
        assert!(!quiet.contains(word), "{verb}: {quiet:?}");
        let words: Vec<_> = verb.split(' ').collect();
        let said = session.run(&words);
        assert_eq!((said.code, said.err()), (0, String::new()), "{verb}");
    }
}

#[test]
fn text_is_read_and_not_spelled() {
    let session = Session::new();
    let note = "note=\u{dc}berpr\u{fc}fung \u{1f600}";
    session.run(&["log", "traces", "demo", "\u{8a55}\u{4fa1}", note]).done();
    let shown = session.run(&["history", "traces", "demo"]).done();
    assert!(shown.contains("\u{8a55}\u{4fa1}"), "{shown}");
    assert!(shown.contains("note=\"\u{dc}berpr\u{fc}fung \u{1f600}\""), "{shown}");
    assert!(session.run(&["history", "traces", "demo", "--json"]).done().is_ascii());
}

#[test]
fn quiet_says_nothing_but_what_was_asked_for() {
    let session = Session::with_demo();
    for arguments in [
        &["log", "traces", "demo", "s", "a=1", "-q"] as &[&str],
        &["amend", "traces", "demo", "domain=X", "--by", "me", "--reason", "because", "-q"],
        &["seal", "traces", "demo", "-q"],
        &["copy", "traces", "backup", "-q"],
        &["prove", "traces", "demo", "2", "--out", "proof", "-q"],
        &["init", "demo", "--file", "another.yaml", "-q"],
    ] {
        let said = session.run(arguments);
        assert_eq!((said.code, said.out(), said.err()), (0, String::new(), String::new()));
    }
    let history = session.run(&["history", "traces", "demo", "-q"]).done();
    assert_eq!(history.lines().count(), 4, "{history}");
}

#[test]
fn the_history_names_entries_as_other_verbs_do() {
    let session = Session::with_demo();
    let history = session.run(&["history", "traces", "demo", "--stage", "evaluation"]).done();
    let index = history.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    let line = session.run(&["history", "traces", "demo", "--json", "-n", "1"]).done();
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    let id = record["record_id"].as_str().unwrap();
    let by_index = session.run(&["prove", "traces", "demo", index, "-q"]).done();
    assert_eq!(by_index, session.run(&["prove", "traces", "demo", id, "-q"]).done());
}
