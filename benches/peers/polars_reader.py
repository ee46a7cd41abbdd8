"""polars over the same JSONL file, its columns typed beforehand."""

from pathlib import Path

import measure
import polars
from events import FEW_EXAMPLES, PROJECT, RARE_STAGE, few_examples, rare_events

SCHEMA = {
    "record_id": polars.String, "project_id": polars.String, "stage": polars.String,
    "timestamp": polars.String,
    "payload": polars.Struct({"round": polars.Int64, "client_id": polars.String,
                              "loss": polars.Float64, "accuracy": polars.Float64,
                              "num_examples": polars.Int64}),
}


def found(folder: Path, condition: polars.Expr) -> int:
    lines = polars.scan_ndjson(folder / f"{PROJECT}_trace_log.jsonl", schema=SCHEMA)
    return lines.filter(condition).collect().height


def select(count: int, folder: Path) -> float:
    return measure.timed(lambda: measure.expect(
        found(folder, polars.col("stage") == RARE_STAGE), rare_events(count)))


def filtered(count: int, folder: Path) -> float:
    few = polars.col("payload").struct.field("num_examples") < FEW_EXAMPLES
    return measure.timed(lambda: measure.expect(found(folder, few), few_examples(count)))


def summary(count: int, folder: Path) -> float:
    def stages() -> None:
        lines = polars.scan_ndjson(folder / f"{PROJECT}_trace_log.jsonl", schema=SCHEMA)
        counted = lines.group_by("stage").len().collect()
        measure.expect(dict(counted.iter_rows()).get(RARE_STAGE, 0), rare_events(count))
    return measure.timed(stages)


def frame(count: int, folder: Path) -> float:
    def flat() -> None:
        lines = polars.scan_ndjson(folder / f"{PROJECT}_trace_log.jsonl", schema=SCHEMA)
        times = polars.col("timestamp").str.to_datetime(time_zone="UTC")
        measure.expect(len(lines.unnest("payload").with_columns(times).collect()), count)
    return measure.timed(flat)


if __name__ == "__main__":
    measure.main({"select": select, "filter": filtered, "summary": summary,
                  "frame": frame})
