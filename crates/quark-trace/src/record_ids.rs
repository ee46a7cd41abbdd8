//! Ids for new records.

use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::process;

/// Random bytes for record ids, fetched for many at once.
///
/// Ids must stay unique when the process forks, so that the pool belongs to one process.
#[derive(Debug)]
pub(crate) struct IdPool {
    bytes: [u8; 4096],
    used: usize,
    process: u32,
}

impl Default for IdPool {
    fn default() -> Self {
        Self { bytes: [0; 4096], used: 4096, process: 0 }
    }
}

impl IdPool {
    /// A UUID of version 4 as text.
    pub fn next(&mut self) -> Result<String> {
        let process = process::id();
        if self.used + 16 > self.bytes.len() || self.process != process {
            getrandom::fill(&mut self.bytes).map_err(|error| {
                Error::new(ErrorKind::Io, "make a record id", error.to_string())
                    .with_outcome(Outcome::NotWritten)
            })?;
            self.used = 0;
            self.process = process;
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.bytes[self.used..self.used + 16]);
        self.used += 16;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string())
    }
}
