//! How the tables come to be: numbered steps whose text is recorded.

use postgres::Row;
use postgres::types::Type;
use quark_trace_core::ledger::Digest;

use super::connection::{Connection, Value};
use super::fault::{Fault, Moment};
use super::row::value;
use super::statements as sql;
use crate::error::{ErrorKind, Outcome};

/// One step; what was released is never changed.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// The tables of FORMAT.md. All that is not `entry`, `bytes`, `note`, `data` of evidence and the two
/// ids is derived. `COLLATE "C"`: an index must not depend on the locales of a machine.
const ALL: &[Migration] = &[
    Migration { version: 1, name: "tables of quark-trace-log/1", sql: TABLES },
    Migration { version: 2, name: "ids and numbers in blocks", sql: BLOCKS },
];

const TABLES: &str = r#"
CREATE TABLE qt_log (
    log_id BIGINT PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL UNIQUE,
    origin TEXT,
    size BIGINT NOT NULL,
    frontier BYTEA NOT NULL,
    verifier_keys TEXT,
    indexed BIGINT NOT NULL
);
CREATE TABLE qt_entry (
    log_id BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    entry BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    object BYTEA NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    record_key BYTEA,
    stage TEXT COLLATE "C",
    at_us BIGINT,
    PRIMARY KEY (log_id, idx)
);
CREATE INDEX qt_entry_record ON qt_entry (log_id, record_key);
CREATE INDEX qt_entry_stage ON qt_entry (log_id, stage, idx);
CREATE INDEX qt_entry_time ON qt_entry (log_id, at_us, idx);
CREATE INDEX qt_entry_sheet ON qt_entry (log_id, idx) WHERE kind IN ('sheet', 'sheet-adopted');
CREATE INDEX qt_entry_schema ON qt_entry (log_id, idx) WHERE kind = 'schema';
CREATE TABLE qt_object (
    log_id BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    bytes BYTEA,
    erased_by BIGINT,
    PRIMARY KEY (log_id, sha256)
);
CREATE TABLE qt_tile (
    log_id BIGINT NOT NULL,
    level BIGINT NOT NULL,
    n BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (log_id, level, n)
);
CREATE TABLE qt_checkpoint (
    log_id BIGINT NOT NULL,
    size BIGINT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (log_id, size)
);
CREATE TABLE qt_evidence (
    log_id BIGINT NOT NULL,
    size BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (log_id, size, kind, name)
);
CREATE TABLE qt_number (
    log_id BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (log_id, idx, path)
);
CREATE INDEX qt_number_value ON qt_number (log_id, path, value, idx);
"#;

/// Ids and numbers of 256 entries in a row, and objects found by the place of their entry: no index
/// has random keys any more, which cost an append more than what it appends. The rows are as long as
/// a page takes them, and not worth compressing.
const BLOCKS: &str = r#"
ALTER TABLE qt_log ADD COLUMN identified BIGINT NOT NULL DEFAULT 0;
CREATE TABLE qt_id (
    log_id BIGINT NOT NULL,
    n BIGINT NOT NULL,
    keys BYTEA NOT NULL,
    PRIMARY KEY (log_id, n)
);
ALTER TABLE qt_id ALTER keys SET STORAGE PLAIN;
DROP INDEX qt_entry_record;
CREATE TABLE qt_object_2 (
    log_id BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    bytes BYTEA,
    erased_by BIGINT,
    PRIMARY KEY (log_id, idx)
);
INSERT INTO qt_object_2 (log_id, idx, bytes, erased_by)
    SELECT e.log_id, e.idx, o.bytes, o.erased_by FROM qt_entry e
    JOIN qt_object o ON o.log_id = e.log_id AND o.sha256 = e.object ORDER BY e.log_id, e.idx;
DROP TABLE qt_object;
ALTER TABLE qt_object_2 RENAME TO qt_object;
ALTER INDEX qt_object_2_pkey RENAME TO qt_object_pkey;
DROP TABLE qt_number;
UPDATE qt_log SET indexed = 0;
CREATE TABLE qt_number (
    log_id BIGINT NOT NULL,
    n BIGINT NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    least DOUBLE PRECISION NOT NULL,
    most DOUBLE PRECISION NOT NULL,
    numbers BYTEA NOT NULL,
    PRIMARY KEY (log_id, n, path)
);
ALTER TABLE qt_number ALTER numbers SET STORAGE PLAIN;
CREATE INDEX qt_number_path ON qt_number (log_id, path, n);
"#;

/// What there is of our schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Schema {
    /// Nothing yet.
    Absent,
    /// Steps are missing that this program knows.
    Older,
    /// What this program knows; what is said of its migrations, if that was changed.
    Known { differs: Option<String> },
}

/// Looks at the schema; a newer one than this program knows is refused.
pub(super) fn look(connection: &mut Connection) -> Result<Schema, Fault> {
    let rows = match connection.rows(sql::MIGRATIONS, &[]) {
        Ok(rows) => rows,
        Err(error) if is_undefined_table(&error) => return Ok(Schema::Absent),
        Err(error) => return Err(Fault::of(&error, Moment::Before)),
    };
    let mut differs = None;
    for (at, row) in rows.iter().enumerate() {
        let version: i64 = value(row, 0)?;
        let Some(known) = ALL.iter().find(|known| known.version == version) else {
            let newest = ALL.last().map_or(0, |last| last.version);
            let message = format!(
                "the database has a schema of version {version}, this program knows {newest}; use \
                 a newer quark-trace"
            );
            return Err(Fault::new(ErrorKind::Unsupported, message, Outcome::NotWritten));
        };
        let (name, digest): (&str, &[u8]) = (value(row, 1)?, value(row, 2)?);
        if name != known.name || digest != Digest::of(known.sql.as_bytes()).0 {
            differs = Some(format!("the row of migration {version} in qt_migration was changed"));
        } else if at as i64 + 1 != version {
            differs = Some(format!("a row before migration {version} in qt_migration is missing"));
        }
    }
    if rows.is_empty() {
        differs = Some("the rows of qt_migration are missing".to_owned());
    } else if differs.is_none() && rows.len() < ALL.len() {
        return Ok(Schema::Older);
    }
    Ok(Schema::Known { differs })
}

fn is_undefined_table(error: &postgres::Error) -> bool {
    error.code() == Some(&postgres::error::SqlState::UNDEFINED_TABLE)
}

/// Makes the schema, or brings it up to date, in one transaction: readers see no step between.
/// Programs that do so at once take turns.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let before = |error: postgres::Error| Fault::of(&error, Moment::Before);
    connection.begin(sql::BEGIN)?;
    connection.rows(sql::LOCK_MIGRATIONS, &[]).map_err(before)?;
    let rows = connection.rows(sql::ENCODING, &[]).map_err(before)?;
    let encoding: &str = rows.first().map_or(Ok(""), |row| value(row, 0))?;
    if encoding != "UTF8" {
        connection.roll_back();
        let message = format!(
            "the encoding of the database is {encoding}; make one with ENCODING 'UTF8', which can \
             hold every text"
        );
        return Err(Fault::new(ErrorKind::Unsupported, message, Outcome::NotWritten));
    }
    connection.batch(sql::MIGRATION_TABLE).map_err(before)?;
    let rows = connection.rows(sql::MIGRATIONS, &[]).map_err(before)?;
    for migration in ALL {
        let is_there =
            |row: &Row| row.try_get(0).is_ok_and(|known: i64| known == migration.version);
        if rows.iter().any(is_there) {
            continue;
        }
        connection.batch(migration.sql).map_err(before)?;
        let digest = Digest::of(migration.sql.as_bytes());
        let values: [Value<'_>; 3] = [
            (&migration.version, Type::INT8),
            (&migration.name, Type::TEXT),
            (&&digest.0[..], Type::BYTEA),
        ];
        connection.rows(sql::INSERT_MIGRATION, &values).map_err(before)?;
    }
    connection.commit()
}
