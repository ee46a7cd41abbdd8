//! Names of fields: ours, the words that MLflow has for them, and what was probably meant.

use super::error::{QueryError, QueryFault};
use super::field::{Field, Path};
use super::lexer::{Part, Word, continues_name, starts_name, tokens};
use crate::suggest::nearest;

/// What stands before a name that is not in a record itself.
const FIELDS: [&str; 5] = ["stage", "timestamp", "record_id", "project_id", "index"];

/// Words that begin a path.
const PREFIXES: [&str; 5] = ["payload", "metrics", "params", "tags", "attributes"];

/// What MLflow knows of a run beside metrics, parameters and tags. A record has a time and an id;
/// the others are members of the payload, if somebody logs them.
const RUN_ATTRIBUTES: [&str; 11] = [
    "status",
    "name",
    "run_name",
    "user_id",
    "artifact_uri",
    "end_time",
    "source_type",
    "source_name",
    "lifecycle_stage",
    "experiment_id",
    "last_update_time",
];

/// Whether a name needs no quotes.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(starts_name) && name.chars().all(continues_name)
}

/// The field of a name that stands alone.
pub(super) fn parse(name: &str) -> Result<Field, QueryError> {
    let tokens = tokens(name)?;
    match tokens.as_slice() {
        [token, end] if end.word == Word::End => match &token.word {
            Word::Name(parts) => {
                resolve(parts, &[]).map_err(|error| error.at(name, token.at.clone()))
            }
            _ => Err(not_a_name().at(name, token.at.clone())),
        },
        _ => Err(not_a_name().at(name, 0..name.len())),
    }
}

fn not_a_name() -> QueryError {
    QueryError::new(QueryFault::Syntax, "the name of a field is expected, such as payload.loss")
}

/// The field of a name. `known` are names in the payload that a reader may have meant.
pub(super) fn resolve(parts: &[Part], known: &[&str]) -> Result<Field, QueryError> {
    let Some((first, rest)) = parts.split_first() else { return Err(not_a_name()) };
    let first = first.text().unwrap_or_default();
    if rest.is_empty() {
        return alone(first, known);
    }
    match first.to_ascii_lowercase().as_str() {
        "payload" => path(rest).map(Field::Payload),
        "written" => path(rest).map(Field::Written),
        "metrics" | "metric" => one_key(rest).map(Field::Payload),
        "params" | "param" | "parameters" | "parameter" | "tags" | "tag" => {
            one_key(rest).map(Field::Written)
        }
        "attributes" | "attribute" | "attr" | "run" => attribute(rest),
        "dataset" | "datasets" => {
            let dataset = [&[Part::Plain("dataset".to_owned())], rest].concat();
            path(&dataset).map(Field::Payload)
        }
        _ => Err(unknown(first, &dotted(parts), known)),
    }
}

fn alone(name: &str, known: &[&str]) -> Result<Field, QueryError> {
    let lower = name.to_ascii_lowercase();
    if let Some(field) = own(&lower) {
        return Ok(field);
    }
    if RUN_ATTRIBUTES.contains(&lower.as_str()) {
        return Ok(Field::Written(Path::member(lower)));
    }
    if PREFIXES.contains(&lower.as_str()) {
        let message = format!("name what you ask about in it: {lower}.loss");
        return Err(QueryError::new(QueryFault::UnknownName, message));
    }
    Err(unknown(name, name, known))
}

/// A field that every record has, by our name or by MLflow's.
fn own(name: &str) -> Option<Field> {
    Some(match name {
        "stage" => Field::Stage,
        "timestamp" | "start_time" | "created" | "creation_time" => Field::Timestamp,
        "record_id" | "run_id" => Field::RecordId,
        "project_id" => Field::ProjectId,
        "index" => Field::Index,
        _ => return None,
    })
}

fn attribute(parts: &[Part]) -> Result<Field, QueryError> {
    if let [only] = parts
        && let Some(field) = only.text().and_then(|name| own(&name.to_ascii_lowercase()))
    {
        return Ok(field);
    }
    one_key(parts).map(Field::Written)
}

fn path(parts: &[Part]) -> Result<Path, QueryError> {
    let mut parts = parts.iter();
    let mut path = match parts.next().and_then(Part::text) {
        Some(name) => Path::member(name),
        None => return Err(no_member()),
    };
    for part in parts {
        path = match part {
            Part::Element(place) => path.element(*place),
            Part::Plain(name) | Part::Quoted(name) | Part::Ticked(name) => path.key(name),
        };
    }
    Ok(path)
}

/// Everything behind `metrics.` is one name in MLflow, dots included.
fn one_key(parts: &[Part]) -> Result<Path, QueryError> {
    let names = parts.iter().take_while(|part| part.text().is_some()).count();
    if names == 0 {
        return Err(no_member());
    }
    let mut path = Path::member(dotted(&parts[..names]));
    for part in &parts[names..] {
        match part {
            Part::Element(place) => path = path.element(*place),
            _ => {
                let message = "behind an element of an array a name needs the way from the \
                               payload: payload.a[0].b";
                return Err(QueryError::new(QueryFault::Syntax, message));
            }
        }
    }
    Ok(path)
}

fn dotted(parts: &[Part]) -> String {
    parts.iter().filter_map(Part::text).collect::<Vec<_>>().join(".")
}

fn no_member() -> QueryError {
    QueryError::new(QueryFault::Syntax, "the payload is asked by name: payload.a[0]")
}

fn unknown(name: &str, whole: &str, known: &[&str]) -> QueryError {
    let shown = crate::visible::visible(&crate::visible::shortened(whole, 60)).into_owned();
    let meant = if let Some(field) = nearest(name, FIELDS).filter(|_| name == whole) {
        format!("did you mean `{field}`?")
    } else if let Some(prefix) = nearest(name, PREFIXES).filter(|_| name != whole) {
        format!("did you mean `{prefix}`?")
    } else if let Some(member) = nearest(whole, known.iter().copied()) {
        let field = Field::payload(member).to_string();
        let field = crate::visible::visible(&crate::visible::shortened(&field, 200)).into_owned();
        format!("did you mean `{field}`?")
    } else {
        format!(
            "what was logged is asked as `payload.{whole}`, beside {}",
            FIELDS.map(|field| format!("`{field}`")).join(", "),
            whole = if is_plain(name) { shown.as_str() } else { "name" },
        )
    };
    QueryError::new(QueryFault::UnknownName, format!("there is no field `{shown}`; {meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_mlflow_are_fields() {
        let shown = |name: &str| parse(name).unwrap().to_string();
        for (name, field) in [
            ("metrics.loss", "payload.loss"),
            ("metrics.val.loss", "payload.\"val.loss\""),
            ("metric.`cpu usage`", "payload.\"cpu usage\""),
            ("params.\"lr\"", "params.lr"),
            ("tags.mlflow.parentRunId", "params.\"mlflow.parentRunId\""),
            ("attributes.status", "params.status"),
            ("run_name", "params.run_name"),
            ("attributes.start_time", "timestamp"),
            ("attr.run_id", "record_id"),
            ("datasets.name", "payload.dataset.name"),
            ("Stage", "stage"),
            ("payload.a[0][1].b", "payload.a[0][1].b"),
            ("metrics.a[0]", "payload.a[0]"),
            ("written.a", "params.a"),
            ("written.a.b", "written.a.b"),
            ("written.a[0].\"b c\"", "written.a[0].\"b c\""),
            ("params.a[0]", "params.a[0]"),
        ] {
            assert_eq!(shown(name), field);
            assert_eq!(parse(field), parse(name), "{field}");
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        for (name, known, message) in [
            ("stge", &[][..], "there is no field `stge`; did you mean `stage`?"),
            ("payloud.loss", &[], "there is no field `payloud.loss`; did you mean `payload`?"),
            (
                "acuracy",
                &["accuracy"],
                "there is no field `acuracy`; did you mean `payload.accuracy`?",
            ),
            (
                "loss",
                &[],
                "there is no field `loss`; what was logged is asked as `payload.loss`, beside \
                 `stage`, `timestamp`, `record_id`, `project_id`, `index`",
            ),
            ("payload", &[], "name what you ask about in it: payload.loss"),
        ] {
            let tokens = tokens(name).unwrap();
            let Word::Name(parts) = &tokens[0].word else { panic!() };
            assert_eq!(resolve(parts, known).unwrap_err().message(), message);
        }
        assert!(parse("payload[0]").is_err() && parse("a b").is_err() && parse("").is_err());
    }
}
