//! Writing at the end of a file, and taking it back.

use std::fs::File;
use std::io::{self, Seek, Write};

/// What became of bytes that were to be written at the end of a file.
#[derive(Debug, Default)]
pub(super) struct Span {
    start: u64,
    written: u64,
    /// Whether another program's bytes lie between `start` and ours.
    pub displaced: bool,
    pub failed: Option<io::Error>,
}

impl Span {
    /// Writes all of `bytes` behind `start`, where the file ended when it was last looked at.
    /// `shared`: programs that do not know the lock may write to the file too.
    pub fn write(mut file: &File, start: u64, bytes: &[u8], shared: bool) -> Self {
        let mut span = Self { start, ..Self::default() };
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => span.failed = Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    span.written += count as u64;
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => span.failed = Some(error),
            }
            if span.failed.is_some() {
                return span;
            }
        }
        if shared && !bytes.is_empty() {
            match file.stream_position() {
                Ok(end) if end < start + span.written => {
                    span.failed = Some(io::Error::other("less was written than the system said"));
                }
                Ok(end) => span.displaced = end != start + span.written,
                Err(error) => span.failed = Some(error),
            }
        }
        span
    }

    /// Gives the file its old length back; refused when somebody else's bytes are behind it.
    pub fn undo(&self, file: &File) -> io::Result<()> {
        if self.written == 0 {
            return Ok(());
        }
        if file.metadata()?.len() > self.start + self.written {
            return Err(io::Error::other("another program wrote to the file at the same moment"));
        }
        file.set_len(self.start)
    }
}
