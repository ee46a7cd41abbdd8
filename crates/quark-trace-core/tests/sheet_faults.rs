//! What people read when a sheet is wrong: every kind of fault, as it is drawn for a terminal.
//!
//! The expected texts are in `sheet/faults.txt`. After a change that is meant, write them anew with
//! `BLESS=1 cargo test -p quark-trace-core --test sheet_faults` and read the difference.

use std::fmt::Write as _;

use quark_trace_core::sheet::{FactSheet, Fault, SheetFaults};

const GOOD: &str = "\
project_id: demo
purpose: Find fractures
domain: Radiology
ml_type: supervised
algorithm:
  - name: ResNet
input:
  - name: xray
    type: image
output:
  - name: finding
    type: label
performance_metrics: [auroc]
bias:
  type: sampling
  affected_group: children
  severity: low
stakeholders:
  - name: Jane Doe
    role: Radiologist
";

/// A name, what is replaced in the good sheet, and by what; an empty text replaces the whole.
const CASES: &[(&str, &str, &str)] = &[
    ("empty file", "", ""),
    ("only a comment", "", "# nothing here\n"),
    ("only a document start", "", "---\n"),
    ("a list instead of a sheet", "", "- project_id: demo\n"),
    ("a text instead of a sheet", "", "demo\n"),
    ("everything missing", "", "project_id: demo\n"),
    ("missing field", "purpose: Find fractures\n", ""),
    ("missing nested field", "    type: image\n", ""),
    ("missing field of an object", "  severity: low\n", ""),
    ("misspelt field", "purpose:", "pupose:"),
    ("misspelt nested field", "    role:", "    rolle:"),
    ("two unknown fields beside an error", "ml_type: supervised", "risk: 3\nml_type: x\nowner: me"),
    ("project id is a number", "project_id: demo", "project_id: 007"),
    ("project id is empty", "project_id: demo", "project_id: \"\""),
    ("project id starts with a dot", "project_id: demo", "project_id: .hidden"),
    ("project id is a path", "project_id: demo", "project_id: ../demo"),
    ("project id has a control character", "project_id: demo", "project_id: \"a\\x1bb\""),
    ("value left out", "domain: Radiology", "domain:"),
    ("blank text", "domain: Radiology", "domain: '  '"),
    ("boolean for text", "domain: Radiology", "domain: true"),
    ("float for text", "domain: Radiology", "domain: 1.50"),
    ("not a number for text", "domain: Radiology", "domain: .nan"),
    ("list for text", "domain: Radiology", "domain: [Radiology]"),
    ("object for text", "domain: Radiology", "domain: {of: Radiology}"),
    ("misspelt choice", "ml_type: supervised", "ml_type: Self Supervised"),
    ("unknown choice", "severity: low", "severity: catastrophic"),
    ("unknown input type", "type: image", "type: picture"),
    ("number for a choice", "severity: low", "severity: 3"),
    ("text for a list", "[auroc]", "auroc"),
    ("null for a list", "[auroc]", "~"),
    ("bad items of a list", "[auroc]", "[auroc, 0.5, '', [f1], null]"),
    ("object for a list", "  - name: ResNet", "  name: ResNet"),
    ("text for an object of a list", "  - name: ResNet", "  - ResNet"),
    ("list for an object", "bias:\n  type", "bias:\n- type"),
    (
        "text for an object",
        "ias:\n  type: sampling\n  affected_group: children\n  severity: low",
        "ias: none",
    ),
    ("repeated key", "domain: Radiology", "domain: Radiology\npurpose: Other"),
    ("repeated nested key", "  severity: low", "  severity: low\n  type: historical"),
    ("merge key", "bias:", "base: &b {type: x}\nbias:\n  <<: *b"),
    ("list as a key", "domain: Radiology", "domain: Radiology\n? [a, b]\n: c"),
    ("alias as a key", "domain: Radiology", "domain: &d Radiology\n*d : c"),
    ("python tag", "domain: Radiology", "domain: !!python/object:os.system Radiology"),
    ("private tag on an object", "bias:", "bias: !bias"),
    ("core tag that does not fit", "domain: Radiology", "domain: !!int Radiology"),
    ("core tag on the wrong kind", "bias:", "bias: !!seq"),
    ("second document", "stakeholders:", "---\nstakeholders:"),
    ("unclosed quote", "domain: Radiology", "domain: \"Radiology"),
    ("tab for indentation", "  severity: low", "\tseverity: low"),
    ("unknown alias", "domain: Radiology", "domain: *nowhere"),
    ("alias within itself", "bias:", "extra: &e [*e]\nbias:"),
    ("big integer nobody asked for", "domain:", "seed: 18446744073709551616\ndomain:"),
    (
        "terminal control in an unknown key",
        "domain:",
        "\"x\\e[31m\\u202Ey\": 1\nml_typ: a\ndomain: 5 #",
    ),
    ("direction marks in the source", "domain: Radiology", "domain: [\u{202e}yes\u{2066}\t\u{9b}]"),
    ("windows line ends", "domain: Radiology\n", "domain: Radiology\r\nml_type: a\r\n"),
    ("institution is blank", "domain:", "institution_id: ' '\ndomain:"),
    ("institution under its old name", "domain:", "institution: 7\ndomain:"),
    ("version is not for people", "domain: Radiology", "version: 3\nsheet_id: x"),
];

fn source_of(from: &str, to: &str) -> String {
    if from.is_empty() {
        return to.to_owned();
    }
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    GOOD.replace(from, to)
}

fn refused(source: &str) -> SheetFaults {
    FactSheet::from_yaml(source.as_bytes(), "t").expect_err(source)
}

#[test]
fn every_fault_is_told_as_expected() {
    let mut told = String::new();
    for (name, from, to) in CASES {
        let source = source_of(from, to);
        let drawn = refused(&source).render("sheet.yaml", &source, false);
        writeln!(told, "## {name}\n\n{drawn}\n").unwrap();
    }
    let expected = include_str!("sheet/faults.txt");
    if std::env::var_os("BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sheet/faults.txt");
        std::fs::write(path, &told).unwrap();
    } else {
        for (told, expected) in told.split("## ").zip(expected.split("## ")) {
            assert_eq!(told, expected);
        }
        assert_eq!(told, expected);
    }
}

#[test]
fn nothing_that_is_told_can_drive_a_terminal() {
    for (_, from, to) in CASES {
        let source = source_of(from, to);
        let faults = refused(&source);
        let harmless = |text: &str| {
            text.chars().all(|character| {
                character == '\n'
                    || !(character.is_control() || ('\u{202a}'..='\u{2069}').contains(&character))
            })
        };
        assert!(harmless(&faults.render("a\u{1b}[2Jb", &source, false)), "{source}");
        assert!(harmless(&faults.to_string()), "{source}");
    }
}

#[test]
fn colour_is_given_only_when_asked_for() {
    let source = source_of("domain: Radiology", "domain: 3");
    assert!(refused(&source).render("s", &source, true).contains("\u{1b}["));
    assert!(!refused(&source).render("s", &source, false).contains('\u{1b}'));
}

#[test]
fn one_line_a_fault_in_the_order_of_the_source() {
    let source =
        "\u{FEFF}purpose: é\nml_type: no\npurpose: 3\nrisk: high\nalgorithm: []\ninput: 7\n";
    let faults = refused(source);
    let lines: Vec<usize> = faults.faults().iter().filter_map(Fault::line).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    assert_eq!(lines.len(), 11);
    let text = faults.to_string();
    let told: Vec<&str> = text.lines().skip(6).collect();
    assert_eq!(
        told,
        [
            "line 2, column 10: ml_type: `no` is not one of its values (it is one of: supervised, \
             unsupervised, semi-supervised, self-supervised, reinforcement)",
            "line 3, column 1: purpose: this is given twice (keep one of the two)",
            "line 4, column 1: warning: risk: this is not a known field (it is kept as it is)",
            "line 5, column 12: warning: algorithm: this list is empty (What is trained. \
             Its fields are: name, variant)",
            "line 6, column 8: input: this must be a list of objects, but it is the number 7 (What \
             the model is given. Its fields are: name, type, description)",
        ]
    );
    let repeated = &faults.faults()[7];
    let (first, label) = repeated.related.as_ref().unwrap();
    assert_eq!((first.line, first.column, label.as_str()), (1, 1, "first given here"));
    let place = repeated.place.as_ref().unwrap();
    assert_eq!(&source[place.span.clone()], "purpose");
}

#[test]
fn a_good_sheet_has_no_warnings_and_unknown_fields_have_one_each() {
    assert_eq!(FactSheet::from_yaml(GOOD.as_bytes(), "t").unwrap().1, []);
    let source = GOOD.replace("domain:", "risk: {level: 3, on: no}\ninstitution: st-anna\ndomain:");
    let source = source.replace("    role:", "    phone: 7\n    role:");
    let (sheet, warnings) = FactSheet::from_yaml(source.as_bytes(), "t").unwrap();
    let told: Vec<String> = warnings.iter().map(Fault::to_string).collect();
    assert_eq!(
        told,
        [
            "line 3, column 1: warning: risk: this is not a known field (it is kept as it is)",
            "line 4, column 1: warning: institution: this is read as `institution_id` \
             (rename it to `institution_id`)",
            "line 22, column 5: warning: stakeholders[0].phone: this is not a known field (it \
             is kept as it is)",
        ]
    );
    assert_eq!(sheet.institution_id(), Some("st-anna"));
    assert_eq!(sheet.extra()["risk"], serde_json::json!({"level": 3, "on": "no"}));
    assert_eq!(
        sheet.stakeholders()[0].to_string(),
        r#"{"name":"Jane Doe","role":"Radiologist","contact":null,"phone":7}"#
    );
}

#[test]
fn yaml_1_2_reads_words_as_words() {
    let source = GOOD
        .replace("domain: Radiology", "domain: no")
        .replace("[auroc]", "[on, 1:30, 2026-01-02]");
    let (sheet, _) = FactSheet::from_yaml(source.as_bytes(), "t").unwrap();
    assert_eq!(sheet.domain(), "no");
    assert_eq!(sheet.performance_metrics(), ["on", "1:30", "2026-01-02"]);
}

#[test]
fn aliases_are_resolved() {
    let source = GOOD.replace("[auroc]", "&m [auroc]") + "extra: {a: *m, b: [*m, *m]}\n";
    let (sheet, _) = FactSheet::from_yaml(source.as_bytes(), "t").unwrap();
    let expected = serde_json::json!({"a": ["auroc"], "b": [["auroc"], ["auroc"]]});
    assert_eq!(sheet.extra()["extra"], expected);
}

#[test]
fn core_tags_decide_what_a_scalar_is() {
    let source = GOOD.to_owned()
        + "extra: [!!str 12, ! 12, !!int '0o14', !!float 1.5, !!bool \"true\", !!null '', !!seq []]\n";
    let (sheet, _) = FactSheet::from_yaml(source.as_bytes(), "t").unwrap();
    assert_eq!(sheet.extra()["extra"].to_string(), r#"["12","12",12,1.5,true,null,[]]"#);
}

#[test]
fn a_block_scalar_at_the_end_reads_as_the_original_reads_it() {
    let source = GOOD.to_owned() + "    contact: |\n      by post";
    let (sheet, _) = FactSheet::from_yaml(source.as_bytes(), "t").unwrap();
    assert_eq!(sheet.stakeholders()[0]["contact"], "by post");
}
