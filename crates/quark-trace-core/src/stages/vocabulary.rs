//! The vocabulary: the stages that a model's life is known to have, each with a schema.
//!
//! The names are those of regulations, standards and tools of the field; 0.1.0's are aliases. A
//! schema that was released never changes: a better one gets the next number.

use std::sync::OnceLock;

use serde_json::Value;

use super::schema::StageSchema;
use crate::suggest::nearest;

/// A stage of the vocabulary.
#[derive(Debug)]
pub struct Builtin {
    /// Its canonical name.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// Its schema, as the file in the source has it.
    pub text: &'static str,
    document: OnceLock<Value>,
    schema: OnceLock<Option<StageSchema>>,
}

impl Builtin {
    /// The id of its schema: `quark:stage/client_round/1`.
    pub fn id(&self) -> String {
        format!("{PREFIX}{}{VERSION}", self.name)
    }

    /// Its schema as JSON.
    pub fn document(&self) -> &Value {
        self.document.get_or_init(|| serde_json::from_str(self.text).unwrap_or_default())
    }

    /// Its schema, compiled once; `None` would be a mistake in its file.
    pub fn schema(&self) -> Option<&StageSchema> {
        self.schema.get_or_init(|| StageSchema::read(self.text.as_bytes()).ok()).as_ref()
    }

    /// What it is called, in words.
    pub fn title(&self) -> &str {
        self.document()["title"].as_str().unwrap_or_default()
    }

    /// What its records tell, in one sentence.
    pub fn description(&self) -> &str {
        self.document()["description"].as_str().unwrap_or_default()
    }

    /// A payload that fits.
    pub fn example(&self) -> &Value {
        &self.document()["examples"][0]
    }
}

macro_rules! stage {
    ($name:literal, [$($alias:literal),*]) => {
        Builtin {
            name: $name,
            aliases: &[$($alias),*],
            text: include_str!(concat!("vocabulary/", $name, ".json")),
            document: OnceLock::new(),
            schema: OnceLock::new(),
        }
    };
}

/// Every stage of the vocabulary, in the order of a model's life.
pub static VOCABULARY: [Builtin; 43] = [
    stage!("project_start", ["experiment_start"]),
    stage!("risk_assessment", []),
    stage!("design_decision", []),
    stage!("data_ingest", []),
    stage!("data_prep", []),
    stage!("labelling", ["labeling"]),
    stage!("data_quality", []),
    stage!("data_access", []),
    stage!("consent_change", []),
    stage!("training", ["train", "train_start", "train_step", "train_end"]),
    stage!("federation_setup", []),
    stage!("round_start", []),
    stage!("dispatch", []),
    stage!("client_round", []),
    stage!("client_refusal", []),
    stage!("dropout", []),
    stage!("contribution_receipt", []),
    stage!("aggregation", ["aggregation_round"]),
    stage!("privacy_event", []),
    stage!("evaluation", []),
    stage!("test_report", []),
    stage!("model_registered", []),
    stage!("approval", []),
    stage!("release", []),
    stage!("market_placement", []),
    stage!("deployment", []),
    stage!("rollback", []),
    stage!("inference_session", []),
    stage!("monitoring", []),
    stage!("human_oversight", []),
    stage!("incident", []),
    stage!("change", []),
    stage!("amendment", []),
    stage!("recall", []),
    stage!("access", []),
    stage!("export", []),
    stage!("verify", []),
    stage!("key_event", []),
    stage!("purge", []),
    stage!("erasure", []),
    stage!("legal_hold", []),
    stage!("retirement", []),
    stage!("project_end", ["experiment_end"]),
];

const PREFIX: &str = "quark:stage/";
const VERSION: &str = "/1";

/// The stage of the vocabulary with this name or alias.
///
/// ```
/// use quark_trace_core::stages::builtin;
/// assert_eq!(builtin("aggregation_round").unwrap().name, "aggregation");
/// assert!(builtin("coffee_break").is_none());
/// ```
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    VOCABULARY.iter().find(|known| known.name == name || known.aliases.contains(&name))
}

/// The name or alias that `name` is most likely a slip of.
pub fn suggestion(name: &str) -> Option<&'static str> {
    let names = VOCABULARY.iter().map(|known| known.name);
    let aliases = VOCABULARY.iter().flat_map(|known| known.aliases.iter().copied());
    nearest(name, names.chain(aliases))
}

/// The stage whose schema has this id.
pub(super) fn by_id(id: &str) -> Option<&'static Builtin> {
    let name = id.strip_prefix(PREFIX)?.strip_suffix(VERSION)?;
    VOCABULARY.iter().find(|known| known.name == name)
}
