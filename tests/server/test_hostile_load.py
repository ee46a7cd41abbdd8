"""Thousands of connections that do nothing, or do it slowly, while somebody works."""

import http.client
import json
import resource
import selectors
import socket
import threading
import time

import pytest
from served import Served
from test_hostile_requests import MAY_GROW, MEBIBYTE
from wire import begin, connect, head, memory, record

SOCKETS = 10_000
ADDRESSES = 25
# `Limits::header_wait` is 10 s; a loaded machine may be a little late.
CLOSED_WITHIN_S = 15


@pytest.fixture(autouse=True)
def many_files():
    """The attackers of this process need many sockets."""
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


class Healthy(threading.Thread):
    """Somebody who works: each request with a connection of its own."""

    def __init__(self, served: Served, key: str, first: int) -> None:
        super().__init__(daemon=True)
        self.served, self.key, self.number = served, key, first
        self.seconds: list[float] = []
        self.failed: list[str] = []
        self.ending = threading.Event()
        self.start()

    def run(self) -> None:
        port = int(self.served.url.rsplit(":", 1)[1])
        while not self.ending.wait(0.01):
            self.number += 1
            body = record("demo", f"healthy-{self.number}")
            started = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
                connection.request("POST", "/projects/demo/records", body, headers)
                answer = connection.getresponse()
                said = answer.read()
                connection.close()
                if answer.status != 201:
                    self.failed.append(f"{answer.status} {said!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
            self.seconds.append(time.monotonic() - started)

    def end(self) -> tuple[float, float]:
        """p50 and p99 in milliseconds."""
        self.ending.set()
        self.join(40)
        ordered = sorted(self.seconds)
        assert ordered
        return (ordered[len(ordered) // 2] * 1000,
                ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000)


class Attack:
    """Many connections from many addresses, each of which sends a beginning and then little."""

    def __init__(self, served: Served, count: int, beginning: bytes, drop: bytes) -> None:
        host, port = served.url.split("//")[1].rsplit(":", 1)
        self.selector, self.drop = selectors.DefaultSelector(), drop
        self.opened: dict[socket.socket, float] = {}
        self.longest = 0.0
        self.refused = 0
        self.answers: list[bytes] = []
        for number in range(count):
            stream = socket.socket()
            try:
                stream.bind((f"127.0.0.{2 + number % ADDRESSES}", 0))
                stream.settimeout(10)
                stream.connect((host, int(port)))
                stream.send(beginning)
                stream.setblocking(False)
            except OSError:
                self.refused += 1
                stream.close()
                continue
            self.opened[stream] = time.monotonic()
            self.selector.register(stream, selectors.EVENT_READ)
            if number % 200 == 0:
                self.look(0)

    def look(self, wait_s: float) -> None:
        """Takes note of what the server closed or answered."""
        for key, _ in self.selector.select(wait_s):
            stream = key.fileobj
            try:
                said = stream.recv(65536)
            except OSError:
                said = b""
            if said:
                self.answers.append(said[:40])
                continue
            self.gone(stream)

    def gone(self, stream: socket.socket) -> None:
        began = self.opened.pop(stream)
        self.longest = max(self.longest, time.monotonic() - began)
        self.selector.unregister(stream)
        stream.close()

    def go_on(self, limit_s: float) -> int:
        """Sends a drop on each now and then until all are closed; gives how many are left."""
        limit = time.monotonic() + limit_s
        while self.opened and time.monotonic() < limit:
            self.look(0.5)
            for stream in list(self.opened):
                try:
                    stream.send(self.drop)
                except BlockingIOError:
                    pass
                except OSError:
                    self.gone(stream)
        return len(self.opened)

    def close(self) -> None:
        for stream in list(self.opened):
            self.gone(stream)
        self.selector.close()


def attack_while_somebody_works(opened, count: int, beginning: bytes, drop: bytes,
                                name: str) -> Attack:
    served, key = opened
    calm = Healthy(served, key, 0)
    time.sleep(2)
    before, calm_times = memory(served), calm.end()
    assert not calm.failed, calm.failed[:3]
    most = [before]
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.05):
            most[0] = max(most[0], memory(served))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    busy = Healthy(served, key, 1_000_000)
    attack = Attack(served, count, beginning, drop)
    left = attack.go_on(CLOSED_WITHIN_S + 5)
    busy_times = busy.end()
    watching.set()
    watcher.join()
    attack.close()
    grown = most[0] - before
    print(f"{name}: {count} sockets, {attack.refused} refused at once, {left} left, the longest "
          f"{attack.longest:.1f} s; p50 {calm_times[0]:.1f} -> {busy_times[0]:.1f} ms, p99 "
          f"{calm_times[1]:.1f} -> {busy_times[1]:.1f} ms over {len(busy.seconds)} requests; memory "
          f"{before / MEBIBYTE:.1f} -> {most[0] / MEBIBYTE:.1f} MiB")
    assert left == 0, f"{left} connections are open after {CLOSED_WITHIN_S} s"
    assert not busy.failed, (len(busy.failed), len(busy.seconds), busy.failed[:3])
    assert grown <= MAY_GROW, f"{grown / MEBIBYTE:.1f} MiB"
    return attack


def test_ten_thousand_slow_headers(opened) -> None:
    beginning = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    attack_while_somebody_works(opened, SOCKETS, beginning, b"x", "slow headers")


def test_ten_thousand_that_say_nothing(opened) -> None:
    attack_while_somebody_works(opened, SOCKETS, b"", b"", "silence")


def test_slow_bodies_without_a_key(opened) -> None:
    beginning = head("POST", "/projects/demo/records", "Content-Type: application/json",
                     "X-API-Key: qt_wrong", "Content-Length: 1000000")
    attack = attack_while_somebody_works(opened, 1000, beginning, b" ", "slow bodies, no key")
    assert any(answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 429")) for answer in attack.answers)


def test_slow_bodies_with_a_key(opened) -> None:
    _, key = opened
    beginning = head("POST", "/projects/demo/records", "Content-Type: application/json",
                     f"X-API-Key: {key}", "Content-Length: 1000000")
    attack = attack_while_somebody_works(opened, 1000, beginning, b" ", "slow bodies")
    assert any(answer.startswith(b"HTTP/1.1 408") for answer in attack.answers)


def test_readers_that_do_not_read(opened) -> None:
    served, key = opened
    for number in range(40):
        lines = b"\n".join(record("demo", f"long-{number}-{place}", {"note": "x" * 10_000})
                           for place in range(100))
        status, _, answer = served.request("POST", "/projects/demo/records", key, lines,
                                           "application/x-ndjson")
        assert status == 201, answer
    before = memory(served)
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
    busy = Healthy(served, key, 0)
    time.sleep(4)
    times = busy.end()
    grown = memory(served) - before
    assert not busy.failed, busy.failed[:3]
    # Others may read, too: pages always, and everything as soon as those who do not read are cut.
    status, _, body = served.request("GET", "/projects/demo/records?limit=10", key)
    assert status == 200 and len(json.loads(body)) == 10
    limit = time.monotonic() + CLOSED_WITHIN_S + 5
    while served.request("GET", "/projects/demo/entries?until=5", key)[0] != 200:
        assert time.monotonic() < limit, "whoever does not read keeps others from reading"
        time.sleep(0.5)
    print(f"200 readers that do not read: p50 {times[0]:.1f} ms, p99 {times[1]:.1f} ms; memory grew "
          f"by {grown / MEBIBYTE:.1f} MiB")
    assert grown <= MAY_GROW, f"{grown / MEBIBYTE:.1f} MiB"
    for stream in readers:
        stream.close()


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
