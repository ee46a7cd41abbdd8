"""quark-trace 0.1.0, the release that ours replaces. Runs in its own environment."""

import time

STARTED = time.perf_counter()
from quark_trace import JsonBackend  # noqa: E402

IMPORTED_S = time.perf_counter() - STARTED

from importlib.metadata import version  # noqa: E402
from pathlib import Path  # noqa: E402

import measure  # noqa: E402
from events import (  # noqa: E402
    COMMON_STAGE,
    FEW_EXAMPLES,
    PROJECT,
    RARE_STAGE,
    few_examples,
    rare_events,
)
from quark_trace.trace.trace_log import TraceLog  # noqa: E402

measure.expect(version("quark-trace"), "0.1.0")


def trace_log(folder: Path) -> TraceLog:
    return TraceLog(PROJECT, JsonBackend(str(folder)))


def append(count: int, folder: Path) -> float:
    log = trace_log(folder / "seed")
    return measure.timed_appends(lambda stage, payload: log.log(stage, **payload), count)


def open_and_append(count: int, folder: Path) -> float:
    return measure.timed(lambda: trace_log(folder).log(COMMON_STAGE, round=1))


def payloads(count: int, folder: Path) -> float:
    """Its records hold dicts already."""
    return history(count, folder)


def history(count: int, folder: Path) -> float:
    return measure.timed(lambda: measure.expect(len(trace_log(folder).load_all()), count))


def select(count: int, folder: Path) -> float:
    def rare() -> None:
        hits = [r for r in trace_log(folder).load_all() if r.stage == RARE_STAGE]
        measure.expect(len(hits), rare_events(count))
    return measure.timed(rare)


def filtered(count: int, folder: Path) -> float:
    def few() -> None:
        hits = [r for r in trace_log(folder).load_all()
                if r.payload["num_examples"] < FEW_EXAMPLES]
        measure.expect(len(hits), few_examples(count))
    return measure.timed(few)


def summary(count: int, folder: Path) -> float:
    def stages() -> None:
        counts: dict[str, int] = {}
        for record in trace_log(folder).load_all():
            counts[record.stage] = counts.get(record.stage, 0) + 1
        measure.expect(counts.get(RARE_STAGE, 0), rare_events(count))
    return measure.timed(stages)


if __name__ == "__main__":
    measure.main({"append": append, "open_and_append": open_and_append, "history": history,
                  "payloads": payloads, "select": select, "filter": filtered, "summary": summary,
                  "import_package": lambda count, folder: IMPORTED_S})
