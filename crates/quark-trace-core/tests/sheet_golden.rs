//! The JSON file of a sheet: bytes that Python and release 0.1.0 wrote, and hostile ones.

use quark_trace_core::sheet::{FactSheet, SheetReadError};
use serde_json::{Value, json};

/// Written by Python's `json.dump(sheet, file, indent=2)`.
const PYTHON: &[u8] = include_bytes!("sheet/python-json-dump.json");
/// A sheet, and the file that release 0.1.0 itself wrote for it.
const SEED_YAML: &[u8] = include_bytes!("sheet/seed.yaml");
const SEED_JSON: &[u8] = include_bytes!("sheet/seed.json");

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn what_python_wrote_is_written_again_byte_for_byte() {
    let sheet = FactSheet::from_json(PYTHON).unwrap();
    assert_eq!(text(&sheet.to_json_bytes()), text(PYTHON));
    assert_eq!(sheet.version(), 3);
    assert_eq!(sheet.institution_id(), Some("st-anna"));
    assert_eq!(sheet.extra().keys().collect::<Vec<_>>(), ["numbers", "nested", ""]);
}

#[test]
fn a_yaml_sheet_gives_the_file_that_the_original_gives() {
    let created_at = "2026-01-02T03:04:05.000006+00:00";
    let (sheet, warnings) = FactSheet::from_yaml(SEED_YAML, created_at).unwrap();
    assert_eq!(text(&sheet.to_json_bytes()), text(SEED_JSON));
    assert_eq!(warnings, []);
    assert_eq!(FactSheet::from_json(SEED_JSON).unwrap(), sheet);
}

#[test]
fn content_given_as_values_makes_the_same_sheet_as_yaml() {
    let (sheet, _) = FactSheet::from_yaml(SEED_YAML, "t").unwrap();
    let Value::Object(content) = sheet.to_json_value() else { panic!() };
    let (again, warnings) = FactSheet::from_content(content, "t").unwrap();
    assert_eq!(again, sheet);
    let ignored: Vec<&str> = warnings.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(ignored, ["sheet_id", "version", "created_at", "amended_at", "amendment_log"]);
    assert!(warnings.iter().all(|fault| fault.place.is_none()));
}

#[test]
fn faults_of_values_have_no_place() {
    let faults = FactSheet::from_content(serde_json::Map::new(), "t").unwrap_err();
    assert_eq!(faults.faults().len(), 10);
    assert!(faults.faults().iter().all(|fault| fault.line().is_none()));
    let mut deep = json!("x");
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let content = serde_json::Map::from_iter([("deep".to_owned(), deep)]);
    let faults = FactSheet::from_content(content, "t").unwrap_err().to_string();
    assert_eq!(faults, "this is nested too deeply (at most 32 levels are kept)");
}

/// The smallest object that the original reads.
fn smallest() -> serde_json::Map<String, Value> {
    let smallest = json!({"project_id": "p", "purpose": "u", "domain": "d", "ml_type": "m"});
    smallest.as_object().unwrap().clone()
}

fn read_with(key: &str, value: Value) -> Result<FactSheet, SheetReadError> {
    let mut map = smallest();
    map.insert(key.to_owned(), value);
    FactSheet::from_json(Value::Object(map).to_string().as_bytes())
}

#[test]
fn legacy_defaults_and_coercions() {
    let sheet = FactSheet::from_json(Value::Object(smallest()).to_string().as_bytes()).unwrap();
    assert_eq!((sheet.version(), sheet.created_at(), sheet.amended_at()), (1, "", None));
    assert_eq!((sheet.amendment_log(), sheet.algorithm()), (&[][..], &[][..]));
    assert_eq!(sheet.bias(), &json!({}));

    for (value, purpose) in [
        (json!(null), "None"),
        (json!(true), "True"),
        (json!(false), "False"),
        (json!(2.9), "2.9"),
        (json!(1e-7), "1e-07"),
        (json!(12), "12"),
    ] {
        assert_eq!(read_with("purpose", value).unwrap().purpose(), purpose);
    }
    for (value, version) in [(json!(2.9), 2), (json!("7"), 7), (json!(" 8 "), 8), (json!(true), 1)]
    {
        assert_eq!(read_with("version", value).unwrap().version(), version);
    }
    for value in [json!(-3), json!(0), json!("x"), json!([1]), json!(null), json!(1e300)] {
        let error = read_with("version", value).unwrap_err();
        assert!(matches!(error, SheetReadError::WrongValue { field: "version", .. }), "{error}");
    }
    assert_eq!(read_with("amendment_log", json!(null)).unwrap().amendment_log(), &[] as &[Value]);
    assert!(read_with("amendment_log", json!("x")).is_err());
}

#[test]
fn content_of_any_shape_is_kept() {
    for value in [json!(null), json!("xgb"), json!({"name": "x"}), json!([1, [2]])] {
        let sheet = read_with("algorithm", value.clone()).unwrap();
        assert_eq!(sheet.to_json_value()["algorithm"], value);
        assert_eq!(FactSheet::from_json(&sheet.to_json_bytes()).unwrap(), sheet);
    }
}

#[test]
fn the_institution_is_read_under_both_names() {
    assert_eq!(read_with("institution", json!("i")).unwrap().institution_id(), Some("i"));
    assert_eq!(read_with("institution_id", json!("i")).unwrap().institution_id(), Some("i"));
    let mut map = smallest();
    map.insert("institution".to_owned(), json!("old"));
    map.insert("institution_id".to_owned(), json!("new"));
    let sheet = FactSheet::from_json(Value::Object(map).to_string().as_bytes()).unwrap();
    assert_eq!(sheet.institution_id(), Some("new"));
    assert_eq!(sheet.extra()["institution"], "old");
    assert_eq!(FactSheet::from_json(&sheet.to_json_bytes()).unwrap(), sheet);
}

#[test]
fn what_only_python_reads_is_kept_readable() {
    let text = br#"{"project_id": "p", "purpose": "a", "purpose": "caf\udce9", "domain": "d",
        "ml_type": "m", "x": [NaN, -Infinity, 1e999, 18446744073709551617]}"#;
    let sheet = FactSheet::from_json(text).unwrap();
    assert_eq!(sheet.purpose(), "caf\u{FFFD}");
    let expected = json!([
        {"$numberDouble": "NaN"},
        {"$numberDouble": "-Infinity"},
        {"$numberDouble": "Infinity"},
        "18446744073709551617"
    ]);
    assert_eq!(sheet.extra()["x"], expected);
}

#[test]
fn hostile_bytes_are_refused_with_a_reason() {
    let deep = "[".repeat(1_000_000);
    let object = r#"{"a":"#.repeat(1_000_000);
    for (bytes, reason) in [
        ("", "the fact sheet is not JSON: the text ends where a value was expected at byte 0"),
        ("[]", "the fact sheet is not a JSON object"),
        ("{}", "the fact sheet has no `project_id`"),
        (deep.as_str(), "the fact sheet is nested more than 128 levels deep"),
        (object.as_str(), "the fact sheet is nested more than 128 levels deep"),
    ] {
        assert_eq!(FactSheet::from_json(bytes.as_bytes()).unwrap_err().to_string(), reason);
    }
    let error = read_with("version", json!("\u{1b}[2J")).unwrap_err().to_string();
    assert_eq!(
        error,
        "`version` of the fact sheet is \\u{1b}[2J, where a number from 1 was expected"
    );
}
