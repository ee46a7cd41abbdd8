"""sqlite3 from Python: a table of records in a WAL database, with and without a chain of hashes."""

import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import measure
from events import RARE_STAGE, events, rare_events

TABLE = """create table if not exists record (
    number integer primary key, record_id text, stage text, timestamp text,
    payload text, previous text)"""
INSERT = "insert into record values (null, ?, ?, ?, ?, ?)"


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute(f"pragma synchronous = {synchronous}")
    connection.execute(TABLE)
    return connection


def row(stage: str, payload: dict, previous: str | None) -> tuple:
    return str(uuid4()), stage, datetime.now(UTC).isoformat(), json.dumps(payload), previous


def append(folder: Path, count: int, synchronous: str, chained: bool) -> float:
    connection = connect(folder / "append.sqlite", synchronous)
    previous = hashlib.sha256().hexdigest() if chained else None

    def insert(stage: str, payload: dict) -> None:
        nonlocal previous
        values = row(stage, payload, previous)
        if previous is not None:
            previous = hashlib.sha256("\0".join(values).encode()).hexdigest()
        connection.execute(INSERT, values)
    return measure.timed_appends(insert, count)


def append_batches(folder: Path, count: int, size: int, synchronous: str = "full") -> float:
    """`size` records a transaction; with "full" each transaction is durable."""
    connection = connect(folder / "append.sqlite", synchronous)
    in_batch = 0

    def insert(stage: str, payload: dict) -> None:
        nonlocal in_batch
        if in_batch == 0:
            connection.execute("begin")
        connection.execute(INSERT, row(stage, payload, None))
        in_batch += 1
        if in_batch == size:
            connection.execute("commit")
            in_batch = 0
    return measure.timed_appends(insert, count)


def prepare(count: int, folder: Path) -> float:
    """Not a measurement: makes the databases that the reading workloads need."""
    for name, index in (("scan.sqlite", False), ("indexed.sqlite", True)):
        connection = connect(folder / name, "off")
        connection.execute("begin")
        connection.executemany(INSERT, (row(*event, None) for event in events(count)))
        connection.execute("commit")
        if index:
            connection.execute("create index by_stage on record (stage, number)")
    return 0.0


def select(folder: Path, count: int, name: str) -> float:
    connection = connect(folder / name, "normal")

    def rare() -> None:
        hits = connection.execute("select record_id, stage, timestamp, payload from record"
                                  " where stage = ? order by number", (RARE_STAGE,)).fetchall()
        measure.expect(len(hits), rare_events(count))
    return measure.timed(rare)


def summary(folder: Path, count: int, name: str) -> float:
    connection = connect(folder / name, "normal")

    def stages() -> None:
        counts = dict(connection.execute("select stage, count(*) from record group by stage"))
        measure.expect(counts.get(RARE_STAGE, 0), rare_events(count))
    return measure.timed(stages)


def open_and_append(count: int, folder: Path) -> float:
    (stage, payload), = events(1)

    def one() -> None:
        connect(folder / "scan.sqlite", "normal").execute(INSERT, row(stage, payload, None))
    seconds = measure.timed(one)
    connect(folder / "scan.sqlite", "normal").execute("delete from record where number > ?",
                                                      (count,))
    return seconds


if __name__ == "__main__":
    measure.main({
        "append": lambda count, folder: append(folder, count, "normal", chained=False),
        "append_chain": lambda count, folder: append(folder, count, "normal", chained=True),
        "append_sync": lambda count, folder: append(folder, count, "full", chained=False),
        "append_sync_chain": lambda count, folder: append(folder, count, "full", chained=True),
        "append_100_a_sync": lambda count, folder: append_batches(folder, count, 100),
        "append_1000_a_sync": lambda count, folder: append_batches(folder, count, 1000),
        "append_1000": lambda count, folder: append_batches(folder, count, 1000, "normal"),
        "prepare": prepare,
        "select_scan": lambda count, folder: select(folder, count, "scan.sqlite"),
        "select_indexed": lambda count, folder: select(folder, count, "indexed.sqlite"),
        "summary_indexed": lambda count, folder: summary(folder, count, "indexed.sqlite"),
        "open_and_append": open_and_append,
    })
