//! What others build on: the template people start from and the schema editors read.
//!
//! After a change that is meant, write both anew with
//! `BLESS=1 cargo test -p quark-trace-core --test sheet_published` and read the difference.

use quark_trace_core::sheet::{json_schema, template};

fn published(file: &str, now: &str, expected: &str) {
    if std::env::var_os("BLESS").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sheet/");
        std::fs::write(folder.to_owned() + file, now).unwrap();
    } else {
        assert_eq!(now, expected);
    }
}

#[test]
fn the_template() {
    let expected = include_str!("sheet/template.yaml");
    published("template.yaml", &template("my-project-001"), expected);
}

#[test]
fn the_schema() {
    let expected = include_str!("sheet/schema.json");
    published("schema.json", &format!("{:#}\n", json_schema()), expected);
}
