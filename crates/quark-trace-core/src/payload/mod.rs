//! Payloads: the JSON object a caller logs, encoded once.

use std::ops::Range;

use crate::json::{Event, Fault, Scanner, write};
use crate::record::{DEPTH_LIMIT, RECORD_LIMIT};

mod encoder;
mod names;
mod value;

use encoder::Encoder;
use names::Names;
pub use value::PayloadValue;

/// Why a payload was refused; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The text is not JSON.
    #[error("the payload is not JSON: {0}")]
    Json(#[from] Fault),
    /// The text is JSON but no object.
    #[error("the payload is not a JSON object; write it as {{\"name\": value, ...}}")]
    NotAnObject,
    /// A key stands twice in one object.
    #[error("the payload has the key {key:?} twice in one object; one value would be lost")]
    RepeatedKey {
        /// The key.
        key: String,
    },
    /// Nested deeper than [`DEPTH_LIMIT`].
    #[error("the payload is nested deeper than {DEPTH_LIMIT} levels; flatten it")]
    TooDeep,
    /// Larger than [`RECORD_LIMIT`].
    #[error(
        "the payload is {size} bytes, the limit is {RECORD_LIMIT}; log a digest or a path instead"
    )]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
}

/// An encoded payload: a JSON object on one line, ASCII.
///
/// ```
/// use quark_trace_core::payload::Payload;
/// let payload = Payload::new().with("round", 1).with("loss", f64::NAN).with("site", "Köln");
/// assert_eq!(
///     payload.as_bytes(),
///     br#"{"round": 1, "loss": {"$numberDouble": "NaN"}, "site": "K\u00f6ln"}"#
/// );
/// ```
#[derive(Debug, Clone)]
pub struct Payload {
    json: Vec<u8>,
    known: Known,
}

/// What is known of the encoded object without reading it.
#[derive(Debug, Clone)]
enum Known {
    /// Built from values whose depth is known: how deep, and where each name stands.
    Built { depth: usize, names: Vec<Range<usize>> },
    /// Checked as a whole.
    Checked,
    /// Nothing.
    Nothing,
}

/// Names up to so many are compared one by one.
const FEW_NAMES: usize = 24;

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for Payload {}

impl Default for Payload {
    fn default() -> Self {
        Self::new()
    }
}

impl Payload {
    /// The empty payload `{}`.
    pub fn new() -> Self {
        Self { json: b"{}".to_vec(), known: Known::Built { depth: 1, names: Vec::new() } }
    }

    /// The payload with one more member. A name that is there already is the caller's mistake and
    /// is refused when the record is logged.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl PayloadValue) -> Self {
        self.json.pop();
        if self.json.len() > 1 {
            self.json.extend_from_slice(b", ");
        }
        let start = self.json.len();
        write::string(&mut self.json, name);
        let name = start..self.json.len();
        self.json.extend_from_slice(b": ");
        value.write(&mut self.json);
        self.json.push(b'}');
        self.known = match (self.known, value.depth()) {
            (Known::Built { depth, mut names }, Some(inner)) => {
                names.push(name);
                Known::Built { depth: depth.max(inner + 1), names }
            }
            _ => Known::Nothing,
        };
        self
    }

    /// Reads JSON text (also what Python writes: `NaN` and infinities), checks it against the
    /// limits, and encodes it anew on one line; number digits are kept as they were written.
    pub fn from_json(text: &[u8]) -> Result<Self, PayloadError> {
        let mut encoder = Encoder::default();
        each_event(text, |event| encoder.event(event))?;
        Ok(Self { json: encoder.out, known: Known::Checked })
    }

    /// Whether [`Payload::from_json`] would take this text, and if not, why; nothing is encoded.
    ///
    /// ```
    /// use quark_trace_core::payload::{Payload, PayloadError};
    /// assert_eq!(Payload::check_json(br#"{"loss": 0.5}"#), Ok(()));
    /// assert_eq!(Payload::check_json(b"[0.5]"), Err(PayloadError::NotAnObject));
    /// ```
    pub fn check_json(text: &[u8]) -> Result<(), PayloadError> {
        each_event(text, |_| ())
    }

    /// The encoded object.
    pub fn as_bytes(&self) -> &[u8] {
        &self.json
    }

    /// Checks size, depth and repeated keys; [`Payload::from_json`] has done so already.
    pub fn check(&self) -> Result<(), PayloadError> {
        match &self.known {
            Known::Checked => Ok(()),
            Known::Built { depth, names } if self.is_sound(*depth, names) => Ok(()),
            _ => Self::check_json(&self.json),
        }
    }

    /// Whether what is known says that it keeps the limits and repeats no name.
    fn is_sound(&self, depth: usize, names: &[Range<usize>]) -> bool {
        let repeats = |at: usize| {
            let name = &self.json[names[at].clone()];
            names[..at].iter().any(|earlier| &self.json[earlier.clone()] == name)
        };
        self.json.len() <= RECORD_LIMIT
            && depth <= DEPTH_LIMIT
            && names.len() <= FEW_NAMES
            && !(1..names.len()).any(repeats)
    }
}

/// Passes the events of an object that keeps the limits; the first that does not ends it.
fn each_event<'t>(text: &'t [u8], mut each: impl FnMut(Event<'t>)) -> Result<(), PayloadError> {
    if text.len() > RECORD_LIMIT {
        return Err(PayloadError::TooLarge { size: text.len() });
    }
    let (mut names, mut begun) = (Names::default(), false);
    let mut scanner = Scanner::new(text);
    while let Some(event) = scanner.next_event()? {
        if scanner.depth() > DEPTH_LIMIT {
            return Err(PayloadError::TooDeep);
        }
        if !std::mem::replace(&mut begun, true) && event != Event::ObjectStart {
            return Err(PayloadError::NotAnObject);
        }
        match event {
            Event::ObjectStart | Event::ArrayStart => names.open(),
            Event::ObjectEnd | Event::ArrayEnd => names.close(),
            Event::Key(name) => names.take(name.to_wtf8())?,
            Event::String(_) | Event::Number(_) | Event::Bool(_) | Event::Null => {}
        }
        each(event);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_anew_on_one_line() {
        let text = "{\n \"a\": [1, 2.50, {}], \"b\": NaN, \"c\": {\"d\": \"é\"}, \"e\": 18446744073709551617}";
        let payload = Payload::from_json(text.as_bytes()).unwrap();
        let expected = r#"{"a": [1, 2.50, {}], "b": {"$numberDouble": "NaN"}, "c": {"d": "\u00e9"}, "e": 18446744073709551617}"#;
        assert_eq!(std::str::from_utf8(payload.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn limits_and_faults() {
        let parse = |text: &str| {
            let parsed = Payload::from_json(text.as_bytes());
            assert_eq!(Payload::check_json(text.as_bytes()), parsed.clone().map(drop), "{text}");
            parsed
        };
        assert_eq!(parse("[1]"), Err(PayloadError::NotAnObject));
        assert!(matches!(
            parse("{\"a\": 1, \"\\u0061\": 2}"),
            Err(PayloadError::RepeatedKey { .. })
        ));
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(parse(&deep), Err(PayloadError::TooDeep));
        assert!(matches!(parse(&" ".repeat(RECORD_LIMIT + 1)), Err(PayloadError::TooLarge { .. })));
        assert!(parse("{\"a\": {\"a\": [{\"a\": 1}, {\"a\": 2}]}}").is_ok());
        assert!(matches!(parse("{"), Err(PayloadError::Json(_))));
    }

    #[test]
    fn what_is_built_is_checked_like_what_is_read() {
        struct Nonsense;
        impl PayloadValue for Nonsense {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(b"no json");
            }
        }
        let deep = |levels: usize| {
            (1..levels).fold(Payload::new(), |inner, _| Payload::new().with("a", vec![Some(inner)]))
        };
        let many = |count: usize| {
            (0..count).fold(Payload::new(), |built, at| built.with(&format!("n{at}"), at))
        };
        let built = [
            deep(DEPTH_LIMIT / 2),
            deep(DEPTH_LIMIT / 2 + 1),
            deep(DEPTH_LIMIT / 2 + 2),
            many(FEW_NAMES),
            many(FEW_NAMES + 1),
            many(FEW_NAMES + 1).with("n3", 1),
            Payload::new().with("a", 1).with("a", 1),
            Payload::new().with("o", Payload::new().with("\u{e9}", 1).with("é", 2)),
            Payload::new().with("x", Nonsense),
            Payload::from_json(b"{\"a\": 1}").unwrap().with("a", 2),
            Payload::new().with("s", "x".repeat(RECORD_LIMIT)),
        ];
        for payload in &built {
            assert_eq!(payload.check(), Payload::from_json(payload.as_bytes()).map(drop));
        }
        let refused = built.iter().filter(|payload| payload.check().is_err()).count();
        assert_eq!(refused, 8, "{:?}", built.iter().map(Payload::check).collect::<Vec<_>>());
    }
}
