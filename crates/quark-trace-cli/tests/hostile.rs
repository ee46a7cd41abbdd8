//! What others wrote, or what a file is called, cannot drive the terminal.

use std::fs;
use std::io::Write;

use session::{Said, Session};

mod session;

/// Every control character, direction mark, invisible character and line separator, each in the
/// middle of something, and the sequences that terminals act upon.
fn hostile() -> Vec<String> {
    let single = (0u32..0x20)
        .chain(0x7F..=0x9F)
        .chain([0xAD, 0x61C, 0x180E, 0xFEFF])
        .chain(0x200B..=0x200F)
        .chain(0x2028..=0x202E)
        .chain(0x2060..=0x206F)
        .chain(0xFFF9..=0xFFFB)
        .chain([0xE0001, 0xE0041, 0xE007F])
        .filter_map(char::from_u32)
        .map(|character| format!("be{character}hind"));
    let sequences = [
        "\u{1b}[2J\u{1b}[H",
        "\u{1b}[31mred",
        "\u{1b}]0;title\u{7}",
        "\u{1b}]52;c;cm0gLXJm\u{7}",
        "\u{1b}]8;;http://example.org\u{1b}\\link\u{1b}]8;;\u{1b}\\",
        "\u{9b}31m",
        "\u{9d}0;title\u{9c}",
        "\u{1b}P+q544e\u{1b}\\",
        "\u{1b}c",
        "\u{1b}[?1049h",
        "\u{1b}[6n",
        "ok\r\nerror: forged",
        "line\u{2028}error: forged",
        "gnp.\u{202e}exe",
        "\u{2066}\u{2069}\u{202a}\u{202c}",
        "a\u{200b}b\u{200d}c\u{feff}",
        "\u{8}\u{8}\u{8}overwritten",
        "\u{1b}[1A\u{1b}[2K",
        "\u{1b}(0lqk",
        "\u{e}shifted\u{f}",
    ];
    single.chain(sequences.map(str::to_owned)).collect()
}

/// Fails when `bytes` hold anything but pictures, line ends and, where allowed, colours.
#[track_caller]
fn harmless(bytes: &[u8], colours: bool, what: &str) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{what}: not UTF-8"));
    let plain = if colours { without_colours(text) } else { text.to_owned() };
    let found = plain
        .chars()
        .find(|&character| character != '\n' && (character.is_control() || has_effect(character)));
    assert_eq!(found, None, "{what}: {text:?}");
}

/// Told here once more, so that the command is not measured by its own list.
fn has_effect(character: char) -> bool {
    let code = u32::from(character);
    [0xAD, 0x61C, 0x180E, 0xFEFF].contains(&code)
        || (0x200B..=0x200F).contains(&code)
        || (0x2028..=0x202E).contains(&code)
        || (0x2060..=0x206F).contains(&code)
        || (0xFFF9..=0xFFFB).contains(&code)
        || (0xE0000..=0xE007F).contains(&code)
}

/// `text` without what sets colours: ESC `[`, digits and `;`, `m`.
fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
        if after[end..].starts_with('m') {
            rest = &after[end + 1..];
        } else {
            out.push_str("\u{1b}[");
            rest = after;
        }
    }
    out + rest
}

/// Runs a command to a pipe and with colours forced, and looks at everything it says.
#[track_caller]
fn both(session: &Session, arguments: &[&str]) -> Said {
    let said = session.run_with(&[("CLICOLOR_FORCE", "1")], arguments);
    harmless(&said.out, true, &format!("output of {arguments:?}"));
    harmless(&said.err, true, &format!("error output of {arguments:?}"));
    let said = session.run(arguments);
    harmless(&said.out, false, &format!("output of {arguments:?}"));
    harmless(&said.err, false, &format!("error output of {arguments:?}"));
    assert!(!said.err().contains("panicked"), "{arguments:?}: {}", said.err());
    said
}

const READING: [&[&str]; 17] = [
    &["history"],
    &["history", "--json"],
    &["history", "--last", "3"],
    &["tail", "-n", "1000"],
    &["tail", "--json"],
    &["query"],
    &["query", "--json"],
    &["query", "--group-by", "stage", "--aggregate", "index"],
    &["query", "--group-by", "stage", "--json"],
    &["query", "--chart", "index", "--over", "index", "--group-by", "stage,record_id"],
    &["summary"],
    &["summary", "--json"],
    &["sheets"],
    &["sheets", "--json"],
    &["verify"],
    &["verify", "--json"],
    &["prove", "2"],
];

fn read_everything(session: &Session, project: &str) {
    for verb in READING {
        let mut arguments = vec![verb[0], "traces", project];
        arguments.extend(&verb[1..]);
        both(session, &arguments);
    }
    both(session, &["projects", "traces"]);
    both(session, &["projects", "traces", "--json"]);
}

#[test]
fn there_are_many_of_them() {
    assert!(hostile().len() >= 100, "{}", hostile().len());
}

#[test]
fn records() {
    let session = Session::with_demo();
    for text in hostile() {
        let member =
            serde_json::json!({ text.as_str(): text, "nested": [{ text.as_str(): text }] });
        let stage = format!("stage{text}");
        let stage = if text.contains('\0') { "nul" } else { stage.as_str() };
        let arguments = ["log", "traces", "demo", stage, "--payload", "-"];
        let said = session.run_fed(&arguments, member.to_string().as_bytes());
        harmless(&said.out, false, "log");
        harmless(&said.err, false, "log");
        assert!(said.code == 0 || said.code == 3, "{stage:?}: {}", said.err());
    }
    let written = session.run(&["history", "traces", "demo", "--json"]).done();
    assert!(written.lines().count() >= 80, "{}", written.lines().count());
    read_everything(&session, "demo");
}

#[test]
fn records_that_other_programs_wrote() {
    let session = Session::new();
    fs::create_dir(session.folder.join("traces")).unwrap();
    let mut lines = Vec::new();
    for text in hostile() {
        // As they are, not escaped: some of these lines are not even JSON.
        let line = format!(
            r#"{{"record_id": "{text}", "project_id": "demo", "stage": "{text}", "timestamp": "{text}", "payload": {{"{text}": "{text}"}}}}"#
        );
        lines.extend(line.replace(['\n', '\r'], " ").into_bytes());
        lines.push(b'\n');
    }
    lines.extend(b"\xff\xfe\x1b[31m not even text\n");
    fs::write(session.folder.join("traces/demo_trace_log.jsonl"), lines).unwrap();
    for verb in READING.iter().filter(|verb| {
        // To a pipe the stored lines go as they are, that is what they are for.
        !matches!(verb, ["history" | "tail" | "query", "--json"])
    }) {
        let mut arguments = vec![verb[0], "traces", "demo"];
        arguments.extend(&verb[1..]);
        both(&session, &arguments);
    }
    both(&session, &["seal", "traces", "demo"]);
    both(&session, &["history", "traces", "demo"]);
    both(&session, &["verify", "traces", "demo"]);
}

#[test]
fn fact_sheets() {
    let session = Session::with_demo();
    let all: Vec<String> = hostile().into_iter().filter(|text| !text.contains('\0')).collect();
    for some in all.chunks(20) {
        let text = some.join(" ");
        let purpose = format!("purpose=A purpose {text}");
        let arguments =
            ["amend", "traces", "demo", purpose.as_str(), "--by", &text, "--reason", &text];
        let said = both(&session, &arguments);
        assert!(said.code == 0 || said.code == 3 || said.code == 2, "{}", said.err());
    }
    read_everything(&session, "demo");
    for text in hostile() {
        let sheet = format!("project_id: p\npurpose: \"{text}\"\n{text}: 1\nml_type: {text}\n");
        fs::write(session.folder.join("sheet.yaml"), sheet).unwrap();
        assert_eq!(both(&session, &["check", "sheet.yaml"]).code, 1, "{text:?}");
    }
}

#[test]
fn words_that_are_typed() {
    let session = Session::with_demo();
    for text in hostile().into_iter().filter(|text| !text.contains('\0')) {
        let text = text.as_str();
        for arguments in [
            &["prove", "traces", "demo", text] as &[&str],
            &["check", text],
            &["verify", "traces", text],
            &["history", text, "demo"],
            &["sheets", "traces", "demo", text],
            &["query", "traces", "demo", text],
            &["query", "traces", "demo", "--order", text],
            &["query", "traces", "demo", "--after", text],
            &["query", "traces", "demo", "--as-of", text],
            &["query", "traces", "demo", "--chart", text],
            &["log", "traces", "demo", "stage", "--payload", text],
            &[text],
        ] {
            let said = session.run_with(&[("CLICOLOR_FORCE", "1")], arguments);
            harmless(&said.err, true, &format!("{arguments:?}"));
            harmless(&said.out, true, &format!("{arguments:?}"));
            assert!((1..=3).contains(&said.code), "{arguments:?}: {}", said.out());
        }
    }
}

#[test]
fn names_of_files_and_projects() {
    let session = Session::new();
    let names = ["re\u{1b}[31md", "line\nerror: forged", "gnp.\u{202e}exe", "a\u{200b}b"];
    for name in names {
        let file = format!("{name}.yaml");
        both(&session, &["init", "demo", "--file", &file]);
        both(&session, &["check", &file]);
        both(&session, &["open", name, "--sheet", &file]);
        both(&session, &["log", name, "demo", "stage", "a=1"]);
        both(&session, &["prove", name, "demo", "1", "--out", &file]);
        both(&session, &["copy", name, &format!("{name} copy")]);
        both(&session, &["projects", &format!("{name} none")]);
        // A folder of keys that cannot be made is named in a warning.
        let keys = format!("{file}/keys");
        let variables = [("CLICOLOR_FORCE", "1"), ("QUARK_TRACE_KEYS", keys.as_str())];
        let said = session.run_with(&variables, &["log", name, "demo", "stage", "a=1"]);
        assert!(said.err().contains("unsigned"), "{}", said.err());
        harmless(&said.err, true, "the warning");
        let project = format!("p {name}");
        both(&session, &["log", "traces", &project, "stage", "a=1"]);
    }
    both(&session, &["projects", "traces"]);
}

/// A terminal of its own, from `script` of util-linux.
#[test]
fn stored_lines_on_a_terminal() {
    let session = Session::with_demo();
    if session.plain("script", &["--version"]).output().is_err() {
        writeln!(std::io::stderr(), "SKIPPED: no program `script` here").unwrap();
        return;
    }
    let line = "{\"record_id\": \"x\u{202e}\", \"project_id\": \"demo\", \"stage\": \"s\u{9b}31m\", \
                \"timestamp\": \"\", \"payload\": {}}\n";
    let records = session.folder.join("traces/demo_trace_log.jsonl");
    let before = fs::read_to_string(&records).unwrap();
    fs::write(&records, before + line).unwrap();
    let plain = session.run(&["history", "traces", "demo", "--json"]).done();
    assert!(plain.ends_with(line), "a pipe gets the line as it is");
    for verb in ["history", "tail"] {
        let command = format!("{} {verb} traces demo --json", session::COMMAND);
        let shown = session.plain("script", &["-qec", &command, "typescript"]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap().replace("\r\n", "\n");
        assert!(shown.contains("x\\u202e") && shown.contains("s\\u009b31m"), "{shown:?}");
        harmless(shown.as_bytes(), false, verb);
    }
    let command = format!("{} query traces demo --csv --quiet", session::COMMAND);
    let shown = session.plain("script", &["-qec", &command, "typescript"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap().replace("\r\n", "\n");
    assert!(shown.contains("s\\u{9b}31m"), "{shown:?}");
    harmless(shown.as_bytes(), false, "query --csv");
}
