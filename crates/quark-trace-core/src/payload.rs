//! Payloads: the JSON object a caller logs, encoded once.

use crate::json::{Event, Fault, Number, Scanner, write};
use crate::record::{DEPTH_LIMIT, RECORD_LIMIT};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    json: Vec<u8>,
}

impl Default for Payload {
    fn default() -> Self {
        Self::new()
    }
}

impl Payload {
    /// The empty payload `{}`.
    pub fn new() -> Self {
        Self { json: b"{}".to_vec() }
    }

    /// The payload with one more member. A name that is there already is the caller's mistake and
    /// is refused when the record is logged.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl PayloadValue) -> Self {
        self.json.pop();
        if self.json.len() > 1 {
            self.json.extend_from_slice(b", ");
        }
        write::string(&mut self.json, name);
        self.json.extend_from_slice(b": ");
        value.write(&mut self.json);
        self.json.push(b'}');
        self
    }

    /// Reads JSON text (also what Python writes: `NaN` and infinities), checks it against the
    /// limits, and encodes it anew on one line; number digits are kept as they were written.
    pub fn from_json(text: &[u8]) -> Result<Self, PayloadError> {
        if text.len() > RECORD_LIMIT {
            return Err(PayloadError::TooLarge { size: text.len() });
        }
        let mut encoder = Encoder::default();
        let mut scanner = Scanner::new(text);
        while let Some(event) = scanner.next_event()? {
            if scanner.depth() > DEPTH_LIMIT {
                return Err(PayloadError::TooDeep);
            }
            encoder.event(event)?;
        }
        Ok(Self { json: encoder.out })
    }

    /// The encoded object.
    pub fn as_bytes(&self) -> &[u8] {
        &self.json
    }

    /// Checks size, depth and repeated keys; [`Payload::from_json`] has done so already.
    pub fn check(&self) -> Result<(), PayloadError> {
        Self::from_json(&self.json).map(drop)
    }
}

/// What can stand in a payload.
pub trait PayloadValue {
    /// Appends the value as JSON.
    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl PayloadValue for $kind {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.to_string().as_bytes());
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

impl PayloadValue for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        write::float(out, *self);
    }
}

impl PayloadValue for f32 {
    fn write(&self, out: &mut Vec<u8>) {
        write::float(out, f64::from(*self));
    }
}

impl PayloadValue for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl PayloadValue for str {
    fn write(&self, out: &mut Vec<u8>) {
        write::string(out, self);
    }
}

impl PayloadValue for String {
    fn write(&self, out: &mut Vec<u8>) {
        write::string(out, self);
    }
}

impl PayloadValue for Payload {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.json);
    }
}

impl<T: PayloadValue> PayloadValue for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl<T: PayloadValue + ?Sized> PayloadValue for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl<T: PayloadValue> PayloadValue for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_slice().write(out);
    }
}

impl<T: PayloadValue> PayloadValue for [T] {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            value.write(out);
        }
        out.push(b']');
    }
}

/// Encodes a stream of events on one line.
#[derive(Default)]
struct Encoder {
    out: Vec<u8>,
    /// The names seen in each open object, `None` for an array.
    names: Vec<Option<std::collections::HashSet<Vec<u8>>>>,
    after_key: bool,
}

impl Encoder {
    fn event(&mut self, event: Event<'_>) -> Result<(), PayloadError> {
        if self.out.is_empty() && event != Event::ObjectStart {
            return Err(PayloadError::NotAnObject);
        }
        if matches!(event, Event::ObjectEnd | Event::ArrayEnd) {
            self.names.pop();
            self.out.push(if event == Event::ObjectEnd { b'}' } else { b']' });
            return Ok(());
        }
        self.separate();
        match event {
            Event::Key(text) => return self.key(text.to_wtf8().into_owned()),
            Event::ObjectStart => self.open(b'{', Some(std::collections::HashSet::new())),
            Event::ArrayStart => self.open(b'[', None),
            Event::String(text) => {
                write::string_wtf8(&mut self.out, &text.to_wtf8());
            }
            Event::Number(number) => self.number(number),
            Event::Bool(value) => value.write(&mut self.out),
            Event::Null | Event::ObjectEnd | Event::ArrayEnd => self.out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    fn separate(&mut self) {
        if self.after_key {
            self.after_key = false;
        } else if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.out.extend_from_slice(b", ");
        }
    }

    fn open(&mut self, bracket: u8, names: Option<std::collections::HashSet<Vec<u8>>>) {
        self.out.push(bracket);
        self.names.push(names);
    }

    fn key(&mut self, name: Vec<u8>) -> Result<(), PayloadError> {
        write::string_wtf8(&mut self.out, &name);
        self.out.extend_from_slice(b": ");
        self.after_key = true;
        let key = String::from_utf8_lossy(&name).into_owned();
        let names = self.names.last_mut().and_then(Option::as_mut);
        match names.is_none_or(|names| names.insert(name)) {
            true => Ok(()),
            false => Err(PayloadError::RepeatedKey { key }),
        }
    }

    fn number(&mut self, number: Number<'_>) {
        match number {
            Number::Integer(digits) | Number::Float(digits) => {
                self.out.extend_from_slice(digits.as_bytes());
            }
            Number::NotANumber => f64::NAN.write(&mut self.out),
            Number::Infinity => f64::INFINITY.write(&mut self.out),
            Number::NegativeInfinity => f64::NEG_INFINITY.write(&mut self.out),
        }
    }
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
        let parse = |text: &str| Payload::from_json(text.as_bytes());
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
}
