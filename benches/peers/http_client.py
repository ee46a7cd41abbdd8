"""What the HTTP candidates share: a plain client on one kept connection, and wrk for many.

Every event is a record with an id of its own, written out before the clock starts, so that what is
measured is the server and the way to it.
"""

import http.client
import json
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from events import events

PROJECT = "bench"

# Requests with ids that differ between connections and runs.
SCRIPT = """
local counter = 0
local prefix = "%(prefix)s"
local thread = 0
function setup(t) t:set("number", thread) thread = thread + 1 end
request = function()
  counter = counter + 1
  local id = prefix .. "-" .. number .. "-" .. counter
  return wrk.format("POST", "%(path)s", %(headers)s, string.format('%(body)s', id))
end
"""


def lines(count: int) -> list[bytes]:
    """Records as the client of 0.1.0 sends them."""
    made = []
    for stage, payload in events(count):
        record = {"record_id": str(uuid4()), "project_id": PROJECT, "stage": stage,
                  "timestamp": datetime.now(UTC).isoformat(), "payload": payload}
        made.append(json.dumps(record).encode())
    return made


def post_all(port: int, path: str, headers: dict, bodies: list[bytes]) -> float:
    """Seconds for all bodies, one after another on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    started = time.perf_counter()
    for body in bodies:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"the server answered {answer.status}: {content[:300]!r}")
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


def get_all(port: int, path: str, count: int) -> float:
    """Seconds for so many answers, one after another on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    started = time.perf_counter()
    for _ in range(count):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"the server answered {answer.status}")
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


def post_from_many(port: int, path: str, headers: dict, folder: Path, seconds: int = 5) -> dict:
    """Requests a second and latencies of 16 connections, by wrk."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; apt-get install wrk")
    (stage, payload), = events(1)
    record = {"record_id": "%s", "project_id": PROJECT, "stage": stage,
              "timestamp": datetime.now(UTC).isoformat(), "payload": payload}
    named = ", ".join(f'["{name}"]="{value}"' for name, value in headers.items())
    script = folder / "wrk.lua"
    script.write_text(SCRIPT % {"prefix": uuid4().hex, "path": path, "headers": f"{{{named}}}",
                                "body": json.dumps(record)})
    done = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", str(script),
                           f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if refused:
        raise SystemExit(f"{refused[1]} requests were refused:\n{done.stdout}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
    found = {name: re.search(rf"\s{name}%\s+([\d.]+)(us|ms|s)", done.stdout) for name in ("50", "99")}
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    return {"rate": rate,
            "p50_ms": float(found["50"][1]) * scale[found["50"][2]],
            "p99_ms": float(found["99"][1]) * scale[found["99"][2]]}
