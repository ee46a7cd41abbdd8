//! Taking up a log where it was left: by this process, by another, by 0.1.0, or by a power cut.
//!
//! Nothing is deleted: bytes that make no whole line are moved to `torn-<time>`, lines without an
//! entry are adopted. What contradicts a checkpoint is left as it is and refused.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime};

use quark_trace_core::ledger::entry::header_object;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Checkpoint, Digest, Kind, Note};
use quark_trace_core::record::View;

use super::folder;
use super::pairs::Pairs;
use super::pending::Pending;
use super::state::State;
use super::writer::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::store::NewEntry;

const OPEN: &str = "open the log for writing";
/// How long an unfinished line may belong to a writer that does not know the lock.
const SETTLE: Duration = Duration::from_millis(200);

/// What the last line of the records lacks.
enum Unfinished {
    Nothing,
    /// Its line feed; it is a whole record without it.
    Terminator,
    /// Its end.
    Torn,
}

/// Why the tail of the ledger cannot be followed further.
enum Stop {
    /// At the end of both files, or before what is to be adopted.
    End,
    /// Entry `index` has no whole line; its ledger line begins at `ledger`.
    NoLine { index: u64, ledger: u64 },
    /// Entry `index` names another line than the one that stands there.
    Altered { index: u64, line: u64, hole: bool, ledger: u64 },
}

impl Writer {
    /// Reads the log up to its end, for the first time by this handle.
    pub fn load(&mut self) -> Result<()> {
        let known = std::mem::take(&mut self.at);
        let loaded = self.load_from_files(&known);
        if loaded.is_err() {
            self.at = known;
        }
        loaded
    }

    fn load_from_files(&mut self, known: &State) -> Result<()> {
        let from_state = match self.trusted_state()? {
            Some(state) => {
                self.at = state;
                self.catch_up().is_ok()
            }
            None => false,
        };
        if !from_state {
            self.at = State::default();
            self.catch_up()?;
        }
        if self.at.range.size() < known.range.size() {
            let message =
                format!("{} entries are gone since they were written", known.range.size());
            return Err(self.integrity("E-TRUNC", message));
        }
        self.check_sheet()?;
        if let Some(files) = &mut self.files {
            files.loaded = true;
        }
        Ok(())
    }

    /// The cache, if its tag was made with our key and it leads to the checkpoint's root.
    fn trusted_state(&self) -> Result<Option<State>> {
        let (Some(keys), Some(sealed)) = (&self.keys, self.sealed()?) else { return Ok(None) };
        let bytes = folder::read_if_there(&self.names.state()).map_err(|error| self.io(error))?;
        let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return Ok(None);
        };
        let Some((body, tag)) = text.split_once("tag ") else { return Ok(None) };
        let state = State::parse(body).filter(|state| {
            keys.tag(body).to_string() == tag.trim_end()
                && state.range.size() == sealed.size
                && state.range.root() == sealed.root
        });
        Ok(state)
    }

    /// The checkpoint that lies beside the log, whoever signed it.
    pub fn sealed(&self) -> Result<Option<Checkpoint>> {
        let path = self.names.checkpoint();
        let Some(bytes) = folder::read_if_there(&path).map_err(|error| self.io(error))? else {
            return Ok(None);
        };
        let note = std::str::from_utf8(&bytes).ok().and_then(|text| Note::parse(text).ok());
        let checkpoint = note.and_then(|note| Checkpoint::parse(note.text()).ok());
        checkpoint.map(Some).ok_or_else(|| {
            Error::new(
                ErrorKind::Integrity("E-SIG"),
                OPEN,
                "the checkpoint is no signed note; run `quark-trace verify` and restore it",
            )
            .on(path.display().to_string())
        })
    }

    /// Follows what was appended since [`Writer::at`], mends the end, adopts lines without entry.
    pub fn catch_up(&mut self) -> Result<()> {
        let sealed = self.sealed()?;
        let came_new = self.at.range.size() == 0;
        let sealed_size = sealed.as_ref().map_or(0, |sealed| sealed.size);
        self.check_lengths()?;
        self.mend_batch()?;
        match self.follow(sealed.as_ref())? {
            Stop::End => {}
            Stop::NoLine { index, .. } if index < sealed_size => {
                return Err(
                    self.integrity("E-MISSING", format!("the record of entry {index} is missing"))
                );
            }
            Stop::Altered { index, line, hole, .. } if index < sealed_size || !hole => {
                let message = format!("line {line} is not the record that entry {index} names");
                return Err(self.integrity("E-ALTERED", message));
            }
            // A power cut took the line but not the entry: no checkpoint covers it.
            Stop::NoLine { ledger, .. } | Stop::Altered { ledger, .. } => {
                self.cut_off(&self.names.ledger(), ledger, "ledger")?;
            }
        }
        let size = self.at.range.size();
        self.seal.found |= came_new && size > 0;
        if size < sealed_size {
            let message =
                format!("the checkpoint covers {sealed_size} entries, the ledger has {size}");
            return Err(self.integrity("E-TRUNC", message));
        }
        self.adopt_rest()
    }

    /// What was taken up once can only disappear by somebody's doing.
    fn check_lengths(&self) -> Result<()> {
        if self.length(&self.names.ledger())? < self.at.ledger_end {
            return Err(self.integrity("E-TRUNC", "the ledger has become shorter".to_owned()));
        }
        if self.length(&self.names.records)? < self.at.records_end {
            return Err(self.integrity("E-MISSING", "the records have become shorter".to_owned()));
        }
        Ok(())
    }

    fn integrity(&self, code: &'static str, message: String) -> Error {
        let message = format!(
            "{message}; nothing is appended to a log that was changed, run `quark-trace verify` to see all of it"
        );
        Error::new(ErrorKind::Integrity(code), OPEN, message).on(self
            .names
            .records
            .display()
            .to_string())
    }

    /// Takes up the entries behind [`Writer::at`] whose lines stand where they should.
    fn follow(&mut self, sealed: Option<&Checkpoint>) -> Result<Stop> {
        let mut at = self.at.clone();
        let mut pairs =
            Pairs::open_at(&self.names, at.range.size(), at.ledger_end, at.records_end)?;
        let stop = self.follow_pairs(&mut pairs, &mut at, sealed)?;
        self.at = at;
        Ok(stop)
    }

    fn follow_pairs(
        &self,
        pairs: &mut Pairs,
        at: &mut State,
        sealed: Option<&Checkpoint>,
    ) -> Result<Stop> {
        let base = at.lines;
        let first = at.range.size();
        let mut ledger_end = at.ledger_end;
        while let Some(pair) = pairs.next_pair()? {
            let begins = ledger_end;
            ledger_end += pair.line.len() as u64 + 1;
            let index = pair.index;
            let Some(entry) = pair.entry else {
                if pair.line.contains(&0) {
                    // A power cut can leave a hole where bytes were not yet on the medium.
                    return Ok(Stop::NoLine { index, ledger: begins });
                }
                return Err(self.integrity(
                    "E-ALTERED",
                    format!("line {} of the ledger is no entry", index + 1),
                ));
            };
            if entry.kind.is_record() {
                match pair.record {
                    Some(line) if line.whole => {
                        if Digest::of(line.bytes) != entry.object {
                            let hole = line.bytes.contains(&0);
                            let line = base + line.number;
                            return Ok(Stop::Altered { index, line, hole, ledger: begins });
                        }
                        at.records_end = line.end;
                        at.lines = base + line.number;
                    }
                    _ => return Ok(Stop::NoLine { index, ledger: begins }),
                }
            }
            if entry.kind == Kind::Log && index == 0 {
                self.check_header(entry.object)?;
            }
            if entry.kind.is_sheet() {
                at.sheet = Some(entry.object);
            }
            at.schemas.take(index, &entry);
            at.range.push(leaf_hash(pair.line));
            at.ledger_end = ledger_end;
            if let Some(sealed) = sealed
                && sealed.size == at.range.size()
                && sealed.size > first
                && sealed.root != at.range.root()
            {
                return Err(self.integrity(
                    "E-ROOT",
                    format!("the root over {} entries is not the checkpoint's", sealed.size),
                ));
            }
        }
        Ok(Stop::End)
    }

    fn check_header(&self, object: Digest) -> Result<()> {
        if object == Digest::of(&header_object(&self.project)) {
            return Ok(());
        }
        let message =
            format!("the ledger belongs to another project than {:?}", self.project.as_str());
        Err(self.integrity("E-ALTERED", message))
    }

    /// Moves a torn end aside and gives every line without an entry one.
    fn adopt_rest(&mut self) -> Result<()> {
        let ledger_length = self.length(&self.names.ledger())?;
        if ledger_length > self.at.ledger_end {
            self.cut_off(&self.names.ledger(), self.at.ledger_end, "ledger")?;
        }
        let records_length = self.length(&self.names.records)?;
        if self.at.range.size() == 0 {
            let sheet = folder::read_if_there(&self.names.sheet).map_err(|error| self.io(error))?;
            if records_length == 0 && sheet.is_none() {
                return Ok(());
            }
            self.begin_log()?;
            if let Some(sheet) = sheet {
                self.adopt_sheet(&sheet)?;
            }
        }
        if records_length > self.at.records_end { self.adopt_lines() } else { Ok(()) }
    }

    fn adopt_sheet(&mut self, bytes: &[u8]) -> Result<()> {
        let entry = NewEntry::new(Kind::SheetAdopted, bytes);
        self.store_object(&entry)?;
        let mut adopted = Pending::default();
        adopted.push_entry(&entry);
        self.write(&mut adopted)
    }

    fn adopt_lines(&mut self) -> Result<()> {
        self.let_settle()?;
        let opened = super::pairs::open_lines(&self.names.records, self.at.records_end, false)?;
        let Some(mut lines) = opened else { return Ok(()) };
        let mut end = self.at.records_end;
        let mut adopted = Pending::default();
        let mut unfinished = Unfinished::Nothing;
        while let Some(line) = lines.next_filled().map_err(|error| self.io(error))? {
            if !line.whole && View::parse(line.bytes).is_err() {
                unfinished = Unfinished::Torn;
                break;
            }
            adopted.push_adopted(Digest::of(line.bytes));
            end = line.end;
            adopted.lines = line.number;
            if !line.whole {
                unfinished = Unfinished::Terminator;
            }
        }
        let rest = lines.offset();
        drop(lines);
        match unfinished {
            Unfinished::Nothing => end = rest,
            Unfinished::Torn => self.cut_off(&self.names.records, end, "records")?,
            Unfinished::Terminator => end += self.terminate()?,
        }
        let before = (self.at.records_end, self.at.lines);
        self.at.records_end = end;
        let written = self.write(&mut adopted);
        if written.is_err() {
            (self.at.records_end, self.at.lines) = before;
        }
        written
    }

    /// Ends the last line, a whole record that only lacks its line feed; gives the bytes added.
    fn terminate(&self) -> Result<u64> {
        let append = || folder::open_append(&self.names.records)?.write_all(b"\n");
        append().map_err(|error| self.io(error))?;
        Ok(1)
    }

    /// Waits while an unfinished line may still be finished by the original, which takes no lock
    /// and writes long lines in pieces.
    fn let_settle(&self) -> Result<()> {
        loop {
            let age = || {
                let modified = std::fs::metadata(&self.names.records)?.modified()?;
                Ok(SystemTime::now().duration_since(modified).unwrap_or(SETTLE))
            };
            let age: Duration = age().map_err(|error| self.io(error))?;
            if age >= SETTLE || self.ends_with_terminator()? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn ends_with_terminator(&self) -> Result<bool> {
        let read = || {
            let mut file = folder::open_read(&self.names.records)?;
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            Ok(matches!(last[0], b'\n' | b'\r'))
        };
        read().map_err(|error| self.io(error))
    }

    pub fn length(&self, path: &std::path::Path) -> Result<u64> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(self.io(error)),
        }
    }

    /// Moves the bytes of a file from `offset` on to `torn-<time>-<what>` in the log's folder.
    pub fn cut_off(&self, path: &std::path::Path, offset: u64, what: &str) -> Result<()> {
        let wrap = |error| Error::io("move a torn end aside", path.display().to_string(), error);
        let mut file = folder::open_read(path).map_err(wrap)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset)).map_err(wrap)?;
        file.read_to_end(&mut bytes).map_err(wrap)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let target = self.names.log.join(format!("torn-{}-{what}", now.as_nanos()));
        let mut aside = folder::create_new(&target).map_err(wrap)?;
        aside.write_all(&bytes).and_then(|()| aside.sync_all()).map_err(|error| {
            // Half a copy is of no use; the bytes are still where they were.
            let _ = std::fs::remove_file(&target);
            wrap(error)
        })?;
        folder::sync_folder(&self.names.log).map_err(wrap)?;
        let file = folder::open_append(path).map_err(wrap)?;
        file.set_len(offset).and_then(|()| file.sync_all()).map_err(wrap)
    }

    /// Whether the sheet that people see is the last one of the ledger.
    pub fn check_sheet(&mut self) -> Result<()> {
        let shown = folder::read_if_there(&self.names.sheet).map_err(|error| self.io(error))?;
        let Some(last) = self.at.sheet else {
            return match shown {
                Some(sheet) => self.adopt_sheet(&sheet),
                None => Ok(()),
            };
        };
        if shown.as_deref().map(Digest::of) == Some(last) {
            return Ok(());
        }
        // A crash between the entry and the file leaves no file or that of an earlier version.
        let earlier = match &shown {
            Some(bytes) => self.names.object(Digest::of(bytes)).exists(),
            None => true,
        };
        let stored =
            folder::read_if_there(&self.names.object(last)).map_err(|error| self.io(error))?;
        match stored {
            Some(bytes) if earlier && Digest::of(&bytes) == last => {
                folder::replace(&self.names.sheet, &bytes, true).map_err(|error| self.io(error))
            }
            _ => Err(self.integrity(
                "E-SHEET",
                format!("{} is not the last fact sheet of the ledger", self.names.sheet.display()),
            )),
        }
    }
}
