//! What each route asks of its caller.
//!
//! A route is made by [`crate::routes::Table`] alone, which takes a [`Policy`] with each: one without
//! does not compile. The test `authorisation` walks the table and holds every answer against what is
//! said here.

use super::caller::{Caller, Identity};
use crate::registry::{Opening, Role, State};
use quark_trace::core::ids::ProjectId;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Anybody.
    Public,
    /// Anybody on this machine, and operators.
    Machine,
    /// Whoever has a good key of one of these roles. What is shown is limited to what concerns them.
    Roles(&'static [Role]),
    /// Whoever may read the project in the path. Without a key it must be opened this far.
    Read(Opening),
    /// Whoever has one of these roles in the institution of the project in the path.
    Project(&'static [Role]),
    /// The node in the path, admins of its institution, and operators.
    OwnNode,
    /// Admins of the institution of the node or key in the path, and operators.
    Manage,
    /// The holder of the key in the path, admins of its institution, and operators.
    OwnKey,
}

/// What the path of a route names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object<'a> {
    /// A project, as it was written.
    pub project: Option<&'a str>,
    /// A node.
    pub node: Option<&'a str>,
    /// A key, by its public part.
    pub key: Option<&'a str>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is answered.
    Granted,
    /// A key is needed (401).
    NeedsKey,
    /// The role is not enough, whatever the object is (403).
    Forbidden,
    /// The object does not exist, or is somebody else's: nobody can tell which (404).
    Missing,
}

const READERS: &[Role] = &[Role::Node, Role::Auditor, Role::Admin, Role::Operator];
const MANAGERS: &[Role] = &[Role::Admin, Role::Operator];

impl Policy {
    /// Decides about a call. `is_local` is whether it came from this machine.
    pub fn decide(
        self,
        caller: &Caller,
        object: &Object<'_>,
        state: &State,
        is_local: bool,
    ) -> Decision {
        let roles = match self {
            Self::Public => return Decision::Granted,
            Self::Machine if is_local => return Decision::Granted,
            Self::Machine => &[Role::Operator],
            Self::Read(_) => READERS,
            Self::Roles(roles) | Self::Project(roles) => roles,
            Self::Manage => MANAGERS,
            Self::OwnNode | Self::OwnKey => READERS,
        };
        let Some(identity) = caller.identity() else {
            return match self {
                Self::Read(opening) if is_open(state, object, opening) => Decision::Granted,
                _ => Decision::NeedsKey,
            };
        };
        if !roles.contains(&identity.role) {
            return Decision::Forbidden;
        }
        let concerns = match self {
            Self::Public | Self::Machine | Self::Roles(_) => true,
            Self::Read(opening) => {
                is_project_of(state, object, identity) || is_open(state, object, opening)
            }
            Self::Project(_) => is_project_of(state, object, identity),
            Self::OwnNode => {
                let own = object.node.is_some_and(|node| identity.node_id.as_deref() == Some(node));
                own || manages(state, object, identity)
            }
            Self::Manage => manages(state, object, identity),
            Self::OwnKey => {
                object.key == Some(identity.key_id.as_str()) || manages(state, object, identity)
            }
        };
        if concerns { Decision::Granted } else { Decision::Missing }
    }
}

fn is_open(state: &State, object: &Object<'_>, opening: Opening) -> bool {
    let claim = object.project.and_then(|id| state.projects.get(&id.parse::<ProjectId>().ok()?));
    opening != Opening::Nobody && claim.is_some_and(|claim| claim.open >= opening)
}

fn is_project_of(state: &State, object: &Object<'_>, identity: &Identity) -> bool {
    if identity.role == Role::Operator {
        return object.project == Some(crate::registry::LEDGER);
    }
    let claim = object.project.and_then(|id| state.projects.get(&id.parse::<ProjectId>().ok()?));
    claim.is_some_and(|claim| identity.is_of(&claim.institution_id))
}

/// Whether the node or key exists and is of an institution that the holder manages.
fn manages(state: &State, object: &Object<'_>, identity: &Identity) -> bool {
    let node = object.node.map(|id| state.nodes.get(id).map(|node| Some(&node.institution_id)));
    let key = object.key.map(|id| state.keys.get(id).map(|key| key.institution_id.as_ref()));
    let Some(Some(institution)) = node.or(key) else { return false };
    match identity.role {
        Role::Operator => true,
        Role::Admin => institution.is_some_and(|id| identity.is_of(id)),
        Role::Node | Role::Auditor => false,
    }
}
