//! What the events so far amount to.

use std::collections::{BTreeMap, HashMap};

use quark_trace::core::ids::ProjectId;

use super::event::{Event, KeyEntry, Opening, Status};

/// An institution that takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institution {
    /// What people call it.
    pub name: String,
    /// Whether it still does.
    pub status: Status,
}

/// A node of an institution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whose it is.
    pub institution_id: String,
    /// What people call it.
    pub name: String,
    /// Whether it still takes part.
    pub status: Status,
}

/// What the server knows of a project beside its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose it is.
    pub institution_id: String,
    /// What may be read without a key.
    pub open: Opening,
}

/// The registry at one place of the server's ledger.
#[derive(Debug, Default)]
pub struct State {
    /// By id.
    pub institutions: BTreeMap<String, Institution>,
    /// By id.
    pub nodes: BTreeMap<String, Node>,
    /// By their public part.
    pub keys: HashMap<String, KeyEntry>,
    /// By id.
    pub projects: BTreeMap<ProjectId, Claim>,
    /// Index behind the last entry that is in it.
    pub until: u64,
}

impl State {
    /// Takes the next event, which happened at `at`. One that contradicts what is known changes
    /// nothing: the ledger is the truth about what was said, and the first word counts.
    pub fn take(&mut self, event: Event, at: &str) {
        match event {
            Event::InstitutionAdded { institution_id, name } => {
                let new = Institution { name, status: Status::Active };
                self.institutions.entry(institution_id).or_insert(new);
            }
            Event::InstitutionChanged { institution_id, status } => {
                if let Some(known) = self.institutions.get_mut(&institution_id) {
                    known.status = status;
                }
            }
            Event::NodeAdded { node_id, institution_id, name } => {
                let new = Node { institution_id, name, status: Status::Active };
                self.nodes.entry(node_id).or_insert(new);
            }
            Event::NodeChanged { node_id, status } => {
                if let Some(known) = self.nodes.get_mut(&node_id) {
                    known.status = status;
                }
            }
            Event::KeyIssued {
                key_id,
                sha256,
                role,
                institution_id,
                node_id,
                name,
                expires_us,
                replaces,
            } => {
                // A digest that is none fits no key.
                let Ok(digest) = sha256.parse() else { return };
                let issued_at = at.to_owned();
                let replaced = replaces.as_ref().and_then(|it| self.keys.get(&it.key_id));
                let first_key_id = replaced.map_or(&key_id, |key| &key.first_key_id).clone();
                let key = KeyEntry {
                    key_id: key_id.clone(),
                    first_key_id,
                    digest,
                    role,
                    institution_id,
                    node_id,
                    name,
                    issued_at,
                    expires_us,
                    ends_us: expires_us,
                    last_used_us: None,
                    replaced_by: None,
                };
                if let Some(replaced) = replaces
                    && let Some(known) = self.keys.get_mut(&replaced.key_id)
                {
                    known.replaced_by.get_or_insert_with(|| key_id.clone());
                    known.end(replaced.ends_us);
                }
                self.keys.entry(key_id).or_insert(key);
            }
            Event::KeyEnds { key_id, at_us } => {
                if let Some(known) = self.keys.get_mut(&key_id) {
                    known.end(at_us);
                }
            }
            Event::KeysUsed { keys } => {
                for (key_id, at_us) in keys {
                    if let Some(known) = self.keys.get_mut(&key_id) {
                        known.last_used_us = known.last_used_us.max(Some(at_us));
                    }
                }
            }
            Event::ProjectClaimed { project_id, institution_id } => {
                let Ok(project) = project_id.parse() else { return };
                let new = Claim { institution_id, open: Opening::Nobody };
                self.projects.entry(project).or_insert(new);
            }
            Event::ProjectOpened { project_id, open } => {
                let known = project_id.parse().ok().and_then(|id| self.projects.get_mut(&id));
                if let Some(known) = known {
                    known.open = open;
                }
            }
        }
    }

    /// Whether a key is good now: it has not ended, and who holds it still takes part.
    pub fn is_good(&self, key: &KeyEntry, now_us: i64) -> bool {
        let institution = |id: &String| {
            self.institutions.get(id).is_some_and(|known| known.status == Status::Active)
        };
        let node =
            |id: &String| self.nodes.get(id).is_some_and(|known| known.status == Status::Active);
        key.ends_us.is_none_or(|ends| now_us < ends)
            && key.institution_id.as_ref().is_none_or(institution)
            && key.node_id.as_ref().is_none_or(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Role;

    fn issued(state: &mut State) {
        let events = [
            Event::InstitutionAdded { institution_id: "h".into(), name: "Hospital".into() },
            Event::NodeAdded {
                node_id: "n".into(),
                institution_id: "h".into(),
                name: String::new(),
            },
            Event::KeyIssued {
                key_id: "k".into(),
                sha256: "ab".repeat(32),
                role: Role::Node,
                institution_id: Some("h".into()),
                node_id: Some("n".into()),
                name: String::new(),
                expires_us: Some(1000),
                replaces: None,
            },
        ];
        events.into_iter().for_each(|event| state.take(event, "t"));
    }

    #[test]
    fn a_key_is_good_until_something_ends_it() {
        let ends: [fn(&mut State); 4] = [
            |_| {},
            |state| state.take(Event::KeyEnds { key_id: "k".into(), at_us: 7 }, "t"),
            |state| {
                let status = Status::Inactive;
                state.take(Event::NodeChanged { node_id: "n".into(), status }, "t");
            },
            |state| {
                let (institution_id, status) = ("h".into(), Status::Inactive);
                state.take(Event::InstitutionChanged { institution_id, status }, "t");
            },
        ];
        let good = ends.map(|end| {
            let mut state = State::default();
            issued(&mut state);
            end(&mut state);
            let key = &state.keys["k"];
            [6, 7, 999, 1000].map(|now| state.is_good(key, now))
        });
        let never = [false; 4];
        assert_eq!(good, [[true, true, true, false], [true, false, false, false], never, never]);
    }

    #[test]
    fn the_first_word_counts() {
        let mut state = State::default();
        issued(&mut state);
        let again = Event::KeyIssued {
            key_id: "k".into(),
            sha256: "cd".repeat(32),
            role: Role::Operator,
            institution_id: None,
            node_id: None,
            name: String::new(),
            expires_us: None,
            replaces: None,
        };
        state.take(again, "t");
        assert_eq!(state.keys["k"].role, Role::Node);
        for institution_id in ["h", "other"] {
            let institution_id = institution_id.to_owned();
            state.take(Event::ProjectClaimed { project_id: "p".into(), institution_id }, "t");
        }
        assert_eq!(state.projects[&"p".parse().unwrap()].institution_id, "h");
    }
}
