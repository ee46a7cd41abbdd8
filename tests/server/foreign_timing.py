#!/usr/bin/env python3
"""How long the server takes to refuse what belongs to another institution and what there is not.

    tests/server/foreign_timing.py               5,000 calls of each kind, one after the other in turn
    tests/server/foreign_timing.py --calls N

If they differ, whoever measures learns which projects, records and nodes of others there are. The
medians and their differences are printed; how much of a difference is noise is told by a third kind,
which is a second name that does not exist.
"""

import argparse
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from served import Served
from wire import begin, head, read, record

PATHS = {
    "a project's head": "/projects/{}",
    "its records": "/projects/{}/records?limit=1",
    "its sheet": "/projects/{}/sheets/0",
    "its checkpoint": "/projects/{}/tlog/checkpoint",
    "a record": "/projects/{}/records/one",
    "append": "/projects/{}/records",
}
# Of one length, so that reading the names costs the same.
KINDS = {"foreign": "theirs-a", "missing": "nobody-a", "missing too": "nobody-b"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=5000, help="calls of each kind")
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder), None, "--key-rate", "0", "--address-rate", "0", "--log", "off")
        served.populate()
        served.start()
        try:
            mine, theirs = served.key("--node", "site-1"), served.key("--node", "site-2")
            time.sleep(1.5)
            begin(served, KINDS["foreign"], theirs)
            status, _, said = served.request("POST", f"/projects/{KINDS['foreign']}/records", theirs,
                                             record(KINDS["foreign"], "one"))
            assert status == 201, said
            print(f"{'':18}" + "".join(f"{kind:>14}" for kind in KINDS)
                  + "   foreign, noise against missing")
            for title, path in PATHS.items():
                show(title, measure(served, mine, title == "append", path, calls))
        finally:
            served.close()


def measure(served: Served, key: str, is_write: bool, path: str, calls: int) -> dict[str, float]:
    """The median of each kind in microseconds; the kinds take turns, each time in another order."""
    host, port = served.url.split("//")[1].rsplit(":", 1)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    requests = {}
    for kind, project in KINDS.items():
        lines, body = [f"X-API-Key: {key}"], b""
        if is_write:
            body = record(project, "one")
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        method = "POST" if is_write else "GET"
        requests[kind] = head(method, path.format(project), *lines) + body
    with socket.create_connection((host, int(port))) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        order = list(KINDS)
        for _ in range(calls):
            order.append(order.pop(0))
            for kind in order:
                started = time.perf_counter()
                stream.sendall(requests[kind])
                answer = read(stream)
                times[kind].append(time.perf_counter() - started)
                assert answer.status == 404, (kind, answer.raw)
    return {kind: statistics.median(found) * 1e6 for kind, found in times.items()}


def show(title: str, medians: dict[str, float]) -> None:
    missing = medians["missing"]
    apart = [f"{(medians[kind] / missing - 1) * 100:+.2f} %" for kind in ("foreign", "missing too")]
    print(f"{title:18}" + "".join(f"{medians[kind]:11.1f} us" for kind in KINDS)
          + f"   {apart[0]}, {apart[1]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
