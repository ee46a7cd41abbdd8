//! Institutions, nodes and keys, and the forms that change them.

use askama::Template;

use super::frame::{Frame, Section};
use super::text::Shown;

/// The registry as one key may see it.
#[derive(Debug, Template)]
#[template(path = "registry.html")]
pub struct RegistryPage {
    /// What stands around it.
    pub frame: Frame,
    /// The institutions.
    pub institutions: Vec<InstitutionRow>,
    /// The nodes.
    pub nodes: Vec<NodeRow>,
    /// The keys.
    pub keys: Vec<KeyRow>,
    /// A key that was made just now, shown this once.
    pub new_key: Option<NewKey>,
    /// What a form asked for and was not done.
    pub refusal: Option<Shown>,
    /// Whether institutions may be added: an operator may.
    pub may_add_institutions: bool,
    /// Roles that a new key may have.
    pub roles: Vec<&'static str>,
}

/// An institution.
#[derive(Debug)]
pub struct InstitutionRow {
    /// Its id.
    pub id: Shown,
    /// What it is called.
    pub name: Shown,
    /// Its id as a form sends it back.
    pub value: String,
    /// Whether its keys work.
    pub is_active: bool,
}

/// A node.
#[derive(Debug)]
pub struct NodeRow {
    /// Its id.
    pub id: Shown,
    /// What it is called.
    pub name: Shown,
    /// Whose it is.
    pub institution: Shown,
    /// Its id as a form sends it back.
    pub value: String,
    /// Where its status is changed.
    pub action: String,
    /// Whether its keys work.
    pub is_active: bool,
}

/// A key, without what makes it one.
#[derive(Debug)]
pub struct KeyRow {
    /// Its public id.
    pub id: Shown,
    /// What it is called.
    pub name: Shown,
    /// `node`, `auditor`, `admin` or `operator`.
    pub role: Shown,
    /// The node or institution it belongs to.
    pub owner: Shown,
    /// When it was made.
    pub created: Shown,
    /// When it ends; empty when it does not.
    pub expires: Shown,
    /// When it was last used; empty when it was not.
    pub used: Shown,
    /// `active` or `ended`.
    pub status: &'static str,
    /// Where it is ended.
    pub action: String,
}

/// A key that was made just now.
#[derive(Debug)]
pub struct NewKey {
    /// The key itself.
    pub key: String,
    /// For whom.
    pub owner: Shown,
}

impl KeyRow {
    /// Whether it works.
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }
}

impl RegistryPage {
    /// An empty registry in its section.
    pub fn new(frame: Frame) -> Self {
        Self {
            frame: frame.within(Section::Registry),
            institutions: Vec::new(),
            nodes: Vec::new(),
            keys: Vec::new(),
            new_key: None,
            refusal: None,
            may_add_institutions: false,
            roles: Vec::new(),
        }
    }
}
