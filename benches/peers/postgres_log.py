"""psycopg: a table of records in PostgreSQL, with and without a chain of hashes.

The database is that of QUARK_TRACE_BENCH_POSTGRES. Its server commits with fsync.
"""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import measure
import psycopg
from events import RARE_STAGE, events, rare_events

TABLE = """create table if not exists plain_record (
    number bigint generated always as identity primary key, record_id text, stage text,
    timestamp text, payload text, previous text)"""
COLUMNS = "plain_record (record_id, stage, timestamp, payload, previous)"
INSERT = f"insert into {COLUMNS} values (%s, %s, %s, %s, %s)"


def connect() -> psycopg.Connection:
    connection = psycopg.connect(os.environ["QUARK_TRACE_BENCH_POSTGRES"], autocommit=True)
    connection.execute(TABLE)
    return connection


def row(stage: str, payload: dict, previous: str | None) -> tuple:
    return str(uuid4()), stage, datetime.now(UTC).isoformat(), json.dumps(payload), previous


def append(count: int, chained: bool) -> float:
    connection = connect()
    previous = hashlib.sha256().hexdigest() if chained else None

    def insert(stage: str, payload: dict) -> None:
        nonlocal previous
        values = row(stage, payload, previous)
        if previous is not None:
            previous = hashlib.sha256("\0".join(values).encode()).hexdigest()
        connection.execute(INSERT, values)
    return measure.timed_appends(insert, count)


def append_batches(count: int, size: int) -> float:
    """`size` records a transaction, in one pipeline."""
    connection = connect()
    batch: list[tuple] = []

    def insert(stage: str, payload: dict) -> None:
        batch.append(row(stage, payload, None))
        if len(batch) == size:
            with connection.transaction():
                connection.cursor().executemany(INSERT, batch)
            batch.clear()
    return measure.timed_appends(insert, count)


def prepare(count: int, _folder: Path) -> float:
    """Not a measurement: makes the table that the reading workloads need."""
    connection = connect()
    with connection.cursor().copy(f"copy {COLUMNS} from stdin") as copy:
        for event in events(count):
            copy.write_row(row(*event, None))
    connection.execute("create index by_stage on plain_record (stage, number)")
    connection.execute("vacuum analyze plain_record")
    return 0.0


def select(count: int) -> float:
    connection = connect()

    def rare() -> None:
        hits = connection.execute("select record_id, stage, timestamp, payload from plain_record"
                                  " where stage = %s order by number", (RARE_STAGE,)).fetchall()
        measure.expect(len(hits), rare_events(count))
    return measure.timed(rare)


def summary(count: int) -> float:
    connection = connect()

    def stages() -> None:
        found = connection.execute("select stage, count(*) from plain_record group by stage")
        measure.expect(dict(found.fetchall()).get(RARE_STAGE, 0), rare_events(count))
    return measure.timed(stages)


def open_and_append() -> float:
    (stage, payload), = events(1)
    return measure.timed(lambda: connect().execute(INSERT, row(stage, payload, None)))


if __name__ == "__main__":
    measure.main({
        "append": lambda count, folder: append(count, chained=False),
        "append_chain": lambda count, folder: append(count, chained=True),
        "append_1000_a_sync": lambda count, folder: append_batches(count, 1000),
        "prepare": prepare,
        "select_indexed": lambda count, folder: select(count),
        "summary_indexed": lambda count, folder: summary(count),
        "open_and_append": lambda count, folder: open_and_append(),
    })
