//! Writing entries: in one statement where the log is where this handle left it, else under the
//! lock of its row.

use postgres::Row;
use postgres::types::Type;
use quark_trace_core::ledger::Digest;

use super::admit::{Admission, Known};
use super::connection::{Connection, Value};
use super::edge::{Edge, Tile, digests, range_of};
use super::fault::{Fault, Moment};
use super::ids::{Ids, Rows};
use super::pending::{Pending, PendingEntry};
use super::row::value;
use super::statements as sql;
use super::trust::Trust;
use crate::error::{ErrorKind, Outcome};
use crate::store::Appended;

/// What goes into one statement, at most; a message holds no more than 1 GiB.
const ENTRIES: usize = 5000;
const BYTES: usize = 32 * 1024 * 1024;

/// A log as the one who writes it knows it.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub log_id: i64,
    pub project: &'a str,
    pub header: &'a PendingEntry,
}

/// What a write did: what each caller is told, and the end of the log that is durable now.
pub(super) type Written = (Vec<Result<Appended, Fault>>, Edge);

impl<'t> Target<'t> {
    /// Appends in one round trip what builds on `edge`. `None`, with nothing written, when somebody
    /// else wrote meanwhile, or a caller must be told of what is there.
    pub fn write_on<'p>(
        &self,
        connection: &mut Connection,
        (trust, ids): (&mut Trust, &mut Ids),
        mut edge: Edge,
        commits: impl Iterator<Item = &'p Pending> + Clone,
    ) -> Result<Option<Written>, Fault>
    where
        't: 'p,
    {
        if edge.schemas.is_none() && commits.clone().any(Pending::is_checked) {
            return Ok(None);
        }
        let size = edge.range.size();
        // Of all ids this handle knows that none of them is there, or it has to look.
        let mut chosen = chosen(commits.clone());
        if !ids.are_of(size) && !chosen.is_empty() || chosen.drain(..).any(|id| ids.may_have(&id)) {
            return Ok(None);
        }
        let admission =
            Admission::of(size, edge.schemas, self.header, commits.clone(), Known::new());
        let chunks = chunks(&admission.fresh);
        let [chunk] = chunks[..] else { return Ok(None) };
        if admission.looks_back() || edge.range.size() == 0 {
            return Ok(None);
        }
        let held = trust.holds(&edge.range);
        edge.load(connection, self.log_id, chunk.len() as u64)?;
        edge.schemas = admission.schemas;
        let mut step = Step::new(self.log_id, edge, chunk, ids.rows_with(size, chunk));
        match connection.commit_rows(sql::WRITE, &step.values()) {
            Ok(rows) if has_moved(&rows) => {
                ids.note(size, chunk);
                let after = step.after();
                trust.go_on(held, &after.range);
                Ok(Some((admission.answers, after)))
            }
            Ok(_) => Ok(None),
            // Under a stricter isolation the loser of a race is told so.
            Err(fault) if fault.kind == ErrorKind::Busy && fault.outcome == Outcome::NotWritten => {
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Appends under the lock of the log's row, which is made if there is none.
    pub fn write_locked<'p>(
        &self,
        connection: &mut Connection,
        (trust, ids): (&mut Trust, &mut Ids),
        commits: impl Iterator<Item = &'p Pending> + Clone,
    ) -> Result<Written, Fault>
    where
        't: 'p,
    {
        connection.begin(sql::BEGIN)?;
        let mut edge = self.lock(connection)?;
        trust.open(connection, self.log_id, &edge.range)?;
        let held = trust.holds(&edge.range);
        let chosen = chosen(commits.clone());
        let known = self.known(connection, ids, edge.range.size(), chosen)?;
        if commits.clone().any(Pending::is_checked) {
            edge.schemas = Some(self.schemas_until(connection)?);
        }
        let size = edge.range.size();
        let admission = Admission::of(size, edge.schemas, self.header, commits, known);
        if admission.is_refusal() {
            connection.roll_back();
            return Ok((admission.answers, edge));
        }
        edge.schemas = admission.schemas;
        if admission.fresh.is_empty() {
            // What is there already may be visible and not durable yet: this waits for it.
            self.touch(connection)?;
        }
        for chunk in chunks(&admission.fresh) {
            edge.load(connection, self.log_id, chunk.len() as u64)?;
            let size = edge.range.size();
            let mut step = Step::new(self.log_id, edge, chunk, ids.rows_with(size, chunk));
            let rows = connection.rows(sql::WRITE, &step.values()).map_err(before)?;
            if !has_moved(&rows) {
                return Err(Fault::corrupted(
                    "the row of the log in qt_log changed under its lock",
                ));
            }
            ids.note(size, chunk);
            edge = step.after();
        }
        connection.commit()?;
        trust.go_on(held, &edge.range);
        Ok((admission.answers, edge))
    }

    /// Makes the commit one that waits for all before it to be durable.
    pub fn touch(&self, connection: &mut Connection) -> Result<(), Fault> {
        let done = connection.rows(sql::TOUCH, &[(&self.log_id, Type::INT8)]);
        done.map(drop).map_err(before)
    }

    /// Locks the row of the log, and reads where the log ends.
    pub fn lock(&self, connection: &mut Connection) -> Result<Edge, Fault> {
        let by_id: [Value<'_>; 1] = [(&self.log_id, Type::INT8)];
        let mut rows = connection.rows(sql::LOCK, &by_id).map_err(before)?;
        if rows.is_empty() {
            let values: [Value<'_>; 2] = [(&self.log_id, Type::INT8), (&self.project, Type::TEXT)];
            connection.rows(sql::CREATE_LOG, &values).map_err(before)?;
            rows = connection.rows(sql::LOCK, &by_id).map_err(before)?;
        }
        self.edge(rows.first())
    }

    fn schemas_until(&self, connection: &mut Connection) -> Result<u64, Fault> {
        let rows = connection.rows(sql::SCHEMAS_UNTIL, &[(&self.log_id, Type::INT8)]);
        let rows = rows.map_err(before)?;
        let until = rows.first().and_then(|row| u64::try_from(row.get::<_, i64>(0)).ok());
        Ok(until.unwrap_or(0))
    }

    fn edge(&self, row: Option<&Row>) -> Result<Edge, Fault> {
        let row = row.ok_or_else(|| {
            Fault::corrupted(
                "another row of qt_log has the project id, under the number of another log",
            )
        })?;
        if value::<&str>(row, 0)? != self.project {
            let what = "the row of qt_log with the number of this log is of another";
            return Err(Fault::corrupted(what));
        }
        let range = range_of(value(row, 1)?, value(row, 2)?)
            .ok_or_else(|| Fault::corrupted("size and frontier in qt_log do not fit each other"))?;
        Ok(Edge::new(range))
    }

    fn known(
        &self,
        connection: &mut Connection,
        ids: &mut Ids,
        size: u64,
        mut chosen: Vec<Digest>,
    ) -> Result<Known, Fault> {
        if !chosen.is_empty() {
            ids.read_on(connection, self.log_id, size)?;
            chosen.retain(|id| ids.may_have(id));
        }
        if chosen.is_empty() {
            return Ok(Known::new());
        }
        let places = ids.find(connection, self.log_id, &chosen)?;
        let chosen: Vec<&[u8]> = chosen.iter().map(|id| &id.0[..]).collect();
        let values: [Value<'_>; 3] =
            [(&self.log_id, Type::INT8), (&places, Type::INT8_ARRAY), (&chosen, Type::BYTEA_ARRAY)];
        let rows = connection.rows(sql::KNOWN, &values).map_err(before)?;
        let digest = |row, at| {
            let hashes = digests(value(row, at)?).unwrap_or_default();
            hashes
                .first()
                .copied()
                .ok_or_else(|| Fault::corrupted("what the log has of a record id cannot be read"))
        };
        // The last of several, in falling order, is the first in the log: it counts.
        let known = rows.iter().map(|row| {
            let index = u64::try_from(value::<i64>(row, 1)?).unwrap_or_default();
            Ok((digest(row, 0)?, (index, digest(row, 2)?)))
        });
        known.collect()
    }
}

/// The keys of the record ids that callers chose.
fn chosen<'p>(commits: impl Iterator<Item = &'p Pending>) -> Vec<Digest> {
    let entries = commits.flat_map(|commit| &commit.entries);
    entries.filter(|entry| entry.once).filter_map(|entry| entry.columns.record_key).collect()
}

/// Entries in portions that one statement takes.
fn chunks<'e, 'p>(entries: &'e [&'p PendingEntry]) -> Vec<&'e [&'p PendingEntry]> {
    let (mut chunks, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, entry) in entries.iter().enumerate() {
        if at > start && (at - start == ENTRIES || bytes + entry.object.len() > BYTES) {
            chunks.push(&entries[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += entry.object.len();
    }
    if start < entries.len() {
        chunks.push(&entries[start..]);
    }
    chunks
}

fn has_moved(rows: &[Row]) -> bool {
    rows.first().is_some_and(|row| row.try_get(0).is_ok_and(|moved: i64| moved == 1))
}

fn before(error: postgres::Error) -> Fault {
    Fault::of(&error, Moment::Before)
}

/// The values of one statement that appends.
struct Step<'a> {
    log_id: i64,
    size: i64,
    frontier: Vec<u8>,
    after: Edge,
    size_after: i64,
    frontier_after: Vec<u8>,
    lines: Vec<&'a [u8]>,
    leaves: Vec<&'a [u8]>,
    digests: Vec<&'a [u8]>,
    kinds: Vec<&'a str>,
    record_keys: Vec<Option<&'a [u8]>>,
    stages: Vec<Option<&'a str>>,
    times: Vec<Option<i64>>,
    objects: Vec<&'a [u8]>,
    levels: Vec<i64>,
    places: Vec<i64>,
    tiles: Vec<Vec<u8>>,
    ids: Rows,
}

impl<'a> Step<'a> {
    fn new(log_id: i64, edge: Edge, entries: &[&'a PendingEntry], ids: Rows) -> Self {
        let (size, frontier) = (edge.range.size() as i64, edge.frontier());
        let (mut after, mut full) = (edge, Vec::<Tile>::new());
        entries.iter().for_each(|entry| after.push(entry.leaf, &mut full));
        Self {
            log_id,
            size,
            frontier,
            size_after: after.range.size() as i64,
            frontier_after: after.frontier(),
            after,
            lines: entries.iter().map(|entry| &entry.line[..]).collect(),
            leaves: entries.iter().map(|entry| &entry.leaf.0[..]).collect(),
            digests: entries.iter().map(|entry| &entry.digest.0[..]).collect(),
            kinds: entries.iter().map(|entry| entry.kind.as_str()).collect(),
            record_keys: entries
                .iter()
                .map(|entry| entry.columns.record_key.as_ref().map(|key| &key.0[..]))
                .collect(),
            stages: entries.iter().map(|entry| entry.columns.stage.as_deref()).collect(),
            times: entries.iter().map(|entry| entry.columns.at_us).collect(),
            objects: entries.iter().map(|entry| &entry.object[..]).collect(),
            levels: full.iter().map(|tile| tile.level).collect(),
            places: full.iter().map(|tile| tile.n).collect(),
            tiles: full.into_iter().map(|tile| tile.data).collect(),
            ids,
        }
    }

    fn values(&mut self) -> Vec<Value<'_>> {
        vec![
            (&self.log_id, Type::INT8),
            (&self.size, Type::INT8),
            (&self.frontier, Type::BYTEA),
            (&self.size_after, Type::INT8),
            (&self.frontier_after, Type::BYTEA),
            (&self.lines, Type::BYTEA_ARRAY),
            (&self.leaves, Type::BYTEA_ARRAY),
            (&self.digests, Type::BYTEA_ARRAY),
            (&self.kinds, Type::TEXT_ARRAY),
            (&self.record_keys, Type::BYTEA_ARRAY),
            (&self.stages, Type::TEXT_ARRAY),
            (&self.times, Type::INT8_ARRAY),
            (&self.objects, Type::BYTEA_ARRAY),
            (&self.levels, Type::INT8_ARRAY),
            (&self.places, Type::INT8_ARRAY),
            (&self.tiles, Type::BYTEA_ARRAY),
            (&self.ids.places, Type::INT8_ARRAY),
            (&self.ids.keys, Type::BYTEA_ARRAY),
            (&self.ids.identified, Type::INT8),
        ]
    }

    fn after(self) -> Edge {
        self.after
    }
}
