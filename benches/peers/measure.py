"""The frame of a candidate: runs one workload in this process and prints what it took, as JSON.

    python ours.py append_os 20000 FOLDER

FOLDER holds the log that the reading workloads share, and is where the others write.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from events import events

Workload = Callable[[int, Path], float]

# What a workload found out beside its seconds.
NOTES: list[str] = []


def main(workloads: dict[str, Workload]) -> None:
    """`seconds` is what the workload says; `peak_mib` is the whole process."""
    name, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    before_kib = peak_kib()
    seconds = workloads[name](count, folder)
    print(json.dumps({"seconds": seconds, "count": count, "peak_mib": peak_kib() / 1024,
                      "before_mib": before_kib / 1024, "notes": NOTES}))


def peak_kib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def timed(operation: Callable[[], object]) -> float:
    started = time.perf_counter()
    operation()
    return time.perf_counter() - started


def timed_appends(append: Callable[[str, dict], object], count: int) -> float:
    """The seconds that `append` takes for all events, without the making of the events."""
    prepared: Iterable[tuple[str, dict]] = list(events(count))
    started = time.perf_counter()
    for stage, payload in prepared:
        append(stage, payload)
    return time.perf_counter() - started


def expect(found: object, wanted: object) -> None:
    """A benchmark of a wrong answer is worth nothing."""
    if found != wanted:
        raise SystemExit(f"{sys.argv[0]}: found {found!r}, expected {wanted!r}")
