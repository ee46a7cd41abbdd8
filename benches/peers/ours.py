"""This release, as a training script uses it, over the store that QUARK_TRACE_BENCH_STORE names."""

import time

STARTED = time.perf_counter()
from quark_trace import Project, copy_projects, open_backend  # noqa: E402

IMPORTED_S = time.perf_counter() - STARTED

import os  # noqa: E402
from pathlib import Path  # noqa: E402

import measure  # noqa: E402
from events import COMMON_STAGE, PROJECT, RARE_STAGE, events, rare_events  # noqa: E402

FACT_SHEET = Path(__file__).with_name("fact_sheet.yaml")


def url(folder: Path) -> str:
    """A store in the folder, or the database that the runner made for it."""
    return {"file": str(folder), "sqlite": f"sqlite:{folder / 'trace.db'}",
            "postgres": os.environ.get("QUARK_TRACE_BENCH_POSTGRES", ""),
            }[os.environ.get("QUARK_TRACE_BENCH_STORE", "file")]


def project(folder: Path, durability: str = "os") -> Project:
    return Project.open(str(FACT_SHEET), open_backend(url(folder), durability=durability))


def resumed(folder: Path) -> Project:
    return Project.resume(PROJECT, open_backend(url(folder)))


def append(folder: Path, count: int, durability: str) -> float:
    with project(folder, durability) as log:
        log.log("experiment_start")
        return measure.timed_appends(lambda stage, payload: log.log(stage, **payload), count)


def append_onto(count: int, folder: Path) -> float:
    """A fixed number of records onto a log of `count`, given as if there had been `count`."""
    appended = 20_000
    with resumed(folder) as log:
        log.log("experiment_start")
        seconds = measure.timed_appends(lambda stage, payload: log.log(stage, **payload), appended)
    return seconds / appended * count


def append_and_flush(folder: Path, count: int, size: int) -> float:
    """`flush` once every `size` records: they are on the disk then."""
    with project(folder, "buffered") as log:
        written = 0

        def line(stage: str, payload: dict) -> None:
            nonlocal written
            log.log(stage, **payload)
            written += 1
            if written % size == 0:
                log.flush()
        return measure.timed_appends(line, count)


def prepare(count: int, folder: Path) -> float:
    """Not a measurement: makes the log that the reading workloads share; a database gets a copy of
    that in the folder."""
    if url(folder) != str(folder):
        copy_projects(str(folder), url(folder))
        return 0.0
    with project(folder, "buffered") as log:
        for stage, payload in events(count):
            log.log(stage, **payload)
    return 0.0


def open_and_append(count: int, folder: Path) -> float:
    return measure.timed(lambda: resumed(folder).log(COMMON_STAGE, round=1))


def history(count: int, folder: Path) -> float:
    return measure.timed(lambda: measure.expect(len(resumed(folder).history()), count))


def payloads(count: int, folder: Path) -> float:
    def all_dicts() -> None:
        dicts = [dict(record.payload) for record in resumed(folder).history()]
        measure.expect(len(dicts), count)
    return measure.timed(all_dicts)


def select(count: int, folder: Path) -> float:
    def rare() -> None:
        hits = list(resumed(folder).query(stage=RARE_STAGE))
        measure.expect(len(hits), rare_events(count))
    return measure.timed(rare)


def columns(count: int, folder: Path) -> float:
    return measure.timed(
        lambda: measure.expect(resumed(folder).query().to_arrow().num_rows, count))


def frame(count: int, folder: Path) -> float:
    return measure.timed(lambda: measure.expect(len(resumed(folder).query().to_polars()), count))


def summary(count: int, folder: Path) -> float:
    return measure.timed(lambda: check_summary(resumed(folder), count))


def summary_kept(count: int, folder: Path) -> float:
    log = resumed(folder)
    check_summary(log, count)
    return measure.timed(lambda: check_summary(log, count))


def check_summary(log: Project, count: int) -> None:
    found = log.summary()["stages_recorded"]
    measure.expect(found.get(RARE_STAGE, 0), rare_events(count))


def verify(count: int, folder: Path) -> float:
    return measure.timed(lambda: check_verdict(resumed(folder)))


def check_verdict(log: Project) -> None:
    measure.expect(log.verify()["verdict"], "verified")


if __name__ == "__main__":
    measure.main({
        "append_os": lambda count, folder: append(folder, count, "os"),
        "append_buffered": lambda count, folder: append(folder, count, "buffered"),
        "append_sync": lambda count, folder: append(folder, count, "sync"),
        "append_onto": append_onto,
        "append_100_a_sync": lambda count, folder: append_and_flush(folder, count, 100),
        "append_1000_a_sync": lambda count, folder: append_and_flush(folder, count, 1000),
        "prepare": prepare, "open_and_append": open_and_append, "history": history,
        "payloads": payloads, "columns": columns, "frame": frame, "select": select,
        "summary": summary, "summary_kept": summary_kept, "verify": verify,
        "import_package": lambda count, folder: IMPORTED_S,
    })
