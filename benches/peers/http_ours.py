"""quark-trace serve over SQLite: every answer is durable, each record is in the Merkle log."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import http_client
import measure

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = (REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "quark-trace")
PATH = f"/projects/{http_client.PROJECT}/records"


@contextmanager
def running(folder: Path) -> Iterator[tuple[int, str]]:
    """A server with one project; its port and the key of a node."""
    folder.mkdir(parents=True, exist_ok=True)
    store = f"sqlite:{folder}/server.db"
    environment = os.environ | {"QUARK_TRACE_KEYS": str(folder / "keys")}

    def registry(*words: str) -> dict:
        done = subprocess.run([COMMAND, "--json", "registry", store, *words], check=True,
                              capture_output=True, env=environment)
        return json.loads(done.stdout)
    registry("add-institution", "hospital")
    registry("add-node", "site", "--institution", "hospital")
    key = registry("issue-key", "--node", "site")["key"]
    server = subprocess.Popen([COMMAND, "--json", "serve", store, "--listen", "127.0.0.1:0",
                               "--key-rate", "0", "--address-rate", "0", "--log", "off"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        port = int(json.loads(server.stdout.readline())["url"].rsplit(":", 1)[1])
        begin(port, key)
        yield port, key
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def begin(port: int, key: str) -> None:
    """The fact sheet of the benchmark, as 0.1.0 sends one."""
    sheet = {"project_id": http_client.PROJECT, "purpose": "measure", "domain": "none",
             "ml_type": "supervised", "algorithm": [{"name": "none"}],
             "input": [{"name": "x", "type": "tabular"}],
             "output": [{"name": "y", "type": "label"}], "performance_metrics": ["seconds"],
             "bias": {"type": "none known", "affected_group": "none", "severity": "low"},
             "stakeholders": [{"name": "nobody", "role": "engineer"}]}
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    http_client.post_all(port, "/projects/", headers, [json.dumps(sheet).encode()])


def single(count: int, folder: Path) -> float:
    with running(folder) as (port, key):
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        return http_client.post_all(port, PATH, headers, http_client.lines(count))


def nothing(count: int, folder: Path) -> float:
    """What the client and the way there and back take, for an answer that costs the server nothing."""
    with running(folder) as (port, _):
        return http_client.get_all(port, "/about", count)


def batches(count: int, folder: Path) -> float:
    with running(folder) as (port, key):
        headers = {"X-API-Key": key, "Content-Type": "application/x-ndjson"}
        lines = http_client.lines(count)
        bodies = [b"\n".join(lines[at:at + 1000]) for at in range(0, count, 1000)]
        return http_client.post_all(port, PATH, headers, bodies)


def from_many(count: int, folder: Path) -> float:
    with running(folder) as (port, key):
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        found = http_client.post_from_many(port, PATH, headers, folder)
    measure.NOTES.append(f"p50 {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms")
    return count / found["rate"]


def client(count: int, folder: Path) -> float:
    """The whole client: HttpBackend of the package, strict delivery, one record a call."""
    from quark_trace import HttpBackend, TraceLog
    with running(folder) as (port, key):
        # The server takes up what the command line changed within a second.
        time.sleep(1.2)
        backend = HttpBackend(f"http://127.0.0.1:{port}", "site", key, delivery="strict")
        log = TraceLog(http_client.PROJECT, backend)
        return measure.timed_appends(lambda stage, payload: log.log(stage, **payload), count)


if __name__ == "__main__":
    measure.main({"single": single, "nothing": nothing, "batches": batches,
                  "from_many": from_many, "client": client})
