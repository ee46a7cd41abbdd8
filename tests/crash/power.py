"""Power cuts: an ext4 in a file, shut down by ioctl under live writers, mounted again.

What was not flushed is gone then, as after a real power cut. Nothing that was acknowledged at
`sync` may be lost; of what was acknowledged at `os`, no more than the last 50 ms. A flush that the
disk itself draws out beyond that cannot be hurried: a record that is acknowledged while one is under
way waits for its end and for the next. So strace times every flush, and twice what the slowest one
of a cut took is added to that cut's 50 ms.
"""

import fcntl
import os
import random
import re
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from writers import Checked, Fault, Told, Writer, check, compare

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
WRITERS = 3
WINDOW_MS = 50.0
TIMED = ("strace", "--seccomp-bpf", "-f", "-qq", "-ttt", "-T", "-e", "trace=fdatasync,fsync", "-o")
CALL = re.compile(r"^(?P<thread>\d+) +(?P<at>[\d.]+) (?P<what>.*)$")
TOOK = re.compile(r"<(?P<took>[\d.]+)>$")


class Forbidden(Exception):
    """This machine does not let us mount."""


class Disk:
    """An ext4 in a file."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "disk", folder / "mounted"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(256 << 20)
        self._run("mkfs.ext4", "-q", "-F", str(self.image))
        self.mount()

    @staticmethod
    def _run(*command: str) -> None:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise Forbidden(f"there is no {error.filename}") from None
        except subprocess.CalledProcessError as error:
            raise Forbidden(f"{' '.join(command)}: {error.stderr.strip()}") from None

    def mount(self) -> None:
        self._run("mount", "-o", "loop", str(self.image), str(self.place))

    def unmount(self) -> None:
        for _ in range(50):
            if subprocess.run(["umount", str(self.place)], capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        subprocess.run(["umount", "-l", str(self.place)], check=True)

    def cut(self) -> int:
        """Cuts the power; gives the moment before it, in nanoseconds since 1970."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            moment = time.time_ns()
            fcntl.ioctl(handle, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
            return moment
        finally:
            os.close(handle)


def run(cuts: int, seed: int) -> str:
    """Cuts the power `cuts` times; gives the closing line."""
    if os.geteuid() != 0:
        raise Forbidden("mounting needs root")
    dice, started = random.Random(seed), time.monotonic()
    synced = lost = acknowledged = over = 0
    window, slowest = {True: 0.0, False: 0.0}, 0.0
    for number in range(cuts):
        # Every second cut hits writers that append as fast as they can, more than the disk takes.
        paced = number % 2 == 0
        with tempfile.TemporaryDirectory(prefix="quark-power-") as folder:
            try:
                told, gone, moment = one_cut(Path(folder), dice, paced)
                flush_ms = slowest_flush_ms(Path(folder), moment)
                here = max((moment - told.acknowledged[one][0] for one in gone), default=0) / 1e6
                if here > WINDOW_MS + 2 * flush_ms:
                    raise Fault(f"what was acknowledged {here:.1f} ms before the cut is lost, with "
                                f"a slowest flush of {flush_ms:.1f} ms")
            except Fault as fault:
                raise Fault(f"power cut {number + 1}, seed {seed}: {fault}") from None
        acknowledged += len(told.acknowledged)
        synced += sum(durability == "sync" for _, durability in told.acknowledged.values())
        lost += len(gone)
        over += here > WINDOW_MS
        window[paced], slowest = max(window[paced], here), max(slowest, flush_ms)
    return (f"power cuts: {cuts} cuts of an ext4 under {WRITERS} writers, {acknowledged} records "
            f"acknowledged, {synced} of them at `sync`: 0 of these lost; {lost} of the others lost, "
            f"the oldest {window[True]:.1f} ms before the cut with paced writers, "
            f"{window[False]:.1f} ms with writers that outrun the disk ({WINDOW_MS:.0f} ms and two "
            f"flushes are promised; {over} cuts over {WINDOW_MS:.0f} ms, slowest flush "
            f"{slowest:.1f} ms), every log verified and appended to, seed {seed}, "
            f"{time.monotonic() - started:.0f} s")


def slowest_flush_ms(folder: Path, moment: int) -> float:
    """The longest flush of both files up to the cut, also of one that was under way then."""
    cut, slowest = moment / 1e9, 0.0
    for trace in folder.glob("trace-*"):
        began, took = {}, {}
        for line in trace.read_text(errors="replace").splitlines():
            match = CALL.match(line)
            if not match or not (("sync(" in match["what"]) or "resumed" in match["what"]):
                continue
            thread, at = match["thread"], float(match["at"])
            if "resumed" not in match["what"]:
                # The flush of the second file follows on that of the first.
                before = took.get(thread, 0.0) if at - began.get(thread, (0, 0))[1] < 0.002 else 0.0
                began[thread], took[thread] = (at, at), before
            ended = TOOK.search(match["what"])
            end = min(began[thread][0] + float(ended["took"]) if ended else cut, cut)
            total = took[thread] + max(end - began[thread][0], 0.0)
            if ended:
                began[thread], took[thread] = (began[thread][0], end), total
            slowest = max(slowest, total if began[thread][0] < cut else 0.0)
    return slowest * 1e3


def one_cut(folder: Path, dice: random.Random, paced: bool) -> tuple[Told, set[str], int]:
    disk = Disk(folder)
    data, keys = disk.place / "data", folder / "keys"
    told, lock = Told(), threading.Lock()
    modes = [mode + (",paced" if paced else "") for mode in ("os", "os,sync", "sync")]
    writers = [Writer(told, lock, [str(data), str(keys), str(dice.randrange(1 << 48)),
                                   "1000000000", modes[place % len(modes)]],
                      (*TIMED, str(folder / f"trace-{place}")))
               for place in range(WRITERS)]
    try:
        time.sleep(dice.uniform(0.15, 0.6))
        moment = disk.cut()
        time.sleep(0.05)
        for writer in writers:
            writer.kill()
        disk.unmount()
        disk.mount()
        checked = check_what_is_there(data, keys)
        # A power cut may leave the beginning of a batch that nobody was told of.
        os_level = {one for one, (_, durability) in told.acknowledged.items() if durability == "os"}
        compare(told, checked, may_be_lost=os_level, batches_whole=False)
        append_again(data, keys, checked.size)
        return told, os_level - set(checked.ids), moment
    finally:
        for writer in writers:
            writer.kill()
        disk.unmount()


def check_what_is_there(data: Path, keys: Path) -> Checked:
    """As `check`; a cut before the first flush leaves nothing, which is no loss by itself."""
    try:
        return check(data, keys)
    except Fault as fault:
        if "there is no project" not in str(fault):
            raise
        return Checked([], 0, 0, [])


def append_again(data: Path, keys: Path, size: int) -> None:
    """The next append works, and the log verifies with it."""
    told = Told()
    writer = Writer(told, threading.Lock(), [str(data), str(keys), "77", "3", "sync"])
    words = writer.end()
    if not told.closed:
        raise Fault(f"the next append failed: {told.errors} {words}")
    checked = check(data, keys)
    if checked.exit_code != 0 or checked.size <= size:
        raise Fault(f"verify exits {checked.exit_code} after the next append: {checked.findings}")
    if told.acknowledged.keys() - set(checked.ids):
        raise Fault("the next append is lost")
