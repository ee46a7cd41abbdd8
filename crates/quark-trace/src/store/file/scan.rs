//! Reading rows: the ledger and the records side by side, no lock taken.

use std::borrow::Cow;
use std::ops::ControlFlow;

use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{CompactRange, Digest, Entry, Kind};

use super::align::Alignment;
use super::folder::{self, Names};
use super::lines::Line;
use super::loose::{loose_rest, scan_legacy};
use super::mark::Mark;
use super::owed::wait_for_entries;
use super::pairs::{self, Pair, Pairs};
use super::steps::Steps;
use super::{schemas, sifted};
use crate::error::{Error, Result};
use crate::store::{Beside, Head, Place, Plan, Row, Select};

const OPERATION: &str = "read the log";

/// Takes rows until it breaks off.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Row<'_>) -> ControlFlow<()>;

/// Whether the folder has nothing of the project; an append that failed may leave empty files.
pub(super) fn is_absent(names: &Names) -> Result<bool> {
    // A checkpoint alone says that there was a log.
    let paths = [names.ledger(), names.records.clone(), names.sheet.clone(), names.checkpoint()];
    for path in paths {
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() && found.len() == 0 && path != names.sheet => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(OPERATION, path.display().to_string(), error)),
        }
    }
    Ok(true)
}

/// Size, edge and checkpoint, from the files alone.
pub(super) fn head(names: &Names) -> Result<Option<Head>> {
    if is_absent(names)? {
        return Ok(None);
    }
    wait_for_entries(names);
    let mut range = CompactRange::new();
    if let Some(mut ledger) = pairs::open_lines(&names.ledger(), 0, true)? {
        let wrap = |error| Error::io(OPERATION, names.ledger().display().to_string(), error);
        while let Some(line) = ledger.next_filled().map_err(wrap)?.filter(|line| line.whole) {
            range.push(leaf_hash(line.bytes));
        }
    }
    Ok(Some(Head { range, beside: beside(names)? }))
}

/// The small files beside the ledger.
pub(super) fn beside(names: &Names) -> Result<Beside> {
    let (checkpoint, keys) = (text(&names.checkpoint())?, text(&names.verifier_keys())?);
    Ok(Beside { checkpoint, keys })
}

/// A small text file beside the log; bytes that are no UTF-8 are kept as replacement characters,
/// which no signature fits.
fn text(path: &std::path::Path) -> Result<Option<String>> {
    let bytes = folder::read_if_there(path)
        .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// See [`crate::store::Store::scan`]. A reader of records begins at `mark` if that will do, and
/// gives where it came to, if it came to the end. A reader of a few entries begins at one of `steps`.
pub(super) fn scan(
    names: &Names,
    plan: &Plan<'_>,
    mark: Option<Mark>,
    steps: &Steps,
    sink: Sink<'_>,
) -> Result<Option<Mark>> {
    wait_for_entries(names);
    match folder::open_read(&names.ledger()) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return scan_legacy(names, plan, sink).map(|()| None);
        }
        Err(error) => {
            return Err(Error::io(OPERATION, names.ledger().display().to_string(), error));
        }
    }
    if plan.select == Select::Schemas && !schemas::is_in_ledger(names)? {
        return Ok(None);
    }
    let mark = mark.filter(|mark| mark.serves(plan, names));
    // Nothing is said of what comes before, so that it need not be looked at.
    let passes = plan.select == Select::All && plan.until.is_some();
    let mut scan = Scan { names, plan: *plan, sink, sheet: None, mark, after: 0, steps, passes };
    scan.run().map(|_| scan.mark)
}

struct Scan<'a> {
    names: &'a Names,
    plan: Plan<'a>,
    sink: Sink<'a>,
    /// Object of the last sheet entry.
    sheet: Option<Digest>,
    /// Where reading begins, and then where it ended.
    mark: Option<Mark>,
    /// Index behind the last record.
    after: u64,
    steps: &'a Steps,
    /// Whether entries before the first of the plan are passed over without a look at their lines.
    passes: bool,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<ControlFlow<()>> {
        let mut pairs = match self.mark.take() {
            Some(mark) => {
                self.after = mark.after;
                mark.open(self.names)?
            }
            None if self.passes => self.steps.open(self.names, self.plan.from)?,
            None => Pairs::open(self.names)?,
        };
        pairs.skim = matches!(self.plan.select, Select::Records | Select::Schemas);
        if self.plan.select == Select::Schemas {
            pairs.records = None;
        }
        let (offset, lines) = match &pairs.records {
            Some(records) => (records.offset(), records.number()),
            None => (0, 0),
        };
        if let Some(filter) = self.plan.filter.filter(|_| self.plan.select == Select::Records)
            && let Some(span) = sifted::span(self.names, offset)
        {
            return sifted::scan(self.names, &self.plan, filter, pairs, (span, lines), self.sink);
        }
        loop {
            if self.passes {
                self.steps.pass(&pairs);
                pairs.skim = pairs.index() < self.plan.from;
            }
            let Some(pair) = pairs.next_pair()? else { break };
            if self.plan.ends_before(pair.index) {
                return Ok(ControlFlow::Break(()));
            }
            if self.passes && pair.index < self.plan.from {
                continue;
            }
            match self.pair(&pair)? {
                Step::Next => {}
                Step::Stop => return Ok(ControlFlow::Break(())),
                Step::Mismatch if self.passes => {
                    self.plan.from = pair.index;
                    self.passes = false;
                    return self.run();
                }
                Step::Mismatch => {
                    let (index, limit) = (pair.index, pairs.limit);
                    drop(pairs);
                    return self.aligned(index, limit);
                }
            }
        }
        if self.plan.select == Select::Records {
            self.mark = Mark::behind(&pairs, self.names, self.after);
        }
        if self.plan.until.is_some() {
            return Ok(ControlFlow::Break(()));
        }
        let torn = pairs.ledger.offset();
        if self.torn_ledger(torn)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(records) = &mut pairs.records
            && matches!(self.plan.select, Select::All | Select::Records)
            && loose_rest(records, &self.plan, self.sink)?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        self.shown_sheet()
    }

    fn pair(&mut self, pair: &Pair<'_>) -> Result<Step> {
        if self.plan.select == Select::Records {
            let Some(line) = &pair.record else { return Ok(Step::Next) };
            self.after = pair.index + 1;
            let place = Place { line: line.number, offset: line.offset };
            return Ok(self.emit(pair.index, pair.line, Some(line.bytes.into()), None, place));
        }
        let Some(entry) = pair.entry else {
            if self.plan.select == Select::Schemas {
                return Ok(Step::Next);
            }
            return Ok(self.emit(pair.index, pair.line, None, None, Place::default()));
        };
        if !entry.kind.is_record() {
            return self.object(pair.index, pair.line, &entry);
        }
        if matches!(self.plan.select, Select::Sheets | Select::Schemas) {
            return Ok(Step::Next);
        }
        let Some(line) = &pair.record else { return Ok(Step::Mismatch) };
        let place = Place { line: line.number, offset: line.offset };
        let digest = Digest::of(line.bytes);
        if digest != entry.object {
            return Ok(Step::Mismatch);
        }
        let step = self.emit(pair.index, pair.line, Some(line.bytes.into()), Some(digest), place);
        if matches!(step, Step::Next) && !line.whole {
            return Ok(self.torn_line(line).into());
        }
        Ok(step)
    }

    /// An entry whose object is a file of its own.
    fn object(&mut self, index: u64, line: &[u8], entry: &Entry<'_>) -> Result<Step> {
        if entry.kind.is_sheet() {
            self.sheet = Some(entry.object);
        }
        let wanted = match self.plan.select {
            Select::All => true,
            Select::Sheets => entry.kind.is_sheet(),
            Select::Schemas => entry.kind == Kind::Schema,
            Select::Records | Select::Entries => false,
        };
        if !wanted {
            return Ok(Step::Next);
        }
        let path = self.names.object(entry.object);
        let object = folder::read_if_there(&path)
            .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
        Ok(self.emit(index, line, object.map(Cow::Owned), None, Place::default()))
    }

    fn emit(
        &mut self,
        index: u64,
        line: &[u8],
        object: Option<Cow<'_, [u8]>>,
        digest: Option<Digest>,
        place: Place,
    ) -> Step {
        if index < self.plan.from {
            return Step::Next;
        }
        (self.sink)(Row::Entry { index, line, object, digest, place, displaced: false }).into()
    }

    fn torn_line(&mut self, line: &Line<'_>) -> ControlFlow<()> {
        let place = Place { line: line.number, offset: line.offset };
        let length = line.bytes.len() as u64;
        (self.sink)(Row::Torn { what: "records", place, length, entered: true })
    }

    /// What follows the last whole line of the ledger. `offset` is behind what was read.
    fn torn_ledger(&mut self, offset: u64) -> Result<ControlFlow<()>> {
        let path = self.names.ledger();
        let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
        let bytes = tail_without_terminator(&path, offset).map_err(wrap)?;
        if bytes == 0 || self.plan.select != Select::All {
            return Ok(ControlFlow::Continue(()));
        }
        let place = Place { line: 0, offset: offset - bytes };
        Ok((self.sink)(Row::Torn { what: "ledger", place, length: bytes, entered: false }))
    }

    fn shown_sheet(&mut self) -> Result<ControlFlow<()>> {
        if self.plan.select != Select::All {
            return Ok(ControlFlow::Continue(()));
        }
        let shown = folder::read_if_there(&self.names.sheet)
            .map_err(|error| Error::io(OPERATION, self.names.sheet.display().to_string(), error))?;
        let found = shown.as_deref().map(Digest::of);
        if found == self.sheet {
            return Ok(ControlFlow::Continue(()));
        }
        Ok((self.sink)(Row::SheetDiffers { found }))
    }

    /// Reads on from entry `from`, whose line is not where it should be, with the lines paired by
    /// their digests.
    fn aligned(&mut self, from: u64, limit: u64) -> Result<ControlFlow<()>> {
        let mut alignment = Alignment::of(self.names, from, limit)?;
        let mut ledger = Pairs::open_until(self.names, limit)?;
        while let Some(pair) = ledger.next_pair()? {
            if self.plan.ends_before(pair.index) {
                return Ok(ControlFlow::Break(()));
            }
            if pair.index < from {
                continue;
            }
            let step = match pair.entry {
                Some(entry) if entry.kind.is_record() => {
                    let found = alignment.object_of(pair.index)?;
                    if pair.index < self.plan.from {
                        Step::Next
                    } else {
                        found.emit(&pair, self.sink)
                    }
                }
                Some(entry) => self.object(pair.index, pair.line, &entry)?,
                None => self.emit(pair.index, pair.line, None, None, Place::default()),
            };
            if matches!(step, Step::Stop) {
                return Ok(ControlFlow::Break(()));
            }
        }
        if self.plan.until.is_some() {
            return Ok(ControlFlow::Break(()));
        }
        let torn = ledger.ledger.offset();
        if self.torn_ledger(torn)?.is_break() || alignment.loose(self.sink)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.shown_sheet()
    }
}

pub(super) enum Step {
    Next,
    Stop,
    Mismatch,
}

impl From<ControlFlow<()>> for Step {
    fn from(flow: ControlFlow<()>) -> Self {
        if flow.is_break() { Self::Stop } else { Self::Next }
    }
}

/// How many bytes before `end` follow the last LF.
fn tail_without_terminator(path: &std::path::Path, end: u64) -> std::io::Result<u64> {
    use std::io::{Read, Seek, SeekFrom};
    let start = end.saturating_sub(4096);
    let mut file = folder::open_read(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes)?;
    Ok(bytes.iter().rev().take_while(|&&byte| byte != b'\n').count() as u64)
}
