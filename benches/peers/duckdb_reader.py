"""DuckDB over the same JSONL file: the fastest way to query a log without a library of its own."""

from pathlib import Path

import duckdb
import measure
from events import FEW_EXAMPLES, PROJECT, RARE_STAGE, few_examples, rare_events

COLUMNS = ("{record_id: 'VARCHAR', project_id: 'VARCHAR', stage: 'VARCHAR', timestamp: 'VARCHAR',"
           " payload: 'JSON'}")


def records(folder: Path) -> str:
    path = folder / f"{PROJECT}_trace_log.jsonl"
    return f"read_json('{path}', format = 'newline_delimited', columns = {COLUMNS})"


def select(count: int, folder: Path) -> float:
    query = f"select * from {records(folder)} where stage = '{RARE_STAGE}'"
    return measure.timed(lambda: measure.expect(len(duckdb.sql(query).fetchall()),
                                                rare_events(count)))


def filtered(count: int, folder: Path) -> float:
    query = (f"select * from {records(folder)}"
             f" where cast(payload ->> 'num_examples' as double) < {FEW_EXAMPLES}")
    return measure.timed(lambda: measure.expect(len(duckdb.sql(query).fetchall()),
                                                few_examples(count)))


def summary(count: int, folder: Path) -> float:
    query = f"select stage, count(*) from {records(folder)} group by stage"
    return measure.timed(lambda: measure.expect(
        dict(duckdb.sql(query).fetchall()).get(RARE_STAGE, 0), rare_events(count)))


if __name__ == "__main__":
    measure.main({"select": select, "filter": filtered, "summary": summary})
