"""DuckDB over the same JSONL file: the fastest way to query a log without a library of its own."""

from pathlib import Path

import duckdb
import measure
from events import PROJECT, RARE_STAGE, rare_events

COLUMNS = ("{record_id: 'VARCHAR', project_id: 'VARCHAR', stage: 'VARCHAR', timestamp: 'VARCHAR',"
           " payload: 'JSON'}")


def records(folder: Path) -> str:
    path = folder / f"{PROJECT}_trace_log.jsonl"
    return f"read_json('{path}', format = 'newline_delimited', columns = {COLUMNS})"


def select(count: int, folder: Path) -> float:
    query = f"select * from {records(folder)} where stage = '{RARE_STAGE}'"
    return measure.timed(lambda: measure.expect(len(duckdb.sql(query).fetchall()),
                                                rare_events(count)))


def summary(count: int, folder: Path) -> float:
    query = f"select stage, count(*) from {records(folder)} group by stage"
    return measure.timed(lambda: measure.expect(
        dict(duckdb.sql(query).fetchall()).get(RARE_STAGE, 0), rare_events(count)))


if __name__ == "__main__":
    measure.main({"select": select, "summary": summary})
