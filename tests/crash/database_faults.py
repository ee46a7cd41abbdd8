"""A fault at reads, writes, flushes, opens and locks of appends to an SQLite database.

strace makes the system call fail, once or from then on. Every error says whether the record was
written; the same appends, tried again without faults, are there exactly once, and the log verifies.
"""

import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults import check_answers
from kills import database
from writers import PROGRAM, Fault, Told, check, compare

WORKLOAD = ["1", "7", "os,sync,retry"]
# The call, how it fails, and up to which of that name.
CALLS = [("pwrite64", "ENOSPC", 60), ("pwrite64", "EIO", 60), ("fdatasync", "EIO", 12),
         ("fsync", "EIO", 4), ("pread64", "EIO", 24), ("openat", "EMFILE", 16),
         ("openat", "EACCES", 16), ("fcntl", "ENOLCK", 40), ("ftruncate", "ENOSPC", 4),
         ("unlink", "EIO", 4)]


def run() -> str:
    """Every case; gives the closing line, or raises with the case that failed."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quark-database-faults-") as folder:
        base = Path(folder)
        subprocess.run([PROGRAM, "append", database(base), str(base / "keys"), *WORKLOAD],
                       check=True, capture_output=True)
        cases = [f"{name}:error={error}:when={first}{more}" for name, error, last in CALLS
                 for first in range(1, last + 1) for more in ("", "+")
                 # For good only where a medium may stay broken.
                 if not more or (name in ("pwrite64", "fdatasync") and first % 5 == 1)]
        with ThreadPoolExecutor(3) as pool:
            hits = list(pool.map(lambda case: one_case(case, base), cases))
    if hits.count(0) > len(cases) // 2:
        raise Fault(f"{hits.count(0)} of {len(cases)} faults never happened")
    return (f"faults of a database: {len(cases)} cases, {sum(hits)} faults happened, 0 acknowledged "
            f"records lost, 0 twice, every error typed, every log verified after one more try, "
            f"{time.monotonic() - started:.0f} s")


def one_case(case: str, base: Path) -> int:
    """Plays one case; gives how many faults happened."""
    place = Path(tempfile.mkdtemp(dir=base))
    # Made before: the key has tests of its own.
    keys = base / "keys"
    trace, store = place / "trace", database(place)
    name = case.partition(":")[0]
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={name}", "-e",
               f"inject={case}"]
    for end in ("", "-wal", "-shm", "-journal"):
        command += ["-P", f"{place / 'trace.db'}{end}"]
    try:
        told = Told()
        run = subprocess.run([*command, PROGRAM, "append", store, str(keys), *WORKLOAD],
                             capture_output=True, text=True, timeout=120)
        for line in run.stdout.splitlines():
            told.take(line)
        check_answers(run, told)
        again = subprocess.run([PROGRAM, "append", store, str(keys), *WORKLOAD],
                               capture_output=True, text=True, timeout=120)
        if again.returncode != 0 or "err " in again.stdout:
            raise Fault(f"the next appends fail: {again.stdout[-300:]} {again.stderr}")
        for line in again.stdout.splitlines():
            told.take(line)
        checked = check(store, keys)
        compare(told, checked)
        missing = {one for batch in told.tried for one in batch} - set(checked.ids)
        if missing:
            raise Fault(f"tried again and not there: {sorted(missing)}")
    except (Fault, subprocess.TimeoutExpired) as fault:
        raise Fault(f"{case}: {fault}") from None
    hits = trace.read_text(errors="replace").count("(INJECTED)")
    shutil.rmtree(place)
    return hits
