//! How the tables come to be: numbered steps whose text is recorded, each in a transaction of its
//! own; and whether what is found is what they make.

use std::sync::OnceLock;

use quark_trace_core::ledger::Digest;
use rusqlite::Connection;

use super::connection::{commit, roll_back};
use super::fault::Fault;
use super::statements as sql;
use crate::error::ErrorKind;

/// Says in the head of the file whose database it is: the letters `QkTr`.
const APPLICATION_ID: i64 = 0x516B_5472;

/// One step; what was released is never changed.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// The tables of FORMAT.md. All that is not `entry`, `bytes`, `note`, `data` of evidence and the
/// two ids is derived. `qt_record` and `qt_number` are filled some time after the entries, up to
/// `qt_log.indexed`, so that an append touches few pages.
const ALL: &[Migration] = &[
    Migration { version: 1, name: "tables of quark-trace-log/1", sql: TABLES },
    Migration { version: 2, name: "ids apart", sql: IDS_APART },
];

const TABLES: &str = "
CREATE TABLE qt_log (
    log_id INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL UNIQUE,
    origin TEXT,
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    verifier_keys TEXT,
    indexed INTEGER NOT NULL
) STRICT;
CREATE TABLE qt_entry (
    log_id INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    entry BLOB NOT NULL,
    leaf_hash BLOB NOT NULL,
    kind TEXT NOT NULL,
    object_id INTEGER NOT NULL,
    PRIMARY KEY (log_id, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX qt_entry_sheet ON qt_entry (log_id, idx) WHERE kind IN ('sheet', 'sheet-adopted');
CREATE INDEX qt_entry_schema ON qt_entry (log_id, idx) WHERE kind = 'schema';
CREATE TABLE qt_object (
    object_id INTEGER PRIMARY KEY,
    log_id INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    bytes BLOB,
    erased_by INTEGER,
    UNIQUE (log_id, sha256)
) STRICT;
CREATE TABLE qt_tile (
    log_id INTEGER NOT NULL,
    level INTEGER NOT NULL,
    n INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (log_id, level, n)
) STRICT;
CREATE TABLE qt_checkpoint (
    log_id INTEGER NOT NULL,
    size INTEGER NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (log_id, size)
) STRICT;
CREATE TABLE qt_evidence (
    log_id INTEGER NOT NULL,
    size INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (log_id, size, kind, name)
) STRICT;
CREATE TABLE qt_record (
    log_id INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    record_key BLOB,
    stage TEXT,
    at_us INTEGER,
    numbers INTEGER,
    PRIMARY KEY (log_id, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX qt_record_key ON qt_record (log_id, record_key);
CREATE INDEX qt_record_stage ON qt_record (log_id, stage, idx);
CREATE INDEX qt_record_time ON qt_record (log_id, at_us, idx);
CREATE INDEX qt_record_unnumbered ON qt_record (log_id, idx) WHERE numbers IS NULL;
CREATE TABLE qt_number (
    log_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    value REAL NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (log_id, path, value, idx)
) STRICT, WITHOUT ROWID;
";

/// The ids of records stand in a table of their own, in the order of the log and filled on its own up
/// to `qt_log.identified`. No index has random keys any more, neither ids nor digests of objects: it
/// cost an append more than what it appends.
const IDS_APART: &str = "
ALTER TABLE qt_log ADD COLUMN identified INTEGER NOT NULL DEFAULT 0;
CREATE TABLE qt_id (
    log_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (log_id, n)
) STRICT;
DROP INDEX qt_record_key;
CREATE TABLE qt_object_2 (
    object_id INTEGER PRIMARY KEY,
    log_id INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    bytes BLOB,
    erased_by INTEGER
) STRICT;
INSERT INTO qt_object_2 (object_id, log_id, sha256, bytes, erased_by)
    SELECT object_id, log_id, sha256, bytes, erased_by FROM qt_object ORDER BY object_id;
DROP TABLE qt_object;
ALTER TABLE qt_object_2 RENAME TO qt_object;
";

/// What there is of our schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Schema {
    /// Nothing yet.
    Absent,
    /// What an older version of this program made: it can be read, and is brought up to date by the
    /// first who writes. What is said of it, if it was changed.
    Older { differs: Option<String> },
    /// What this program knows; what is said of it, if it was changed.
    Known { differs: Option<String> },
}

impl Schema {
    /// What is said of it, if it was changed.
    pub fn differs(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Older { differs } | Self::Known { differs } => differs.as_deref(),
        }
    }
}

type Definitions = Vec<(String, String, String, Option<String>)>;

/// Looks at the schema of one moment; a newer one than this program knows is refused, and the
/// database of another program.
pub(super) fn look(connection: &Connection) -> Result<Schema, Fault> {
    if !connection.is_autocommit() {
        return look_within(connection);
    }
    connection.execute_batch(sql::BEGIN_SNAPSHOT)?;
    let found = look_within(connection);
    roll_back(connection);
    found
}

fn look_within(connection: &Connection) -> Result<Schema, Fault> {
    let number = |text| connection.query_row(text, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number(sql::APPLICATION_ID)?, number(sql::USER_VERSION)?);
    let found = definitions(connection)?;
    if found.is_empty() && application == 0 && version == 0 {
        return Ok(Schema::Absent);
    }
    if application != APPLICATION_ID {
        let message = "it is the SQLite database of another program; name a file that is not there \
                       yet";
        return Err(Fault::new(ErrorKind::AlreadyExists, message));
    }
    let newest = ALL.last().map_or(0, |last| last.version);
    let step = ALL.iter().position(|known| known.version == version);
    let made = &ALL[..step.map_or(ALL.len(), |step| step + 1)];
    let mut differs = match rows(connection) {
        Ok(rows) => compare(&rows, made)?,
        Err(fault) if fault.kind == ErrorKind::Corrupted => {
            Some("the table qt_migration cannot be read".to_owned())
        }
        Err(fault) => return Err(fault),
    };
    if version > newest {
        return Err(newer(version));
    }
    if step.is_none() {
        differs = Some(format!("user_version is {version}, not {newest}"));
    }
    if let Some(name) = changed(&found, &expected()?[made.len() - 1]) {
        differs = Some(format!("{name} is not as this program makes it"));
    }
    let is_newest = made.len() == ALL.len();
    Ok(if is_newest { Schema::Known { differs } } else { Schema::Older { differs } })
}

/// Whether the tables are new enough to have the index of ids.
pub(super) fn has_ids(connection: &Connection) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(sql::USER_VERSION)?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))? >= 2)
}

fn rows(connection: &Connection) -> Result<Vec<(i64, String, Vec<u8>)>, Fault> {
    let mut statement = connection.prepare(sql::MIGRATIONS)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn compare(rows: &[(i64, String, Vec<u8>)], made: &[Migration]) -> Result<Option<String>, Fault> {
    for (version, name, digest) in rows {
        let Some(known) = ALL.iter().find(|known| known.version == *version) else {
            return Err(newer(*version));
        };
        if name != known.name || digest[..] != Digest::of(known.sql.as_bytes()).0 {
            let what = format!("the row of migration {version} in qt_migration was changed");
            return Ok(Some(what));
        }
    }
    let missing = made.iter().find(|known| rows.iter().all(|row| row.0 != known.version));
    Ok(missing
        .map(|known| format!("the row of migration {} in qt_migration is missing", known.version)))
}

fn newer(version: i64) -> Fault {
    let newest = ALL.last().map_or(0, |last| last.version);
    let message = format!(
        "the database has a schema of version {version}, this program knows {newest}; use a newer \
         quark-trace"
    );
    Fault::new(ErrorKind::Unsupported, message)
}

fn definitions(connection: &Connection) -> Result<Definitions, Fault> {
    let mut statement = connection.prepare(sql::SCHEMA)?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The name of the first definition that is not the same in both.
fn changed(found: &Definitions, expected: &Definitions) -> Option<String> {
    let lacks = |one: &Definitions, other: &Definitions| {
        one.iter()
            .find(|known| !other.contains(known))
            .map(|known| format!("{} {}", known.0, known.1))
    };
    lacks(expected, found).or_else(|| lacks(found, expected))
}

/// What each of the migrations leaves, as SQLite keeps it.
fn expected() -> Result<&'static [Definitions], Fault> {
    static EXPECTED: OnceLock<Vec<Definitions>> = OnceLock::new();
    if let Some(known) = EXPECTED.get() {
        return Ok(known);
    }
    let scratch = Connection::open_in_memory()?;
    scratch.execute_batch(sql::MIGRATION_TABLE)?;
    let mut known = Vec::with_capacity(ALL.len());
    for migration in ALL {
        scratch.execute_batch(migration.sql)?;
        known.push(definitions(&scratch)?);
    }
    Ok(EXPECTED.get_or_init(|| known))
}

/// Makes the schema, or brings it up to date. Programs that do so at once take turns.
pub(super) fn migrate(connection: &Connection) -> Result<(), Fault> {
    for migration in ALL {
        connection.execute_batch(sql::BEGIN)?;
        let done = apply(connection, migration);
        match done {
            Ok(true) => commit(connection)?,
            Ok(false) => roll_back(connection),
            Err(fault) => {
                roll_back(connection);
                return Err(fault);
            }
        }
    }
    Ok(())
}

/// `false` when another process was faster.
fn apply(connection: &Connection, migration: &Migration) -> Result<bool, Fault> {
    if look(connection)? != Schema::Absent
        && rows(connection)?.iter().any(|row| row.0 == migration.version)
    {
        return Ok(false);
    }
    connection.execute_batch(sql::MIGRATION_TABLE)?;
    connection.execute_batch(migration.sql)?;
    let digest = Digest::of(migration.sql.as_bytes());
    connection
        .execute(sql::INSERT_MIGRATION, (migration.version, migration.name, &digest.0[..]))?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", migration.version)?;
    Ok(true)
}
