//! Where the pages are, and where they lead: every part that came from outside is percent-encoded.

use quark_trace::core::ids::percent_encode;

/// All projects.
pub const PROJECTS: &str = "/ui/";
/// Institutions, nodes and keys.
pub const REGISTRY: &str = "/ui/registry";
/// The interface for programs.
pub const API: &str = "/ui/api";
/// Where a key is asked for.
pub const SIGN_IN: &str = "/ui/sign-in";
/// Where a session ends.
pub const SIGN_OUT: &str = "/ui/sign-out";

/// Says whether a node takes part.
pub fn node_status(node_id: &str) -> String {
    format!("{REGISTRY}/nodes/{}/status", encoded(node_id))
}

/// Ends a key.
pub fn key_revoke(key_id: &str) -> String {
    format!("{REGISTRY}/keys/{}/revoke", encoded(key_id))
}

/// The addresses of one project's pages.
#[derive(Debug, Clone, Default)]
pub struct ProjectLinks {
    /// The id, percent-encoded.
    id: String,
}

impl ProjectLinks {
    /// Of the project with this id.
    pub fn of(project: &str) -> Self {
        Self { id: encoded(project) }
    }

    /// The overview.
    pub fn overview(&self) -> String {
        format!("/ui/projects/{}", self.id)
    }

    /// All records.
    pub fn records(&self) -> String {
        format!("/ui/projects/{}/records", self.id)
    }

    /// The records that a filter selects.
    pub fn filtered(&self, filter: &str) -> String {
        format!("{}?filter={}", self.records(), encoded(filter))
    }

    /// One record.
    pub fn record(&self, record_id: &str) -> String {
        format!("{}/{}", self.records(), encoded(record_id))
    }

    /// A version of the fact sheet.
    pub fn sheet(&self, version: u64) -> String {
        format!("/ui/projects/{}/sheets/{version}", self.id)
    }

    /// The verification.
    pub fn verify(&self) -> String {
        format!("/ui/projects/{}/verify", self.id)
    }

    /// The stream of new records for the script.
    pub fn stream(&self) -> String {
        format!("/projects/{}/stream", self.id)
    }

    /// The stored bytes of a record.
    pub fn record_bytes(&self, record_id: &str) -> String {
        format!("/projects/{}/records/{}", self.id, encoded(record_id))
    }

    /// The proof of a record as a file.
    pub fn proof(&self, record_id: &str) -> String {
        format!("/projects/{}/proof?record_id={}", self.id, encoded(record_id))
    }

    /// The stored bytes of a version of the fact sheet.
    pub fn sheet_bytes(&self, version: u64) -> String {
        format!("/projects/{}/sheets/{version}", self.id)
    }
}

/// A value in an address. `.` and `..`, which mean something in a path, are written out, too.
pub fn encoded(text: &str) -> String {
    match text {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => percent_encode(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let links = ProjectLinks::of("a/../b?c=\"<#");
        assert_eq!(links.overview(), "/ui/projects/a%2F..%2Fb%3Fc%3D%22%3C%23");
        assert_eq!(links.record("..").rsplit('/').next(), Some("%2E%2E"));
        assert_eq!(
            ProjectLinks::of("p").filtered("stage = 'a&b'"),
            "/ui/projects/p/records?filter=stage%20%3D%20%27a%26b%27"
        );
    }
}
