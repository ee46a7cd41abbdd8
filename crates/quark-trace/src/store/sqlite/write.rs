//! Writing entries: one transaction, under the lock of the database.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::entry::header_object;
use quark_trace_core::ledger::{CompactRange, Kind};
use rusqlite::{Connection, OptionalExtension};

use super::columns::log_id;
use super::connection::{commit, roll_back};
use super::edge::{Edge, WIDTH, range_of};
use super::fault::Fault;
use super::ids::{Admission, Ids};
use super::pending::PendingEntry;
use super::statements as sql;
use crate::error::ErrorKind;
use crate::store::schemas::OUTDATED;
use crate::store::{Appended, NewEntry};

/// What this handle knows of a log. None of it is believed without a look at the database.
#[derive(Debug)]
pub(super) struct LogState {
    project: ProjectId,
    pub log_id: i64,
    /// Where our last write left the log.
    edge: Option<Edge>,
    /// Whether `edge` follows from a signed root or from the entries themselves.
    proven: bool,
    ids: Ids,
    /// Whether `ids` were read.
    has_ids: bool,
}

/// Where the database says that a log ends.
struct End {
    edge: Edge,
    identified: u64,
    is_new: bool,
}

impl LogState {
    pub fn new(project: &ProjectId) -> Self {
        Self {
            project: project.clone(),
            log_id: log_id(project),
            edge: None,
            proven: false,
            ids: Ids::default(),
            has_ids: false,
        }
    }

    /// The edge that this handle believes in, if it is proven.
    pub fn proven_range(&self) -> Option<&CompactRange> {
        self.edge.as_ref().filter(|_| self.proven).map(|edge| &edge.range)
    }

    /// Takes note of a tree that was proven.
    pub fn prove(&mut self, range: &CompactRange) {
        self.proven |= self.edge.as_ref().is_some_and(|edge| edge.range == *range);
    }

    /// The size that our last write left.
    pub fn size(&self) -> Option<u64> {
        self.edge.as_ref().map(|edge| edge.range.size())
    }

    /// Appends entries in a transaction of its own.
    pub fn append(
        &mut self,
        connection: &Connection,
        entries: &[PendingEntry<'_>],
        expected: Option<u64>,
    ) -> Result<Appended, Fault> {
        if entries.iter().any(|entry| entry.once.is_some()) {
            self.read_ids(connection)?;
        }
        connection.prepare_cached(sql::BEGIN)?.execute([])?;
        let known = self.edge.take();
        let written = self.write(connection, known, entries, expected).and_then(|written| {
            if written.2 { commit(connection).map(|()| written) } else { Ok(written) }
        });
        roll_back(connection);
        match written {
            Ok((appended, edge, _)) => {
                self.edge = Some(edge);
                Ok(appended)
            }
            // Whoever is refused leaves all as it was; after any other fault this state is dropped.
            Err(fault) => Err(fault),
        }
    }

    /// Reads the ids of a log when they are first needed here, before the lock is taken.
    fn read_ids(&mut self, connection: &Connection) -> Result<(), Fault> {
        if !std::mem::replace(&mut self.has_ids, true) {
            let (identified, size) = self.ids_end(connection)?;
            self.ids.read_on(connection, self.log_id, identified, size)?;
        }
        Ok(())
    }

    /// How many entries have their ids in rows, and how many there are.
    fn ids_end(&self, connection: &Connection) -> Result<(u64, u64), Fault> {
        let end = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(4)?, row.get::<_, i64>(1)?));
        let end = connection.prepare_cached(sql::END)?.query_row([self.log_id], end).optional()?;
        let (identified, size) = end.unwrap_or_default();
        match (u64::try_from(identified), u64::try_from(size)) {
            (Ok(identified), Ok(size)) if is_within(identified, size) => Ok((identified, size)),
            _ => Err(outside()),
        }
    }

    /// Gives last whether there is anything to commit.
    fn write(
        &mut self,
        connection: &Connection,
        known: Option<Edge>,
        entries: &[PendingEntry<'_>],
        expected: Option<u64>,
    ) -> Result<(Appended, Edge, bool), Fault> {
        let End { mut edge, identified, is_new } = self.end(connection, known)?;
        let size = edge.range.size();
        if expected.is_some_and(|expected| expected != size) {
            let message = format!("the log has {size} entries by now; look again and retry");
            return Err(Fault::new(ErrorKind::Conflict { actual: size }, message));
        }
        if entries.iter().any(|entry| entry.schemas.is_some()) {
            let until = match edge.schemas {
                Some(until) => until,
                None => self.schemas_until(connection)?,
            };
            edge.schemas = Some(until);
            if entries.iter().any(|entry| entry.schemas.is_some_and(|known| known != until)) {
                return Err(Fault::new(ErrorKind::Conflict { actual: size }, OUTDATED));
            }
        }
        let Admission { existing, fresh } =
            self.ids.admit(connection, self.log_id, entries, identified, size)?;
        let header_object = header_object(&self.project);
        let header = PendingEntry::of(&NewEntry::new(Kind::Log, &header_object))?;
        let mut new: Vec<&PendingEntry<'_>> = Vec::with_capacity(fresh.len() + 1);
        new.extend((size == 0).then_some(&header));
        new.extend(fresh.iter().map(|place| &entries[*place]));
        if !new.is_empty() {
            if is_new {
                let name = self.project.as_str();
                connection.prepare_cached(sql::CREATE_LOG)?.execute((self.log_id, name))?;
            }
            self.insert(connection, &mut edge, &new)?;
            self.ids.note(size, &new);
            if new.iter().any(|entry| entry.once.is_some()) {
                self.ids.write_rows(connection, self.log_id)?;
            }
        }
        Ok((Appended { size: edge.range.size(), existing }, edge, !new.is_empty()))
    }

    fn insert(
        &self,
        connection: &Connection,
        edge: &mut Edge,
        new: &[&PendingEntry<'_>],
    ) -> Result<(), Fault> {
        edge.load(connection, self.log_id, new.len() as u64)?;
        let mut insert_object = connection.prepare_cached(sql::INSERT_OBJECT)?;
        let mut insert_entry = connection.prepare_cached(sql::INSERT_ENTRY)?;
        let mut full = Vec::new();
        for entry in new {
            let index = edge.range.size() as i64;
            let digest = &entry.digest.0[..];
            let object_id = insert_object.insert((self.log_id, digest, &*entry.object))?;
            let leaf = &entry.leaf.0[..];
            let kind: &str = &entry.kind;
            insert_entry.execute((self.log_id, index, &entry.line, leaf, kind, object_id))?;
            edge.push(entry.leaf, &mut full);
            if kind == "schema" {
                edge.schemas = Some(edge.range.size());
            }
        }
        for tile in full {
            let values = (self.log_id, tile.level, tile.n, tile.data);
            connection.prepare_cached(sql::INSERT_TILE)?.execute(values)?;
        }
        let size = edge.range.size() as i64;
        connection.prepare_cached(sql::MOVE)?.execute((self.log_id, size, edge.frontier()))?;
        Ok(())
    }

    fn schemas_until(&self, connection: &Connection) -> Result<u64, Fault> {
        let mut statement = connection.prepare_cached(sql::SCHEMAS_UNTIL)?;
        let until: Option<i64> = statement.query_row([self.log_id], |row| row.get(0)).optional()?;
        Ok(until.and_then(|until| u64::try_from(until).ok()).unwrap_or(0))
    }

    /// The index behind the last schema, as far as this handle knows.
    pub fn known_schemas(&self) -> Option<u64> {
        self.edge.as_ref().and_then(|edge| edge.schemas)
    }

    /// Reads where the log ends; what this handle knows is used when it is still so.
    fn end(&mut self, connection: &Connection, known: Option<Edge>) -> Result<End, Fault> {
        let mut statement = connection.prepare_cached(sql::END)?;
        let mut rows = statement.query([self.log_id])?;
        let Some(row) = rows.next()? else {
            self.proven = true;
            return Ok(End { edge: Edge::new(CompactRange::new()), identified: 0, is_new: true });
        };
        if row.get_ref(0)?.as_bytes().ok() != Some(self.project.as_str().as_bytes()) {
            return Err(Fault::corrupted(
                "the row of qt_log with the number of this log is of another project",
            ));
        }
        let size: i64 = row.get(1)?;
        let frontier = row.get_ref(2)?.as_blob().unwrap_or_default();
        let same = |known: &Edge| {
            known.range.size() as i64 == size && known.frontier().as_slice() == frontier
        };
        let edge = match known.filter(same) {
            Some(known) => known,
            None => {
                self.proven = false;
                let range = range_of(size, frontier).ok_or_else(|| {
                    Fault::corrupted("size and frontier in qt_log do not fit each other")
                })?;
                Edge::new(range)
            }
        };
        let identified = u64::try_from(row.get::<_, i64>(4)?).unwrap_or(u64::MAX);
        if !is_within(identified, edge.range.size()) {
            return Err(outside());
        }
        Ok(End { edge, identified, is_new: false })
    }
}

/// Rows of ids are full, and of entries that are there.
fn is_within(identified: u64, size: u64) -> bool {
    identified <= size && identified.is_multiple_of(WIDTH)
}

fn outside() -> Fault {
    Fault::corrupted("the column identified in qt_log is outside the log")
}
