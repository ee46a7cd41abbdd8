//! Lines of an answer, read one by one and none longer than it may be.

use std::io::{self, BufRead};

/// Reads the next line without its end into `line`; false at the end of the answer. A line over
/// `limit` bytes is an error.
pub(super) fn next(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    limit: usize,
) -> io::Result<bool> {
    line.clear();
    loop {
        let found = reader.fill_buf()?;
        if found.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = memchr::memchr(b'\n', found);
        let taken = end.unwrap_or(found.len());
        if line.len() + taken > limit {
            let message = format!("a line is longer than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        line.extend_from_slice(&found[..taken]);
        reader.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_their_limit() {
        let mut reader = io::BufReader::with_capacity(3, b"abcd\r\n\nlong line\nrest".as_slice());
        let mut line = Vec::new();
        let mut read = || next(&mut reader, &mut line, 8).map(|more| (more, line.clone()));
        assert_eq!(read().unwrap(), (true, b"abcd".to_vec()));
        assert_eq!(read().unwrap(), (true, Vec::new()));
        assert!(read().is_err());
        let mut reader = b"a\nlast".as_slice();
        assert!(next(&mut reader, &mut line, 8).unwrap());
        assert!(next(&mut reader, &mut line, 8).unwrap() && line == b"last");
        assert!(!next(&mut reader, &mut line, 8).unwrap());
    }
}
