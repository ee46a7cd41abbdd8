//! Everything that is derived, compared with the entries and objects while they are read.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use postgres::types::Type;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::leaf_hash;
use quark_trace_core::ledger::{Checkpoint, Digest, Entry, Note, Origin, VerifierKey};

use super::check_blocks::Expected;
use super::check_columns::{columns, derived};
use super::columns::{NO_KEY, log_id, short};
use super::connection::{Connection, Value};
use super::edge::{Edge, Tile, WIDTH};
use super::fault::{Fault, Moment};
use super::head::{Found, LogRow};
use super::migrations::Schema;
use super::row::value;
use super::scan::StoredEntry;
use super::statements as sql;
use crate::store::Row;

pub(super) type Sink<'a> = &'a mut dyn FnMut(Row<'_>) -> ControlFlow<()>;

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
    /// Rows of numbers and ids that the entries should have.
    blocks: Expected,
    /// Findings about the log, told at its end.
    found: Vec<String>,
}

/// A checkpoint as it is stored.
#[derive(Debug)]
struct Stored {
    size: i64,
    checkpoint: Option<Checkpoint>,
    note: String,
}

impl Check {
    pub fn new(project: &ProjectId, log: LogRow, schema: Schema) -> Self {
        let found = log.found.as_ref();
        let (indexed, identified) = found.map_or((0, 0), |found| (found.indexed, found.identified));
        Self {
            project: project.clone(),
            log,
            schema,
            edge: Edge::with_all_tiles(),
            next: 0,
            tiles: BTreeMap::new(),
            checkpoints: Vec::new(),
            blocks: Expected::new(indexed, identified),
            found: Vec::new(),
        }
    }

    /// Reads the checkpoints, whose roots are compared on the way.
    pub fn load_checkpoints(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
    ) -> Result<(), Fault> {
        let rows = connection.rows(sql::CHECKPOINTS, &[(&log_id, Type::INT8)]).map_err(before)?;
        self.checkpoints = rows
            .iter()
            .map(|row| {
                let note: String = value(row, 1)?;
                let read = Note::parse(&note).and_then(|note| Checkpoint::parse(note.text()));
                Ok(Stored { size: value(row, 0)?, checkpoint: read.ok(), note })
            })
            .collect::<Result<_, Fault>>()?;
        Ok(())
    }

    /// Takes an entry; tells the sink what does not fit it.
    pub fn entry(&mut self, stored: &StoredEntry<'_>, sink: Sink<'_>) -> ControlFlow<()> {
        for index in self.next..stored.index.min(self.next + MISSING_LIMIT) {
            differs(sink, Some(index), format!("the row of entry {index} in qt_entry is missing"))?;
        }
        self.next = stored.index.saturating_add(1);
        let size = self.log.found.as_ref().map(|found| found.size);
        if size.is_some_and(|size| stored.index as i64 >= size) {
            let message = "a row of qt_entry stands behind the end that qt_log names";
            differs(sink, Some(stored.index), message)?;
        }
        let leaf = leaf_hash(stored.line);
        let mut full = Vec::new();
        self.edge.push(leaf, &mut full);
        for Tile { level, n, data } in full {
            self.tiles.insert((level, n), Digest::of(&data));
        }
        self.compare_checkpoints();
        if !StoredEntry::holds(stored.leaf_hash, &leaf) {
            differs(sink, Some(stored.index), "the column leaf_hash is not the hash of the entry")?;
        }
        let Ok(entry) = Entry::parse(stored.line) else {
            self.blocks.take(stored, None);
            return ControlFlow::Continue(());
        };
        let derived = derived(stored, &entry);
        let key = derived.as_ref().map(|columns| columns.record_key.as_ref().map_or(NO_KEY, short));
        self.blocks.take(stored, key);
        columns(stored, &entry, derived, sink)
    }

    /// Compares rows of numbers and ids with the entries before `end`, all of which came.
    pub fn blocks(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        end: i64,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, Fault> {
        let wrong = self.blocks.compare(connection, log_id, end)?;
        Ok(wrong.into_iter().try_for_each(|(index, what)| differs(sink, index, what)))
    }

    fn compare_checkpoints(&mut self) {
        let size = self.edge.range.size();
        let here =
            |stored: &&Stored| stored.checkpoint.as_ref().is_some_and(|known| known.size == size);
        let Some(known) = self.checkpoints.iter().find(here) else { return };
        if known.checkpoint.as_ref().is_some_and(|known| known.root != self.edge.range.root()) {
            self.found.push(format!("the checkpoint of size {size} signs another root"));
        }
    }

    /// Tells what does not fit the log as a whole.
    pub fn finish(
        mut self,
        connection: &mut Connection,
        log_id: i64,
        sink: Sink<'_>,
    ) -> Result<(), Fault> {
        self.log_row();
        self.judge_checkpoints();
        if let Schema::Known { differs: Some(what) } = &self.schema {
            self.found.push(what.clone());
        }
        let mut flow = ControlFlow::Continue(());
        if let Some(size) = self.log.found.as_ref().and_then(|row| u64::try_from(row.size).ok()) {
            for index in self.next..size.min(self.next + MISSING_LIMIT) {
                let what = format!("the row of entry {index} in qt_entry is missing");
                flow = flow_on(flow, sink, Some(index), what);
            }
        }
        for what in std::mem::take(&mut self.found) {
            flow = flow_on(flow, sink, None, what);
        }
        flow = self.tiles(connection, log_id, flow, sink)?;
        let rows = connection.rows(sql::STRAY_OBJECTS, &[(&log_id, Type::INT8)]).map_err(before)?;
        for row in &rows {
            let index: i64 = value(row, 0)?;
            let what = format!("row {index} of the log in qt_object belongs to no entry");
            flow = flow_on(flow, sink, None, what);
        }
        Ok(())
    }

    fn log_row(&mut self) {
        let Some(found) = self.log.found.clone() else {
            self.found.push("the row of the log in qt_log is missing".to_owned());
            return;
        };
        if self.log.rows > 1 {
            self.found.push("several rows of qt_log are of this project".to_owned());
        }
        if found.log_id != log_id(&self.project) {
            self.found.push("the column log_id in qt_log is not the number of the project".into());
        }
        if found.project != self.project.as_str() {
            self.found.push("the column project_id in qt_log is that of another project".into());
        }
        if u64::try_from(found.size).ok() != Some(self.edge.range.size()) {
            self.found.push(format!(
                "the column size in qt_log is {}, the log has {} entries",
                found.size,
                self.edge.range.size()
            ));
        } else if found.frontier != self.edge.frontier() {
            self.found.push("the column frontier in qt_log is not the edge of the log".into());
        }
        if !(0..=found.size.max(0)).contains(&found.indexed) {
            self.found.push("the column indexed in qt_log is outside the log".into());
        }
        let is_full = |entries: i64| entries % WIDTH as i64 == 0;
        if !(0..=found.size.max(0)).contains(&found.identified) || !is_full(found.identified) {
            self.found.push("the column identified in qt_log is outside the log".into());
        }
        if !is_full(found.indexed) {
            self.found.push("the column indexed in qt_log is not the end of a row".into());
        }
        self.binding(&found);
    }

    /// Origin and keys come with the first checkpoint, and stay.
    fn binding(&mut self, found: &Found) {
        let sealed = self.log.checkpoint.is_some();
        if !sealed && (found.origin.is_some() || found.verifier_keys.is_some()) {
            self.found.push("the rows of the log in qt_checkpoint are missing".into());
        }
        if sealed && found.verifier_keys.is_none() {
            self.found.push("the column verifier_keys in qt_log is empty".into());
        }
        let keys = found.verifier_keys.as_deref().unwrap_or_default().lines();
        let names: Vec<VerifierKey> = keys.filter_map(|key| VerifierKey::parse(key).ok()).collect();
        let ours = |key: &VerifierKey| {
            let local = Origin::local(key.public_key(), &self.project);
            Some(key.name()) == found.origin.as_deref()
                && (!key.name().starts_with("l-") || key.name() == local.as_str())
        };
        // Beside the key of the log there may be those of witnesses.
        if !names.is_empty() && !names.iter().any(ours) {
            self.found.push("the columns origin and verifier_keys in qt_log do not fit".into());
        } else if sealed && found.origin.is_none() {
            self.found.push("the column origin in qt_log is empty".into());
        }
    }

    fn judge_checkpoints(&mut self) {
        let keys = self.log.found.as_ref().and_then(|found| found.verifier_keys.clone());
        let keys: Vec<VerifierKey> = keys
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|k| VerifierKey::parse(k).ok())
            .collect();
        for stored in &self.checkpoints {
            let size = stored.size;
            let Some(checkpoint) = &stored.checkpoint else {
                self.found
                    .push(format!("the note of size {size} in qt_checkpoint is no checkpoint"));
                continue;
            };
            if i64::try_from(checkpoint.size) != Ok(size) {
                self.found.push(format!(
                    "the column size {size} in qt_checkpoint says otherwise than its note"
                ));
            }
            // The last one is judged with the keys that the reader trusts.
            let opens = |key| Checkpoint::open(&stored.note, key).is_ok();
            if !keys.is_empty() && !keys.iter().any(opens) {
                self.found.push(format!(
                    "the note of size {size} in qt_checkpoint is not signed by the key of the log"
                ));
            }
        }
    }

    fn tiles(
        &mut self,
        connection: &mut Connection,
        log_id: i64,
        mut flow: ControlFlow<()>,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, Fault> {
        let (mut level, mut n) = (i64::MIN, i64::MIN);
        loop {
            let values: [Value<'_>; 3] =
                [(&log_id, Type::INT8), (&level, Type::INT8), (&n, Type::INT8)];
            let rows = connection.rows(sql::TILE_PAGE, &values).map_err(before)?;
            for row in &rows {
                (level, n) = (value(row, 0)?, value(row, 1)?);
                let what = match self.tiles.remove(&(level, n)) {
                    None => "is not one of the log",
                    Some(digest) if digest != Digest::of(value(row, 2)?) => {
                        "says otherwise than the entries"
                    }
                    Some(_) => continue,
                };
                let what = format!("tile {n} of level {level} in qt_tile {what}");
                flow = flow_on(flow, sink, None, what);
            }
            if rows.is_empty() {
                break;
            }
        }
        for (level, n) in self.tiles.keys() {
            let what = format!("tile {n} of level {level} in qt_tile is missing");
            flow = flow_on(flow, sink, None, what);
        }
        Ok(flow)
    }
}

/// Missing rows are named one by one up to so many in a row.
const MISSING_LIMIT: u64 = 100;

pub(super) fn differs(
    sink: Sink<'_>,
    index: Option<u64>,
    what: impl Into<std::borrow::Cow<'static, str>>,
) -> ControlFlow<()> {
    sink(Row::Differs { index, what: what.into() })
}

/// Tells the sink, unless it has broken off.
fn flow_on(
    flow: ControlFlow<()>,
    sink: Sink<'_>,
    index: Option<u64>,
    what: String,
) -> ControlFlow<()> {
    flow?;
    differs(sink, index, what)
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}
