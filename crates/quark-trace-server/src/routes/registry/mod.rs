//! Institutions, nodes and keys.

use axum::Json;
use serde::Deserialize;

use crate::access::Identity;
use crate::problem::Problem;
use crate::registry::{Role, Status};

mod institutions;
mod keys;
mod nodes;

pub use institutions::*;
pub use keys::*;
pub use nodes::*;

type Answer<T> = Result<Json<T>, Problem>;

/// What is to become of an institution or a node.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusChange)]
pub struct Change {
    status: Status,
}

pub(crate) fn manages(identity: &Identity, institution: &str) -> bool {
    identity.role == Role::Operator || identity.is_of(institution)
}

/// The institution that an admin or operator means.
pub(crate) fn own_institution(
    identity: &Identity,
    named: Option<String>,
) -> Result<String, Problem> {
    match (&identity.institution_id, named) {
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Problem::invalid("institution_id is missing")),
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(named)) if *own == named => Ok(named),
        (Some(_), Some(_)) => Err(Problem::missing().not_written()),
    }
}
