"""Bad places: full disks, folders that may not be written, links, FIFOs and files in the way, and a
process that holds the lock and is stopped. Everyone gets a typed error, nobody hangs."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from writers import PROGRAM, Fault, Told, Writer, check, compare

WORKLOAD = ["5", "6", "os,sync"]
NOBODY = 65534
# Ten seconds of patience, and some for a busy machine.
BUSY_LIMIT_S = 30


class Forbidden(Exception):
    """This machine does not let us."""


def append(data: Path, keys: Path, *, as_nobody: bool = False,
           workload: list[str] = WORKLOAD) -> tuple[subprocess.CompletedProcess, Told]:
    """One writer in the foreground; it must end by itself and without a panic."""
    command = [PROGRAM, "append", str(data), str(keys), *workload]
    if as_nobody and os.geteuid() == 0:
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise Fault("it hangs") from None
    if "panicked" in run.stderr or run.returncode not in (0, 4):
        raise Fault(f"it ended with {run.returncode}: {run.stderr[-300:]}")
    told = Told()
    for line in run.stdout.splitlines():
        told.take(line)
    return run, told


def refused(data: Path, keys: Path, kind: str, *, as_nobody: bool = False) -> None:
    run, told = append(data, keys, as_nobody=as_nobody)
    if told.acknowledged or not told.errors:
        raise Fault(f"something was acknowledged: {run.stdout[-200:]}")
    words = told.errors[0].split()
    if words[1] != kind or words[2] != "not_written":
        raise Fault(f"expected {kind} and not_written, got: {told.errors[0]}")


def filled(data: Path, keys: Path) -> list[str]:
    """A sound log; gives its record ids."""
    run, told = append(data, keys)
    if run.returncode != 0:
        raise Fault(f"a sound folder is refused: {run.stderr}")
    return list(told.acknowledged)


def full_disk(folder: Path, keys: Path) -> None:
    """Real ENOSPC, with writes that go through in part; once there is room again all goes on."""
    place = folder / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        raise Forbidden(f"no tmpfs: {mounted.stderr.strip()}")
    try:
        ballast = place / "ballast"
        ballast.write_bytes(b"x" * 600_000)
        workload = ["8", "2000", "os,sync"]
        run, told = append(place / "data", keys, workload=workload)
        if run.returncode != 4 or told.errors[0].split()[1:3] != ["StorageFull", "not_written"]:
            raise Fault(f"a full disk: {told.errors} {run.stderr}")
        ballast.unlink()
        again, more = append(place / "data", keys, workload=["8", "600", "os,sync"])
        if again.returncode != 0:
            raise Fault(f"with room again: {more.errors}")
        told.tried += more.tried
        told.acknowledged |= more.acknowledged
        compare(told, check(place / "data", keys))
    finally:
        subprocess.run(["umount", str(place)], check=True)


def read_only_folder(folder: Path, keys: Path) -> None:
    shared = folder / "shared"
    shared.mkdir(mode=0o755)
    shutil.copytree(keys, folder / "their-keys")
    for path in [folder, folder / "their-keys", *(folder / "their-keys").iterdir()]:
        path.chmod(0o777)
    refused(shared / "data", folder / "their-keys", "PermissionDenied", as_nobody=True)


def unreadable_files(folder: Path, keys: Path) -> None:
    data = folder / "data"
    shutil.copytree(keys, folder / "their-keys")
    filled(data, keys)
    for path in [folder, data, data / "demo.qtlog", folder / "their-keys",
                 *(folder / "their-keys").iterdir()]:
        path.chmod(0o777)
    refused(data, folder / "their-keys", "PermissionDenied", as_nobody=True)


def links(folder: Path, keys: Path) -> None:
    for name in ("demo_trace_log.jsonl", "demo.qtlog/ledger", "demo.qtlog/checkpoint",
                 "demo.qtlog/batch", "demo.qtlog"):
        data = folder / f"data-{name.replace('/', '-')}"
        filled(data, keys)
        moved = folder / f"moved-{name.replace('/', '-')}"
        (data / name).rename(moved)
        (data / name).symlink_to(moved)
        refused(data, keys, "Io")
    dangling = folder / "dangling"
    dangling.mkdir()
    (dangling / "demo_trace_log.jsonl").symlink_to(folder / "nowhere")
    refused(dangling, keys, "Io")


def fifos(folder: Path, keys: Path) -> None:
    for name in ("demo_trace_log.jsonl", "demo_fact_sheet.json", "demo.qtlog/ledger",
                 "demo.qtlog/checkpoint", "demo.qtlog/state", "demo.qtlog/lock",
                 "demo.qtlog/batch"):
        data = folder / f"data-{name.replace('/', '-')}"
        filled(data, keys)
        (data / name).unlink(missing_ok=True)
        os.mkfifo(data / name)
        refused(data, keys, "Io")


def files_for_folders(folder: Path, keys: Path) -> None:
    (folder / "data").write_text("not a folder")
    refused(folder / "data", keys, "Io")
    refused(folder / "data" / "below", keys, "Io")
    data = folder / "other"
    data.mkdir()
    (data / "demo.qtlog").write_text("not a folder")
    refused(data, keys, "Io")
    for name in ("demo_trace_log.jsonl", "demo.qtlog/ledger"):
        data = folder / f"data-{name.replace('/', '-')}"
        (data / name).mkdir(parents=True)
        refused(data, keys, "Io")


def stopped_holder(folder: Path, keys: Path) -> None:
    """A process stopped while it holds the lock: the others are told, and go on once it is gone."""
    data, told, lock = folder / "data", Told(), threading.Lock()
    holder = Writer(told, lock, [str(data), str(keys), "1", "50", "os,hold"])
    deadline = time.monotonic() + 10
    while not told.acknowledged and time.monotonic() < deadline:
        time.sleep(0.01)
    started = time.monotonic()
    run, other = append(data, keys)
    waited = time.monotonic() - started
    if waited > BUSY_LIMIT_S or not other.errors:
        raise Fault(f"waited {waited:.0f} s for a stopped process: {run.stdout[-200:]}")
    if other.errors[0].split()[1:3] != ["Busy", "not_written"]:
        raise Fault(f"expected Busy: {other.errors[0]}")
    os.kill(holder.process.pid, signal.SIGKILL)
    holder.end()
    run, more = append(data, keys)
    if run.returncode != 0:
        raise Fault(f"after the holder is gone: {more.errors}")
    told.tried += more.tried
    told.acknowledged |= more.acknowledged
    compare(told, check(data, keys))


def many_small_appends(folder: Path, keys: Path) -> None:
    """Eight processes side by side: every record once, none mixed with another."""
    told, lock = Told(), threading.Lock()
    data = folder / "data"
    writers = [Writer(told, lock, [str(data), str(keys), str(seed), "400", "os"])
               for seed in range(8)]
    words = [writer.end() for writer in writers]
    if told.errors or any(words):
        raise Fault(f"{told.errors[:3]} {words}")
    checked = check(data, keys)
    compare(told, checked)
    if set(checked.ids) != {one for batch in told.tried for one in batch}:
        raise Fault("not all records are there")


CASES = [full_disk, read_only_folder, unreadable_files, links, fifos, files_for_folders,
         stopped_holder, many_small_appends]


def run(name: str) -> str:
    """Plays one case; gives its closing line."""
    case = next(case for case in CASES if case.__name__ == name)
    folder = Path(tempfile.mkdtemp(prefix="quark-places-"))
    started = time.monotonic()
    try:
        filled(folder / "first", folder / "keys")
        case(folder, folder / "keys")
    except Fault as fault:
        raise Fault(f"{name.replace('_', ' ')}, in {folder}: {fault}") from None
    shutil.rmtree(folder)
    return f"{name.replace('_', ' ')}: {time.monotonic() - started:.1f} s"
