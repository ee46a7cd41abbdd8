"""Measures ours and its peers, interleaved, each in a process of its own, and prints ratios.

    python benches/run.py                 the full run: logs of 10^3, 10^5 and 10^6 records
    python benches/run.py --quick         the same with small logs, in about a minute
    python benches/run.py --only verify   the rows whose title holds this text

`make bench` sets up what this needs. Results are kept in target/bench/results.json.
"""

import argparse
import importlib.util
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

from postgres_server import PostgresServer
from report import print_machine, print_missed, print_row
from rows import FDATASYNC, ROWS, STORES, Candidate, Row

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
TARGET = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")
FOLDER = TARGET / "bench"
FULL_SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 20_000)
GROWING = ("ours.py", "seed.py")
SERVER = PostgresServer()
# Peers that may be missing, and whether they are there.
INSTALLED = {
    "jq_reader.py": lambda: shutil.which("jq") is not None,
    "http_fastapi.py": lambda: importlib.util.find_spec("fastapi") is not None,
    "polars_reader.py": lambda: importlib.util.find_spec("polars") is not None,
}


def main() -> None:
    options = parse_options()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    # So that a run that is stopped stops its server, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run.py: stopped"))
    try:
        run_rows(options)
    finally:
        SERVER.stop()


def run_rows(options: argparse.Namespace) -> None:
    sizes = options.sizes or (QUICK_SIZES if options.quick else FULL_SIZES)
    wanted = [text.lower() for text in options.only] or [""]
    rows = [row for row in ROWS if any(text in row.title.lower() for text in wanted)]
    for program, installed in INSTALLED.items():
        if not installed():
            print(f"run.py: {program} is LEFT OUT: what it runs is not installed", file=sys.stderr)
            rows = [row.without(program) for row in rows]
    if any(candidate.needs_postgres for row in rows for candidate in row.candidates):
        SERVER.start()
    if SERVER.absent:
        rows = list(filter(None, (row.without_postgres() for row in rows)))
    if shutil.which("wrk") is None:
        print("run.py: rows of 16 connections are LEFT OUT: wrk is not installed", file=sys.stderr)
        rows = [row for row in rows if not any(each.workload == "from_many" for each in row.candidates)]
    if any(row.count is None for row in rows):
        for size in sizes:
            make_logs(size)
    machine = describe_machine()
    print_machine(machine)
    results = []
    for row in rows:
        for size in [row.count] if row.count is not None else sizes:
            results.append(measure(row, size, options.quick))
            print_row(results[-1])
    print_missed(results)
    keep(machine, results)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed beside 0.1.0 and other logs, as ratios.")
    parser.add_argument("--quick", action="store_true", help="small logs, three runs of each")
    parser.add_argument("--only", default=[], nargs="+", metavar="TEXT",
                        help="rows whose title holds one of these texts")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="logs of these sizes")
    return parser.parse_args()


def make_logs(size: int) -> None:
    """The log that the reading workloads share, and copies for those that add to it."""
    print(f"making a log of {size:,} records", file=sys.stderr)
    log = log_folder(size)
    log.mkdir()
    made = [Candidate("", "ours.py", "prepare", store) for store in STORES]
    made += [Candidate("", program, "prepare") for program in ("sqlite_log.py", "postgres_log.py")]
    for candidate in made:
        if candidate.needs_postgres and SERVER.absent:
            continue
        if candidate.store != "file":
            # Copies are of one key with their original, so that they are signed, too.
            shutil.copytree(key_folder(log, "file"), key_folder(log, candidate.store))
        if candidate.store == "postgres":
            SERVER.create_database(log.name)
        run(candidate, size, log)
    for program in GROWING:
        growing = growing_folder(size, program)
        shutil.copytree(log, growing)
        for store in STORES:
            keys = key_folder(log, store)
            if keys.exists():
                shutil.copytree(keys, key_folder(growing, store))
        if not SERVER.absent:
            SERVER.create_database(growing.name, template=log.name)


def log_folder(size: int) -> Path:
    return FOLDER / f"log-{size}"


def growing_folder(size: int, program: str) -> Path:
    return FOLDER / f"growing-{size}-{Path(program).stem}"


def key_folder(folder: Path, store: str) -> Path:
    """Where the signing key of a log is; logs of one name under one key contradict each other."""
    return folder.with_name(f"keys-{folder.name}-{store}")


def measure(row: Row, size: int, quick: bool) -> dict:
    """Runs every candidate of a row in turn, several times, and takes medians."""
    repeats = 3 if quick or size >= 1_000_000 else 5
    runs: dict[Candidate, list[dict]] = {candidate: [] for candidate in row.candidates}
    for _ in range(repeats):
        for candidate, done in runs.items():
            done.append(run(candidate, size, folder_for(candidate, row, size)))
    aimed_at = size in (row.count, FULL_SIZES[-1])
    target = row.target if aimed_at else None
    if row.times is not None:
        other = next((each for each in runs if each.name == row.times[1]), None)
        target = row.times[0] * median_figure(row, runs[other]) if other else None
    return {
        "title": row.title, "unit": row.unit, "size": size, "target": target,
        "target_mib": row.target_mib if aimed_at else None,
        "candidates": [{
            "name": candidate.name,
            "median": median_figure(row, done),
            "runs": [figure(row, result) for result in done],
            "peak_mib": statistics.median(result["peak_mib"] for result in done),
            "notes": [note for result in done for note in result.get("notes", [])],
        } for candidate, done in runs.items()],
    }


def figure(row: Row, result: dict) -> float:
    per = result["count"] if row.unit == "us" else 1
    return result["seconds"] / per * {"us": 1e6, "ms": 1e3, "s": 1.0}[row.unit]


def median_figure(row: Row, done: list[dict]) -> float:
    return statistics.median(figure(row, result) for result in done)


def folder_for(candidate: Candidate, row: Row, size: int) -> Path:
    """The shared log, or an empty folder for a workload that writes."""
    if row.count is None:
        grows = candidate.program in GROWING and "append" in candidate.workload
        return growing_folder(size, candidate.program) if grows else log_folder(size)
    scratch = FOLDER / "scratch"
    for left in (scratch, *(key_folder(scratch, store) for store in STORES)):
        shutil.rmtree(left, ignore_errors=True)
    scratch.mkdir()
    if candidate.needs_postgres:
        SERVER.create_database(scratch.name)
    return scratch


def run(candidate: Candidate, count: int, folder: Path) -> dict:
    """One run in one process; a candidate that fails ends the benchmark."""
    environment = {"QUARK_TRACE_KEYS": str(key_folder(folder, candidate.store)),
                   "QUARK_TRACE_BENCH_STORE": candidate.store}
    if candidate.needs_postgres:
        environment["QUARK_TRACE_BENCH_POSTGRES"] = SERVER.url(folder.name)
    done = subprocess.run([*command(candidate.program), candidate.workload, str(count), folder],
                          env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"run.py: {candidate.program} {candidate.workload} {count} failed:\n"
                 f"{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def command(program: str) -> list[str]:
    if program == "rust":
        return [rust_program()]
    python = REPOSITORY / ".venv-seed/bin/python" if program == "seed.py" else sys.executable
    return [str(python), str(HERE / "peers" / program)]


@cache
def rust_program() -> str:
    """Builds crates/quark-trace/benches/ledger.rs; returns where cargo put it."""
    done = subprocess.run(["cargo", "bench", "--locked", "--no-run", "--quiet", "-p", "quark-trace",
                           "--features", "postgres", "--bench", "ledger",
                           "--message-format", "json"],
                          cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    artifacts = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return next(artifact["executable"] for artifact in artifacts if artifact.get("executable"))


def describe_machine() -> dict:
    scratch = FOLDER / "scratch"
    scratch.mkdir(exist_ok=True)
    syncs = [run(FDATASYNC, 500, scratch)["seconds"] / 500 * 1e6 for _ in range(5)]
    return {"system": platform.platform(), "processor": processor(), "cores": os.cpu_count(),
            "python": platform.python_version(), "load": os.getloadavg()[0],
            "fdatasync_us": statistics.median(syncs)}


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "?")


def keep(machine: dict, results: list[dict]) -> None:
    path = FOLDER / "results.json"
    path.write_text(json.dumps({"machine": machine, "rows": results}, indent=1), "utf-8")
    for left in FOLDER.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
    print(f"\nall runs: {path}")


if __name__ == "__main__":
    main()
