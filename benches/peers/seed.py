"""quark-trace 0.1.0, the release that ours replaces. Runs in its own environment."""

import itertools
from importlib.metadata import version
from pathlib import Path

import measure
from events import PROJECT, RARE_STAGE, events, rare_events
from quark_trace.trace.backends.json_backend import JsonBackend
from quark_trace.trace.trace_log import TraceLog

measure.expect(version("quark-trace"), "0.1.0")


def trace_log(folder: Path) -> TraceLog:
    return TraceLog(PROJECT, JsonBackend(str(folder)))


def append(count: int, folder: Path) -> float:
    log = trace_log(folder / "seed")
    return measure.timed_appends(lambda stage, payload: log.log(stage, **payload), count)


def open_and_append(count: int, folder: Path) -> float:
    (stage, payload), = itertools.islice(events(1), 1)
    return measure.timed(lambda: trace_log(folder).log(stage, **payload))


def history(count: int, folder: Path) -> float:
    return measure.timed(lambda: measure.expect(len(trace_log(folder).load_all()), count))


def select(count: int, folder: Path) -> float:
    def rare() -> None:
        hits = [r for r in trace_log(folder).load_all() if r.stage == RARE_STAGE]
        measure.expect(len(hits), rare_events(count))
    return measure.timed(rare)


def summary(count: int, folder: Path) -> float:
    def stages() -> None:
        counts: dict[str, int] = {}
        for record in trace_log(folder).load_all():
            counts[record.stage] = counts.get(record.stage, 0) + 1
        measure.expect(counts.get(RARE_STAGE, 0), rare_events(count))
    return measure.timed(stages)


if __name__ == "__main__":
    measure.main({"append": append, "open_and_append": open_and_append, "history": history,
                  "payloads": history, "select": select, "summary": summary})
