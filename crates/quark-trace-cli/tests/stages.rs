//! `stages`: listing, showing, holding to, drafting and covering.

use std::fs;

use serde_json::Value;
use session::Session;

mod session;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

#[test]
fn the_vocabulary_needs_no_project() {
    let session = Session::new();
    let list = session.run(&["stages"]).done();
    assert!(list.contains("client_round") && list.contains("legal_hold"), "{list}");
    let list = json(&session.run(&["stages", "--json"]).done());
    assert_eq!(list["vocabulary"].as_array().unwrap().len(), 43);
    let shown = session.run(&["stages", "--show", "aggregation_round"]).done();
    assert!(shown.contains("quark:stage/aggregation/1") && shown.contains("required"), "{shown}");
    let schema = json(&session.run(&["stages", "--show", "client_round", "--json"]).done());
    assert_eq!(schema["required"], serde_json::json!(["round"]));
    session.run(&["stages", "--show", "client_ruond"]).fails(2, "did you mean client_round?");
    session.run(&["stages", "--show", "coffee"]).fails(2, "has no schema");
    session.run(&["stages", "--coverage"]).fails(3, "no store");
    session.run(&["stages", "--mode", "warn"]).fails(3, "--use");
    session.run(&["stages", "--use", "a", "--mode", "loud"]).fails(3, "off, warn or strict");
}

#[test]
fn a_project_is_held_to_what_it_uses() {
    let session = Session::with_demo();
    let run = |more: &[&str]| {
        let mut arguments = vec!["stages", "traces", "demo"];
        arguments.extend(more);
        session.run(&arguments)
    };
    let log = |words: &[&str]| {
        let mut arguments = vec!["log", "traces", "demo"];
        arguments.extend(words);
        session.run(&arguments)
    };
    assert!(run(&["--use", "client_round"]).done().contains("client_round: warn  entry 4"));
    let warned = log(&["client_round", "round=one"]);
    assert_eq!(warned.code, 0);
    assert!(
        warned.err().contains("/round: expected a whole number, came text \"one\""),
        "{}",
        warned.err()
    );
    let said = json(&run(&["--use", "client_round", "--mode", "strict", "--json"]).done());
    assert_eq!(said, serde_json::json!({"stage": "client_round", "mode": "strict", "entry": 6}));
    let refused = log(&["client_round", "round=one", "accuracy=97"]);
    refused.fails(3, "/round: expected a whole number");
    refused.fails(3, "/accuracy: expected at most 1, came 97");
    refused.fails(3, "nothing was written");
    log(&["client_round", "round=1"]).done();

    fs::write(session.folder.join("mine.json"), "{\"required\": [\"who\"]}").unwrap();
    run(&["--use", "mine", "--schema", "mine.json", "--mode", "strict"]).done();
    log(&["mine", "what=x"]).fails(3, "/who: expected a value");
    run(&["--use", "other", "--schema", "quark:stage/client_round/1"]).done();
    run(&["--use", "other", "--schema", "quark:stage/nothing/1"]).fails(3, "no schema");
    run(&["--use", "other", "--schema", "absent.json"]).fails(2, "could not read the schema");
    run(&["--use", "unheard_of"]).fails(2, "the vocabulary has no stage");
    for (text, said) in [
        ("{\"type\": 7}", "not acceptable"),
        ("{\"$ref\": \"https://example.org/\"}", "/$ref"),
        ("[]", "JSON object"),
    ] {
        fs::write(session.folder.join("bad.json"), text).unwrap();
        run(&["--use", "mine", "--schema", "bad.json"]).fails(3, said);
    }
    run(&["--use", "*", "--mode", "warn"]).done();

    let list = run(&[]).done();
    assert!(list.contains("strict (entry 6)") && list.contains("every stage without"), "{list}");
    let list = json(&run(&["--json"]).done());
    let strict = list["in_force"].as_array().unwrap().iter().find(|one| one["stage"] == "mine");
    assert_eq!(strict.unwrap()["mode"], "strict");
    assert_eq!(list["records"]["client_round"], 2);
    let object = run(&["--show", "client_round", "--json"]).done();
    assert!(object.starts_with("{\"x-quark-mode\": \"strict\""), "{object}");

    let verdict = session.run(&["verify", "traces", "demo"]).done();
    assert!(verdict.contains("W-SCHEMA") && verdict.contains("entry 5"), "{verdict}");
    let summary = session.run(&["summary", "traces", "demo"]).done();
    assert!(summary.contains("1 record(s) of stage client_round break"), "{summary}");
    let summary = json(&session.run(&["summary", "traces", "demo", "--json"]).done());
    assert_eq!(summary["schema_faults"][0]["faults"][0]["path"], "/round");
}

#[test]
fn a_draft_can_be_used_and_coverage_names_slips() {
    let session = Session::with_demo();
    for round in 0..3 {
        let round = format!("round={round}");
        session.run(&["log", "traces", "demo", "client_ruond", &round, "loss=0.5"]).done();
    }
    session.run(&["log", "traces", "demo", "experiment_end"]).done();
    let draft = session.run(&["stages", "traces", "demo", "--infer", "client_ruond"]).done();
    assert_eq!(json(&draft)["required"], serde_json::json!(["round", "loss"]));
    fs::write(session.folder.join("draft.json"), draft).unwrap();
    let adopt = ["stages", "traces", "demo", "--use", "client_ruond", "--schema", "draft.json"];
    session.run(&adopt).done();
    session.run(&["stages", "traces", "demo", "--infer", "none"]).fails(2, "no records of stage");
    let coverage = session.run(&["stages", "traces", "demo", "--coverage"]).done();
    assert!(coverage.contains("client_ruond  3 records  did you mean client_round?"), "{coverage}");
    assert!(coverage.contains("experiment_end  1 record  as project_end"), "{coverage}");
    assert!(coverage.contains("lacks 40"), "{coverage}");
    let coverage = session.run(&["stages", "traces", "demo", "--coverage", "--json"]).done();
    assert_eq!(json(&coverage)["unknown"][0]["suggestion"], "client_round");
}

#[test]
fn a_schema_that_is_gone_is_said_to_be_gone() {
    let session = Session::with_demo();
    session.run(&["stages", "traces", "demo", "--use", "training", "--mode", "strict"]).done();
    let ledger = fs::read_to_string(session.folder.join("traces/demo.qtlog/ledger")).unwrap();
    let digest = ledger.split("\nschema sha256:").nth(1).unwrap();
    let object = session.folder.join(format!("traces/demo.qtlog/objects/{}", &digest[..2]));
    let object = fs::read_dir(object).unwrap().next().unwrap().unwrap().path();
    for gone in [false, true] {
        if gone {
            fs::remove_file(&object).unwrap();
        } else {
            fs::write(&object, "{}").unwrap();
        }
        let listed = session.run(&["stages", "traces", "demo"]).done();
        let said = "the schema is missing, or is not the one that its entry names";
        assert!(listed.contains(said), "{listed}");
        session.run(&["stages", "traces", "demo", "--show", "training"]).fails(2, said);
        session.run(&["verify", "traces", "demo"]).fails(1, "");
    }
}

#[test]
fn a_mode_belongs_to_what_is_used() {
    let session = Session::with_demo();
    for other in [&["--show", "training"][..], &["--infer", "train"], &["--coverage"], &[]] {
        for option in [&["--mode", "strict"][..], &["--schema", "x.json"]] {
            let said = session.run(&[&["stages", "traces", "demo"], other, option].concat());
            assert_eq!(said.code, 3, "{other:?} {option:?}: {}{}", said.out(), said.err());
        }
    }
}

#[test]
fn names_and_values_cannot_drive_the_terminal() {
    let session = Session::with_demo();
    let hostile = "st\u{1b}[2Jage\u{202e}x";
    let closed = "{\"additionalProperties\": false, \"title\": \"\u{202e}\", \
                  \"description\": \"\u{9b}31m\"}";
    fs::write(session.folder.join("closed.json"), closed).unwrap();
    let store = ["stages", "traces", "demo"];
    let run = |more: &[&str]| session.run(&[&store, more].concat());
    let mut said = vec![run(&["--use", hostile, "--schema", "closed.json"])];
    let pair = format!("{hostile}={hostile}");
    said.push(session.run(&["log", "traces", "demo", hostile, &pair]));
    said.push(run(&["--use", hostile, "--mode", "strict"]));
    said.push(session.run(&["log", "traces", "demo", hostile, &pair]));
    said.push(session.run(&["summary", "traces", "demo"]));
    said.push(session.run(&["verify", "traces", "demo"]));
    said.extend([run(&[]), run(&["--json"]), run(&["--coverage"]), run(&["--show", hostile])]);
    said.extend([run(&["--infer", hostile, "--json"]), run(&["--use", &format!("{hostile}!")])]);
    for said in said {
        let text = said.out() + &said.err();
        let bad = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(bad), "{text:?}");
    }
}
