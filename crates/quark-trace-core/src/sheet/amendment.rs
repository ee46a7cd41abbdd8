//! Changing a fact sheet: who, why, and which of the nine content fields.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::FactSheet;
use super::fault::{Fault, Faults, SheetFaults};
use super::field;
use super::validate;
use crate::suggest::nearest;
use crate::visible::{shortened, visible};

/// Longest actor and longest reason, in bytes of UTF-8.
pub const ACTOR_LIMIT: usize = 1_000;

/// Fields that no amendment may touch.
const IMMUTABLE: &[&str] = &[
    "sheet_id",
    "project_id",
    "institution_id",
    "created_at",
    "version",
    "amended_at",
    "amendment_log",
];

/// The fields that say what a project is about, and that an amendment may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table in `field` says what each holds")]
pub enum ContentField {
    Purpose,
    Domain,
    MlType,
    Algorithm,
    Input,
    Output,
    PerformanceMetrics,
    Bias,
    Stakeholders,
}

impl ContentField {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 9] = [
        Self::Purpose,
        Self::Domain,
        Self::MlType,
        Self::Algorithm,
        Self::Input,
        Self::Output,
        Self::PerformanceMetrics,
        Self::Bias,
        Self::Stakeholders,
    ];

    /// The key in YAML and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Purpose => "purpose",
            Self::Domain => "domain",
            Self::MlType => "ml_type",
            Self::Algorithm => "algorithm",
            Self::Input => "input",
            Self::Output => "output",
            Self::PerformanceMetrics => "performance_metrics",
            Self::Bias => "bias",
            Self::Stakeholders => "stakeholders",
        }
    }
}

impl fmt::Display for ContentField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for ContentField {
    type Err = AmendmentError;

    /// Tells fields that nobody may change from those that nobody knows.
    fn from_str(name: &str) -> Result<Self, AmendmentError> {
        if let Some(field) = Self::ALL.into_iter().find(|field| field.name() == name) {
            return Ok(field);
        }
        if IMMUTABLE.contains(&name) {
            return Err(AmendmentError::Immutable { field: name.to_owned() });
        }
        let did_you_mean = nearest(name, Self::ALL.map(Self::name));
        Err(AmendmentError::Unknown { field: name.to_owned(), did_you_mean })
    }
}

/// Why an amendment was refused; the sheet is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmendmentError {
    /// No field was given.
    #[error("an amendment names at least one field to change")]
    Empty,
    /// The field can never be changed.
    #[error("`{field}` can never be changed")]
    Immutable {
        /// The field.
        field: String,
    },
    /// The field is none of the nine content fields.
    #[error("{}", unknown(.field, *.did_you_mean))]
    Unknown {
        /// The field as it was given.
        field: String,
        /// The content field it may be a slip of.
        did_you_mean: Option<&'static str>,
    },
    /// Nobody stands behind the amendment, or the text is over [`ACTOR_LIMIT`].
    #[error("an amendment names who made it, in 1 to {ACTOR_LIMIT} bytes that are not all blank")]
    Actor,
    /// No reason is given, or the text is over [`ACTOR_LIMIT`].
    #[error("an amendment says why, in 1 to {ACTOR_LIMIT} bytes that are not all blank")]
    Reason,
    /// New values are not valid: every fault of every field.
    #[error("{0}")]
    Invalid(#[from] SheetFaults),
    /// Every field already has the value given.
    #[error("the amendment changes nothing")]
    NoChange,
    /// The version cannot be counted up.
    #[error("the fact sheet has the highest version there is")]
    LastVersion,
}

fn unknown(field: &str, did_you_mean: Option<&str>) -> String {
    let field = shortened(field, 80);
    match did_you_mean {
        Some(meant) => {
            format!("`{}` is not a content field; did you mean `{meant}`?", visible(&field))
        }
        None => format!(
            "`{}` is not a content field; they are: {}",
            visible(&field),
            ContentField::ALL.map(ContentField::name).join(", ")
        ),
    }
}

/// New values for some content fields, validated, with who gives them and why.
///
/// ```
/// use quark_trace_core::sheet::{Amendment, FactSheet, template};
/// use serde_json::json;
/// let (first, _) = FactSheet::from_yaml(template("demo").as_bytes(), "2026-01-02T03:04:05Z")?;
/// let fields = json!({"domain": "Insurance"});
/// let amendment = Amendment::parse(fields.as_object().unwrap(), "Jane Doe", "moved")?;
/// let second = first.amend(&amendment, "2026-02-03T04:05:06Z")?;
/// assert_eq!(second.sheet_id(), "demo-v2");
/// assert_eq!(second.amendment_log()[0]["fields_changed"], json!(["domain"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Amendment {
    changes: Vec<(ContentField, Value)>,
    actor: String,
    reason: String,
    warnings: Vec<Fault>,
}

impl Amendment {
    /// Validates all of `fields` by the rules of a new sheet: all are good, or none is taken.
    ///
    /// # Errors
    /// The first name that is immutable or unknown, in the order given; a missing actor or reason;
    /// else every fault of every value at once.
    pub fn parse(
        fields: &Map<String, Value>,
        actor: &str,
        reason: &str,
    ) -> Result<Self, AmendmentError> {
        if fields.is_empty() {
            return Err(AmendmentError::Empty);
        }
        let names: Vec<ContentField> =
            fields.keys().map(|name| name.parse()).collect::<Result<_, _>>()?;
        if !says_something(actor) {
            return Err(AmendmentError::Actor);
        }
        if !says_something(reason) {
            return Err(AmendmentError::Reason);
        }
        let mut faults = Faults::new(None);
        let changes = names
            .into_iter()
            .zip(fields.values())
            .map(|(name, value)| (name, checked(name, value, &mut faults)))
            .collect();
        let warnings = faults.finish()?;
        Ok(Self { changes, actor: actor.to_owned(), reason: reason.to_owned(), warnings })
    }

    /// Who makes the change.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Why it is made.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The new values, in the order given, with absent optional fields as null.
    pub fn changes(&self) -> &[(ContentField, Value)] {
        &self.changes
    }

    /// What somebody should look at, though it does not stand in the way.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    pub(super) fn apply(&self, sheet: &FactSheet, at: &str) -> Result<FactSheet, AmendmentError> {
        let version = sheet.version.checked_add(1).ok_or(AmendmentError::LastVersion)?;
        let mut next = sheet.clone();
        let mut changed = Vec::new();
        for (field, value) in &self.changes {
            if sheet.content(*field) != value {
                next.content.insert(field.name().to_owned(), value.clone());
                changed.push(field.name());
            }
        }
        if changed.is_empty() {
            return Err(AmendmentError::NoChange);
        }
        next.version = version;
        next.amended_at = Some(at.to_owned());
        next.amendment_log.push(json!({
            "version": version,
            "amended_at": at,
            "amended_by": self.actor,
            "fields_changed": changed,
            "reason": self.reason,
        }));
        Ok(next)
    }
}

fn checked(name: ContentField, value: &Value, faults: &mut Faults<'_>) -> Value {
    match field::field(name.name()) {
        Some(field) => validate::value(field, value, faults),
        None => value.clone(),
    }
}

fn says_something(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= ACTOR_LIMIT
}
