"""Forks: training frameworks fork with a log open, and nothing is lost or written twice."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from quark_trace import JsonBackend, Project

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
LIMIT_S = 60


def in_child(act) -> int:
    """Runs `act` in a fork; gives the process id."""
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


def check(project: Project, expected: dict[str, int]) -> None:
    """Every writer's records are there once, in order, and the log verifies."""
    project.flush()
    found: dict[str, list[int]] = {}
    for record in project.history():
        found.setdefault(record.stage, []).append(record.payload["number"])
    assert found == {stage: list(range(count)) for stage, count in expected.items()}
    verdict = project.verify()
    assert (verdict["exit_code"], verdict["adopted"]) == (0, 0), verdict
    fresh = JsonBackend(project._tracer.backend.path)
    assert len(fresh.load_all("demo")) == sum(expected.values())


def log_many(project: Project, stage: str, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        project.log(stage, number=number)


@pytest.mark.parametrize("durability", ["os", "buffered", "sync"])
def test_parent_and_children_log(durability: str, tmp_path: Path, sheet: Path) -> None:
    project = Project.open(sheet, JsonBackend(tmp_path / "data", durability=durability))
    count = 20 if durability == "sync" else 300
    log_many(project, "parent", count)

    def act(stage: str):
        def run() -> None:
            log_many(project, stage, count)
            project.close()
        return run

    children = [in_child(act(f"child {number}")) for number in range(4)]
    log_many(project, "parent", count, start=count)
    wait_for(children)
    check(project, {"parent": 2 * count, **{f"child {number}": count for number in range(4)}})


def test_a_child_that_ends_without_closing_loses_nothing(project: Project) -> None:
    log_many(project, "parent", 10)
    wait_for([in_child(lambda: log_many(project, "child", 100))])
    log_many(project, "parent", 10, start=10)
    check(project, {"parent": 20, "child": 100})


def test_a_grandchild_logs(project: Project) -> None:
    def child() -> None:
        log_many(project, "child", 50)
        wait_for([in_child(lambda: log_many(project, "grandchild", 50))])
        log_many(project, "child", 50, start=50)

    log_many(project, "parent", 50)
    wait_for([in_child(child)])
    check(project, {"parent": 50, "child": 100, "grandchild": 50})


def test_threads_log_while_the_process_forks(project: Project) -> None:
    stop = threading.Event()
    counts = [0] * 4

    def run(thread: int) -> None:
        while not stop.is_set():
            project.log(f"thread {thread}", number=counts[thread])
            counts[thread] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    children = []
    for number in range(12):
        children.append(in_child(lambda stage=f"child {number}": log_many(project, stage, 20)))
        time.sleep(0.01)
    wait_for(children)
    stop.set()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    expected = {f"thread {number}": count for number, count in enumerate(counts) if count}
    check(project, {**expected, **{f"child {number}": 20 for number in range(12)}})


def test_a_fork_while_records_are_read(project: Project) -> None:
    log_many(project, "parent", 2000)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            assert len(project.history()) >= 2000

    reader = threading.Thread(target=read)
    reader.start()
    children = [in_child(lambda: len(project.history())) for _ in range(8)]
    wait_for(children)
    stop.set()
    reader.join(LIMIT_S)
    assert not reader.is_alive()


def _log_in_worker(project: Project, stage: str) -> str:
    log_many(project, stage, 25)
    project.close()
    return stage


@pytest.mark.usefixtures("fork_server_of_this_test")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_log_through_a_project_given_to_them(
    method: str, project: Project
) -> None:
    log_many(project, "parent", 5)
    context = multiprocessing.get_context(method)
    with context.Pool(3) as pool:
        stages = [f"task {number}" for number in range(6)]
        results = [pool.apply_async(_log_in_worker, (project, stage)) for stage in stages]
        assert [result.get(timeout=LIMIT_S) for result in results] == stages
    log_many(project, "parent", 5, start=5)
    check(project, {"parent": 10, **dict.fromkeys(stages, 25)})


def test_a_child_started_by_fork_inherits_the_project(project: Project) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_log_in_worker, args=(project, f"worker {number}"))
               for number in range(3)]
    for worker in workers:
        worker.start()
    log_many(project, "parent", 100)
    for worker in workers:
        worker.join(LIMIT_S)
        assert worker.exitcode == 0
    check(project, {"parent": 100, **{f"worker {number}": 25 for number in range(3)}})


def test_the_program_may_end_without_closing(tmp_path: Path, sheet: Path) -> None:
    program = (
        "import sys; from quark_trace import JsonBackend, Project\n"
        "project = Project.open(sys.argv[1], JsonBackend(sys.argv[2]))\n"
        "for number in range(100): project.log('s', number=number)\n"
    )
    import subprocess

    command = [sys.executable, "-c", program, sheet, tmp_path / "data"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    project = Project.open(sheet, JsonBackend(tmp_path / "data"))
    verdict = project.verify("L2")
    assert (verdict["exit_code"], verdict["size"], verdict["sealed"]) == (0, 102, 102)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_a_fork_meets_no_thread_of_ours(tmp_path: Path, sheet: Path) -> None:
    """Python 3.12 and later warn of a fork beside other threads."""
    script = f"""
import multiprocessing, os, time
def threads(): return len(os.listdir("/proc/self/task"))
counted = []
# Registered first, so that it runs last.
os.register_at_fork(before=lambda: counted.append(threads()))
from quark_trace import JsonBackend, Project
project = Project.open({str(sheet)!r}, JsonBackend({str(tmp_path / "data")!r}))

def work(number):
    project.log("child", number=number)
    project.close()

for round in range(5):
    for number in range(100):
        project.log("parent", number=round * 100 + number)
    assert threads() == 2, "the store has a thread"
    worker = multiprocessing.get_context("fork").Process(target=work, args=(round,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
assert counted == [1] * 5, counted
print(len(project.history()))
deadline = time.monotonic() + {LIMIT_S}
while project.verify()["sealed"] < 507 and time.monotonic() < deadline:
    time.sleep(0.05)
print(project.verify()["sealed"])
"""
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * LIMIT_S)
    assert (done.returncode, done.stderr) == (0, "")
    # Header, sheet, 500 and 5: without another append, the parent's thread signs what is left.
    assert done.stdout.split() == ["505", "507"]
