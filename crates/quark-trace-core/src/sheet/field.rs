//! The fields of a fact sheet, declared once.
//!
//! This table drives the validator, the template, the JSON Schema and the order in which nested
//! objects are written. To change what a sheet may hold, change it here.

/// One field of a fact sheet or of an object inside it.
#[derive(Debug)]
pub struct Field {
    /// The key, as written in YAML and JSON.
    pub name: &'static str,
    /// What the value may be.
    pub kind: Kind,
    /// Whether the sheet is refused without it.
    pub required: bool,
    /// One sentence for the person who fills it in.
    pub about: &'static str,
    /// A plausible value for the template and for advice; empty where the kind has its own fields.
    pub example: &'static str,
}

/// What the value of a [`Field`] may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text; a required one is not blank.
    Text,
    /// Text that is a valid [`ProjectId`](crate::ids::ProjectId).
    ProjectId,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts, none of them blank.
    TextList,
    /// One object with these fields.
    Object(&'static [Field]),
    /// A list of objects with these fields.
    ObjectList(&'static [Field]),
}

const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about, example: "" }
}

const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about, example: "" }
}

impl Field {
    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }
}

/// How a model learns. `self-supervised` was documented but refused by release 0.1.0.
const ML_TYPES: &[&str] =
    &["supervised", "unsupervised", "semi-supervised", "self-supervised", "reinforcement"];
const INPUT_TYPES: &[&str] = &["image", "text", "tabular", "time_series", "audio", "other"];
const OUTPUT_TYPES: &[&str] = &["label", "score", "embedding", "sequence", "other"];
const SEVERITIES: &[&str] = &["low", "medium", "high", "critical"];

const ALGORITHM: &[Field] = &[
    required("name", Kind::Text, "The family or the published name.").example("XGBoost"),
    optional("variant", Kind::Text, "The exact class or version.").example("XGBClassifier 2.1"),
];

const INPUT: &[Field] = &[
    required("name", Kind::Text, "What the data set or feature group is called.")
        .example("transaction_features"),
    required("type", Kind::Choice(INPUT_TYPES), "The modality.").example("tabular"),
    optional("description", Kind::Text, "Where it comes from and how it was prepared.")
        .example("Card payments of the last 12 months, normalised"),
];

const OUTPUT: &[Field] = &[
    required("name", Kind::Text, "What the model calls its answer.").example("fraud_label"),
    required("type", Kind::Choice(OUTPUT_TYPES), "The form of the answer.").example("label"),
    optional("description", Kind::Text, "How the answer is to be read.")
        .example("1 when the payment should be held back"),
];

const BIAS: &[Field] = &[
    required("type", Kind::Text, "The kind of bias.").example("historical"),
    required("affected_group", Kind::Text, "Who may be treated worse than others.")
        .example("customers with a short credit history"),
    required("severity", Kind::Choice(SEVERITIES), "How bad it is for them.").example("medium"),
    optional("notes", Kind::Text, "What is known about it and what is done against it.")
        .example("Past decisions are part of the training data"),
];

const STAKEHOLDER: &[Field] = &[
    required("name", Kind::Text, "A person or a body.").example("Jane Doe"),
    required("role", Kind::Text, "What they answer for.").example("ML engineer"),
    optional("contact", Kind::Text, "How to reach them.").example("jane@example.org"),
];

/// The fields a sheet is written with, in the order of the file.
pub const FIELDS: &[Field] = &[
    required(
        "project_id",
        Kind::ProjectId,
        "The stable name of the project. It names the files, and it can never be changed.",
    )
    .example("my-project-001"),
    optional(
        "institution_id",
        Kind::Text,
        "The institution that answers for the project. It can never be changed.",
    )
    .example("st-anna-hospital"),
    required("purpose", Kind::Text, "What the model is for, in one or two sentences.")
        .example("Detect fraudulent card payments before they are booked"),
    required("domain", Kind::Text, "The field of use.").example("Financial services"),
    required("ml_type", Kind::Choice(ML_TYPES), "How the model learns.").example("supervised"),
    required("algorithm", Kind::ObjectList(ALGORITHM), "What is trained."),
    required("input", Kind::ObjectList(INPUT), "What the model is given."),
    required("output", Kind::ObjectList(OUTPUT), "What the model answers."),
    required("performance_metrics", Kind::TextList, "The measures by which it is judged.")
        .example("recall"),
    required("bias", Kind::Object(BIAS), "The bias that is known or expected, declared openly."),
    required("stakeholders", Kind::ObjectList(STAKEHOLDER), "Who answers for the model."),
];

/// Keys of the JSON file that Quark Trace writes itself; a sheet that brings them is not believed.
pub(crate) const BOOKKEEPING: &[&str] =
    &["sheet_id", "version", "created_at", "amended_at", "amendment_log"];

/// What earlier servers called `institution_id`.
pub(crate) const INSTITUTION_ALIAS: &str = "institution";

/// The field of a sheet with this name.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[Field]) {
        for field in fields {
            assert!(field.about.ends_with('.'), "{}", field.name);
            match field.kind {
                Kind::Object(inner) | Kind::ObjectList(inner) => check(inner),
                Kind::Choice(words) => assert!(words.contains(&field.example), "{}", field.name),
                Kind::Text | Kind::ProjectId | Kind::TextList => assert!(!field.example.is_empty()),
            }
        }
    }

    #[test]
    fn every_field_says_what_it_is_for_and_shows_a_value() {
        check(FIELDS);
    }
}
