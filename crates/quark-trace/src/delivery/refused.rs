//! Lines that the server refused for good: they are kept, each behind a line with the reason.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use super::gap::is_gap;
use crate::store::file::folder;

const ENDING: &str = "refused";

/// Keeps a line; after an error it is not there.
pub(super) fn keep(path: &Path, line: &[u8], reason: &str) -> io::Result<()> {
    let mut file = folder::open_append(path)?;
    let before = file.metadata()?.len();
    let mut bytes = serde_json::json!({ "reason": reason }).to_string().into_bytes();
    bytes.push(b'\n');
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    let kept = file.write_all(&bytes).and_then(|()| file.sync_data());
    if kept.is_err() {
        // A part of it would be taken for the beginning of the next.
        let _ = file.set_len(before);
    }
    kept
}

/// How many lines are kept in a folder: records, and records that tell of gaps.
pub(super) fn count(lane: &Path) -> io::Result<(u64, u64)> {
    let (mut records, mut gaps) = (0, 0);
    for entry in fs::read_dir(lane)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != ENDING) {
            continue;
        }
        // The reason stands before each.
        for line in BufReader::new(folder::open_read(&path)?).split(b'\n').skip(1).step_by(2) {
            if is_gap(&line?) { gaps += 1 } else { records += 1 }
        }
    }
    Ok((records, gaps))
}
