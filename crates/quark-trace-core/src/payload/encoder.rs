//! JSON text encoded anew on one line.

use std::borrow::Cow;

use super::names::Names;
use super::{PayloadError, PayloadValue};
use crate::json::{Event, Number, write};

/// Encodes a stream of events on one line.
#[derive(Default)]
pub(super) struct Encoder<'t> {
    pub out: Vec<u8>,
    names: Names<'t>,
    after_key: bool,
}

impl<'t> Encoder<'t> {
    pub fn event(&mut self, event: Event<'t>) -> Result<(), PayloadError> {
        if self.out.is_empty() && event != Event::ObjectStart {
            return Err(PayloadError::NotAnObject);
        }
        if matches!(event, Event::ObjectEnd | Event::ArrayEnd) {
            self.names.close();
            self.out.push(if event == Event::ObjectEnd { b'}' } else { b']' });
            return Ok(());
        }
        self.separate();
        match event {
            Event::Key(text) => return self.key(text.to_wtf8()),
            Event::ObjectStart => self.open(b'{'),
            Event::ArrayStart => self.open(b'['),
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

    fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.names.open();
    }

    fn key(&mut self, name: Cow<'t, [u8]>) -> Result<(), PayloadError> {
        write::string_wtf8(&mut self.out, &name);
        self.out.extend_from_slice(b": ");
        self.after_key = true;
        self.names.take(name)
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
