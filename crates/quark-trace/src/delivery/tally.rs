//! The count of records that were left out, in room that was made before there was none.
//!
//! | file | what it holds |
//! |---|---|
//! | `room-N.gap` | the gaps that are not told yet, and zeros; it is overwritten in place |
//! | `room-N.lock` | held by the process that counts in it |
//! | `room-N.refused` | what tells of a gap and was refused for good |

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use quark_trace_core::ids::ProjectId;

use super::claim::Claim;
use super::gap::Gap;
use crate::store::file::folder;

/// Room for two gaps of the longest ids.
const ROOM: usize = 8192;
const PREFIX: &str = "room-";

/// Records that were left out and that nothing tells of yet.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// At most two: one that may have been sent and stays as it is, and one that counts on.
    gaps: VecDeque<Gap>,
    /// Whether the first may have been sent.
    sent: bool,
    /// Without it the count lives as long as the process.
    room: Option<Room>,
    dirty: bool,
}

#[derive(Debug)]
struct Room {
    /// Without an ending.
    path: PathBuf,
    file: File,
    _claim: Claim,
}

impl Tally {
    /// Those in a folder that no process has.
    pub fn take_over(lane: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for path in places(lane)? {
            let (lock, gap) = (path.with_extension("lock"), path.with_extension("gap"));
            let Some(claim) = Claim::take_for(&lock, &gap)? else { continue };
            let file = match folder::open_there(&gap) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Its process died before it had made it, or while it removed it.
                    remove(&path);
                    continue;
                }
                opened => opened?,
            };
            let gaps = read(&file)?;
            // One that died may have sent it and not have noted the answer.
            let sent = !gaps.is_empty();
            found.push(Self {
                gaps,
                sent,
                room: Some(Room { path, file, _claim: claim }),
                dirty: false,
            });
        }
        Ok(found)
    }

    /// Makes room for the count, unless there is some.
    pub fn reserve(&mut self, lane: &Path) -> io::Result<()> {
        if self.room.is_some() {
            return Ok(());
        }
        let path = lane.join(format!("{PREFIX}{}", uuid::Uuid::new_v4()));
        let claim = Claim::make(&path.with_extension("lock"))?;
        match make_file(&path.with_extension("gap")) {
            Ok(file) => self.room = Some(Room { path, file, _claim: claim }),
            Err(error) => {
                remove(&path);
                return Err(error);
            }
        }
        self.note();
        Ok(())
    }

    /// Whether the count outlives the process.
    pub fn has_room(&self) -> bool {
        self.room.is_some()
    }

    /// Goes on in the room of another, which counts nothing.
    pub fn move_to(&mut self, other: Self) {
        self.room = other.room;
        self.note();
    }

    /// Counts a line that there was no room for.
    pub fn add(&mut self, line: &[u8], reason: &str) {
        let fixed = usize::from(self.sent);
        match self.gaps.get_mut(fixed) {
            Some(gap) => gap.add(line),
            None => self.gaps.push_back(Gap::dropped(line, reason)),
        }
        self.note();
    }

    pub fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }

    /// How many records.
    pub fn count(&self) -> u64 {
        self.gaps.iter().map(Gap::count).sum()
    }

    /// The records that tell of them.
    pub fn lines(&self, project: &ProjectId) -> Vec<Vec<u8>> {
        self.gaps.iter().map(|gap| gap.line(project)).collect()
    }

    /// The gap to send next, which stays as it is from now on.
    pub fn send(&mut self) -> Option<&Gap> {
        self.sent = !self.gaps.is_empty();
        self.gaps.front()
    }

    /// The gap of this id is told.
    pub fn note_told(&mut self, id: &str) {
        if self.gaps.front().is_some_and(|gap| gap.id() == id) {
            self.gaps.pop_front();
            self.sent = false;
            self.note();
        }
    }

    /// All of it is told.
    pub fn clear(&mut self) {
        if !self.gaps.is_empty() {
            self.gaps.clear();
            self.sent = false;
            self.note();
        }
    }

    fn note(&mut self) {
        let Some(room) = &mut self.room else { return };
        let written = room.file.seek(SeekFrom::Start(0));
        // Should it fail all the same, the count is in mind as long as the process lives.
        let _ = written.and_then(|_| room.file.write_all(&text(&self.gaps)));
        self.dirty = true;
    }

    /// Where what tells of a gap is kept when it is refused; `None` without a folder.
    pub fn refused(&self) -> Option<PathBuf> {
        self.room.as_ref().map(|room| room.path.with_extension("refused"))
    }

    /// The file, if something was counted since the last time.
    pub fn take_dirty(&mut self) -> Option<File> {
        let dirty = std::mem::take(&mut self.dirty);
        self.room.as_ref().filter(|_| dirty)?.file.try_clone().ok()
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Deletes it.
    pub fn remove(self) {
        if let Some(room) = &self.room {
            remove(&room.path);
        }
    }
}

/// How many records of a folder were left out and are not told of, and whether a process counts.
pub(super) fn untold(lane: &Path) -> io::Result<(u64, bool)> {
    let (mut count, mut in_use) = (0, false);
    for path in places(lane)? {
        in_use |= Claim::take(&path.with_extension("lock"))?.is_none();
        if let Ok(file) = folder::open_read(&path.with_extension("gap")) {
            count += read(&file)?.iter().map(Gap::count).sum::<u64>();
        }
    }
    Ok((count, in_use))
}

/// The rooms of a folder, without an ending.
fn places(lane: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(lane)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let stem = name.strip_suffix(".lock").or_else(|| name.strip_suffix(".gap"));
        found.extend(stem.map(|stem| lane.join(stem)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn make_file(path: &Path) -> io::Result<File> {
    folder::create_new(path)?.write_all(&[0; ROOM])?;
    folder::open_there(path)
}

fn text(gaps: &VecDeque<Gap>) -> Vec<u8> {
    let list: Vec<_> = gaps.iter().map(Gap::to_json).collect();
    let mut text = serde_json::Value::Array(list).to_string().into_bytes();
    // What an earlier, longer text has behind it counts for nothing.
    text.push(0);
    text
}

fn read(file: &File) -> io::Result<VecDeque<Gap>> {
    let mut bytes = Vec::new();
    file.take(2 * ROOM as u64).read_to_end(&mut bytes)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let list: Vec<serde_json::Value> = serde_json::from_slice(&bytes[..end]).unwrap_or_default();
    Ok(list.iter().filter_map(Gap::from_json).collect())
}

/// The lock last, so that what stays is found again.
fn remove(path: &Path) {
    for ending in ["gap", "lock"] {
        let _ = fs::remove_file(path.with_extension(ending));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] =
        br#"{"record_id": "r1", "project_id": "p", "stage": "s", "timestamp": "t", "payload": {}}"#;

    fn lane() -> PathBuf {
        let lane = std::env::temp_dir().join(format!("quark-tally-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&lane).unwrap();
        lane
    }

    #[test]
    fn what_was_sent_stays_as_it_is_and_the_next_process_knows() {
        let (lane, project) = (lane(), "p".parse().unwrap());
        let mut tally = Tally::default();
        tally.add(LINE, "full");
        tally.reserve(&lane).unwrap();
        tally.add(LINE, "full");
        let told = tally.send().unwrap().line(&project);
        tally.add(LINE, "full");
        tally.add(LINE, "full");
        assert_eq!((tally.count(), tally.lines(&project).len()), (4, 2));
        assert_eq!(tally.lines(&project)[0], told);
        assert_eq!(untold(&lane).unwrap(), (4, true));
        assert!(Tally::take_over(&lane).unwrap().is_empty(), "this process has it");
        drop(tally);
        let mut found = Tally::take_over(&lane).unwrap().pop().unwrap();
        assert_eq!(found.lines(&project)[0], told);
        let id = found.send().unwrap().id().to_owned();
        found.note_told("another");
        found.note_told(&id);
        found.note_told(&id);
        assert_eq!((found.count(), untold(&lane).unwrap()), (2, (2, true)));
        found.clear();
        assert_eq!(untold(&lane).unwrap(), (0, true));
        found.remove();
        assert_eq!(fs::read_dir(&lane).unwrap().count(), 0);
        fs::remove_dir(lane).unwrap();
    }
}
