//! What stands around every page: who is signed in, where one is, where one can go.

use super::links::ProjectLinks;
use super::text::Shown;

/// Where a page belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Section {
    /// Projects and what is in them.
    #[default]
    Projects,
    /// Institutions, nodes and keys.
    Registry,
    /// The interface for programs.
    Api,
    /// None of them.
    Outside,
}

/// Who is signed in.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What the key is called.
    pub name: Shown,
    /// `node`, `auditor`, `admin` or `operator`.
    pub role: &'static str,
    /// Whose it is; `None` for an operator of the server.
    pub institution: Option<Shown>,
    /// Whether it may see the registry.
    pub manages: bool,
}

/// What every page is made with.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Who is signed in; `None` for a visitor.
    pub account: Option<Account>,
    /// The token that every form of this session carries.
    pub csrf: String,
    /// Where the page belongs.
    pub section: Section,
    /// What is told once on top of the page, such as what a form has done.
    pub notice: Option<Shown>,
}

impl Frame {
    /// The same frame around a page of another section.
    #[must_use]
    pub fn within(mut self, section: Section) -> Self {
        self.section = section;
        self
    }

    /// Whether a page of this section is shown, as the navigation has it.
    pub fn is_projects(&self) -> bool {
        self.section == Section::Projects
    }

    /// As [`Frame::is_projects`].
    pub fn is_registry(&self) -> bool {
        self.section == Section::Registry
    }

    /// As [`Frame::is_projects`].
    pub fn is_api(&self) -> bool {
        self.section == Section::Api
    }
}

/// The pages of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// The overview.
    Overview,
    /// Its records, and each one.
    Records,
    /// Its fact sheet.
    Sheet,
    /// Its verification.
    Verify,
}

/// What stands on top of every page of a project.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its id.
    pub project: Shown,
    /// Its pages.
    pub links: ProjectLinks,
    /// Which of them is shown.
    pub tab: Tab,
    /// The last version of its sheet; 0 when it has none.
    pub version: u64,
}

impl Head {
    /// `page` for the tab that is shown, as `aria-current` wants it; the name is that of the tab in
    /// lower case.
    pub fn current(&self, tab: &str) -> &'static str {
        let shown = match self.tab {
            Tab::Overview => "overview",
            Tab::Records => "records",
            Tab::Sheet => "sheet",
            Tab::Verify => "verify",
        };
        if tab == shown { "page" } else { "false" }
    }

    /// The sheet in force.
    pub fn sheet_link(&self) -> String {
        self.links.sheet(self.version)
    }
}
