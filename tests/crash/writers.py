"""Starting the writer, reading what it tells, and comparing that with what the log holds."""

import os
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TARGET = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")
PROGRAM = str(TARGET / "debug" / "examples" / "crash_writer")


class Fault(Exception):
    """A promise that was not kept."""


@dataclass
class Told:
    """What writers said they tried, what was acknowledged to them, and what failed."""

    tried: list[list[str]] = field(default_factory=list)
    acknowledged: dict[str, tuple[int, str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    closed: bool = False

    def take(self, line: str) -> None:
        words = line.split()
        if not words:
            return
        if words[0] == "try":
            self.tried.append(words[1:])
        elif words[0] == "ack":
            for record_id in words[3:]:
                self.acknowledged[record_id] = (int(words[1]), words[2])
        elif words[0] == "err":
            self.errors.append(line)
        elif words[0] == "closed":
            self.closed = True


@dataclass
class Checked:
    """What the log holds, opened again and verified."""

    ids: list[str]
    size: int
    exit_code: int
    findings: list[str]


class Writer:
    """One writing process; a thread takes down what it tells."""

    def __init__(self, told: Told, lock: threading.Lock, arguments: list[str],
                 under: tuple[str, ...] = ()) -> None:
        self.told, self.lock = told, lock
        self.process = subprocess.Popen([*under, PROGRAM, "append", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        for raw in self.process.stdout:
            # A line without its end was cut by the kill: it was never told.
            if raw.endswith(b"\n"):
                with self.lock:
                    self.told.take(raw.decode())

    def end(self) -> str:
        """Waits until the process is gone and all it told is taken down; gives its last words."""
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        words = self.process.stderr.read().decode(errors="replace")
        self.process.stderr.close()
        return words

    def kill(self) -> None:
        """Kills the process, once."""
        if not self.process.stdout.closed:
            self.process.kill()
            self.end()


def check(folder: Path, keys: Path) -> Checked:
    """Opens the log again, verifies it and lists its records."""
    run = subprocess.run([PROGRAM, "check", str(folder), str(keys)], capture_output=True,
                         text=True, timeout=300)
    if run.returncode != 0 or not run.stdout.endswith("done\n"):
        raise Fault(f"the log does not open again: {run.stderr.strip()}")
    checked = Checked([], 0, 2, [])
    for line in run.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word == "id":
            checked.ids.append(rest)
        elif word == "verdict":
            checked.exit_code, checked.size = map(int, rest.split())
        elif word in ("finding", "unreadable"):
            checked.findings.append(line)
    return checked


def compare(told: Told, checked: Checked, may_be_lost: set[str] = frozenset(),
            batches_whole: bool = True) -> None:
    """Nothing acknowledged is lost, nothing is there twice, no batch is there in part."""
    if checked.exit_code != 0 or any(line.startswith("unreadable") for line in checked.findings):
        raise Fault(f"verify exits {checked.exit_code}: {checked.findings}")
    there = set(checked.ids)
    if len(there) != len(checked.ids):
        twice = [one for one in there if checked.ids.count(one) > 1]
        raise Fault(f"{len(twice)} records are there twice: {twice[:5]}")
    lost = told.acknowledged.keys() - there - may_be_lost
    if lost:
        raise Fault(f"{len(lost)} acknowledged records are lost: {sorted(lost)[:5]}")
    invented = there - {one for batch in told.tried for one in batch}
    if invented:
        raise Fault(f"records nobody tried: {sorted(invented)[:5]}")
    for batch in told.tried if batches_whole else []:
        found = [one for one in batch if one in there]
        if found and len(found) != len(batch):
            raise Fault(f"a batch is there in part: {found} of {batch}")
