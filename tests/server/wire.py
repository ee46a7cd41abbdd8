"""Requests as no client library would send them, and what the server is while they come."""

import contextlib
import json
import os
import socket
import time
from pathlib import Path

from served import Served

SHEET = {"purpose": "count", "domain": "tests", "ml_type": "supervised",
         "algorithm": [{"name": "A"}], "input": [{"name": "i", "type": "tabular"}],
         "output": [{"name": "o", "type": "label"}], "performance_metrics": ["accuracy"],
         "bias": {"type": "none", "affected_group": "none", "severity": "low"},
         "stakeholders": [{"name": "J", "role": "r"}]}


class Answer:
    """Status, headers in lower case, and body; status 0 when the server said nothing."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        words = first.split(b" ")
        self.raw = raw
        self.status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        pairs = (line.partition(b":") for line in lines)
        self.headers = {name.lower().decode("latin-1"): value.strip().decode("latin-1")
                        for name, _, value in pairs}

    def code(self) -> str:
        """The code of a problem."""
        assert self.headers.get("content-type") == "application/problem+json", self.raw[:500]
        return json.loads(self.body)["code"]


def connect(served: Served, source: str = "127.0.0.1", wait_s: float = 30) -> socket.socket:
    host, port = served.url.split("//")[1].rsplit(":", 1)
    made = socket.socket()
    made.settimeout(wait_s)
    if source != "127.0.0.1":
        made.bind((source, 0))
    made.connect((host, int(port)))
    return made


def exchange(served: Served, sent: bytes, wait_s: float = 30) -> Answer:
    """Sends bytes as they are and reads one answer, or until the server closes."""
    with connect(served, wait_s=wait_s) as stream:
        try:
            stream.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It was refused before it was sent whole.
        return read(stream)


def read(stream: socket.socket) -> Answer:
    raw = b""
    while not is_whole(raw):
        try:
            part = stream.recv(65536)
        except (TimeoutError, ConnectionResetError):
            break
        if not part:
            break
        raw += part
    return Answer(raw)


def is_whole(raw: bytes) -> bool:
    if b"\r\n\r\n" not in raw:
        return False
    answer = Answer(raw)
    if answer.headers.get("transfer-encoding") == "chunked":
        return raw.endswith(b"0\r\n\r\n")
    return len(answer.body) >= int(answer.headers.get("content-length", 0))


def head(method: str, path: str, *lines: str, host: str = "localhost") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


def begin(served: Served, project: str, key: str) -> None:
    """Begins a project."""
    body = json.dumps({**SHEET, "project_id": project}).encode()
    status, _, answer = served.request("POST", "/projects/", key, body)
    assert status == 201, answer


def record(project: str, record_id: str, payload: object = None) -> bytes:
    """A record as it is sent."""
    return json.dumps({"record_id": record_id, "project_id": project, "stage": "round",
                       "timestamp": "2026-01-01T00:00:00+00:00",
                       "payload": {"loss": 0.5} if payload is None else payload}).encode()


def memory(served: Served) -> int:
    """Bytes of memory that the server has now."""
    for line in Path(f"/proc/{served.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the server has no memory")


def give_way() -> None:
    """Computes only while nobody else does: attackers have machines of their own, and what theirs
    compute must not count as what the server takes from others."""
    os.nice(19)
    # Not on every system, and not in every container.
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def wait_until(holds, limit_s: float = 20) -> None:
    limit = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < limit, "it did not come to that"
        time.sleep(0.1)
