//! Who calls.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use quark_trace::clock::{Clock, SystemClock};
use quark_trace::core::ids::ProjectId;

use super::key::ApiKey;
use super::policy::{Decision, Object, Policy};
use super::session::Sessions;
use crate::registry::{Actor, Opening, Registry, Role};

/// The holder of a key that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The public part of the key.
    pub key_id: String,
    /// That of the first of the keys that were made in place of one another, up to this one: whoever
    /// replaces a key gets no more of anything.
    pub first_key_id: String,
    /// What the holder may do.
    pub role: Role,
    /// The institution that this is limited to; an operator has none.
    pub institution_id: Option<String>,
    /// The node that holds the key.
    pub node_id: Option<String>,
}

impl Identity {
    /// As the registry names who makes a change.
    pub fn actor(&self) -> Actor {
        Actor::key(&self.key_id)
    }

    /// Whether something of this institution concerns the holder.
    pub fn is_of(&self, institution_id: &str) -> bool {
        self.institution_id.as_deref() == Some(institution_id)
    }

    /// As an entry names who sent it: the node, or else the key.
    pub fn by(&self) -> String {
        self.node_id.clone().unwrap_or_else(|| format!("key:{}", self.key_id))
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody that is known: no key came along.
    Anonymous,
    /// The holder of a good key.
    Known(Arc<Identity>),
}

/// Why a caller is not who the key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The text is no key, two keys came along, or nobody was given this one.
    Unknown,
    /// It was given out and has ended, or its holder takes part no more.
    Ended,
}

impl Caller {
    /// The identity, if the caller is known.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Anonymous => None,
            Self::Known(identity) => Some(identity),
        }
    }

    /// Finds out who sent a request with these headers. The second is the public part of a key that
    /// was refused, if it has one. `sessions` counts where a browser may act for who is signed in.
    pub fn of(
        headers: &HeaderMap,
        registry: &Registry,
        sessions: Option<&Sessions>,
    ) -> Result<Self, (Refused, Option<String>)> {
        let mut keys = headers.get_all("x-api-key").iter();
        let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
            let (scheme, token) = value.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
        });
        let mut sent = keys.by_ref().map(|value| value.as_bytes()).chain(bearer);
        match (sent.next(), sent.next()) {
            (None, _) => match sessions.and_then(|sessions| sessions.key_of(headers)) {
                // A session whose key has ended is none; the pages ask to sign in again.
                Some(key_id) => Ok(Self::of_key_id(&key_id, registry).unwrap_or(Self::Anonymous)),
                None => Ok(Self::Anonymous),
            },
            (Some(_), Some(_)) => Err((Refused::Unknown, None)),
            (Some(text), None) => Self::of_text(text, registry),
        }
    }

    /// Finds out whose key this text is.
    pub fn of_text(text: &[u8], registry: &Registry) -> Result<Self, (Refused, Option<String>)> {
        let key = std::str::from_utf8(text).ok().and_then(ApiKey::parse);
        let key = key.ok_or((Refused::Unknown, None))?;
        let refused = |why| (why, Some(key.id().to_owned()));
        let found = registry.state().keys.get(key.id()).map(|known| key.is(known.digest));
        match found {
            Some(true) => Self::of_key_id(key.id(), registry),
            _ => Err(refused(Refused::Unknown)),
        }
    }

    /// Whether who was let in to a project would be let in now: a key may have ended, or a project may
    /// not be open any more.
    pub fn may_still_read(&self, project: &ProjectId, registry: &Registry) -> bool {
        let now = match self {
            Self::Known(identity) => Self::of_key_id(&identity.key_id, registry),
            Self::Anonymous => Ok(Self::Anonymous),
        };
        now.is_ok_and(|now| {
            let object = Object { project: Some(project.as_str()), ..Object::default() };
            let policy = Policy::Read(Opening::Records);
            policy.decide(&now, &object, &registry.state(), false) == Decision::Granted
        })
    }

    /// Finds out whether a key is still good.
    fn of_key_id(key_id: &str, registry: &Registry) -> Result<Self, (Refused, Option<String>)> {
        let state = registry.state();
        let refused = |why| (why, Some(key_id.to_owned()));
        let known = state.keys.get(key_id).ok_or_else(|| refused(Refused::Unknown))?;
        if !state.is_good(known, SystemClock.now_us()) {
            return Err(refused(Refused::Ended));
        }
        Ok(Self::Known(Arc::new(Identity {
            key_id: key_id.to_owned(),
            first_key_id: known.first_key_id.clone(),
            role: known.role,
            institution_id: known.institution_id.clone(),
            node_id: known.node_id.clone(),
        })))
    }
}
