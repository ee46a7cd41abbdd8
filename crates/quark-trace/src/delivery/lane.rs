//! The records of one project that wait, in their order.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Digest;

use super::gap::{Gap, is_gap};
use super::refused;
use super::segment::{self, Segment};
use super::spool::Home;
use super::tally::Tally;

/// Most records of a call, and most bytes unless one record alone is larger.
const MOST: usize = 1000;
const BYTES: usize = 1024 * 1024;
/// Another process may be looking at the folder just when a segment is made.
const TRIES: u32 = 5;

/// The segments of a project, the oldest first.
#[derive(Debug)]
pub(super) struct Lane {
    home: Home,
    /// The folder, once there is one.
    folder: Option<PathBuf>,
    segments: VecDeque<Segment>,
    /// Whether the last segment is the one that this process appends to.
    appending: bool,
    /// What this process left out, and what those did that are no more.
    own: Tally,
    left: Vec<Tally>,
    /// The line that was set aside last: where its gap finds no room it is not set aside again.
    kept: Option<Digest>,
    /// How many records the next call takes at most.
    most: usize,
    /// Calls that failed since one did not, and when the next is due.
    pub failures: u32,
    pub due: Duration,
}

/// What is to be shipped next.
#[derive(Debug)]
pub(super) struct Batch {
    from: From,
    pub lines: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum From {
    Segment(PathBuf),
    /// What tells of a gap, by its id: it needs no room on the disk.
    Gap(String),
}

/// What became of a batch that was refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Fewer are sent next, to find out which one it is.
    OneOfMany,
    Record,
    /// It was to tell that others are missing.
    Gap,
}

impl Lane {
    pub fn new(home: Home) -> Self {
        Self {
            home,
            folder: None,
            segments: VecDeque::new(),
            appending: false,
            own: Tally::default(),
            left: Vec::new(),
            kept: None,
            most: MOST,
            failures: 0,
            due: Duration::ZERO,
        }
    }

    pub fn project(&self) -> &ProjectId {
        self.home.project()
    }

    /// Where it is, for messages.
    pub fn place(&self) -> &Path {
        self.folder.as_deref().unwrap_or(self.home.spool())
    }

    /// Takes over what processes that are no more have left in the folder, before what is here.
    pub fn adopt(&mut self, folder: PathBuf) -> io::Result<()> {
        let mut found = VecDeque::new();
        for name in segment::names(&folder)? {
            if let Some(segment) = Segment::take_over(&folder, &name)? {
                found.push_back(segment);
            }
        }
        while let Some(segment) = found.pop_back() {
            self.segments.push_front(segment);
        }
        for tally in Tally::take_over(&folder)? {
            if !self.own.has_room() && self.own.is_empty() {
                self.own = tally;
            } else if !tally.is_empty() {
                self.left.push(tally);
            } else if self.own.has_room() {
                tally.remove();
            } else {
                self.own.move_to(tally);
            }
        }
        self.folder = Some(folder);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.untold() == 0 && self.segments.iter().all(Segment::is_done)
    }

    pub fn waiting(&self) -> u64 {
        self.segments.iter().map(Segment::waiting).sum()
    }

    pub fn waiting_bytes(&self) -> u64 {
        self.segments.iter().map(Segment::waiting_bytes).sum()
    }

    /// Records that were left out and that no record tells of yet.
    pub fn untold(&self) -> u64 {
        self.own.count() + self.left.iter().map(Tally::count).sum::<u64>()
    }

    /// Appends a line behind all others; a gap before it is told with it.
    pub fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let tallies = self.left.iter().chain([&self.own]);
        let gaps: Vec<_> = tallies.flat_map(|tally| tally.lines(self.home.project())).collect();
        let lines: Vec<&[u8]> = gaps.iter().map(Vec::as_slice).chain([line]).collect();
        let segment = self.active()?;
        match segment.append(&lines) {
            Err(_) if segment.free()? => segment.append(&lines)?,
            appended => appended?,
        }
        // Should the process end in between it is told twice, in the same bytes.
        self.own.clear();
        self.left.drain(..).for_each(Tally::remove);
        Ok(())
    }

    /// Counts a line that there is no room for.
    pub fn leave_out(&mut self, line: &[u8], reason: &str) {
        // Where there is no room for the count either, it is in mind.
        let _ = self.prepare();
        self.own.add(line, reason);
    }

    /// The folder, made where it is missing, and in it room for a count as long as there is any.
    fn prepare(&mut self) -> io::Result<PathBuf> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => self.folder.insert(self.home.make()?).clone(),
        };
        let _ = self.own.reserve(&folder);
        Ok(folder)
    }

    /// The segment that is appended to.
    fn active(&mut self) -> io::Result<&mut Segment> {
        let last = self.segments.back_mut().filter(|_| self.appending);
        let goes_on = match last {
            Some(last) if last.is_full() => last.free()?,
            last => last.is_some(),
        };
        if !goes_on {
            let folder = self.prepare()?;
            let mut made = Segment::make(&folder);
            for _ in 1..TRIES {
                if !made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                    break;
                }
                made = Segment::make(&folder);
            }
            self.segments.push_back(made?);
            self.appending = true;
        }
        self.segments.back_mut().ok_or_else(|| io::Error::other("there is no segment"))
    }

    /// What is to be shipped next; `None` when nothing waits.
    pub fn next(&mut self) -> io::Result<Option<Batch>> {
        if let Some(segment) = self.segments.iter().find(|segment| !segment.is_done()) {
            let from = From::Segment(segment.path().to_owned());
            return Ok(Some(Batch { from, lines: segment.next_lines(self.most, BYTES)? }));
        }
        let gap = self.left.iter_mut().chain([&mut self.own]).find_map(Tally::send);
        Ok(gap.map(|gap| Batch {
            from: From::Gap(gap.id().to_owned()),
            lines: vec![gap.line(self.home.project())],
        }))
    }

    /// The server has a batch.
    pub fn note_shipped(&mut self, batch: &Batch) {
        self.failures = 0;
        self.due = Duration::ZERO;
        self.most = (self.most * 2).min(MOST);
        self.pass(batch);
    }

    fn pass(&mut self, batch: &Batch) {
        match &batch.from {
            From::Segment(path) => {
                let known = self.segments.iter_mut().find(|segment| segment.path() == path);
                if let Some(segment) = known {
                    // What cannot be noted is sent again after a crash.
                    let _ = segment.note_shipped(&batch.lines);
                }
            }
            From::Gap(id) => {
                self.left.iter_mut().chain([&mut self.own]).for_each(|tally| tally.note_told(id));
                for told in self.left.extract_if(.., |tally| tally.is_empty()) {
                    told.remove();
                }
            }
        }
        self.free();
    }

    /// Deletes segments of which nothing has to be kept, but for the one that is appended to.
    fn free(&mut self) {
        let kept = usize::from(self.appending);
        while self.segments.len() > kept && self.segments.front().is_some_and(Segment::is_done) {
            if let Some(done) = self.segments.pop_front() {
                done.remove();
            }
        }
    }

    /// A batch was refused for good. Of several records it is told which one it is by sending fewer;
    /// one alone is kept aside, and a record that tells of it goes behind the others.
    pub fn note_refused(&mut self, batch: &Batch, reason: &str) -> io::Result<Refused> {
        let [line] = batch.lines.as_slice() else {
            self.most = (batch.lines.len() / 2).max(1);
            return Ok(Refused::OneOfMany);
        };
        let digest = Digest::of(line);
        if self.kept != Some(digest) {
            self.keep(batch, line, reason)?;
            self.kept = Some(digest);
        }
        let refused = if is_gap(line) { Refused::Gap } else { Refused::Record };
        if refused == Refused::Record {
            self.append(&Gap::refused(line, reason).line(self.home.project()))?;
        }
        self.kept = None;
        self.pass(batch);
        Ok(refused)
    }

    fn keep(&self, batch: &Batch, line: &[u8], reason: &str) -> io::Result<()> {
        match &batch.from {
            From::Segment(path) => {
                let known = self.segments.iter().find(|segment| segment.path() == path);
                known.map_or(Ok(()), |segment| segment.keep_refused(line, reason))
            }
            From::Gap(_) => {
                let place = self.left.iter().chain([&self.own]).find_map(Tally::refused);
                let missing = || io::Error::other("there is no folder to keep it in");
                refused::keep(&place.ok_or_else(missing)?, line, reason)
            }
        }
    }

    pub fn is_dirty(&self) -> bool {
        self.own.is_dirty() || self.segments.iter().any(Segment::is_dirty)
    }

    /// Files with what was appended or counted since the last time.
    pub fn take_dirty(&mut self) -> Vec<File> {
        let records = self.segments.iter_mut().filter_map(Segment::take_dirty);
        records.chain(self.own.take_dirty()).collect()
    }

    /// Lets go of everything that is there for the next process. Gives whether anything is not.
    pub fn release(&mut self) -> bool {
        self.appending = false;
        self.free();
        self.segments.clear();
        self.left.clear();
        if self.own.has_room() {
            self.own = Tally::default();
        }
        !self.own.is_empty()
    }
}
