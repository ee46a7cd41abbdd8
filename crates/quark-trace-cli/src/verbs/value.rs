//! Values as they are typed: JSON where it reads as JSON, text otherwise.

use std::io::Read;

use quark_trace::core::json::Scanner;
use quark_trace::core::payload::{Payload, PayloadValue};

use crate::failure::Failure;

/// A typed value.
pub struct Typed<'a>(pub &'a str);

impl Typed<'_> {
    fn is_json(&self) -> bool {
        let mut scanner = Scanner::new(self.0.as_bytes());
        loop {
            match scanner.next_event() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}

impl PayloadValue for Typed<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if self.is_json() {
            out.extend_from_slice(self.0.trim().as_bytes());
        } else {
            self.0.write(out);
        }
    }
}

/// The payload of `NAME=VALUE` words, encoded on one line and checked.
pub fn payload(words: &[String]) -> Result<Payload, Failure> {
    let mut payload = Payload::new();
    for word in words {
        let (name, value) = pair(word)?;
        payload = payload.with(name, Typed(value));
    }
    parse(payload.as_bytes())
}

/// `NAME=VALUE` taken apart.
pub fn pair(word: &str) -> Result<(&str, &str), Failure> {
    word.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        Failure::usage(format!("{word:?} is not NAME=VALUE"))
            .with_help("the stage is one word; values follow as name=value")
    })
}

/// JSON text as a payload.
pub fn parse(text: &[u8]) -> Result<Payload, Failure> {
    Payload::from_json(text).map_err(|fault| Failure::from(quark_trace::Error::from(fault)))
}

/// The bytes behind `@FILE` or `-`, or the text itself.
pub fn source(text: &str) -> Result<Vec<u8>, Failure> {
    let read = match text.strip_prefix('@') {
        Some(file) => std::fs::read(file).map_err(|error| (file.to_owned(), error)),
        None if text == "-" => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map(|_| bytes).map_err(|error| ("the input".to_owned(), error))
        }
        None => return Ok(text.as_bytes().to_vec()),
    };
    read.map_err(|(what, error)| Failure::failed(format!("could not read {what}: {error}")))
}
