//! The records of one project that wait, in their order.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quark_trace_core::ids::ProjectId;

use super::gap::Gap;
use super::segment::{self, Segment};

/// Most records of a call, and most bytes unless one record alone is larger.
const MOST: usize = 1000;
const BYTES: usize = 1024 * 1024;
/// Another process may be looking at the folder just when a segment is made.
const TRIES: u32 = 5;

/// The segments of a project, the oldest first.
#[derive(Debug)]
pub(super) struct Lane {
    pub project: ProjectId,
    folder: PathBuf,
    segments: VecDeque<Segment>,
    /// Whether the last segment is the one that this process appends to.
    appending: bool,
    /// Records that there was no room for, before there was a segment.
    lost: Option<Gap>,
    /// How many records the next call takes at most.
    most: usize,
    /// Calls that failed since one did not, and when the next is due.
    pub failures: u32,
    pub due: Duration,
}

/// What is to be shipped next.
#[derive(Debug)]
pub(super) struct Batch {
    segment: PathBuf,
    pub lines: Vec<Vec<u8>>,
}

impl Lane {
    pub fn new(project: ProjectId, folder: PathBuf) -> Self {
        Self {
            project,
            folder,
            segments: VecDeque::new(),
            appending: false,
            lost: None,
            most: MOST,
            failures: 0,
            due: Duration::ZERO,
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes over what processes that are no more have left, before what is here.
    pub fn adopt(&mut self) -> io::Result<()> {
        let mut found = VecDeque::new();
        for name in segment::names(&self.folder)? {
            if let Some(segment) = Segment::take_over(&self.folder, &name)? {
                found.push_back(segment);
            }
        }
        while let Some(mut segment) = found.pop_back() {
            // A gap that cannot be written down yet stays where it is counted.
            let _ = write_gap(&mut segment, &self.project);
            self.segments.push_front(segment);
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.lost.is_none() && self.segments.iter().all(Segment::is_done)
    }

    pub fn waiting(&self) -> u64 {
        self.segments.iter().map(Segment::waiting).sum()
    }

    pub fn waiting_bytes(&self) -> u64 {
        self.segments.iter().map(Segment::waiting_bytes).sum()
    }

    /// Records that were left out and that no record tells of yet.
    pub fn untold(&self) -> u64 {
        let gaps = self.segments.iter().filter_map(Segment::gap).chain(&self.lost);
        gaps.map(Gap::count).sum()
    }

    /// Appends a line behind all others; a gap before it is told first.
    pub fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let project = self.project.clone();
        let segment = self.active()?;
        let write = |segment: &mut Segment| {
            write_gap(segment, &project)?;
            segment.append(line)
        };
        match write(segment) {
            Err(_) if segment.free()? => write(segment),
            written => written,
        }
    }

    /// Counts a line that there is no room for.
    pub fn leave_out(&mut self, line: &[u8], reason: &str) {
        let last = self.segments.back_mut().filter(|_| self.appending);
        match (last, &mut self.lost) {
            (Some(segment), None) => segment.leave_out(line, reason),
            (_, Some(gap)) => gap.add(line),
            (None, None) => self.lost = Some(Gap::dropped(line, reason)),
        }
    }

    /// Writes the records that tell of gaps, as far as there is room.
    pub fn tell_gaps(&mut self) -> io::Result<()> {
        let project = self.project.clone();
        if self.lost.is_some() {
            self.active()?;
        }
        self.segments.iter_mut().try_for_each(|segment| write_gap(segment, &project))
    }

    /// The segment that is appended to.
    fn active(&mut self) -> io::Result<&mut Segment> {
        if self.appending && self.segments.back().is_some_and(Segment::is_full) {
            self.appending = false;
        }
        if !self.appending {
            let mut made = Segment::make(&self.folder);
            for _ in 1..TRIES {
                if !made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                    break;
                }
                made = Segment::make(&self.folder);
            }
            let mut made = made?;
            if let Some(lost) = self.lost.take() {
                made.take_gap(lost);
            }
            self.segments.push_back(made);
            self.appending = true;
        }
        self.segments.back_mut().ok_or_else(|| io::Error::other("there is no segment"))
    }

    /// What is to be shipped next; `None` when nothing waits.
    pub fn next(&self) -> io::Result<Option<Batch>> {
        let Some(segment) = self.segments.iter().find(|segment| segment.waiting_bytes() > 0) else {
            return Ok(None);
        };
        let lines = segment.next_lines(self.most, BYTES)?;
        Ok(Some(Batch { segment: segment.path().to_owned(), lines }))
    }

    /// The server has a batch.
    pub fn note_shipped(&mut self, batch: &Batch) {
        self.failures = 0;
        self.due = Duration::ZERO;
        self.most = (self.most * 2).min(MOST);
        self.pass(batch);
    }

    fn pass(&mut self, batch: &Batch) {
        let known = self.segments.iter_mut().find(|segment| segment.path() == batch.segment);
        if let Some(segment) = known {
            // What cannot be noted is sent again after a crash.
            let _ = segment.note_shipped(&batch.lines);
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
    /// one alone is kept aside, and a record that tells of it goes behind the others. Gives whether
    /// it was one alone.
    pub fn note_refused(&mut self, batch: &Batch, reason: &str) -> io::Result<bool> {
        if batch.lines.len() > 1 {
            self.most = (batch.lines.len() / 2).max(1);
            return Ok(false);
        }
        let known = self.segments.iter().find(|segment| segment.path() == batch.segment);
        if let (Some(segment), Some(line)) = (known, batch.lines.first()) {
            segment.keep_refused(line, reason)?;
            if !super::gap::is_gap(line) {
                self.append(&Gap::refused(line, reason).line(&self.project.clone()))?;
            }
        }
        self.pass(batch);
        Ok(true)
    }

    pub fn is_dirty(&self) -> bool {
        self.segments.iter().any(Segment::is_dirty)
    }

    /// Files with what was appended since the last time.
    pub fn take_dirty(&mut self) -> Vec<File> {
        self.segments.iter_mut().filter_map(Segment::take_dirty).collect()
    }

    /// Lets go of everything; what waits is there for the next process.
    pub fn release(&mut self) {
        self.appending = false;
        self.free();
        self.segments.clear();
    }
}

fn write_gap(segment: &mut Segment, project: &ProjectId) -> io::Result<()> {
    let Some(gap) = segment.gap() else { return Ok(()) };
    let line = gap.line(project);
    match segment.append(&line) {
        Err(_) if segment.free()? => segment.append(&line)?,
        appended => appended?,
    }
    segment.close_gap();
    Ok(())
}
