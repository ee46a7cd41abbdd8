//! The line that the ledger keeps of a schema: the document as it was given, and the mode.

use super::mode::Mode;
use super::schema::{SCHEMA_LIMIT, SchemaFault};
use crate::json::{Event, Scanner};
use crate::payload::Payload;

/// The keyword that says how a project holds itself to a schema.
pub(super) const MODE: &str = "x-quark-mode";
/// The keyword that says which version of the vocabulary stages without a schema are checked with.
pub(super) const VOCABULARY_KEY: &str = "x-quark-vocabulary";

/// The document of a setting for the whole project: the vocabulary's schemas, held to by `mode`.
///
/// ```
/// use quark_trace_core::stages::{Mode, StageSchema, settings};
/// let schema = StageSchema::read(settings(Mode::Strict).as_bytes()).unwrap();
/// assert_eq!(schema.mode(), Mode::Strict);
/// ```
pub fn settings(mode: Mode) -> String {
    format!(
        "{{\"{MODE}\": \"{mode}\", \"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \
         \"title\": \"All stages\", \"{VOCABULARY_KEY}\": 1}}"
    )
}

/// JSON text on one line in our written form, with `mode` in place of the one it has.
pub(super) fn one_line(text: &[u8], mode: Option<Mode>) -> Result<Vec<u8>, SchemaFault> {
    if text.len() > SCHEMA_LIMIT {
        return Err(SchemaFault::TooLarge { size: text.len() });
    }
    let written = Payload::from_json(text).map_err(SchemaFault::Json)?;
    let Some(mode) = mode else { return Ok(written.as_bytes().to_vec()) };
    let mut out = format!("{{\"{MODE}\": \"{mode}\"").into_bytes();
    let mut scanner = Scanner::new(written.as_bytes());
    scanner.next_event().map_err(|fault| SchemaFault::Json(fault.into()))?;
    while let Ok(Some(Event::Key(key))) = scanner.next_event() {
        let value = scanner.skip_value().map_err(|fault| SchemaFault::Json(fault.into()))?;
        if key.to_str() != MODE {
            out.extend_from_slice(b", \"");
            out.extend_from_slice(key.raw);
            out.extend_from_slice(b"\": ");
            out.extend_from_slice(value);
        }
    }
    out.push(b'}');
    Ok(out)
}
