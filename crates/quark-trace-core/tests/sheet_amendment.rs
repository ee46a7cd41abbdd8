//! Changing sheets: what is refused, what a new version holds, and what verification accepts.

use quark_trace_core::sheet::{
    Amendment, AmendmentError, ContentField, FactSheet, SuccessorFault, check_successor, diff,
    template,
};
use serde_json::{Map, Value, json};

const FIRST: &str = "2026-01-02T03:04:05+00:00";
const LATER: &str = "2026-02-03T04:05:06+00:00";

fn first() -> FactSheet {
    FactSheet::from_yaml(template("demo").as_bytes(), FIRST).unwrap().0
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn parse(fields: Value) -> Result<Amendment, AmendmentError> {
    Amendment::parse(&map(fields), "Jane Doe", "review 7")
}

fn amended(fields: Value) -> FactSheet {
    first().amend(&parse(fields).unwrap(), LATER).unwrap()
}

/// `sheet` with the top-level `key` of its file set to `value`.
fn forged(sheet: &FactSheet, key: &str, value: Value) -> FactSheet {
    let mut file = sheet.to_json_value();
    file[key] = value;
    FactSheet::from_json(file.to_string().as_bytes()).unwrap()
}

#[test]
fn a_new_version_has_one_time_and_one_log_entry() {
    let sheet = amended(json!({
        "performance_metrics": ["recall", "f1"],
        "algorithm": [{"name": "LightGBM"}],
        "domain": "Financial services",
    }));
    assert_eq!(sheet.sheet_id(), "demo-v2");
    assert_eq!((sheet.created_at(), sheet.amended_at()), (FIRST, Some(LATER)));
    assert_eq!(sheet.algorithm(), [json!({"name": "LightGBM", "variant": null})]);
    let entry = concat!(
        r#"{"version":2,"amended_at":"2026-02-03T04:05:06+00:00","amended_by":"Jane Doe","#,
        r#""fields_changed":["performance_metrics","algorithm"],"reason":"review 7"}"#
    );
    assert_eq!(sheet.amendment_log()[0].to_string(), entry);
    assert_eq!(first().version(), 1);
    assert_eq!(FactSheet::from_json(&sheet.to_json_bytes()).unwrap(), sheet);
}

#[test]
fn only_the_nine_content_fields_can_be_amended() {
    for field in [
        "sheet_id",
        "project_id",
        "created_at",
        "version",
        "amended_at",
        "amendment_log",
        "institution_id",
    ] {
        let error = parse(json!({"purpose": "x", field: "y"})).unwrap_err();
        assert_eq!(error, AmendmentError::Immutable { field: field.to_owned() });
    }
    for (field, meant) in [("pupose", Some("purpose")), ("to_json", None), ("__class__", None)] {
        let error = parse(json!({"purpose": "x", field: "y"})).unwrap_err();
        let expected = AmendmentError::Unknown { field: field.to_owned(), did_you_mean: meant };
        assert_eq!(error, expected);
    }
    assert_eq!(
        parse(json!({"pupose": "x"})).unwrap_err().to_string(),
        "`pupose` is not a content field; did you mean `purpose`?"
    );
    assert_eq!(ContentField::ALL.map(|field| field.name().parse()), ContentField::ALL.map(Ok));
}

#[test]
fn an_amendment_needs_fields_an_actor_and_a_reason() {
    let fields = map(json!({"purpose": "x"}));
    let refused = |actor: &str, reason: &str| Amendment::parse(&fields, actor, reason).unwrap_err();
    assert_eq!(parse(json!({})).unwrap_err(), AmendmentError::Empty);
    for blank in ["", " \t\n", &"x".repeat(1_001)] {
        assert_eq!(refused(blank, "why"), AmendmentError::Actor);
        assert_eq!(refused("who", blank), AmendmentError::Reason);
    }
    let long = "x".repeat(1_000);
    assert!(Amendment::parse(&fields, &long, &long).is_ok());
}

#[test]
fn every_bad_value_is_named_and_none_is_applied() {
    let error = parse(json!({
        "purpose": "fine",
        "ml_type": "bogus",
        "bias": null,
        "input": [{"name": "a", "type": "image"}, {"name": "", "type": "picture"}],
        "performance_metrics": "f1",
    }))
    .unwrap_err();
    let AmendmentError::Invalid(faults) = &error else { panic!("{error}") };
    let paths: Vec<&str> = faults.faults().iter().map(|fault| fault.path.as_str()).collect();
    let expected = ["ml_type", "bias", "input[1].name", "input[1].type", "performance_metrics"];
    assert_eq!(paths, expected);
    assert!(faults.faults().iter().all(|fault| fault.place.is_none()));
}

#[test]
fn unknown_nested_fields_are_kept_with_a_warning() {
    let stakeholders = json!([{"name": "A", "role": "B", "contact": null, "phone": 7}]);
    let amendment = parse(json!({ "stakeholders": stakeholders })).unwrap();
    assert_eq!(amendment.warnings()[0].path, "stakeholders[0].phone");
    assert_eq!(amendment.changes(), [(ContentField::Stakeholders, stakeholders)]);
}

#[test]
fn an_amendment_that_changes_nothing_is_refused() {
    let same = json!({"purpose": first().purpose(), "ml_type": "supervised"});
    let error = first().amend(&parse(same).unwrap(), LATER).unwrap_err();
    assert_eq!(error, AmendmentError::NoChange);
    let last = forged(&first(), "version", json!(u64::MAX));
    let amendment = parse(json!({"purpose": "x"})).unwrap();
    assert_eq!(last.amend(&amendment, LATER).unwrap_err(), AmendmentError::LastVersion);
}

#[test]
fn the_old_and_new_values_are_told_as_deep_as_they_go() {
    let new = amended(json!({
        "stakeholders": [
            {"name": "Jane Doe", "role": "Lead", "contact": "jane@example.org"},
            {"name": "John", "role": "Auditor"},
        ],
        "purpose": "Other",
        "bias": {"type": "historical", "affected_group": "a", "severity": "low", "url": "u"},
    }));
    let told: Vec<String> = diff(&first(), &new)
        .iter()
        .map(|change| {
            let text = |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_string);
            format!(
                "{} {}: {} -> {}",
                change.field,
                change.path,
                text(&change.old),
                text(&change.new)
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"purpose purpose: "Detect fraudulent card payments before they are booked" -> "Other""#,
            r#"bias bias.affected_group: "customers with a short credit history" -> "a""#,
            r#"bias bias.severity: "medium" -> "low""#,
            r#"bias bias.notes: "Past decisions are part of the training data" -> null"#,
            r#"bias bias.url: - -> "u""#,
            r#"stakeholders stakeholders[0].role: "ML engineer" -> "Lead""#,
            r#"stakeholders stakeholders[1]: - -> {"name":"John","role":"Auditor","contact":null}"#,
        ]
    );
    assert_eq!(diff(&new, &new), []);
}

#[test]
fn a_lawful_successor_is_accepted_and_every_forgery_is_not() {
    let old = first();
    let new = amended(json!({"domain": "Insurance", "ml_type": "reinforcement"}));
    assert_eq!(check_successor(&old, &new), Ok(()));

    let refused =
        |key: &str, value: Value| check_successor(&old, &forged(&new, key, value)).unwrap_err();
    let version = SuccessorFault::Version { previous: 1, found: 3 };
    assert_eq!(refused("version", json!(3)), version);
    for (key, value) in [
        ("project_id", json!("other")),
        ("created_at", json!(LATER)),
        ("institution_id", json!("x")),
        ("unheard_of", json!(1)),
    ] {
        assert_eq!(refused(key, value), SuccessorFault::Immutable { field: key.to_owned() });
    }
    assert!(matches!(refused("purpose", json!("x")), SuccessorFault::FieldsChanged { .. }));
    assert!(matches!(
        refused("ml_type", json!("supervised")),
        SuccessorFault::FieldsChanged { .. }
    ));

    let entry = new.amendment_log()[0].clone();
    assert_eq!(refused("amendment_log", json!([])), SuccessorFault::Log);
    assert_eq!(refused("amendment_log", json!([entry, entry])), SuccessorFault::Log);
    for key in ["version", "amended_at", "amended_by", "fields_changed", "reason"] {
        let mut entry = entry.clone();
        entry[key] = json!(" ");
        assert_eq!(refused("amendment_log", json!([entry])), SuccessorFault::Entry { key });
        entry.as_object_mut().unwrap().remove(key);
        assert_eq!(refused("amendment_log", json!([entry])), SuccessorFault::Entry { key });
    }
    assert_eq!(refused("amendment_log", json!(["x"])), SuccessorFault::Entry { key: "version" });

    let third = new.amend(&parse(json!({"purpose": "x"})).unwrap(), LATER).unwrap();
    assert_eq!(check_successor(&new, &third), Ok(()));
    assert!(matches!(check_successor(&old, &third), Err(SuccessorFault::Version { .. })));
    assert!(matches!(check_successor(&new, &old), Err(SuccessorFault::Version { .. })));
}
