//! `serve --demo`: a federation to look at, in a minute.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use quark_trace::core::ids::ProjectId;
use quark_trace::keys::Keyring;
use quark_trace_server::registry::{Actor, KeyRequest, Role};
use quark_trace_server::{Server, demo};

use crate::arguments::serve::Serve;
use crate::failure::Failure;

/// A folder that is gone when the server ends.
pub struct Scratch(PathBuf);

impl Scratch {
    /// The folder, where a demo is asked for and no store is named.
    pub fn wanted(asked: &Serve) -> Result<Option<Self>, Failure> {
        if !asked.demo || asked.store.is_some() {
            return Ok(None);
        }
        let folder = std::env::temp_dir().join(format!("quark-trace-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).map_err(|error| {
            Failure::failed(format!("no folder for the demo in {}: {error}", folder.display()))
        })?;
        Ok(Some(Self(folder)))
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.0.join("demo.db").display())
    }

    /// A key of the demo's own, so that it leaves nothing behind.
    pub fn keys(&self) -> Result<Keyring, Failure> {
        Ok(Keyring::load_or_create(&self.0.join("keys"))?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in a folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Fills a fresh store, or takes up one that was filled before; gives a key to look around with.
pub fn fill(server: &Server) -> Result<String, Failure> {
    let app = server.app();
    let (registry, by) = (&app.registry, Actor::command_line());
    let first = demo::INSTITUTIONS[0].id;
    let look = key(Role::Admin, Some(first), None, "a look around the demo");
    if !registry.state().institutions.is_empty() {
        let is_demo = registry.state().projects.iter().any(|(project, claim)| {
            project.as_str() == demo::PROJECTS[0] && claim.institution_id == first
        });
        if !is_demo {
            return Err(Failure::usage("the store is in use; a demo needs a fresh one"));
        }
        return Ok(registry.issue_key(&by, &look)?.key.reveal().to_owned());
    }
    demo::fill(Arc::clone(&app.store))?;
    for institution in demo::INSTITUTIONS {
        registry.add_institution(&by, institution.id, institution.name)?;
    }
    for node in demo::NODES {
        registry.add_node(&by, node.id, node.institution, node.name)?;
        let wanted = key(Role::Node, None, Some(node.id), "the training script of the site");
        registry.issue_key(&by, &wanted)?;
    }
    for project in demo::PROJECTS {
        let project: ProjectId = project.parse().map_err(quark_trace::Error::from)?;
        registry.claim_project(&by, &project, first)?;
    }
    Ok(registry.issue_key(&by, &look)?.key.reveal().to_owned())
}

fn key(role: Role, institution: Option<&str>, node: Option<&str>, name: &str) -> KeyRequest {
    KeyRequest {
        role,
        institution_id: institution.map(str::to_owned),
        node_id: node.map(str::to_owned),
        name: name.to_owned(),
        expires_us: None,
    }
}
