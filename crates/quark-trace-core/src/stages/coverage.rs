//! Which stages of the vocabulary a project has, lacks, or does not find there.

use super::vocabulary::{self, VOCABULARY};

/// A stage of the project that the vocabulary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Its name as the records have it.
    pub stage: String,
    /// Its canonical name.
    pub canonical: &'static str,
    /// How many records there are.
    pub records: u64,
}

/// A stage that the vocabulary does not know. Free text is legal: it is told, not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its name as the records have it.
    pub stage: String,
    /// How many records there are.
    pub records: u64,
    /// The name that it is most likely a slip of.
    pub suggestion: Option<&'static str>,
}

/// The stages of a project beside those of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// What it has, in the order of its first appearance.
    pub present: Vec<Present>,
    /// Canonical names of what it lacks, in the order of a model's life.
    pub lacking: Vec<&'static str>,
    /// What the vocabulary does not know.
    pub unknown: Vec<Unknown>,
}

impl Coverage {
    /// From stages and how many records each has.
    ///
    /// ```
    /// use quark_trace_core::stages::Coverage;
    /// let coverage = Coverage::of([("experiment_start", 1), ("client_ruond", 5)]);
    /// assert_eq!(coverage.present[0].canonical, "project_start");
    /// assert_eq!(coverage.unknown[0].suggestion, Some("client_round"));
    /// ```
    pub fn of<'a>(stages: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut coverage = Self::default();
        for (stage, records) in stages {
            let name = stage.to_owned();
            match vocabulary::builtin(stage) {
                Some(known) => {
                    coverage.present.push(Present { stage: name, canonical: known.name, records });
                }
                None => {
                    let suggestion = vocabulary::suggestion(stage);
                    coverage.unknown.push(Unknown { stage: name, records, suggestion });
                }
            }
        }
        let has = |name: &str| coverage.present.iter().any(|present| present.canonical == name);
        coverage.lacking =
            VOCABULARY.iter().map(|known| known.name).filter(|name| !has(name)).collect();
        coverage
    }
}
