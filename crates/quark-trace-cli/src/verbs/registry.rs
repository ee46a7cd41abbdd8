//! `registry`: who may use a server.

use quark_trace::clock::{Clock, SystemClock, timestamp};
use quark_trace::core::time::typed;
use quark_trace_server::registry::{
    Actor, Issued, KeyEntry, KeyRequest, Opening, Registry, Role, State, Status,
};
use serde_json::{Value, json};

use crate::arguments::registry::{self as arguments, Action, Holder, Readers};
use crate::failure::Failure;
use crate::output::{GOOD, Output, shown, table};
use crate::target::{Access, open_store};

pub fn run(arguments: &arguments::Registry, output: &Output) -> Result<u8, Failure> {
    let access = match arguments.action {
        Action::List => Access::Read,
        _ => Access::Write,
    };
    let store = open_store(&arguments.store, access, output)?;
    let registry = Registry::open(std::sync::Arc::clone(&store))?;
    let by = Actor::command_line();
    let now_us = SystemClock.now_us();
    match &arguments.action {
        Action::List if store.beside(registry.log().project())?.is_none() => {
            return Err(Failure::failed("there is no registry in this store yet")
                .with_help("`add-institution` begins one"));
        }
        Action::List => return list(&registry.state(), now_us, output),
        Action::AddInstitution { id, name } => registry.add_institution(&by, id, name)?,
        Action::SetInstitution { id, status } => {
            registry.set_institution(&by, id, status_of(*status))?;
        }
        Action::AddNode { id, institution, name } => {
            registry.add_node(&by, id, institution, name)?;
        }
        Action::SetNode { id, status } => registry.set_node(&by, id, status_of(*status))?,
        Action::IssueKey { holder, name, expires } => {
            let wanted = wanted(holder, name, expires.as_deref())?;
            let issued = registry.issue_key(&by, &wanted)?;
            store.close()?;
            return show_key(&issued, output);
        }
        Action::RevokeKey { key_id } => registry.revoke_key(&by, key_id, now_us)?,
        Action::RotateKey { key_id, overlap } => {
            let ends_us = now_us + i64::from(*overlap) * 1_000_000;
            let issued = registry.rotate_key(&by, key_id, ends_us)?;
            store.close()?;
            return show_key(&issued, output);
        }
        Action::Claim { project, institution } => {
            let project =
                project.parse().map_err(|fault| Failure::usage(format!("the {fault}")))?;
            if store.beside(&project)?.is_none() {
                return Err(Failure::failed(format!("there is no project {:?}", project.as_str())));
            }
            registry.claim_project(&by, &project, institution)?;
        }
        Action::Open { project, readers } => {
            let project =
                project.parse().map_err(|fault| Failure::usage(format!("the {fault}")))?;
            registry.open_project(&by, &project, opening(*readers))?;
        }
    }
    store.close()?;
    if output.json {
        output.json(&json!({"done": true}))?;
    } else {
        output.talk(format!("{GOOD}done{GOOD:#}"))?;
    }
    Ok(0)
}

fn status_of(status: arguments::Status) -> Status {
    match status {
        arguments::Status::Active => Status::Active,
        arguments::Status::Inactive => Status::Inactive,
    }
}

fn opening(readers: Readers) -> Opening {
    match readers {
        Readers::Nobody => Opening::Nobody,
        Readers::Ledger => Opening::Ledger,
        Readers::Records => Opening::Records,
    }
}

fn wanted(holder: &Holder, name: &str, expires: Option<&str>) -> Result<KeyRequest, Failure> {
    let (role, institution_id) = match (&holder.node, &holder.auditor_of, &holder.admin_of) {
        (Some(_), ..) => (Role::Node, None),
        (_, Some(institution), _) => (Role::Auditor, Some(institution.clone())),
        (.., Some(institution)) => (Role::Admin, Some(institution.clone())),
        _ => (Role::Operator, None),
    };
    let expires_us = match expires {
        None => None,
        Some(text) => Some(typed(text).ok_or_else(|| {
            Failure::usage(format!("{text:?} is no time such as 2027-01-31T00:00:00Z"))
        })?),
    };
    let (node_id, name) = (holder.node.clone(), name.to_owned());
    Ok(KeyRequest { role, institution_id, node_id, name, expires_us })
}

fn show_key(issued: &Issued, output: &Output) -> Result<u8, Failure> {
    if output.json {
        let mut document = key_json(&issued.entry, true);
        document["key"] = issued.key.reveal().into();
        output.json(&document)?;
        return Ok(0);
    }
    output.line(issued.key.reveal())?;
    output.say(format!(
        "key {} for the role {}; it is shown this once, keep it where passwords are kept",
        issued.entry.key_id,
        issued.entry.role.as_str()
    ));
    Ok(0)
}

fn list(state: &State, now_us: i64, output: &Output) -> Result<u8, Failure> {
    let mut keys: Vec<&KeyEntry> = state.keys.values().collect();
    keys.sort_by(|one, other| {
        (&one.issued_at, &one.key_id).cmp(&(&other.issued_at, &other.key_id))
    });
    if output.json {
        return list_json(state, &keys, now_us, output);
    }
    let mut institutions = table(&["INSTITUTION", "NAME", "STATUS"]);
    for (id, known) in &state.institutions {
        institutions.add_row([shown(id, 60), shown(&known.name, 60), word(known.status)]);
    }
    let mut nodes = table(&["NODE", "INSTITUTION", "NAME", "STATUS"]);
    for (id, known) in &state.nodes {
        let institution = shown(&known.institution_id, 60);
        nodes.add_row([shown(id, 60), institution, shown(&known.name, 60), word(known.status)]);
    }
    let mut listed = table(&["KEY", "ROLE", "HOLDER", "NAME", "STATUS", "ENDS", "LAST USED"]);
    for key in keys {
        let holder = key.node_id.as_ref().or(key.institution_id.as_ref());
        let status = if state.is_good(key, now_us) { Status::Active } else { Status::Inactive };
        listed.add_row([
            shown(&key.key_id, 20),
            key.role.as_str().to_owned(),
            shown(holder.map_or("the server", String::as_str), 60),
            shown(&key.name, 60),
            word(status),
            key.ends_us.map_or_else(|| "never".to_owned(), timestamp),
            key.last_used_us.map_or_else(|| "never".to_owned(), timestamp),
        ]);
    }
    for shown in [institutions, nodes, listed] {
        output.line(shown)?;
    }
    Ok(0)
}

fn list_json(
    state: &State,
    keys: &[&KeyEntry],
    now_us: i64,
    output: &Output,
) -> Result<u8, Failure> {
    let institutions = state.institutions.iter().map(
        |(id, known)| json!({"institution_id": id, "name": known.name, "status": known.status}),
    );
    let nodes = state.nodes.iter().map(|(id, known)| {
        json!({"node_id": id, "institution_id": known.institution_id, "name": known.name,
               "status": known.status})
    });
    let projects = state.projects.iter().map(|(id, claim)| {
        json!({"project_id": id.as_str(), "institution_id": claim.institution_id,
               "open": claim.open})
    });
    let keys = keys.iter().map(|key| key_json(key, state.is_good(key, now_us)));
    output.json(&json!({
        "institutions": institutions.collect::<Vec<_>>(),
        "nodes": nodes.collect::<Vec<_>>(),
        "keys": keys.collect::<Vec<_>>(),
        "projects": projects.collect::<Vec<_>>(),
    }))?;
    Ok(0)
}

fn key_json(key: &KeyEntry, is_good: bool) -> Value {
    json!({
        "key_id": key.key_id,
        "role": key.role,
        "institution_id": key.institution_id,
        "node_id": key.node_id,
        "name": key.name,
        "issued_at": key.issued_at,
        "ends_at": key.ends_us.map(timestamp),
        "last_used_at": key.last_used_us.map(timestamp),
        "status": if is_good { Status::Active } else { Status::Inactive },
    })
}

fn word(status: Status) -> String {
    match status {
        Status::Active => "active",
        Status::Inactive => "inactive",
    }
    .to_owned()
}
