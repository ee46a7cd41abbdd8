//! Every statement of this store, in the order of a log's life; a test prepares each of them.

/// Whether there is a schema here, and which migrations made it.
pub(super) const MIGRATIONS: &str =
    "SELECT version, name, sha256 FROM qt_migration ORDER BY version";

/// The table that is there before the first migration.
pub(super) const MIGRATION_TABLE: &str = "CREATE TABLE IF NOT EXISTS qt_migration \
     (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 BLOB NOT NULL) STRICT";

pub(super) const INSERT_MIGRATION: &str =
    "INSERT INTO qt_migration (version, name, sha256) VALUES (?1, ?2, ?3)";

/// What the tables and indexes were made by, as SQLite keeps it.
pub(super) const SCHEMA: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema \
     WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name, type";

pub(super) const APPLICATION_ID: &str = "PRAGMA application_id";

pub(super) const USER_VERSION: &str = "PRAGMA user_version";

/// Takes the lock under which indexes are given; one process at a time has it.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Reads everything of one moment.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN";

pub(super) const COMMIT: &str = "COMMIT";

pub(super) const ROLLBACK: &str = "ROLLBACK";

pub(super) const PROJECTS: &str = "SELECT project_id FROM qt_log";

/// The log of a project. Found by its number too, so that a changed name does not hide it.
pub(super) const HEAD: &str = "SELECT l.log_id, l.project_id, l.size, l.frontier, l.origin, \
     l.verifier_keys, l.indexed, \
     (SELECT c.note FROM qt_checkpoint c WHERE c.log_id = ?1 ORDER BY c.size DESC LIMIT 1) \
     FROM qt_log l WHERE l.log_id = ?1 OR l.project_id = ?2";

/// What is left of a log whose row is gone.
pub(super) const REMAINS: &str = "SELECT \
     EXISTS (SELECT 1 FROM qt_entry WHERE log_id = ?1) \
       OR EXISTS (SELECT 1 FROM qt_object WHERE log_id = ?1), \
     (SELECT note FROM qt_checkpoint WHERE log_id = ?1 ORDER BY size DESC LIMIT 1)";

/// The log of a project that has none.
pub(super) const CREATE_LOG: &str = "INSERT INTO qt_log (log_id, project_id, size, frontier, \
     indexed) VALUES (?1, ?2, 0, x'', 0)";

/// Where a log ends, read under the lock.
pub(super) const END: &str = "SELECT project_id, size, frontier, indexed, identified FROM qt_log \
     WHERE log_id = ?1";

pub(super) const MOVE: &str = "UPDATE qt_log SET size = ?2, frontier = ?3 WHERE log_id = ?1";

pub(super) const INSERT_OBJECT: &str =
    "INSERT INTO qt_object (log_id, sha256, bytes) VALUES (?1, ?2, ?3)";

pub(super) const INSERT_ENTRY: &str = "INSERT INTO qt_entry \
     (log_id, idx, entry, leaf_hash, kind, object_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) const INSERT_TILE: &str =
    "INSERT INTO qt_tile (log_id, level, n, data) VALUES (?1, ?2, ?3, ?4)";

/// Leaf hashes of the tile that is not full yet.
pub(super) const LEAVES: &str = "SELECT leaf_hash FROM qt_entry \
     WHERE log_id = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx";

/// Full tiles from which the hashes of the level above follow.
pub(super) const TILES: &str = "SELECT data FROM qt_tile \
     WHERE log_id = ?1 AND level = ?2 AND n >= ?3 AND n < ?4 ORDER BY n";

/// Entries alone.
pub(super) const LINES: &str = "SELECT idx, entry FROM qt_entry \
     WHERE log_id = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx";

/// What a checkpoint must not contradict.
pub(super) const SEALED: &str = "SELECT l.verifier_keys, l.size, l.frontier, \
     (SELECT c.note FROM qt_checkpoint c WHERE c.log_id = ?1 ORDER BY c.size DESC LIMIT 1) \
     FROM qt_log l WHERE l.log_id = ?1";

/// A checkpoint takes the place of the one before; one that evidence is about stays.
pub(super) const DROP_CHECKPOINTS: &str = "DELETE FROM qt_checkpoint AS c \
     WHERE c.log_id = ?1 AND c.size < ?2 AND NOT EXISTS \
       (SELECT 1 FROM qt_evidence e WHERE e.log_id = c.log_id AND e.size = c.size)";

pub(super) const INSERT_CHECKPOINT: &str =
    "INSERT INTO qt_checkpoint (log_id, size, note) VALUES (?1, ?2, ?3)";

pub(super) const BIND: &str = "UPDATE qt_log SET origin = ?2, verifier_keys = ?3 WHERE log_id = ?1";

/// Entries with their objects, found by an index if one is named.
macro_rules! entries {
    ($index:literal) => {
        concat!(
            "SELECT e.idx, e.entry, e.leaf_hash, e.kind, o.log_id, o.sha256, o.bytes, o.erased_by \
             FROM qt_entry e ",
            $index,
            "LEFT JOIN qt_object o ON o.object_id = e.object_id \
             WHERE e.log_id = ?1 AND e.idx >= ?2 "
        )
    };
}

/// Entries with their objects.
pub(super) const ENTRIES: &str = concat!(entries!(""), "ORDER BY e.idx");

/// The same of fact sheets alone.
pub(super) const SHEETS: &str = concat!(
    entries!("INDEXED BY qt_entry_sheet "),
    "AND e.kind IN ('sheet', 'sheet-adopted') ORDER BY e.idx"
);

/// The last of them.
pub(super) const LAST_SHEET: &str = concat!(
    entries!("INDEXED BY qt_entry_sheet "),
    "AND e.kind IN ('sheet', 'sheet-adopted') ORDER BY e.idx DESC LIMIT 1"
);

/// The same of schemas alone.
pub(super) const SCHEMAS: &str =
    concat!(entries!("INDEXED BY qt_entry_schema "), "AND e.kind = 'schema' ORDER BY e.idx");

/// Index behind the last schema.
pub(super) const SCHEMAS_UNTIL: &str = "SELECT e.idx + 1 FROM qt_entry e INDEXED BY qt_entry_schema \
     WHERE e.log_id = ?1 AND e.kind = 'schema' ORDER BY e.idx DESC LIMIT 1";

/// Entries of a span with their objects.
pub(super) const SPAN: &str = concat!(entries!(""), "AND e.idx < ?3 ORDER BY e.idx");

pub(super) const INSERT_RECORD: &str = "INSERT INTO qt_record \
     (log_id, idx, record_key, stage, at_us, numbers) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) const INSERT_NUMBER: &str =
    "INSERT INTO qt_number (log_id, path, value, idx) VALUES (?1, ?2, ?3, ?4)";

/// Takes the place of a row that somebody else put there.
pub(super) const INSERT_IDS: &str =
    "INSERT OR REPLACE INTO qt_id (log_id, n, keys) VALUES (?1, ?2, ?3)";

pub(super) const INDEXED: &str = "UPDATE qt_log SET indexed = ?2 WHERE log_id = ?1";

pub(super) const IDENTIFIED: &str = "UPDATE qt_log SET identified = ?2 WHERE log_id = ?1";

/// How many entries have their ids in `qt_id`.
pub(super) const IDENTIFIED_TO: &str = "SELECT identified FROM qt_log WHERE log_id = ?1";

/// The ids of some entries, 256 a row.
pub(super) const IDS: &str =
    "SELECT n, keys FROM qt_id WHERE log_id = ?1 AND n >= ?2 AND n < ?3 ORDER BY n";

/// Rows that belong to no entries.
pub(super) const STRAY_IDS: &str =
    "SELECT n FROM qt_id WHERE log_id = ?1 AND (n < 0 OR n >= ?2) LIMIT 100";

/// Everything that was derived from records.
pub(super) const RECORDS: &str = "SELECT idx, record_key, stage, at_us, numbers FROM qt_record \
     WHERE log_id = ?1 ORDER BY idx";

pub(super) const NUMBERS: &str = "SELECT path, value, idx FROM qt_number WHERE log_id = ?1";

/// Objects that no entry of their log names.
pub(super) const STRAY_OBJECTS: &str = "SELECT o.sha256 FROM qt_object o WHERE o.log_id = ?1 \
     AND o.object_id NOT IN (SELECT e.object_id FROM qt_entry e WHERE e.log_id = ?1) LIMIT 100";

pub(super) const ALL_TILES: &str =
    "SELECT level, n, data FROM qt_tile WHERE log_id = ?1 ORDER BY level, n";

pub(super) const CHECKPOINTS: &str =
    "SELECT size, note FROM qt_checkpoint WHERE log_id = ?1 ORDER BY size";

/// Whether every index has what its table has, and no page is damaged.
pub(super) const SOUND: &str = "PRAGMA integrity_check(20)";

/// Records that have an id of this key, of those from `?2` on: few, whose ids are in no row yet.
pub(super) const BY_KEY: &str =
    "SELECT idx FROM qt_record WHERE log_id = ?1 AND idx >= ?2 AND record_key = ?3";

/// Records of a stage.
pub(super) const BY_STAGE: &str =
    "SELECT idx FROM qt_record WHERE log_id = ?1 AND stage = ?2 LIMIT ?3";

/// Records whose stage the column cannot hold.
pub(super) const UNSTAGED: &str =
    "SELECT idx FROM qt_record WHERE log_id = ?1 AND stage IS NULL LIMIT ?2";

/// Records of a span of time, in microseconds since 1970.
pub(super) const BY_TIME: &str = "SELECT idx FROM qt_record \
     WHERE log_id = ?1 AND at_us >= ?2 AND at_us <= ?3 LIMIT ?4";

/// Records in whose payload the number at `?2` (a JSON Pointer) is in a span.
pub(super) const BY_NUMBER: &str = "SELECT idx FROM qt_number \
     WHERE log_id = ?1 AND path = ?2 AND value >= ?3 AND value <= ?4 LIMIT ?5";

/// Records with more numbers than are kept, which have to be read.
pub(super) const UNNUMBERED: &str = "SELECT idx FROM qt_record INDEXED BY qt_record_unnumbered \
     WHERE log_id = ?1 AND numbers IS NULL LIMIT ?2";

/// Every statement that can be prepared on its own.
pub(super) const ALL: &[&str] = &[
    MIGRATIONS,
    INSERT_MIGRATION,
    SCHEMA,
    APPLICATION_ID,
    USER_VERSION,
    BEGIN,
    BEGIN_SNAPSHOT,
    COMMIT,
    ROLLBACK,
    PROJECTS,
    HEAD,
    REMAINS,
    CREATE_LOG,
    END,
    MOVE,
    INSERT_OBJECT,
    INSERT_ENTRY,
    INSERT_TILE,
    LEAVES,
    TILES,
    LINES,
    SEALED,
    DROP_CHECKPOINTS,
    INSERT_CHECKPOINT,
    BIND,
    ENTRIES,
    SHEETS,
    LAST_SHEET,
    SCHEMAS,
    SCHEMAS_UNTIL,
    SPAN,
    INSERT_RECORD,
    INSERT_NUMBER,
    INSERT_IDS,
    INDEXED,
    IDENTIFIED,
    IDENTIFIED_TO,
    IDS,
    STRAY_IDS,
    RECORDS,
    NUMBERS,
    STRAY_OBJECTS,
    ALL_TILES,
    CHECKPOINTS,
    SOUND,
    BY_KEY,
    BY_STAGE,
    UNSTAGED,
    BY_TIME,
    BY_NUMBER,
    UNNUMBERED,
];
