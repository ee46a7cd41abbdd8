"""Threads, forks, processes and kills over every store: nothing acknowledged is lost or doubled."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from places import Place

from quark_trace import Project, TraceLog

LIMIT_S = 120


def stages(place: Place, killed: bool = False) -> dict[str, list[int]]:
    """The numbers that each writer's records have, in the order of the log, which must verify.

    A line that was written when its writer was killed, before its entry, is adopted.
    """
    project = Project(None, TraceLog("demo", place.open()))
    found: dict[str, list[int]] = {}
    for record in project.history():
        found.setdefault(record.stage, []).append(record.payload["number"])
    verdict = project.verify()
    assert verdict["exit_code"] == 0 and (killed or verdict["adopted"] == 0), verdict
    project.close()
    return found


def log_many(log: TraceLog, stage: str, count: int) -> None:
    for number in range(count):
        log.log(stage, number=number)


@pytest.mark.parametrize("durability", ["os", "sync", "buffered"])
def test_threads_share_a_backend(place: Place, durability: str) -> None:
    with place.open(durability=durability) as backend:
        log = TraceLog("demo", backend)
        threads = [threading.Thread(target=log_many, args=(log, f"thread {number}", 40))
                   for number in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert len(log.load_all()) <= 320
        for thread in threads:
            thread.join(LIMIT_S)
    assert stages(place) == {f"thread {number}": list(range(40)) for number in range(8)}


def test_handles_write_in_turn(place: Place) -> None:
    backends = [place.open() for _ in range(3)]
    for number in range(30):
        TraceLog("demo", backends[number % 3]).log("s", number=number)
    for backend in backends:
        backend.close()
    assert stages(place) == {"s": list(range(30))}


def test_a_closed_backend_can_be_used_again(place: Place) -> None:
    backend = place.open()
    log = TraceLog("demo", backend)
    for number in range(5):
        log.log("s", number=number)
        backend.close()
    assert stages(place) == {"s": list(range(5))}


def in_child(act) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.alarm(LIMIT_S)
        act()
        code = 0
    except BaseException as error:  # noqa: BLE001
        os.write(2, f"in the child: {error!r}\n".encode())
    os._exit(code)


def wait_for(children: list[int]) -> None:
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("close", [True, False], ids=["closing", "not closing"])
def test_parent_and_children_log(place: Place, close: bool) -> None:
    with place.open() as backend:
        log = TraceLog("demo", backend)
        log_many(log, "before", 20)

        def act(stage: str):
            def run() -> None:
                log_many(log, stage, 25)
                if close:
                    backend.close()
            return run

        children = [in_child(act(f"child {number}")) for number in range(4)]
        log_many(log, "parent", 50)
        wait_for(children)
        log_many(log, "after", 10)
    assert stages(place) == {
        "before": list(range(20)), "parent": list(range(50)), "after": list(range(10)),
        **{f"child {number}": list(range(25)) for number in range(4)}}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_threads_log_and_read_while_the_process_forks(place: Place) -> None:
    backend = place.open()
    log = TraceLog("demo", backend)
    stop = threading.Event()
    counts = [0, 0]

    def write(thread: int) -> None:
        while not stop.is_set():
            log.log(f"thread {thread}", number=counts[thread])
            counts[thread] += 1

    def read() -> None:
        while not stop.is_set():
            log.load_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    children = []
    for number in range(6):
        children.append(in_child(lambda stage=f"child {number}": log_many(log, stage, 10)))
        time.sleep(0.02)
    wait_for(children)
    stop.set()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    backend.close()
    expected = {f"thread {number}": list(range(count)) for number, count in enumerate(counts)}
    assert stages(place) == {
        **expected, **{f"child {number}": list(range(10)) for number in range(6)}}


def _work(log: TraceLog, stage: str) -> str:
    log_many(log, stage, 20)
    log.backend.close()
    return stage


@pytest.mark.usefixtures("fork_server_of_this_test")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_get_the_backend(
    method: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A password is not pickled; a process that gets the backend that way has it from here.
    monkeypatch.setenv("PGPASSWORD", "only-for-tests")
    with place.open() as backend:
        log = TraceLog("demo", backend)
        names = [f"task {number}" for number in range(4)]
        with multiprocessing.get_context(method).Pool(2) as pool:
            waiting = [pool.apply_async(_work, (log, name)) for name in names]
            assert [result.get(timeout=LIMIT_S) for result in waiting] == names
        log_many(log, "parent", 5)
    assert stages(place) == {**dict.fromkeys(names, list(range(20))), "parent": list(range(5))}


WRITER = """
import sys
from quark_trace import TraceLog, open_backend
log = TraceLog("demo", open_backend(sys.argv[1], keys=sys.argv[2], durability=sys.argv[3]))
for number in range(100_000):
    log.log(sys.argv[4], number=number)
    print(number, flush=True)
"""


class Writer:
    """A process that logs until it is killed, and notes in a file what it was told is stored."""

    def __init__(self, place: Place, durability: str, stage: str, folder: Path) -> None:
        self.notes = folder / f"{stage}.notes"
        command = [sys.executable, "-c", WRITER, place.url, str(place.keys), durability, stage]
        with self.notes.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
        while not self.notes.stat().st_size and self.process.poll() is None:
            time.sleep(0.005)

    def kill(self) -> int:
        """How many records it was told of; a torn last line counts for none."""
        self.process.kill()
        assert self.process.communicate(timeout=LIMIT_S)[1] == ""
        return self.notes.read_text().count("\n")


@pytest.mark.parametrize("durability", ["os", "sync"])
def test_killed_writers_lose_and_double_nothing(
    place: Place, durability: str, tmp_path: Path
) -> None:
    counts = {}
    chance = random.Random(7)
    for turn in range(4):
        stages_of_turn = [f"writer {turn}.{number}" for number in range(3)]
        writers = {stage: Writer(place, durability, stage, tmp_path) for stage in stages_of_turn}
        time.sleep(chance.uniform(0.02, 0.3))
        counts |= {stage: writer.kill() for stage, writer in writers.items()}
    with place.open() as backend:
        log_many(TraceLog("demo", backend), "after", 3)
    found = stages(place, killed=True)
    assert found.pop("after") == [0, 1, 2]
    for stage, numbers in found.items():
        # One more may be there that its writer was not told of any more.
        assert numbers == list(range(len(numbers))), stage
        assert counts[stage] <= len(numbers) <= counts[stage] + 1, (stage, counts[stage])
    assert set(found) == set(counts)


def test_a_program_may_end_without_closing(place: Place, tmp_path: Path) -> None:
    program = WRITER.replace("100_000", "100")
    command = [sys.executable, "-c", program, place.url, str(place.keys), "os", "s"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    verdict = Project(None, TraceLog("demo", place.open())).verify("L2")
    assert (verdict["exit_code"], verdict["size"], verdict["sealed"]) == (0, 101, 101)
