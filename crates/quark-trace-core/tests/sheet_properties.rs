//! What holds for every sheet and for every input.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use quark_trace_core::sheet::{
    Amendment, ContentField, FactSheet, check_successor, diff, template,
};
use serde_json::{Map, Value, json};

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,12}[a-zA-Zé😀'\":#-][^\\x00]{0,12}"
}

fn project_id() -> impl Strategy<Value = String> {
    "[a-zA-ZäÖ東][a-zA-Z0-9 ä:'\"#._-]{0,40}"
}

fn objects(
    keys: &'static [&'static str],
    kind: Option<&'static str>,
) -> impl Strategy<Value = Value> {
    let object = vec(text(), keys.len()).prop_map(move |texts| {
        let mut map: Map<String, Value> = keys
            .iter()
            .map(|&key| key.to_owned())
            .zip(texts.into_iter().map(Value::from))
            .collect();
        if let Some(kind) = kind {
            map.insert("type".to_owned(), kind.into());
        }
        Value::Object(map)
    });
    vec(object, 1..4).prop_map(Value::Array)
}

prop_compose! {
    fn content()(
        project_id in project_id(),
        institution_id in option::of(text()),
        texts in vec(text(), 2),
        ml_type in prop::sample::select(vec!["supervised", "self-supervised", "reinforcement"]),
        algorithm in objects(&["name"], None),
        input in objects(&["name", "description"], Some("image")),
        output in objects(&["name"], Some("label")),
        performance_metrics in vec(text(), 1..4),
        bias in (text(), text()),
        stakeholders in objects(&["name", "role", "contact"], None),
        unknown in option::of(any::<f64>().prop_filter("finite", |number| number.is_finite())),
    ) -> Map<String, Value> {
        let mut content = json!({
            "project_id": project_id, "institution_id": institution_id, "purpose": texts[0],
            "domain": texts[1], "ml_type": ml_type, "algorithm": algorithm, "input": input,
            "output": output, "performance_metrics": performance_metrics,
            "bias": {"type": bias.0, "affected_group": bias.1, "severity": "low"},
            "stakeholders": stakeholders,
        });
        if let Some(number) = unknown {
            content["unheard_of"] = json!({"deep": [number, null, {}]});
        }
        content.as_object().unwrap().clone()
    }
}

fn sheet() -> impl Strategy<Value = FactSheet> {
    content()
        .prop_map(|content| FactSheet::from_content(content, "2026-01-02T03:04:05Z").unwrap().0)
}

fn fields() -> impl Strategy<Value = Map<String, Value>> {
    (content(), prop::sample::subsequence(ContentField::ALL.to_vec(), 1..=9)).prop_map(
        |(content, fields)| {
            let field =
                |field: ContentField| (field.name().to_owned(), content[field.name()].clone());
            fields.into_iter().map(field).collect()
        },
    )
}

fn config() -> ProptestConfig {
    let seeds = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(seeds)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_sheet_survives_its_file(sheet in sheet()) {
        let bytes = sheet.to_json_bytes();
        prop_assert!(bytes.is_ascii());
        let again = FactSheet::from_json(&bytes).unwrap();
        prop_assert_eq!(again.to_json_bytes(), bytes);
        prop_assert_eq!(again, sheet);
    }

    /// JSON is YAML 1.2, so the file can be read by the other reader too.
    #[test]
    fn the_file_of_a_sheet_is_also_a_yaml_sheet(sheet in sheet()) {
        let (from_yaml, _) = FactSheet::from_yaml(&sheet.to_json_bytes(), sheet.created_at()).unwrap();
        prop_assert_eq!(from_yaml, sheet);
    }

    #[test]
    fn an_amended_sheet_is_a_lawful_successor(sheet in sheet(), fields in fields()) {
        let amendment = Amendment::parse(&fields, "who", "why").unwrap();
        let Ok(next) = sheet.amend(&amendment, "2026-02-03T04:05:06Z") else { return Ok(()) };
        prop_assert_eq!(check_successor(&sheet, &next), Ok(()));
        prop_assert!(!diff(&sheet, &next).is_empty());
        prop_assert!(check_successor(&next, &sheet).is_err());
        let read = FactSheet::from_json(&next.to_json_bytes()).unwrap();
        prop_assert_eq!(check_successor(&sheet, &read), Ok(()));
    }

    #[test]
    fn the_template_is_valid_for_every_id(project_id in project_id()) {
        let (sheet, warnings) = FactSheet::from_yaml(template(&project_id).as_bytes(), "").unwrap();
        prop_assert_eq!(sheet.project_id(), project_id);
        prop_assert_eq!(warnings, []);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = FactSheet::from_json(&bytes);
        if let Err(faults) = FactSheet::from_yaml(&bytes, "") {
            faults.render("sheet.yaml", &String::from_utf8_lossy(&bytes), true);
        }
    }

    /// Pieces of YAML in any order reach further than bytes at random.
    #[test]
    fn no_yaml_makes_the_reader_panic(pieces in vec(prop::sample::select(PIECES), 0..60)) {
        let source = pieces.concat();
        if let Err(faults) = FactSheet::from_yaml(source.as_bytes(), "") {
            let drawn = faults.render("sheet.yaml", &source, false);
            prop_assert!(!drawn.contains('\x1b'));
            for fault in faults.faults() {
                if let Some(place) = &fault.place {
                    prop_assert!(place.line > 0 && place.column > 0);
                    prop_assert!(place.span.end <= source.len() && source.is_char_boundary(place.span.start));
                }
            }
        }
    }
}

const PIECES: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    ": ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "---\n",
    "...\n",
    "# c",
    "<<",
    "a",
    "é",
    "😀",
    "\u{1b}",
    "\t",
    "\r",
    "\u{FEFF}",
    "project_id",
    "purpose",
    "bias",
    "input",
    "type",
    "12",
    "1.5",
    ".nan",
    "true",
    "~",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "\\u202e",
    "\u{2028}",
];
