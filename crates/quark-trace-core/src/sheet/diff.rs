//! What changed between two versions of a sheet, value by value.

use serde_json::{Map, Value};

use super::FactSheet;

/// One value that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// The key of the sheet under which it lies.
    pub field: String,
    /// Where it lies, such as `input[0].type`.
    pub path: String,
    /// The value before; `None` when there was none.
    pub old: Option<Value>,
    /// The value after; `None` when there is none.
    pub new: Option<Value>,
}

/// Every value that differs, in the order of the file, as deep as it can be told.
///
/// What counts versions (`sheet_id`, `version`, `amended_at`, `amendment_log`) is left out: it
/// differs whenever anything does.
///
/// ```
/// use quark_trace_core::sheet::{Amendment, FactSheet, diff, template};
/// use serde_json::json;
/// let (old, _) = FactSheet::from_yaml(template("demo").as_bytes(), "")?;
/// let fields = json!({"performance_metrics": ["recall", "f1"]});
/// let amendment = Amendment::parse(fields.as_object().unwrap(), "Jane Doe", "more to see")?;
/// let changes = diff(&old, &old.amend(&amendment, "")?);
/// assert_eq!(changes[0].path, "performance_metrics[1]");
/// assert_eq!(changes[0].new, Some(json!("f1")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn diff(old: &FactSheet, new: &FactSheet) -> Vec<FieldChange> {
    let (old, new) = (facts(old), facts(new));
    let mut changes = Vec::new();
    for (field, old_value, new_value) in pairs(&old, &new) {
        let mut walk = Walk { field, changes: &mut changes };
        walk.compare(field.to_owned(), old_value, new_value);
    }
    changes
}

/// The object of a sheet without what counts its versions.
fn facts(sheet: &FactSheet) -> Map<String, Value> {
    const COUNTED: &[&str] = &["sheet_id", "version", "amended_at", "amendment_log"];
    let Value::Object(map) = sheet.to_json_value() else { return Map::new() };
    map.into_iter().filter(|(key, _)| !COUNTED.contains(&key.as_str())).collect()
}

type Pair<'a> = (&'a str, Option<&'a Value>, Option<&'a Value>);

/// The keys of both maps: those of the old one first, in its order.
fn pairs<'a>(
    old: &'a Map<String, Value>,
    new: &'a Map<String, Value>,
) -> impl Iterator<Item = Pair<'a>> {
    let kept = old.iter().map(|(key, value)| (key.as_str(), Some(value), new.get(key)));
    let added = new
        .iter()
        .filter(|(key, _)| !old.contains_key(*key))
        .map(|(key, value)| (key.as_str(), None, Some(value)));
    kept.chain(added)
}

struct Walk<'a> {
    field: &'a str,
    changes: &'a mut Vec<FieldChange>,
}

impl Walk<'_> {
    fn compare(&mut self, path: String, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            _ if old == new => {}
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                for (key, old, new) in pairs(old, new) {
                    self.compare(format!("{path}.{key}"), old, new);
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                for index in 0..old.len().max(new.len()) {
                    self.compare(format!("{path}[{index}]"), old.get(index), new.get(index));
                }
            }
            _ => self.changes.push(FieldChange {
                field: self.field.to_owned(),
                path,
                old: old.cloned(),
                new: new.cloned(),
            }),
        }
    }
}
