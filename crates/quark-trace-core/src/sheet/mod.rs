//! The fact sheet of a project: what the model is for, who answers for it, and how it may change.
//!
//! A sheet is written by people in YAML 1.2, kept as JSON that release 0.1.0 can read, and changed
//! only by an [`Amendment`], which makes a new version and leaves a line in its log.
//!
//! | file | what it holds |
//! |---|---|
//! | `field` | the table of fields that drives the rest |
//! | `source`, `yaml`, `tree` | from bytes to a tree that knows its places |
//! | `validate`, `fault`, `render` | what is wrong, all at once, and drawn |
//! | `read`, `json` | the JSON file, read leniently and written to the byte |
//! | `amendment`, `diff`, `successor` | changing a sheet, and checking that it was done right |
//! | `template`, `schema` | what the table looks like to people and to editors |

mod amendment;
mod diff;
mod fault;
pub mod field;
mod json;
mod read;
mod render;
mod schema;
mod source;
mod successor;
mod template;
mod tree;
mod validate;
mod yaml;

use serde_json::{Map, Value};

pub use amendment::{ACTOR_LIMIT, Amendment, AmendmentError, ContentField};
pub use diff::{FieldChange, diff};
pub use fault::{Fault, Place, Severity, SheetFaults};
pub use read::SheetReadError;
pub use render::render;
pub use schema::json_schema;
pub use source::SOURCE_LIMIT;
pub use successor::{SuccessorFault, check_successor};
pub use template::template;
pub use tree::DEPTH_LIMIT;

use fault::Faults;
use source::Source;
use tree::Tree;
use validate::Checked;

/// One version of a project's fact sheet. It cannot be changed; [`amend`](Self::amend) makes the
/// next version.
///
/// Times are RFC 3339 texts that the caller gives. The nested values keep the shape of the file:
/// [`field::FIELDS`] says what they hold.
///
/// ```
/// use quark_trace_core::sheet::{FactSheet, template};
/// let yaml = template("demo");
/// let (sheet, warnings) = FactSheet::from_yaml(yaml.as_bytes(), "2026-01-02T03:04:05+00:00")?;
/// assert!(warnings.is_empty());
/// assert_eq!(sheet.sheet_id(), "demo-v1");
/// assert_eq!(FactSheet::from_json(&sheet.to_json_bytes()).unwrap(), sheet);
/// # Ok::<(), quark_trace_core::sheet::SheetFaults>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FactSheet {
    project_id: String,
    institution_id: Option<String>,
    version: u64,
    created_at: String,
    amended_at: Option<String>,
    amendment_log: Vec<Value>,
    /// The nine content fields, in the order of the file.
    content: Map<String, Value>,
    extra: Map<String, Value>,
}

impl FactSheet {
    /// Reads the YAML that a person wrote, as version 1 created at `created_at`.
    ///
    /// Beside the sheet come its warnings: fields nobody knows (kept in [`extra`](Self::extra), or
    /// in their nested object), empty lists, and keys that only Quark Trace sets (ignored).
    ///
    /// # Errors
    /// Every fault at once, warnings among them, in the order of the source: no UTF-8, no YAML 1.2,
    /// over [`SOURCE_LIMIT`] bytes or [`DEPTH_LIMIT`] levels, repeated keys, merge keys, tags,
    /// missing fields and values of a wrong kind.
    pub fn from_yaml(bytes: &[u8], created_at: &str) -> Result<(Self, Vec<Fault>), SheetFaults> {
        let source = Source::decode(bytes)?;
        let mut faults = Faults::new(Some(&source));
        let checked = match yaml::read(&source, &mut faults) {
            Some((tree, root)) => validate::sheet(&tree, root, &mut faults),
            None => Checked::default(),
        };
        let warnings = faults.finish()?;
        Ok((Self::first_version(checked, created_at), warnings))
    }

    /// Makes version 1 from content that did not come from text, by the same rules as
    /// [`from_yaml`](Self::from_yaml). Faults have no place.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn from_content(
        content: Map<String, Value>,
        created_at: &str,
    ) -> Result<(Self, Vec<Fault>), SheetFaults> {
        let mut faults = Faults::new(None);
        let mut tree = Tree::default();
        let checked = match tree.push_value(&Value::Object(content), 1) {
            Some(root) => validate::sheet(&tree, root, &mut faults),
            None => {
                faults.error(&(0..0), "", validate::too_deep());
                Checked::default()
            }
        };
        let warnings = faults.finish()?;
        Ok((Self::first_version(checked, created_at), warnings))
    }

    /// Reads the JSON file, as leniently as release 0.1.0 did, so that every old project opens.
    ///
    /// Numbers and booleans where text belongs become text, absent lists are empty, an absent
    /// `version` is 1; a repeated key counts the last time. `created_at` may be absent (servers of
    /// that time did not keep it) and is then empty. `institution` stands in for
    /// `institution_id`. Content is not validated; unknown keys are kept in
    /// [`extra`](Self::extra). `sheet_id` is derived, so the stored one is not looked at.
    ///
    /// # Errors
    /// When the bytes are not one JSON object of at most 128 levels, when a required text is
    /// absent, or when the version is no positive number or the log no list.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SheetReadError> {
        read::sheet(bytes)
    }

    /// The bytes of the JSON file: what Python's `json.dump(sheet, file, indent=2)` writes.
    ///
    /// The 15 keys of release 0.1.0 come first, in its order, then `institution_id` if there is
    /// one, then [`extra`](Self::extra).
    pub fn to_json_bytes(&self) -> Vec<u8> {
        json::indented(&self.to_json_value())
    }

    /// The same object as a value.
    pub fn to_json_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("sheet_id".to_owned(), self.sheet_id().into());
        map.insert("project_id".to_owned(), self.project_id.as_str().into());
        map.insert("version".to_owned(), self.version.into());
        map.insert("created_at".to_owned(), self.created_at.as_str().into());
        map.insert("amended_at".to_owned(), self.amended_at.clone().into());
        map.insert("amendment_log".to_owned(), self.amendment_log.clone().into());
        map.extend(self.content.clone());
        if let Some(institution) = &self.institution_id {
            map.insert("institution_id".to_owned(), institution.as_str().into());
        }
        map.extend(self.extra.clone());
        Value::Object(map)
    }

    /// The next version, with `amendment` applied at the time `at`.
    ///
    /// The log gets one entry with the keys of release 0.1.0; it names the fields that changed,
    /// and the values are in the two versions (see [`diff()`]).
    ///
    /// # Errors
    /// [`AmendmentError::NoChange`] when every field already has that value.
    pub fn amend(&self, amendment: &Amendment, at: &str) -> Result<Self, AmendmentError> {
        amendment.apply(self, at)
    }

    fn first_version(checked: Checked, created_at: &str) -> Self {
        let Checked { mut known, extra } = checked;
        let mut text = |name: &str| match known.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Self {
            project_id: text("project_id").unwrap_or_default(),
            institution_id: text("institution_id"),
            version: 1,
            created_at: created_at.to_owned(),
            amended_at: None,
            amendment_log: Vec::new(),
            content: known,
            extra,
        }
    }
}

/// What a sheet says.
impl FactSheet {
    /// The name of this version, for people: `{project_id}-v{version}`.
    pub fn sheet_id(&self) -> String {
        format!("{}-v{}", self.project_id, self.version)
    }

    /// The project this sheet belongs to.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// The institution that answers for the project.
    pub fn institution_id(&self) -> Option<&str> {
        self.institution_id.as_deref()
    }

    /// 1, and one more with each amendment.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When version 1 was made; empty when an old file did not say.
    pub fn created_at(&self) -> &str {
        &self.created_at
    }

    /// When this version was made, if it is not the first.
    pub fn amended_at(&self) -> Option<&str> {
        self.amended_at.as_deref()
    }

    /// One object for each amendment, the oldest first.
    pub fn amendment_log(&self) -> &[Value] {
        &self.amendment_log
    }

    /// What the model is for.
    pub fn purpose(&self) -> &str {
        self.text(ContentField::Purpose)
    }

    /// The field of use.
    pub fn domain(&self) -> &str {
        self.text(ContentField::Domain)
    }

    /// How the model learns.
    pub fn ml_type(&self) -> &str {
        self.text(ContentField::MlType)
    }

    /// What is trained: objects with `name` and `variant`.
    pub fn algorithm(&self) -> &[Value] {
        self.list(ContentField::Algorithm)
    }

    /// What the model is given: objects with `name`, `type` and `description`.
    pub fn input(&self) -> &[Value] {
        self.list(ContentField::Input)
    }

    /// What the model answers: objects with `name`, `type` and `description`.
    pub fn output(&self) -> &[Value] {
        self.list(ContentField::Output)
    }

    /// The measures by which the model is judged.
    pub fn performance_metrics(&self) -> &[Value] {
        self.list(ContentField::PerformanceMetrics)
    }

    /// The declared bias: an object with `type`, `affected_group`, `severity` and `notes`.
    pub fn bias(&self) -> &Value {
        self.content(ContentField::Bias)
    }

    /// Who answers for the model: objects with `name`, `role` and `contact`.
    pub fn stakeholders(&self) -> &[Value] {
        self.list(ContentField::Stakeholders)
    }

    /// Keys that are none of ours, kept as they came.
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// The value of a content field, whatever an old file holds there.
    pub fn content(&self, field: ContentField) -> &Value {
        self.content.get(field.name()).unwrap_or(&Value::Null)
    }

    fn text(&self, field: ContentField) -> &str {
        self.content(field).as_str().unwrap_or_default()
    }

    fn list(&self, field: ContentField) -> &[Value] {
        self.content(field).as_array().map_or(&[], Vec::as_slice)
    }
}
