//! What happens to institutions, nodes, keys and projects, as records of the server's own ledger.

use std::collections::BTreeMap;

use quark_trace::core::ledger::Digest;
use serde::{Deserialize, Serialize};

/// A change of the registry. Its name is the stage of its record, its fields are the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An institution takes part.
    InstitutionAdded {
        /// Its id.
        institution_id: String,
        /// What people call it.
        name: String,
    },
    /// An institution takes part, or does not any more.
    InstitutionChanged {
        /// Its id.
        institution_id: String,
        /// From now on.
        status: Status,
    },
    /// A node of an institution takes part.
    NodeAdded {
        /// Its id.
        node_id: String,
        /// Whose it is.
        institution_id: String,
        /// What people call it.
        name: String,
    },
    /// A node takes part, or does not any more.
    NodeChanged {
        /// Its id.
        node_id: String,
        /// From now on.
        status: Status,
    },
    /// A key was handed out.
    KeyIssued {
        /// Its public part.
        key_id: String,
        /// SHA-256 of the whole key.
        sha256: String,
        /// What its holder may do.
        role: Role,
        /// The institution it is limited to; an operator has none.
        institution_id: Option<String>,
        /// The node that holds it.
        node_id: Option<String>,
        /// What it is for.
        name: String,
        /// When it ends by itself, in microseconds since 1970.
        expires_us: Option<i64>,
        /// The key that it was made in place of, and when that one ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Replaced>,
    },
    /// A key ends.
    KeyEnds {
        /// Its public part.
        key_id: String,
        /// When, in microseconds since 1970.
        at_us: i64,
    },
    /// Keys were used; when each was last used, in microseconds since 1970, to the minute.
    KeysUsed {
        /// By their public parts.
        keys: BTreeMap<String, i64>,
    },
    /// A project belongs to an institution.
    ProjectClaimed {
        /// The project.
        project_id: String,
        /// Whose it is.
        institution_id: String,
    },
    /// Who may read a project without a key.
    ProjectOpened {
        /// The project.
        project_id: String,
        /// What they may read.
        open: Opening,
    },
}

impl Event {
    /// The stage of its record.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::InstitutionAdded { .. } => "institution_added",
            Self::InstitutionChanged { .. } => "institution_changed",
            Self::NodeAdded { .. } => "node_added",
            Self::NodeChanged { .. } => "node_changed",
            Self::KeyIssued { .. } => "key_issued",
            Self::KeyEnds { .. } => "key_ends",
            Self::KeysUsed { .. } => "keys_used",
            Self::ProjectClaimed { .. } => "project_claimed",
            Self::ProjectOpened { .. } => "project_opened",
        }
    }

    /// The stages of all events, for a filter.
    pub const STAGES: [&str; 9] = [
        "institution_added",
        "institution_changed",
        "node_added",
        "node_changed",
        "key_issued",
        "key_ends",
        "keys_used",
        "project_claimed",
        "project_opened",
    ];
}

/// A key in place of which another one was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its public part.
    pub key_id: String,
    /// When it ends, in microseconds since 1970.
    pub ends_us: i64,
}

/// Whether somebody takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Yes.
    Active,
    /// Not any more; its keys are refused.
    Inactive,
}

/// What the holder of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and writes the projects of its institution.
    Node,
    /// Reads them; each read is noted.
    Auditor,
    /// Reads them, amends sheets, and manages nodes and keys of its institution.
    Admin,
    /// Manages institutions, nodes and keys of the whole server, and reads no project but the
    /// server's own ledger.
    Operator,
}

impl Role {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }
}

/// What may be read of a project without a key.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// Nothing.
    #[default]
    Nobody,
    /// The ledger: checkpoints, tiles and entries, which name digests and no content.
    Ledger,
    /// Everything.
    Records,
}

/// An issued key as the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its public part.
    pub key_id: String,
    /// That of the first of the keys that were made in place of one another, up to this one.
    pub first_key_id: String,
    /// SHA-256 of the whole key.
    pub digest: Digest,
    /// What its holder may do.
    pub role: Role,
    /// The institution it is limited to.
    pub institution_id: Option<String>,
    /// The node that holds it.
    pub node_id: Option<String>,
    /// What it is for.
    pub name: String,
    /// When it was issued, as records carry times.
    pub issued_at: String,
    /// When it was to end when it was issued, in microseconds since 1970.
    pub expires_us: Option<i64>,
    /// When it ends, in microseconds since 1970.
    pub ends_us: Option<i64>,
    /// When it was last used, as far as that was noted, in microseconds since 1970.
    pub last_used_us: Option<i64>,
    /// The public part of the key that was made in its place.
    pub replaced_by: Option<String>,
}

impl KeyEntry {
    /// Ends it at a time, or earlier if it ends earlier already.
    pub(super) fn end(&mut self, at_us: i64) {
        self.ends_us = Some(self.ends_us.map_or(at_us, |known| known.min(at_us)));
    }
}
