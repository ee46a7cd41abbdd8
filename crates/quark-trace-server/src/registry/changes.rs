//! The changes that can be made, each checked against what is known.

use std::collections::BTreeMap;

use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::ids::{NAME_LIMIT, ProjectId};
use quark_trace::{Error, ErrorKind, Outcome, Result};

use super::event::{Event, KeyEntry, Opening, Replaced, Role, Status};
use super::state::State;
use super::{LEDGER, Registry};
use crate::access::ApiKey;

const OPERATION: &str = "change the registry";

/// Who makes a change: a key, or whoever may write to the store itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// The holder of a key.
    pub fn key(key_id: &str) -> Self {
        Self(format!("key:{key_id}"))
    }

    /// Somebody at the command line of the server's machine.
    pub fn command_line() -> Self {
        Self("command-line".to_owned())
    }

    /// The server itself.
    pub fn server() -> Self {
        Self("server".to_owned())
    }

    /// As it stands in the ledger.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key that is wanted.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// What its holder may do.
    pub role: Role,
    /// The institution, for auditors and admins.
    pub institution_id: Option<String>,
    /// The node, for nodes.
    pub node_id: Option<String>,
    /// What it is for.
    pub name: String,
    /// When it ends by itself, in microseconds since 1970.
    pub expires_us: Option<i64>,
}

/// A key that was made: the only time that it is shown.
#[derive(Debug)]
pub struct Issued {
    /// The key.
    pub key: ApiKey,
    /// What the server keeps of it.
    pub entry: KeyEntry,
}

impl Registry {
    /// Lets an institution take part.
    pub fn add_institution(&self, by: &Actor, id: &str, name: &str) -> Result<()> {
        check_name("institution", id)?;
        check_text("name", name)?;
        self.change(by, |state| {
            refuse_known(state.institutions.contains_key(id), "institution", id)?;
            let (institution_id, name) = (id.to_owned(), name.to_owned());
            Ok(Some(Event::InstitutionAdded { institution_id, name }))
        })?;
        Ok(())
    }

    /// Says whether an institution takes part.
    pub fn set_institution(&self, by: &Actor, id: &str, status: Status) -> Result<()> {
        self.change(by, |state| {
            let known = state.institutions.get(id).ok_or_else(|| missing("institution", id))?;
            let institution_id = id.to_owned();
            let event = Event::InstitutionChanged { institution_id, status };
            Ok((known.status != status).then_some(event))
        })?;
        Ok(())
    }

    /// Lets a node of an institution take part.
    pub fn add_node(&self, by: &Actor, id: &str, institution: &str, name: &str) -> Result<()> {
        check_name("node", id)?;
        check_text("name", name)?;
        self.change(by, |state| {
            if !state.institutions.contains_key(institution) {
                return Err(missing("institution", institution));
            }
            refuse_known(state.nodes.contains_key(id), "node", id)?;
            let (node_id, institution_id) = (id.to_owned(), institution.to_owned());
            Ok(Some(Event::NodeAdded { node_id, institution_id, name: name.to_owned() }))
        })?;
        Ok(())
    }

    /// Says whether a node takes part.
    pub fn set_node(&self, by: &Actor, id: &str, status: Status) -> Result<()> {
        self.change(by, |state| {
            let known = state.nodes.get(id).ok_or_else(|| missing("node", id))?;
            let event = Event::NodeChanged { node_id: id.to_owned(), status };
            Ok((known.status != status).then_some(event))
        })?;
        Ok(())
    }

    /// Makes a key. It is shown this once.
    pub fn issue_key(&self, by: &Actor, wanted: &KeyRequest) -> Result<Issued> {
        check_text("name", &wanted.name)?;
        if wanted.expires_us.is_some_and(|expires| expires <= SystemClock.now_us()) {
            return Err(refused("the time at which the key is to end is over already"));
        }
        self.make_key(by, |state| {
            let institution_id = institution_of(state, wanted)?;
            Ok(Grant { wanted: wanted.clone(), institution_id, replaces: None })
        })
    }

    fn make_key(&self, by: &Actor, grant: impl Fn(&State) -> Result<Grant>) -> Result<Issued> {
        let key = ApiKey::generate().map_err(|error| {
            Error::new(ErrorKind::Io, OPERATION, error.to_string())
                .with_outcome(Outcome::NotWritten)
        })?;
        self.change(by, |state| {
            let Grant { wanted, institution_id, replaces } = grant(state)?;
            Ok(Some(Event::KeyIssued {
                key_id: key.id().to_owned(),
                sha256: key.digest().to_string(),
                role: wanted.role,
                institution_id,
                node_id: wanted.node_id,
                name: wanted.name,
                expires_us: wanted.expires_us,
                replaces,
            }))
        })?;
        let entry = self.state().keys.get(key.id()).cloned();
        let entry = entry.ok_or_else(|| missing("key", key.id()))?;
        Ok(Issued { key, entry })
    }

    /// Ends a key at a time, or earlier if it ends earlier already, and with it the keys that were
    /// made in its place: whoever stole one may have replaced it.
    pub fn revoke_key(&self, by: &Actor, key_id: &str, at_us: i64) -> Result<()> {
        let mut next = Some(key_id.to_owned());
        while let Some(key_id) = next {
            self.end_key(by, &key_id, at_us)?;
            next = self.state().keys.get(&key_id).and_then(|key| key.replaced_by.clone());
        }
        Ok(())
    }

    fn end_key(&self, by: &Actor, key_id: &str, at_us: i64) -> Result<()> {
        self.change(by, |state| {
            let known = state.keys.get(key_id).ok_or_else(|| missing("key", key_id))?;
            let event = Event::KeyEnds { key_id: key_id.to_owned(), at_us };
            Ok(known.ends_us.is_none_or(|ends| at_us < ends).then_some(event))
        })?;
        Ok(())
    }

    /// Makes a key in place of another one, which ends at `ends_us`. A key is replaced once, and its
    /// successor gets no more time than it had.
    pub fn rotate_key(&self, by: &Actor, key_id: &str, ends_us: i64) -> Result<Issued> {
        self.make_key(by, |state| {
            let known = state.keys.get(key_id).ok_or_else(|| missing("key", key_id))?;
            if let Some(successor) = &known.replaced_by {
                let message = format!("the key {successor} was made in place of this one already");
                return Err(Error::new(ErrorKind::AlreadyExists, OPERATION, message)
                    .with_outcome(Outcome::NotWritten));
            }
            if !state.is_good(known, SystemClock.now_us()) {
                return Err(refused("the key has ended; issue a new one"));
            }
            let wanted = KeyRequest {
                role: known.role,
                institution_id: None,
                node_id: known.node_id.clone(),
                name: known.name.clone(),
                expires_us: known.expires_us,
            };
            let replaces = Some(Replaced { key_id: key_id.to_owned(), ends_us });
            Ok(Grant { wanted, institution_id: known.institution_id.clone(), replaces })
        })
    }

    /// Notes when keys were last used, in microseconds since 1970.
    pub fn note_used(&self, keys: BTreeMap<String, i64>) -> Result<()> {
        let event = Event::KeysUsed { keys };
        let payload = super::payload(&event, &Actor::server())?;
        let record = self.log.draft(event.stage(), payload.as_bytes())?;
        self.log.append_all(&[record]).map(drop)
    }

    /// Gives a project to an institution; it stays with the first.
    pub fn claim_project(&self, by: &Actor, project: &ProjectId, institution: &str) -> Result<()> {
        self.change(by, |state| {
            let is_known = state.projects.contains_key(project) || project.as_str() == LEDGER;
            refuse_known(is_known, "project", project.as_str())?;
            if !state.institutions.contains_key(institution) {
                return Err(missing("institution", institution));
            }
            let (project_id, institution_id) = (project.to_string(), institution.to_owned());
            Ok(Some(Event::ProjectClaimed { project_id, institution_id }))
        })?;
        Ok(())
    }

    /// Says what may be read of a project without a key.
    pub fn open_project(&self, by: &Actor, project: &ProjectId, open: Opening) -> Result<()> {
        self.change(by, |state| {
            let known = state.projects.get(project);
            let known = known.ok_or_else(|| missing("project", project.as_str()))?;
            let event = Event::ProjectOpened { project_id: project.to_string(), open };
            Ok((known.open != open).then_some(event))
        })?;
        Ok(())
    }
}

/// A key as it is to be made.
struct Grant {
    wanted: KeyRequest,
    institution_id: Option<String>,
    replaces: Option<Replaced>,
}

/// The institution of a key that is wanted; the request must fit the role.
fn institution_of(state: &State, wanted: &KeyRequest) -> Result<Option<String>> {
    match (wanted.role, &wanted.node_id, &wanted.institution_id) {
        (Role::Node, Some(node), None) => {
            let known = state.nodes.get(node).ok_or_else(|| missing("node", node))?;
            Ok(Some(known.institution_id.clone()))
        }
        (Role::Auditor | Role::Admin, None, Some(institution)) => {
            if !state.institutions.contains_key(institution) {
                return Err(missing("institution", institution));
            }
            Ok(Some(institution.clone()))
        }
        (Role::Operator, None, None) => Ok(None),
        (Role::Node, ..) => Err(refused("a key of a node names the node, and nothing else")),
        (Role::Auditor | Role::Admin, ..) => {
            Err(refused("a key of an auditor or admin names the institution, and nothing else"))
        }
        (Role::Operator, ..) => Err(refused("an operator has neither node nor institution")),
    }
}

fn check_name(what: &str, id: &str) -> Result<()> {
    let visible = |c: char| !c.is_control() && !c.is_whitespace() && !"/\\?#".contains(c);
    let fits =
        !id.is_empty() && id.len() <= NAME_LIMIT && !id.starts_with('.') && id.chars().all(visible);
    if fits {
        return Ok(());
    }
    Err(refused(format!(
        "the id of the {what} must be 1 to {NAME_LIMIT} bytes without spaces and slashes, and not \
         start with a dot"
    )))
}

fn check_text(what: &str, text: &str) -> Result<()> {
    if text.len() <= NAME_LIMIT && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(refused(format!("the {what} must be at most {NAME_LIMIT} bytes on one line")))
}

fn refuse_known(is_known: bool, what: &str, id: &str) -> Result<()> {
    if !is_known {
        return Ok(());
    }
    let message = format!("there is a {what} {id:?} already");
    Err(Error::new(ErrorKind::AlreadyExists, OPERATION, message).with_outcome(Outcome::NotWritten))
}

fn missing(what: &str, id: &str) -> Error {
    let message = format!("there is no {what} {id:?}");
    Error::new(ErrorKind::NotFound, OPERATION, message).with_outcome(Outcome::NotWritten)
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, OPERATION, message).with_outcome(Outcome::NotWritten)
}
