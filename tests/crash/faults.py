"""A fault at every write, flush, rename, open, truncation and lock of an append, and at pairs of
them where the second hits what is done about the first.

strace makes the system call fail. After each case the same appends are tried again without faults:
every record must be there exactly once, and the log must verify.
"""

import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from writers import PROGRAM, Fault, Told, check, compare

WORKLOAD = ["1", "7", "os,sync,sheet,retry"]
ERRORS = {
    "write": ["ENOSPC", "EIO", "EINTR", "EDQUOT"],
    "fsync": ["EIO", "ENOSPC"],
    "fdatasync": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC"],
    "openat": ["EMFILE", "EACCES", "EINTR"],
    "mkdir": ["ENOSPC"],
    "flock": ["ENOLCK", "EINTR"],
    "lseek": ["EIO"],
    "ftruncate": [],
}
TRACED = ",".join([*ERRORS, "writev"])
CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
OUTCOMES = ("not_written", "unknown")


@dataclass(frozen=True)
class Case:
    """Which calls fail: injections as strace has them, and paths they are limited to."""

    injections: tuple[str, ...]
    record_writes_only: bool = False

    def __str__(self) -> str:
        return " and ".join(self.injections)


def run(pairs: bool = True) -> list[str]:
    """Every case; gives a closing line a kind, or raises with the case that failed."""
    with tempfile.TemporaryDirectory(prefix="quark-faults-") as folder:
        keys = Path(folder) / "keys"
        calls = calls_of_workload(Path(folder), keys)
        lines = [play("a fault at every call", singles(calls), Path(folder), keys)]
        if pairs:
            lines.append(play("a second fault in what follows", doubles(calls), Path(folder), keys))
    return lines


def calls_of_workload(folder: Path, keys: Path) -> list[tuple[str, int]]:
    """The calls of the writing thread after its start: name, and which of that name it is."""
    subprocess.run([PROGRAM, "append", str(folder / "first"), str(keys), *WORKLOAD], check=True,
                   capture_output=True)
    trace = folder / "trace"
    subprocess.run(["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={TRACED}", PROGRAM,
                    "append", str(folder / "traced"), str(keys), *WORKLOAD], check=True,
                   capture_output=True)
    calls, counts, thread, begun = [], {}, None, False
    for line in trace.read_text(errors="replace").splitlines():
        match = CALL.match(line)
        if not match or (thread := thread or match["thread"]) != match["thread"]:
            continue
        name = match["name"]
        counts[name] = counts.get(name, 0) + 1
        if begun and name in ERRORS:
            calls.append((name, counts[name]))
        begun = begun or (name == "writev" and "ready" in match["rest"])
    if len(calls) < 100:
        raise Fault(f"only {len(calls)} calls were traced; does strace work here?")
    return calls


def singles(calls: list[tuple[str, int]]) -> list[Case]:
    cases = [Case((f"{name}:error={error}:when={at}",))
             for name, at in calls for error in ERRORS[name]]
    # A call that fails from then on, as on a full or broken disk.
    cases += [Case((f"{name}:error=EIO:when={at}+",)) for name, at in calls
              if name in ("write", "fdatasync")]
    # The system says that it wrote one byte, and did not.
    cases += [Case((f"write:retval=1:when={at}",), record_writes_only=True) for at in range(1, 9)]
    return cases


def doubles(calls: list[tuple[str, int]]) -> list[Case]:
    """For each failing write, every one of the next calls of each kind fails too."""
    cases = []
    for place, (name, at) in enumerate(calls):
        if name not in ("write", "fdatasync", "rename"):
            continue
        first = f"{name}:error={'EIO' if name == 'fdatasync' else 'ENOSPC'}:when={at}"
        before = {kind: sum(1 for known, _ in calls[:place + 1] if known == kind)
                  + min((n for known, n in calls if known == kind), default=1) - 1
                  for kind in ERRORS}
        cases += [Case((first, f"ftruncate:error=EIO:when={n}")) for n in (1, 2)]
        cases += [Case((first, f"ftruncate:error=EIO:when={n}", f"openat:error=EMFILE:when={o}"))
                  for n, o in ((1, before["openat"] + 1), (1, before["openat"] + 4))]
        cases += [Case((first, f"openat:error=EMFILE:when={before['openat'] + n}"))
                  for n in range(1, 13)]
        for kind, steps in (("lseek", 2), ("flock", 1), ("fsync", 2), ("fdatasync", 2)):
            if kind != name:
                cases += [Case((first, f"{kind}:error=EIO:when={before[kind] + n}"))
                          for n in range(1, steps + 1)]
        if name == "write":
            cases += [Case((f"write:error=ENOSPC:when={at}..{at + n}",)) for n in (1, 2, 3, 9)]
            cases += [Case((f"write:error=ENOSPC:when={at}..{at + n}+{n}",)) for n in (2, 3)]
    return cases


def play(title: str, cases: list[Case], folder: Path, keys: Path) -> str:
    started = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        hits = list(pool.map(lambda case: one_case(case, folder, keys), cases))
    missed = hits.count(0)
    if missed > len(cases) // 4:
        raise Fault(f"{missed} of {len(cases)} faults never happened")
    return (f"{title}: {len(cases)} cases, {sum(hits)} faults happened, 0 acknowledged records "
            f"lost, 0 twice, every error typed, every log verified after one more try, "
            f"{time.monotonic() - started:.0f} s")


def one_case(case: Case, folder: Path, keys: Path) -> int:
    """Plays one case; gives how many faults happened."""
    place = Path(tempfile.mkdtemp(dir=folder))
    data, trace = place / "data", place / "trace"
    limits = ["-P", str(data / "demo_trace_log.jsonl")] if case.record_writes_only else []
    command = ["strace", "-f", "-qq", "-y", "-o", str(trace), "-e", f"trace={TRACED}", *limits]
    for injection in case.injections:
        command += ["-e", f"inject={injection}"]
    try:
        run = subprocess.run([*command, PROGRAM, "append", str(data), str(keys), *WORKLOAD],
                             capture_output=True, text=True, timeout=60)
        told = Told()
        for line in run.stdout.splitlines():
            told.take(line)
        check_answers(run, told)
        lines = trace.read_text(errors="replace").splitlines()
        if not limits:
            check_no_answer_after_failed_flush(lines)
        again = subprocess.run([PROGRAM, "append", str(data), str(keys), *WORKLOAD],
                               capture_output=True, text=True, timeout=60)
        if again.returncode != 0 or "err " in again.stdout:
            raise Fault(f"the next appends fail: {again.stdout[-300:]} {again.stderr}")
        for line in again.stdout.splitlines():
            told.take(line)
        checked = check(data, keys)
        compare(told, checked)
        missing = {one for batch in told.tried for one in batch} - set(checked.ids)
        if missing:
            raise Fault(f"tried again and not there: {sorted(missing)}")
    except (Fault, subprocess.TimeoutExpired) as fault:
        raise Fault(f"{case}: {fault} (in {shutil.copytree(place, tempfile.mkdtemp() + '/case')})"
                    ) from None
    shutil.rmtree(place)
    return sum("(INJECTED)" in line for line in lines)


def check_answers(run: subprocess.CompletedProcess, told: Told) -> None:
    """Every error says what it is and whether the record was written; no panic, no silence."""
    if run.returncode not in (0, 4) or "panicked" in run.stderr:
        raise Fault(f"the writer ended with {run.returncode}: {run.stderr[-500:]}")
    if run.returncode == 4 and not told.errors and "\nend could not" not in run.stdout:
        raise Fault(f"the writer gave up without a word: {run.stderr[-500:]}")
    for error in told.errors:
        # Beginning a project reads first; that read wrote nothing, and says so by having no outcome.
        read = " sheet # could not read the log" in error
        if error.split()[2] not in OUTCOMES and not read:
            raise Fault(f"an error does not say whether it was written: {error}")


def check_no_answer_after_failed_flush(lines: list[str]) -> None:
    """After a flush of records or ledger failed, this handle acknowledges nothing that it did not
    have in hand at that moment (the writer has one thread, so at most one record), and does not
    flush these files again."""
    failed = False
    in_hand = 1
    for line in lines:
        log = "_trace_log.jsonl>" in line or "/ledger>" in line
        if failed and '"ack ' in line:
            in_hand -= 1
            if in_hand < 0 or " sync " in line:
                raise Fault(f"acknowledged after a failed flush: {line}")
        if failed and log and re.search(r"\bf(data)?sync\(", line) and "resumed" not in line:
            raise Fault(f"flushed again after a failed flush: {line}")
        failed = failed or (log and "(INJECTED)" in line and "sync(" in line)
