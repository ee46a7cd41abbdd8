//! Everything that is derived, compared with the entries and objects while they are read.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Digest, Entry};
use rusqlite::{Connection, Rows};

use super::candidates::identified;
use super::check_ids::RowsOfIds;
use super::check_log::{self, Stored};
use super::check_records::Records;
use super::columns::log_id;
use super::edge::{Edge, Tile, holds};
use super::fault::Fault;
use super::head::LogRow;
use super::migrations::{self, Schema};
use super::scan::{Sink, StoredEntry};
use super::statements as sql;
use crate::store::Row;

/// Missing rows are named one by one up to so many in a row.
const MISSING_LIMIT: u64 = 100;

type Flow = Result<ControlFlow<()>, Fault>;

/// Goes along with a scan of the whole log.
#[derive(Debug)]
pub(super) struct Check {
    project: ProjectId,
    log: LogRow,
    schema: Schema,
    /// The tree of the entries that came so far.
    edge: Edge,
    /// The index that comes next, if none is missing.
    next: u64,
    /// Digests of the tiles that the entries make.
    tiles: BTreeMap<(i64, i64), Digest>,
    checkpoints: Vec<Stored>,
    records: Records,
    /// `None` in tables of an older version.
    ids: Option<RowsOfIds>,
}

impl Check {
    pub fn new(connection: &Connection, project: &ProjectId, log: LogRow) -> Result<Self, Fault> {
        let number = |value: i64| u64::try_from(value).unwrap_or_default();
        let found = log.found.as_ref();
        let size = found.map_or(0, |found| number(found.size));
        let indexed = found.map_or(0, |found| number(found.indexed));
        Ok(Self {
            project: project.clone(),
            log,
            schema: migrations::look(connection)?,
            edge: Edge::with_all_tiles(),
            next: 0,
            tiles: BTreeMap::new(),
            checkpoints: check_log::checkpoints(connection, log_id(project))?,
            records: Records::of_log(size, indexed),
            ids: identified(connection, log_id(project))?.map(|to| RowsOfIds::of_log(size, to)),
        })
    }

    /// Takes an entry; tells the sink what does not fit it.
    pub fn entry(
        &mut self,
        connection: &Connection,
        stored: &StoredEntry<'_>,
        entry: Option<&Entry<'_>>,
        records: &mut Rows<'_>,
        sink: Sink<'_>,
    ) -> Flow {
        let mut told = Told::new(sink);
        for index in self.next..stored.index.min(self.next + MISSING_LIMIT) {
            told.at(index, format!("the row of entry {index} in qt_entry is missing"));
        }
        self.next = stored.index.saturating_add(1);
        let size = self.log.found.as_ref().map(|found| found.size);
        if size.is_some_and(|size| stored.index as i64 >= size) {
            told.at(stored.index, "a row of qt_entry stands behind the end that qt_log names");
        }
        let leaf = leaf_hash(stored.line);
        let mut full = Vec::new();
        self.edge.push(leaf, &mut full);
        for Tile { level, n, data } in full {
            self.tiles.insert((level, n), Digest::of(&data));
        }
        check_log::compare_roots(&mut self.checkpoints, &self.edge.range);
        if !holds(stored.leaf_hash, &leaf) {
            told.at(stored.index, "the column leaf_hash is not the hash of the entry");
        }
        if let Some(entry) = entry {
            columns(stored, entry, log_id(&self.project), &mut told);
        }
        let derived = self.records.compare(stored, entry, records, &mut told)?;
        if let Some(ids) = &mut self.ids {
            let key = derived.and_then(|columns| columns.record_key);
            ids.entry(connection, log_id(&self.project), stored, (entry, key), &mut told)?;
        }
        Ok(told.flow)
    }

    /// Tells what does not fit the log as a whole.
    pub fn finish(
        mut self,
        connection: &Connection,
        records: &mut Rows<'_>,
        sink: Sink<'_>,
    ) -> Flow {
        let mut told = Told::new(sink);
        let log_id = log_id(&self.project);
        if let Some(size) = self.log.found.as_ref().and_then(|row| u64::try_from(row.size).ok()) {
            for index in self.next..size.min(self.next + MISSING_LIMIT) {
                told.at(index, format!("the row of entry {index} in qt_entry is missing"));
            }
        }
        self.records.finish(records, &mut told)?;
        check_log::judge_row(&self.project, &self.log, &self.edge.range, &mut told);
        check_log::judge_checkpoints(&self.checkpoints, &self.log, &mut told);
        if let Some(what) = self.schema.differs() {
            told.log(what.to_owned());
        }
        self.judge_tiles(connection, log_id, &mut told)?;
        self.records.numbers.compare(connection, log_id, &mut told)?;
        if let Some(ids) = &self.ids {
            ids.finish(connection, log_id, &mut told)?;
        }
        let mut strays = connection.prepare(sql::STRAY_OBJECTS)?;
        let mut strays = strays.query([log_id])?;
        while let Some(row) = strays.next()? {
            let digest = row.get_ref(0)?.as_blob().unwrap_or_default();
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            told.log(format!("the object {digest} in qt_object is named by no entry"));
        }
        let mut sound = connection.prepare(sql::SOUND)?;
        let mut sound = sound.query([])?;
        while let Some(row) = sound.next()? {
            let said: String = row.get(0)?;
            if said != "ok" {
                told.log(format!("the file is damaged: {said}"));
            }
        }
        Ok(told.flow)
    }

    fn judge_tiles(
        &mut self,
        connection: &Connection,
        log_id: i64,
        told: &mut Told<'_, '_>,
    ) -> Result<(), Fault> {
        let mut stored = connection.prepare(sql::ALL_TILES)?;
        let mut rows = stored.query([log_id])?;
        while let Some(row) = rows.next()? {
            let (level, n) = (row.get(0)?, row.get(1)?);
            let what = match self.tiles.remove(&(level, n)) {
                None => "is not one of the log",
                Some(digest)
                    if digest != Digest::of(row.get_ref(2)?.as_blob().unwrap_or_default()) =>
                {
                    "says otherwise than the entries"
                }
                Some(_) => continue,
            };
            told.log(format!("tile {n} of level {level} in qt_tile {what}"));
        }
        for (level, n) in self.tiles.keys() {
            told.log(format!("tile {n} of level {level} in qt_tile is missing"));
        }
        Ok(())
    }
}

/// Compares what stands in `qt_entry` and `qt_object` beside the bytes.
fn columns(stored: &StoredEntry<'_>, entry: &Entry<'_>, log_id: i64, told: &mut Told<'_, '_>) {
    let index = stored.index;
    if stored.kind != entry.kind.as_str().as_bytes() {
        told.at(index, "the column kind says otherwise than the entry");
    }
    match stored.object_log {
        None => told.at(index, "the column object_id names no object"),
        Some(log) if log != log_id => {
            told.at(index, "the column object_id names an object of another log");
        }
        Some(_) if !holds(stored.object_digest, &entry.object) => {
            told.at(index, "the columns object_id or sha256 say otherwise than the entry");
        }
        Some(_) => {}
    }
    if stored.erased_by.is_some() && stored.object.is_some() {
        told.at(index, "the column erased_by says that an object is gone that is there");
    }
}

/// A sink, and whether it has broken off.
pub(super) struct Told<'s, 'f> {
    sink: &'s mut (dyn FnMut(Row<'_>) -> ControlFlow<()> + 'f),
    flow: ControlFlow<()>,
}

impl<'s, 'f> Told<'s, 'f> {
    fn new(sink: &'s mut (dyn FnMut(Row<'_>) -> ControlFlow<()> + 'f)) -> Self {
        Self { sink, flow: ControlFlow::Continue(()) }
    }

    /// Tells what is wrong with an entry.
    pub fn at(&mut self, index: u64, what: impl Into<std::borrow::Cow<'static, str>>) {
        self.tell(Row::Differs { index: Some(index), what: what.into() });
    }

    /// Tells what is wrong with the log.
    pub fn log(&mut self, what: impl Into<std::borrow::Cow<'static, str>>) {
        self.tell(Row::Differs { index: None, what: what.into() });
    }

    fn tell(&mut self, row: Row<'_>) {
        if self.flow.is_continue() {
            self.flow = (self.sink)(row);
        }
    }
}
