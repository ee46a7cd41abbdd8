//! JSON text encoded anew on one line.

use std::collections::HashSet;

use super::{PayloadError, PayloadValue};
use crate::json::{Event, Number, write};

/// Encodes a stream of events on one line.
#[derive(Default)]
pub(super) struct Encoder {
    pub out: Vec<u8>,
    /// The names seen in each open object, `None` for an array.
    names: Vec<Option<HashSet<Vec<u8>>>>,
    after_key: bool,
}

impl Encoder {
    pub fn event(&mut self, event: Event<'_>) -> Result<(), PayloadError> {
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
            Event::ObjectStart => self.open(b'{', Some(HashSet::new())),
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

    fn open(&mut self, bracket: u8, names: Option<HashSet<Vec<u8>>>) {
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
