"""Thousands of connections that do nothing, or do it slowly, while somebody works."""

import json
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from attacker import ADDRESSES
from served import Served
from test_hostile_requests import MAY_GROW, MEBIBYTE
from wire import begin, connect, head, memory, record

HERE = Path(__file__).parent
SOCKETS = 10_000
# `Limits::header_wait` is 10 s; a loaded machine may be a little late.
CLOSED_WITHIN_S = 15


@pytest.fixture(autouse=True)
def many_files():
    """The attackers need many sockets."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS + 1000
    if before[1] != resource.RLIM_INFINITY and before[1] < wanted:
        pytest.skip(f"forbidden by this machine: {before[1]} open files at most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def opened(served: Served):
    key = served.key("--node", "site-1")
    time.sleep(1.5)
    begin(served, "demo", key)
    return served, key


class Somebody:
    """A process that works, see `somebody.py`."""

    def __init__(self, served: Served, key: str, first: int) -> None:
        port = served.url.rsplit(":", 1)[1]
        self.process = subprocess.Popen([sys.executable, HERE / "somebody.py", port, str(first)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(f"{key}\n")
        self.process.stdin.flush()

    def end(self) -> "Times":
        said, _ = self.process.communicate(timeout=60)
        return Times(**json.loads(said))


class Times:
    """How long requests took, of which none may have failed."""

    def __init__(self, seconds: list[float], failed: list[str]) -> None:
        assert seconds and not failed, (len(failed), len(seconds), failed[:3])
        self.count, ordered = len(seconds), sorted(seconds)
        self.p50_ms = ordered[self.count // 2] * 1000
        self.p99_ms = ordered[min(self.count - 1, self.count * 99 // 100)] * 1000


def beside_somebody(opened, name: str, words: list[str], told: str) -> dict:
    """Runs an attacking program beside somebody who works; gives what it saw."""
    served, key = opened
    somebody = Somebody(served, key, 0)
    time.sleep(5)
    before, calm = memory(served), somebody.end()
    most = [before]
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.05):
            most[0] = max(most[0], memory(served))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    somebody = Somebody(served, key, 1_000_000)
    attack = subprocess.run([sys.executable, HERE / words[0], *words[1:]], input=told, text=True,
                            capture_output=True, check=False, timeout=180)
    assert attack.returncode == 0, attack.stderr
    seen = json.loads(attack.stdout)
    busy = somebody.end()
    watching.set()
    watcher.join()
    grown = most[0] - before
    print(f"{name}: {seen}; p50 {calm.p50_ms:.1f} -> {busy.p50_ms:.1f} ms, p99 {calm.p99_ms:.1f} -> "
          f"{busy.p99_ms:.1f} ms over {calm.count} and {busy.count} requests; memory "
          f"{before / MEBIBYTE:.1f} -> {most[0] / MEBIBYTE:.1f} MiB")
    assert grown <= MAY_GROW, f"{grown / MEBIBYTE:.1f} MiB"
    return seen


def attack_while_somebody_works(opened, count: int, beginning: bytes, drop: bytes, name: str,
                                at_once: int = 1000) -> list[str]:
    """Gives the beginnings of what the server answered to the attackers, of whose connections so
    many were open at a time."""
    host, port = opened[0].url.split("//")[1].rsplit(":", 1)
    words = ["attacker.py", host, port, str(count), str(CLOSED_WITHIN_S + 5)]
    told = f"{beginning.hex()}\n{drop.hex()}\n"
    seen = beside_somebody(opened, f"{name}, {count} sockets", words, told)
    assert seen["left"] == 0, f"{seen['left']} connections are open after {CLOSED_WITHIN_S} s"
    assert seen["most"] >= at_once, f"only {seen['most']} connections were open at a time"
    return seen["answers"]


def test_floods_of_what_is_too_large(opened) -> None:
    host, port = opened[0].url.split("//")[1].rsplit(":", 1)
    seen = beside_somebody(opened, "floods", ["flooder.py", host, port, "10"], opened[1] + "\n")
    # A client that sends on may lose the answer to the reset.
    right = {"1 GB in chunks": {"413", "429"}, "1 GB announced": {"413", "429"},
             "gzip bomb": {"415", "429"}, "1 M levels": {"400", "429"}, "headers": {"431"}}
    for name, statuses in seen.items():
        assert statuses and set(statuses) <= right[name] | {"closed"}, (name, statuses)


def test_ten_thousand_slow_headers(opened) -> None:
    beginning = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    attack_while_somebody_works(opened, SOCKETS, beginning, b"x", "slow headers")


def test_ten_thousand_that_say_nothing(opened) -> None:
    attack_while_somebody_works(opened, SOCKETS, b"", b"", "silence")


def test_slow_bodies_without_a_key(opened) -> None:
    beginning = head("POST", "/projects/demo/records", "Content-Type: application/json",
                     "X-API-Key: qt_wrong", "Content-Length: 1000000")
    # Most are over before the last has begun.
    answers = attack_while_somebody_works(opened, 1000, beginning, b" ", "slow bodies, no key", 100)
    assert {"HTTP/1.1 401", "HTTP/1.1 429"} & set(answers), answers


def test_slow_bodies_with_a_key(opened) -> None:
    _, key = opened
    beginning = head("POST", "/projects/demo/records", "Content-Type: application/json",
                     f"X-API-Key: {key}", "Content-Length: 1000000")
    answers = attack_while_somebody_works(opened, 1000, beginning, b" ", "slow bodies")
    assert "HTTP/1.1 408" in answers, answers


def test_readers_that_do_not_read(opened) -> None:
    served, key = opened
    for number in range(40):
        lines = b"\n".join(record("demo", f"long-{number}-{place}", {"note": "x" * 10_000})
                           for place in range(100))
        status, _, answer = served.request("POST", "/projects/demo/records", key, lines,
                                           "application/x-ndjson")
        assert status == 201, answer
    somebody = Somebody(served, key, 0)
    time.sleep(5)
    before, calm = memory(served), somebody.end()
    readers = []
    for number in range(200):
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.bind((f"127.0.0.{2 + number % ADDRESSES}", 0))
        stream.settimeout(5)
        host, port = served.url.split("//")[1].rsplit(":", 1)
        stream.connect((host, int(port)))
        stream.sendall(head("GET", "/projects/demo/records", f"X-API-Key: {key}"))
        readers.append(stream)
    time.sleep(2)
    somebody = Somebody(served, key, 1_000_000)
    time.sleep(5)
    times = somebody.end()
    grown = memory(served) - before
    # Others may read, too: pages always, and everything as soon as those who do not read are cut.
    status, _, body = served.request("GET", "/projects/demo/records?limit=10", key)
    assert status == 200 and len(json.loads(body)) == 10
    limit = time.monotonic() + CLOSED_WITHIN_S + 5
    while served.request("GET", "/projects/demo/entries?until=5", key)[0] != 200:
        assert time.monotonic() < limit, "whoever does not read keeps others from reading"
        time.sleep(0.5)
    print(f"200 readers that do not read: p50 {calm.p50_ms:.1f} -> {times.p50_ms:.1f} ms, p99 "
          f"{calm.p99_ms:.1f} -> {times.p99_ms:.1f} ms; memory grew by {grown / MEBIBYTE:.1f} MiB")
    assert grown <= MAY_GROW, f"{grown / MEBIBYTE:.1f} MiB"
    for stream in readers:
        stream.close()


def test_sheets_with_many_versions(opened) -> None:
    """Each version tells of all before it, so that all of them together are large."""
    served, key = opened
    for number in range(120):
        change = {"changes": {"purpose": f"{number} " + "x" * 900}, "amended_by": "somebody",
                  "reason": "y" * 900}
        status, _, answer = served.request("POST", "/projects/demo/amendments", key,
                                           json.dumps(change).encode())
        assert status == 201, answer
    before, failed = memory(served), []

    def read() -> None:
        for path in ["", "/sheets", "/sheets/1", "/sheets/121"] * 3:
            status, _, answer = served.request("GET", f"/projects/demo{path}", key)
            if status != 200:
                failed.append(answer)
    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert not failed, failed[:3]
    grown = memory(served) - before
    print(f"121 versions read by 8 at a time: memory {before / MEBIBYTE:.1f} MiB, and "
          f"{grown / MEBIBYTE:.1f} more")
    assert grown <= MAY_GROW, f"{grown / MEBIBYTE:.1f} MiB"


def test_one_address_has_only_so_many(opened) -> None:
    served, _ = opened
    mine = [connect(served, "127.0.0.9") for _ in range(600)]
    time.sleep(0.5)
    closed = 0
    for stream in mine:
        stream.setblocking(False)
        try:
            closed += stream.recv(1) == b""
        except BlockingIOError:
            pass
        except OSError:
            closed += 1
    assert closed == 600 - 512
    assert served.request("GET", "/health")[0] == 200
    for stream in mine:
        stream.close()
