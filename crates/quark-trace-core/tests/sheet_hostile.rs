//! Sheets that were made to hurt: each is refused with a reason, and quickly.

use std::time::{Duration, Instant};

use quark_trace_core::sheet::{FactSheet, SOURCE_LIMIT};

/// Far more than any of these takes, and far less than a hang.
const PATIENCE: Duration = Duration::from_secs(5);

/// The faults of `source`, as people read them.
fn refusal(source: &[u8]) -> String {
    let start = Instant::now();
    let faults = FactSheet::from_yaml(source, "t").expect_err("refused");
    faults.render("sheet.yaml", &String::from_utf8_lossy(source), true);
    let text = faults.to_string();
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    text
}

/// `levels` lists of nine aliases to the list before.
fn bomb(levels: usize) -> String {
    let mut source = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..=levels {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        source += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    source
}

#[test]
fn alias_bombs() {
    let refused = refusal(bomb(9).as_bytes());
    assert!(
        refused.contains("the sheet holds too many values (at most 50,000 are read)"),
        "{refused}"
    );
    let nested = format!("a: {}{}", "&a [".repeat(5), "]".repeat(5));
    assert!(refusal(nested.as_bytes()).starts_with("line 1"));
    let many = format!("a: &a x\nb: [{}]\n", "*a, ".repeat(1_001));
    assert!(refusal(many.as_bytes()).contains("too many aliases"));
}

#[test]
fn an_alias_counts_as_deep_as_what_it_names() {
    let mut source = "a0: &a0 x\n".to_owned();
    for level in 1..=40 {
        source += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert_eq!(
        refusal(source.as_bytes()),
        "line 33, column 12: a32[0]: the sheet is nested too deeply (at most 32 levels are read)"
    );
}

#[test]
fn depth_of_every_kind() {
    for source in [
        "- ".repeat(20_000) + "x",
        "[".repeat(20_000),
        "{a: ".repeat(20_000),
        "? ".repeat(20_000),
        (0..1_000).map(|level| " ".repeat(level) + "a:\n").collect(),
    ] {
        let refused = refusal(source.as_bytes());
        assert!(refused.contains("nested too deeply"), "{refused}");
    }
}

#[test]
fn thirty_two_levels_are_read_and_one_more_is_not() {
    let deep = |levels: usize| format!("a: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert!(!refusal(deep(31).as_bytes()).contains("nested too deeply"));
    assert!(refusal(deep(32).as_bytes()).contains("nested too deeply"));
}

#[test]
fn size() {
    let refused = refusal(&vec![b'a'; 10 << 20]);
    assert_eq!(
        refused,
        "the sheet is 10485760 bytes long, and at most 1048576 are read (a fact sheet describes \
         data, it does not hold it)"
    );
    for fill in
        ["a: 1\n", "- x\n", "# comment\n", "\"", "a", "é: \"\\x1b\"\n", "- - ", "&a ", "!a ", "%"]
    {
        let source = fill.repeat(SOURCE_LIMIT / fill.len());
        refusal(source.as_bytes());
    }
    let keys: String = (0..49_000).map(|number| format!("k{number}: 1\n")).collect();
    refusal(keys.as_bytes());
}

#[test]
fn a_flood_of_faults_is_cut_and_counted() {
    let source: String = (0..1_000).map(|number| format!("k{number}: 1\n")).collect();
    let faults = FactSheet::from_yaml(source.as_bytes(), "t").unwrap_err();
    assert_eq!(faults.faults().len(), 201);
    assert_eq!(faults.to_string().lines().last(), Some("810 further faults are not shown"));
}

#[test]
fn bytes_that_are_not_text() {
    assert_eq!(
        refusal(b"purpose: D\xE9tection\n"),
        "line 1, column 11: the sheet is not UTF-8: byte 10 is 0xE9 (save the file as UTF-8)"
    );
    let utf_16: Vec<u8> = "\u{FEFF}a: b".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(refusal(&utf_16).contains("not UTF-8: byte 0 is 0xFF"));
    assert!(refusal(b"purpose: a\0b\n").contains("this is not YAML"));
}

#[test]
fn tags_never_make_anything_but_data() {
    for tag in [
        "!!python/object/apply:os.system",
        "!!python/name:os.system",
        "!<tag:yaml.org,2002:python/object:x>",
        "!!binary",
        "!!timestamp",
        "!!set",
        "!Ref",
    ] {
        let refused = refusal(format!("purpose: {tag} [x]\n").as_bytes());
        assert!(refused.contains("is not allowed"), "{refused}");
    }
}
