//! JSON text encoded anew on one line.

use super::PayloadValue;
use crate::json::{Event, Number, Text, write};

/// Encodes a stream of events on one line.
#[derive(Default)]
pub(super) struct Encoder {
    pub out: Vec<u8>,
    after_key: bool,
}

impl Encoder {
    pub fn event(&mut self, event: Event<'_>) {
        match event {
            Event::ObjectEnd => return self.out.push(b'}'),
            Event::ArrayEnd => return self.out.push(b']'),
            _ => self.separate(),
        }
        match event {
            Event::Key(name) => self.key(name),
            Event::ObjectStart => self.out.push(b'{'),
            Event::ArrayStart => self.out.push(b'['),
            Event::String(text) => {
                write::string_wtf8(&mut self.out, &text.to_wtf8());
            }
            Event::Number(number) => self.number(number),
            Event::Bool(value) => value.write(&mut self.out),
            Event::Null | Event::ObjectEnd | Event::ArrayEnd => self.out.extend_from_slice(b"null"),
        }
    }

    fn separate(&mut self) {
        if self.after_key {
            self.after_key = false;
        } else if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.out.extend_from_slice(b", ");
        }
    }

    fn key(&mut self, name: Text<'_>) {
        write::string_wtf8(&mut self.out, &name.to_wtf8());
        self.out.extend_from_slice(b": ");
        self.after_key = true;
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
