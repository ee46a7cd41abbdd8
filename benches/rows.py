"""The rows of the benchmark: what is measured, beside whom, and what we aim at.

A target is an aim on a quiet machine of two cores, not a test. Ratios between candidates of the
same run carry over to other machines; absolute figures do not.
"""

from dataclasses import dataclass, replace

APPENDS = 20_000
SYNCED_APPENDS = 2_000


@dataclass(frozen=True)
class Candidate:
    """A workload of one of the programs in peers/, or of the Rust benchmark.

    `store` is what ours writes to: `file`, `sqlite` or `postgres`.
    """

    name: str
    program: str
    workload: str
    store: str = "file"

    @property
    def needs_postgres(self) -> bool:
        return self.store == "postgres" or self.program == "postgres_log.py"


@dataclass(frozen=True)
class Row:
    """One table of the report; the first candidate is ours.

    `unit` is "us" for microseconds an operation, or "ms" or "s" for the whole. A row that has no
    `count` runs over logs of each size. `target` holds for the largest size only.
    """

    title: str
    unit: str
    candidates: tuple[Candidate, ...]
    target: float | None = None
    count: int | None = None
    target_mib: float | None = None
    times: tuple[float, str] | None = None  # the target as a multiple of another candidate

    def without(self, program: str) -> "Row":
        """The row without the candidates of a program that is not installed."""
        left = tuple(each for each in self.candidates if each.program != program)
        return replace(self, candidates=left)

    def without_postgres(self) -> "Row | None":
        """The row as far as it runs without a server."""
        left = tuple(each for each in self.candidates if not each.needs_postgres)
        ours_is_there = left[:1] == self.candidates[:1]
        return replace(self, candidates=left) if ours_is_there else None


SEED = "quark-trace 0.1.0"


STORES = {"file": "", "sqlite": ", SQLite", "postgres": ", PostgreSQL"}


def ours(workload: str, store: str = "file") -> Candidate:
    return Candidate(f"quark-trace{STORES[store]}", "ours.py", workload, store)


def in_databases(workload: str) -> tuple[Candidate, Candidate]:
    """The same workload of ours over both databases."""
    return ours(workload, "sqlite"), ours(workload, "postgres")


def rust(workload: str, name: str = "quark-trace, Rust", store: str = "file") -> Candidate:
    return Candidate(f"{name}{STORES[store]}", "rust", workload, store)


def seed(workload: str) -> Candidate:
    return Candidate(SEED, "seed.py", workload)


def by_hand(name: str, workload: str) -> Candidate:
    return Candidate(name, "by_hand.py", workload)


def sqlite(name: str, workload: str) -> Candidate:
    return Candidate(f"sqlite3 {name}", "sqlite_log.py", workload)


def postgres(name: str, workload: str) -> Candidate:
    return Candidate(f"psycopg {name}", "postgres_log.py", workload)


def duckdb(workload: str) -> Candidate:
    return Candidate("DuckDB on the JSONL file", "duckdb_reader.py", workload)


def polars(workload: str) -> Candidate:
    return Candidate("polars on the JSONL file", "polars_reader.py", workload)


def jq(workload: str) -> Candidate:
    return Candidate("jq on the JSONL file", "jq_reader.py", workload)


def http(workload: str, name: str = "quark-trace serve, SQLite") -> Candidate:
    return Candidate(name, "http_ours.py", workload)


def fastapi(workload: str) -> Candidate:
    return Candidate("FastAPI + sqlite3 FULL", "http_fastapi.py", workload)


FDATASYNC = Candidate("write + fdatasync alone", "machine.py", "fdatasync")

ROWS = (
    Row("append, `os` durability, from Python", "us", (
        ours("append_os"), seed("append"), by_hand("orjson + write", "append_orjson"),
        by_hand("orjson + SHA-256 chain + write", "append_orjson_chain"),
        by_hand("json.dumps + write", "append_json"), sqlite("WAL NORMAL", "append"),
        sqlite("WAL NORMAL, chained", "append_chain"),
        Candidate("pymerkle, in memory", "pymerkle_tree.py", "append")),
        target=4.0, count=APPENDS),
    Row("append, `os` durability, onto a log of that many", "us", (ours("append_onto"), *in_databases("append_onto")),
        target=4.0),
    Row("append, `buffered`, from Python", "us", (
        ours("append_buffered"), seed("append"), by_hand("orjson + write", "append_orjson")),
        target=2.0, count=APPENDS),
    Row("append, `sync`, from Python", "us", (
        ours("append_sync"), FDATASYNC, by_hand("json.dumps + write + fdatasync",
                                                "append_json_sync"),
        sqlite("WAL FULL", "append_sync"), sqlite("WAL FULL, chained", "append_sync_chain")),
        times=(1.25, FDATASYNC.name), count=SYNCED_APPENDS),
    Row("100 records a sync, from Python", "us", (
        ours("append_100_a_sync"), sqlite("100 a transaction", "append_100_a_sync")),
        target=6.5, count=APPENDS),
    Row("1,000 records a sync, from Python", "us", (
        ours("append_1000_a_sync"), sqlite("1,000 a transaction", "append_1000_a_sync")),
        target=5.0, count=APPENDS),
    Row("open a project and append one record", "ms", (
        ours("open_and_append"), *in_databases("open_and_append"), seed("open_and_append"),
        sqlite("WAL", "open_and_append"), postgres("", "open_and_append")),
        target=10.0),
    Row("history, payloads left as they are", "s", (
        ours("history"), *in_databases("history"), seed("history")),
        target=0.3, target_mib=350),
    Row("history, every payload made a dict", "s", (
        ours("payloads"), seed("payloads"), by_hand("orjson.loads of each line", "payloads")),
        target=2.0),
    Row("history as typed columns", "s", (
        ours("columns"), *in_databases("columns")),
        target=0.4),
    Row("history as a polars frame", "s", (ours("frame"), polars("frame"))),
    Row("records of one stage, 0.6 % of all", "s", (
        rust("select"), ours("select"), seed("select"), by_hand("orjson.loads of each line", "select"),
        duckdb("select"), polars("select"), jq("select"), sqlite("scan", "select_scan"),
        sqlite("indexed", "select_indexed"), rust("select", store="sqlite"),
        rust("select", store="postgres"), postgres("indexed", "select_indexed")),
        target=0.22),
    Row("records by a number in the payload, 0.6 % of all", "s", (
        rust("filter"), seed("filter"), by_hand("orjson.loads of each line", "filter"),
        duckdb("filter"), polars("filter"), jq("filter"), rust("filter", store="sqlite"),
        rust("filter", store="postgres")),
        target=0.22),
    Row("summary, cold", "s", (
        ours("summary"), rust("summary"), *in_databases("summary"), seed("summary"), duckdb("summary"),
        polars("summary"),
        sqlite("indexed", "summary_indexed"), postgres("indexed", "summary_indexed")),
        target=0.2),
    Row("summary, kept", "ms", (ours("summary_kept"), rust("summary_kept")), target=1.0),
    Row("verify the whole log", "s", (
        ours("verify"), *in_databases("verify"),
        Candidate("hashlib, RFC 6962", "rfc6962_hashlib.py", "verify")),
        target=0.45, target_mib=64),
    Row("SQLite: append, `os`, from Python", "us", (
        ours("append_os", "sqlite"), seed("append"), sqlite("WAL NORMAL", "append"),
        sqlite("WAL NORMAL, chained", "append_chain")),
        target=12.0, count=APPENDS),
    Row("SQLite: append, `sync`, from Python", "us", (
        ours("append_sync", "sqlite"), FDATASYNC, sqlite("WAL FULL", "append_sync"),
        sqlite("WAL FULL, chained", "append_sync_chain")),
        count=SYNCED_APPENDS),
    Row("SQLite: 1,000 records a commit, `os`, from Rust", "us", (
        rust("append_batches_of_1000", store="sqlite"),
        sqlite("WAL NORMAL, 1,000 a transaction", "append_1000")),
        target=2.0, count=10 * APPENDS),
    Row("PostgreSQL: append, `sync`, from Python", "us", (
        ours("append_sync", "postgres"), postgres("bare INSERT", "append"),
        postgres("INSERT, chained", "append_chain"), FDATASYNC),
        times=(1.5, "psycopg bare INSERT"), count=SYNCED_APPENDS),
    Row("PostgreSQL: append, `os`, from Python", "us", (ours("append_os", "postgres"),),
        count=SYNCED_APPENDS),
    Row("PostgreSQL: 1,000 records a commit, durable, from Rust", "us", (
        rust("append_sync_batches_of_1000", store="postgres"),
        postgres("1,000 a transaction, from Python", "append_1000_a_sync")),
        target=20.0, count=5 * APPENDS),
    Row("PostgreSQL: 8 writers, each waiting for its own `sync`, from Rust", "us", (
        rust("append_sync_8_writers", store="postgres"),
        rust("append_sync", "quark-trace, Rust, one writer", store="postgres")),
        count=SYNCED_APPENDS),
    Row("HTTP: one record a request, durable, a plain Python client", "us", (
        http("single"), fastapi("single"), http("nothing", "the same client, nothing written"),
        FDATASYNC), target=500.0, count=SYNCED_APPENDS),
    Row("HTTP: one record a request, durable, the whole client", "us", (
        http("client", "HttpBackend and quark-trace serve"),), target=500.0, count=SYNCED_APPENDS),
    Row("HTTP: one record a request, durable, 16 connections", "us", (
        http("from_many"), fastapi("from_many"), FDATASYNC), target=67.0, count=SYNCED_APPENDS),
    Row("HTTP: 1,000 records a request, durable, a plain Python client", "us", (
        http("batches"), fastapi("batches")), target=10.0, count=5 * APPENDS),
    Row("import quark_trace", "ms", (ours("import_package"), seed("import_package")),
        target=50.0, count=1),
    Row("append, `os` durability, from Rust", "us", (rust("append_os"),), target=2.2,
        count=10 * APPENDS),
    Row("append, `buffered`, from Rust", "us", (rust("append_buffered"),), target=1.0,
        count=10 * APPENDS),
    Row("8 writers, each waiting for its own `sync`, from Rust", "us", (
        rust("append_sync_8_writers"), rust("append_sync", "quark-trace, Rust, one writer"),
        FDATASYNC),
        target=45.0, count=SYNCED_APPENDS),
    Row("inclusion proof made, 1 Mi leaves, from Rust", "us", (rust("proof_made"),), target=1.5,
        count=1 << 20),
    Row("inclusion proof checked, 1 Mi leaves, from Rust", "us", (rust("proof_checked"),),
        target=2.6, count=1 << 20),
)
