//! What a validator found, said for the person who logged it.

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::bounds::escaped;
use super::fault::{Fault, MOST_FAULTS};
use super::instance::non_finite;
use crate::visible::{shortened, visible};

/// Characters of a text that are shown.
const EXCERPT: usize = 16;
/// Characters of what a schema asks for.
const ASKED: usize = 160;

/// The faults of a payload, in the order of the schema, at most [`MOST_FAULTS`].
pub(super) fn faults<'e>(
    payload: &Value,
    errors: impl Iterator<Item = ValidationError<'e>>,
) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for error in errors {
        fault(payload, &error, &mut faults);
        if faults.len() >= MOST_FAULTS {
            faults.truncate(MOST_FAULTS);
            break;
        }
    }
    faults
}

fn fault(payload: &Value, error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
    let path = error.instance_path().as_str();
    let closed = error.schema_path().as_str().ends_with("/additionalProperties");
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            faults.push(Fault {
                path: format!("{path}/{}", escaped(name)),
                expected: "a value, because it is required".to_owned(),
                came: "nothing".to_owned(),
            });
        }
        Kind::AdditionalProperties { unexpected } => {
            for name in unexpected.iter().take(MOST_FAULTS) {
                let member = error.instance().get(name).map_or("a value".to_owned(), came);
                faults.push(Fault {
                    path: format!("{path}/{}", escaped(name)),
                    expected: "no field of this name".to_owned(),
                    came: member,
                });
            }
        }
        // An object that may have no member at all: the validator names none of them.
        Kind::FalseSchema if closed && payload.pointer(path).is_some_and(Value::is_object) => {
            let members = payload.pointer(path).and_then(Value::as_object).into_iter().flatten();
            for (name, member) in members.take(MOST_FAULTS) {
                faults.push(Fault {
                    path: format!("{path}/{}", escaped(name)),
                    expected: "no field of this name".to_owned(),
                    came: came(member),
                });
            }
        }
        kind => faults.push(Fault {
            path: path.to_owned(),
            expected: visible(&shortened(&expected(kind), ASKED)).into_owned(),
            came: came(error.instance()),
        }),
    }
}

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Custom { message, .. } => message.clone(),
        Kind::Minimum { limit } => format!("at least {limit}"),
        Kind::Maximum { limit } => format!("at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinLength { limit: 1 } => "text that is not empty".to_owned(),
        Kind::MinLength { limit } => format!("text of at least {limit} characters"),
        Kind::MaxLength { limit } => format!("text of at most {limit} characters"),
        Kind::MinItems { limit } => format!("a list of at least {limit}"),
        Kind::MaxItems { limit } => format!("a list of at most {limit}"),
        Kind::MinProperties { limit } => format!("an object of at least {limit} fields"),
        Kind::MaxProperties { limit } => format!("an object of at most {limit} fields"),
        Kind::UniqueItems => "a list in which nothing stands twice".to_owned(),
        Kind::Contains => "a list with an item that `contains` asks for".to_owned(),
        Kind::Pattern { pattern } => format!("text that matches {pattern}"),
        Kind::PropertyNames { .. } => "fields with other names".to_owned(),
        Kind::Constant { expected_value } => expected_value.to_string(),
        Kind::Enum { options } => match options.as_array() {
            Some(options) => {
                let words: Vec<_> = options.iter().map(Value::to_string).collect();
                format!("one of {}", words.join(", "))
            }
            None => "one of the listed values".to_owned(),
        },
        Kind::FalseSchema => "nothing here".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            "a value that fits one of the alternatives".to_owned()
        }
        Kind::OneOfMultipleValid { .. } => "a value that fits one alternative alone".to_owned(),
        Kind::Not { .. } => "a value that does not fit what `not` says".to_owned(),
        other => format!("what `{}` asks for", other.keyword()),
    }
}

/// What came, by its kind; of a text or number a short excerpt.
pub(super) fn came(value: &Value) -> String {
    if let Some(word) = non_finite(value) {
        return word.to_owned();
    }
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let excerpt = shortened(text, EXCERPT);
            format!("text \"{}\"", visible(&excerpt))
        }
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(members) => format!("an object of {} fields", members.len()),
    }
}
