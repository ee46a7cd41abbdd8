//! Every statement of this store, in the order of a log's life; a test prepares each of them.
//!
//! They keep to what PostgreSQL and engines like it have in common: no extension, no function of
//! our own, no sequence. What is written under a lock names the size that it builds on.

/// Whether there is a schema here, and which migrations made it.
pub(super) const MIGRATIONS: &str =
    "SELECT version, name, sha256 FROM qt_migration ORDER BY version";

/// The encoding of the database, which must be able to hold every text.
pub(super) const ENCODING: &str = "SELECT current_setting('server_encoding')";

/// Programs that make the schema at the same time take turns; the number is ours alone.
pub(super) const LOCK_MIGRATIONS: &str = "SELECT pg_advisory_xact_lock(7310012964820013)::text";

/// The table that is there before the first migration.
pub(super) const MIGRATION_TABLE: &str = "CREATE TABLE IF NOT EXISTS qt_migration (\
     version BIGINT PRIMARY KEY, name TEXT NOT NULL, sha256 BYTEA NOT NULL)";

pub(super) const INSERT_MIGRATION: &str =
    "INSERT INTO qt_migration (version, name, sha256) VALUES ($1, $2, $3)";

pub(super) const PROJECTS: &str = "SELECT project_id FROM qt_log";

/// The log of a project. Found by its number too, so that a changed name does not hide it.
pub(super) const HEAD: &str = "SELECT l.log_id, l.project_id, l.size, l.frontier, l.origin, \
     l.verifier_keys, l.indexed, l.identified, \
     (SELECT c.note FROM qt_checkpoint c WHERE c.log_id = $1 ORDER BY c.size DESC LIMIT 1) \
     FROM qt_log l WHERE l.log_id = $1 OR l.project_id = $2";

/// What is left of a log whose row is gone.
pub(super) const REMAINS: &str = "SELECT \
     EXISTS (SELECT 1 FROM qt_entry WHERE log_id = $1), \
     EXISTS (SELECT 1 FROM qt_object WHERE log_id = $1), \
     (SELECT note FROM qt_checkpoint WHERE log_id = $1 ORDER BY size DESC LIMIT 1)";

/// Keeps the durability of a commit, or turns it on where somebody turned it off.
macro_rules! durable {
    () => {
        "set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
           WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)"
    };
}

/// Appends entries in one statement, and so in one round trip and one transaction, if the log has
/// still the size and edge that the caller built on. Answers how many logs were moved (0 or 1).
///
/// `$1` log, `$2` `$3` size and edge before, `$4` `$5` after, `$6`-`$12` the columns of the entries,
/// `$13` objects, `$14`-`$16` tiles, `$17` `$18` rows of ids, `$19` how many entries have such rows
/// then. Somebody else may have written the same rows of ids.
pub(super) const WRITE: &str = concat!(
    "WITH moved AS (\
       UPDATE qt_log SET size = $4, frontier = $5, identified = greatest(identified, $19) \
       WHERE log_id = $1 AND size = $2 AND frontier = $3 RETURNING log_id), \
     entries AS (\
       INSERT INTO qt_entry \
         (log_id, idx, entry, leaf_hash, object, kind, record_key, stage, at_us) \
       SELECT m.log_id, $2 + n.place - 1, n.entry, n.leaf_hash, n.object, n.kind, \
         n.record_key, n.stage, n.at_us \
       FROM moved m, unnest($6::bytea[], $7::bytea[], $8::bytea[], $9::text[], \
         $10::bytea[], $11::text[], $12::int8[]) WITH ORDINALITY \
         AS n (entry, leaf_hash, object, kind, record_key, stage, at_us, place)), \
     objects AS (\
       INSERT INTO qt_object (log_id, idx, bytes) \
       SELECT m.log_id, $2 + n.place - 1, n.bytes \
       FROM moved m, unnest($13::bytea[]) WITH ORDINALITY AS n (bytes, place)), \
     tiles AS (\
       INSERT INTO qt_tile (log_id, level, n, data) \
       SELECT m.log_id, t.level, t.n, t.data \
       FROM moved m, unnest($14::int8[], $15::int8[], $16::bytea[]) AS t (level, n, data)), \
     ids AS (\
       INSERT INTO qt_id (log_id, n, keys) SELECT m.log_id, i.n, i.keys \
       FROM moved m, unnest($17::int8[], $18::bytea[]) AS i (n, keys) ON CONFLICT DO NOTHING) \
     SELECT (SELECT count(*) FROM moved), ",
    durable!(),
);

/// Settings of a session of ours, where the engine has them: a plan that was made while a table was
/// small must be good when it is large. Everything is read in the order of an index, and none of it
/// is worth the start of a helping process, which takes as long as reading a page of entries.
pub(super) const SETTINGS: &str = "SELECT set_config(name, setting, false) FROM (VALUES \
     ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), \
     ('plan_cache_mode', 'force_generic_plan'), ('max_parallel_workers_per_gather', '0'), \
     ('jit', 'off')) \
     AS ours (name, setting) WHERE name IN (SELECT s.name FROM pg_settings s)";

/// Begins a transaction whatever the default of the server is. A process that stops while it holds
/// the lock of a log is not waited for by all others for ever.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
     SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// Reads everything of one moment, however long the reader takes over it.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL idle_in_transaction_session_timeout = 0";

pub(super) const COMMIT: &str = "COMMIT";

pub(super) const ROLLBACK: &str = "ROLLBACK";

/// The log of a project that has none; another process may be faster.
pub(super) const CREATE_LOG: &str = "INSERT INTO qt_log (log_id, project_id, size, frontier, \
     indexed) VALUES ($1, $2, 0, '', 0) ON CONFLICT DO NOTHING";

/// Takes the lock under which indexes are given.
pub(super) const LOCK: &str =
    "SELECT project_id, size, frontier FROM qt_log WHERE log_id = $1 FOR UPDATE";

/// The records with these ids among some entries, found by the SHA-256 of the id.
pub(super) const KNOWN: &str = "SELECT e.record_key, e.idx, e.object \
     FROM unnest($2::int8[]) AS w (idx) \
     CROSS JOIN LATERAL (SELECT record_key, idx, object FROM qt_entry \
       WHERE log_id = $1 AND idx = w.idx LIMIT 1) e \
     WHERE e.record_key = ANY ($3::bytea[]) ORDER BY e.idx DESC";

/// How many entries have their ids in `qt_id`.
pub(super) const IDENTIFIED: &str = "SELECT identified FROM qt_log WHERE log_id = $1";

/// The ids of some entries, 256 a row.
pub(super) const IDS: &str = "SELECT n, keys FROM qt_id \
     WHERE log_id = $1 AND n >= $2 AND n < $3 ORDER BY n";

/// The ids of some entries, one a row.
pub(super) const KEYS: &str = "SELECT idx, record_key FROM qt_entry \
     WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";

/// Makes rows of the ids of the entries from `$2` to `$3`, unless somebody else did.
pub(super) const IDENTIFY: &str = "WITH moved AS (\
       UPDATE qt_log SET identified = $3 WHERE log_id = $1 AND identified = $2 RETURNING log_id) \
     INSERT INTO qt_id (log_id, n, keys) \
     SELECT m.log_id, e.idx / 256, string_agg(substr(coalesce(e.record_key, \
       '\\x0000000000000000'::bytea), 1, 8), ''::bytea ORDER BY e.idx) \
     FROM moved m, qt_entry e WHERE e.log_id = $1 AND e.idx >= $2 AND e.idx < $3 \
     GROUP BY m.log_id, e.idx / 256 ON CONFLICT DO NOTHING";

/// Writes nothing new, but waits for everything before it to be durable.
pub(super) const TOUCH: &str =
    concat!("UPDATE qt_log SET size = size WHERE log_id = $1 RETURNING ", durable!());

/// Leaf hashes of the tile that is not full yet.
pub(super) const LEAVES: &str = "SELECT idx, leaf_hash FROM qt_entry \
     WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";

/// Full tiles from which the hashes of the level above follow.
pub(super) const TILES: &str = "SELECT n, data FROM qt_tile \
     WHERE log_id = $1 AND level = $2 AND n >= $3 AND n < $4 ORDER BY n";

/// The entries themselves, from one size to another.
pub(super) const LINES: &str = "SELECT idx, entry FROM qt_entry \
     WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";

/// Some of them.
pub(super) const LINES_PAGE: &str = "SELECT idx, entry FROM qt_entry \
     WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx LIMIT $4";

/// Takes the lock under which checkpoints are signed. A statement that waits for a row reads all
/// other tables as they were when it began (EvalPlanQual), so that what depends on the lock is read
/// by the next one, [`SEALED`].
pub(super) const LOCK_SEAL: &str = "SELECT FROM qt_log WHERE log_id = $1 FOR UPDATE";

/// What a checkpoint must not contradict.
pub(super) const SEALED: &str = "SELECT l.verifier_keys, \
     (SELECT c.note FROM qt_checkpoint c WHERE c.log_id = $1 ORDER BY c.size DESC LIMIT 1) \
     FROM qt_log l WHERE l.log_id = $1";

/// Puts a checkpoint in place of the one before; one that evidence is about stays.
pub(super) const SEAL: &str = "WITH gone AS (\
       DELETE FROM qt_checkpoint c WHERE c.log_id = $1 AND c.size < $2 AND NOT EXISTS (\
         SELECT 1 FROM qt_evidence e WHERE e.log_id = c.log_id AND e.size = c.size)), \
     bound AS (UPDATE qt_log SET origin = $4, verifier_keys = $5 WHERE log_id = $1) \
     INSERT INTO qt_checkpoint (log_id, size, note) VALUES ($1, $2, $3)";

/// A page of entries with everything that was derived from them.
pub(super) const ENTRIES_PAGE: &str = "SELECT idx, entry, leaf_hash, object, kind, record_key, \
     stage, at_us FROM qt_entry WHERE log_id = $1 AND idx >= $2 ORDER BY idx LIMIT $3";

/// A page of entries alone.
pub(super) const PAGE: &str =
    "SELECT idx, entry FROM qt_entry WHERE log_id = $1 AND idx >= $2 ORDER BY idx LIMIT $3";

/// The objects of some entries.
pub(super) const OBJECTS: &str = "SELECT idx, bytes, erased_by FROM qt_object \
     WHERE log_id = $1 AND idx >= $2 AND idx <= $3 ORDER BY idx";

/// These entries with their objects, each looked up on its own: the plan of a join, or of a list of
/// places, is made while a log is small and may be a bad one when it is large.
pub(super) const SOME: &str = "SELECT e.idx, e.entry, o.bytes \
     FROM unnest($2::int8[]) AS w (idx) \
     CROSS JOIN LATERAL (SELECT idx, entry FROM qt_entry \
       WHERE log_id = $1 AND idx = w.idx LIMIT 1) e \
     LEFT JOIN LATERAL (SELECT bytes FROM qt_object \
       WHERE log_id = $1 AND idx = w.idx LIMIT 1) o ON true ORDER BY e.idx";

/// A page of fact sheets.
pub(super) const SHEETS_PAGE: &str = "SELECT e.idx, e.entry, o.bytes \
     FROM qt_entry e LEFT JOIN LATERAL (SELECT bytes FROM qt_object \
       WHERE log_id = e.log_id AND idx = e.idx LIMIT 1) o ON true \
     WHERE e.log_id = $1 AND e.idx >= $2 AND e.kind IN ('sheet', 'sheet-adopted') \
     ORDER BY e.idx LIMIT $3";

/// The last fact sheet with its entry.
pub(super) const LAST_SHEET: &str = "SELECT e.idx, e.entry, o.bytes \
     FROM qt_entry e LEFT JOIN LATERAL (SELECT bytes FROM qt_object \
       WHERE log_id = e.log_id AND idx = e.idx LIMIT 1) o ON true \
     WHERE e.log_id = $1 AND e.kind IN ('sheet', 'sheet-adopted') ORDER BY e.idx DESC LIMIT 1";

/// A page of schemas.
pub(super) const SCHEMAS_PAGE: &str = "SELECT e.idx, e.entry, o.bytes \
     FROM qt_entry e LEFT JOIN LATERAL (SELECT bytes FROM qt_object \
       WHERE log_id = e.log_id AND idx = e.idx LIMIT 1) o ON true \
     WHERE e.log_id = $1 AND e.idx >= $2 AND e.kind = 'schema' ORDER BY e.idx LIMIT $3";

/// Index behind the last schema.
pub(super) const SCHEMAS_UNTIL: &str = "SELECT e.idx + 1 FROM qt_entry e \
     WHERE e.log_id = $1 AND e.kind = 'schema' ORDER BY e.idx DESC LIMIT 1";

/// Objects of no entry. Not as a join, which is planned as a loop within a loop as long as
/// the server knows nothing of how much there is: behind a copy, for instance.
pub(super) const STRAY_OBJECTS: &str = "SELECT idx FROM qt_object WHERE log_id = $1 \
     EXCEPT SELECT idx FROM qt_entry WHERE log_id = $1 LIMIT 100";

/// All tiles of a level.
pub(super) const TILE_PAGE: &str = "SELECT level, n, data FROM qt_tile \
     WHERE log_id = $1 AND (level, n) > ($2, $3) ORDER BY level, n LIMIT 256";

pub(super) const CHECKPOINTS: &str =
    "SELECT size, note FROM qt_checkpoint WHERE log_id = $1 ORDER BY size";

/// How far numbers are taken up, and how far they could be.
pub(super) const INDEXED: &str = "SELECT indexed, size FROM qt_log WHERE log_id = $1";

/// Takes up the numbers of the entries from `$2` to `$3`, unless somebody else did.
pub(super) const TAKE_UP: &str = "WITH moved AS (\
       UPDATE qt_log SET indexed = $3 WHERE log_id = $1 AND indexed = $2 RETURNING log_id) \
     INSERT INTO qt_number (log_id, n, path, least, most, numbers) \
     SELECT m.log_id, b.n, b.path, b.least, b.most, b.numbers \
     FROM moved m, unnest($4::int8[], $5::text[], $6::float8[], $7::float8[], $8::bytea[]) \
       AS b (n, path, least, most, numbers)";

pub(super) const NUMBERS: &str = "SELECT n, path, least, most, numbers FROM qt_number \
     WHERE log_id = $1 AND n >= $2 AND n < $3 ORDER BY n, path";

/// Records of some ids, by their keys, of those from an entry on: few, whose ids are in no row yet.
pub(super) const BY_KEY: &str = "SELECT idx FROM qt_entry \
     WHERE log_id = $1 AND idx >= $2 AND record_key = ANY ($3::bytea[])";

/// Records of some stages.
pub(super) const BY_STAGE: &str = "SELECT idx FROM qt_entry \
     WHERE log_id = $1 AND stage = ANY ($2::text[]) LIMIT $3";

/// Records whose stage the column cannot hold.
pub(super) const UNSTAGED: &str =
    "SELECT idx FROM qt_entry WHERE log_id = $1 AND stage IS NULL LIMIT $2";

/// Records of a span of time, in microseconds since 1970.
pub(super) const BY_TIME: &str = "SELECT idx FROM qt_entry \
     WHERE log_id = $1 AND at_us >= $2 AND at_us <= $3 LIMIT $4";

/// Numbers at a path, 256 entries a row, of which some may be in a span.
pub(super) const BY_NUMBER: &str = "SELECT n, numbers FROM qt_number \
     WHERE log_id = $1 AND path = $2 AND most >= $3 AND least <= $4";

/// Every statement that can be prepared on its own.
pub(super) const ALL: &[&str] = &[
    MIGRATIONS,
    ENCODING,
    LOCK_MIGRATIONS,
    INSERT_MIGRATION,
    PROJECTS,
    HEAD,
    REMAINS,
    WRITE,
    SETTINGS,
    CREATE_LOG,
    LOCK,
    KNOWN,
    IDENTIFIED,
    IDS,
    KEYS,
    IDENTIFY,
    TOUCH,
    LEAVES,
    TILES,
    LINES,
    LOCK_SEAL,
    SEALED,
    SEAL,
    LINES_PAGE,
    ENTRIES_PAGE,
    PAGE,
    OBJECTS,
    SHEETS_PAGE,
    LAST_SHEET,
    SCHEMAS_PAGE,
    SCHEMAS_UNTIL,
    STRAY_OBJECTS,
    TILE_PAGE,
    CHECKPOINTS,
    INDEXED,
    TAKE_UP,
    NUMBERS,
    SOME,
    BY_KEY,
    BY_STAGE,
    UNSTAGED,
    BY_TIME,
    BY_NUMBER,
];
