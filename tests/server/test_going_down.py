"""SIGTERM while batches, streams and long reads are under way."""

import hashlib
import json
import subprocess
import threading
import time

import pytest
from served import Served, command
from wire import begin, connect, head, read, record

# `Limits::drain` is 10 s; then what was taken is written and sealed.
GONE_WITHIN_S = 15


@pytest.fixture
def opened(served: Served):
    key = served.key("--node", "site-1")
    time.sleep(1.5)
    begin(served, "demo", key)
    lines = b"\n".join(record("demo", f"old-{number}", {"note": "x" * 1000}) for number in range(999))
    for _ in range(1):
        status, _, answer = served.request("POST", "/projects/demo/records", key, lines,
                                           "application/x-ndjson")
        assert status == 201, answer
    return served, key


def stop(served: Served) -> float:
    started = time.monotonic()
    assert served.stop() == 0, served.log.read_text()[-1000:]
    return time.monotonic() - started


def sealed(served: Served) -> dict:
    """What `verify` says of `demo`, all of which must be sealed."""
    done = subprocess.run([command(), "--json", "verify", served.store, "demo", "--level", "L2"],
                          capture_output=True, text=True, env=served.environment, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["sealed"] == said["size"], said
    return said


def test_what_was_acknowledged_is_there_and_sealed(opened) -> None:
    served, key = opened
    acknowledged: dict[str, int] = {}
    lock = threading.Lock()
    going = threading.Event()

    def write(writer: int) -> None:
        number = 0
        while True:
            ids = [f"w{writer}-{number}-{place}" for place in range(20)]
            number += 1
            body = b"\n".join(record("demo", one) for one in ids)
            try:
                status, _, answer = served.request("POST", "/projects/demo/records", key, body,
                                                   "application/x-ndjson")
            except OSError:
                return
            if status != 201:
                return
            with lock:
                for row in json.loads(answer)["records"]:
                    acknowledged[row["record_id"]] = row["index"]
            going.set()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for writer in writers:
        writer.start()
    going.wait(30)
    time.sleep(1)
    took = stop(served)
    for writer in writers:
        writer.join(40)
    assert took < GONE_WITHIN_S
    said = sealed(served)
    served.restart()
    status, _, body = served.request("GET", "/projects/demo/entries?select=records", key)
    rows = [json.loads(line) for line in body.splitlines()][:-1]
    there = {json.loads(row["object"])["record_id"]: row["index"] for row in rows}
    assert len(acknowledged) >= 20
    assert {one: there.get(one) for one in acknowledged} == acknowledged
    assert len(there) == len(rows) == said["records"]
    print(f"{len(acknowledged)} records acknowledged by 16 writers, gone after {took:.1f} s")


def test_streams_end_and_long_reads_are_whole_or_cut(opened) -> None:
    served, key = opened
    mine = f"X-API-Key: {key}"
    following, reading, slow = connect(served), connect(served), connect(served)
    following.sendall(head("GET", "/projects/demo/stream", mine))
    said = b""
    while b"event: begin" not in said:
        said += following.recv(4096)
    reading.sendall(head("GET", "/projects/demo/entries", mine))
    slow.sendall(head("POST", "/projects/demo/records", mine, "Content-Type: application/json",
                      "Content-Length: 1000"))
    whole: list[bytes] = []
    reader = threading.Thread(target=lambda: whole.append(read(reading).raw))
    reader.start()
    took = stop(served)
    reader.join(20)
    assert took < GONE_WITHIN_S
    # The stream is ended as one that is whole, so that a client comes again with its last id.
    while part := following.recv(4096):
        said += part
    assert said.endswith(b"0\r\n\r\n"), said[-100:]
    assert b'{"end": true}' in whole[0] or not whole[0].endswith(b"0\r\n\r\n")
    for stream in (following, reading, slow):
        stream.close()
    assert sealed(served)["records"] == 999
    print(f"with a stream, a long read and a slow body: gone after {took:.1f} s")


def test_a_batch_whose_client_went_away_is_written_whole(opened) -> None:
    served, key = opened
    body = b"\n".join(record("demo", f"gone-{number}") for number in range(500))
    stream = connect(served)
    stream.sendall(head("POST", "/projects/demo/records", f"X-API-Key: {key}",
                        "Content-Type: application/x-ndjson", f"Content-Length: {len(body)}") + body)
    stream.close()
    stop(served)
    count = sealed(served)["records"] - 999
    assert count in (0, 500)
    served.restart()
    status, _, answer = served.request("POST", "/projects/demo/records", key, body,
                                       "application/x-ndjson")
    assert status in (200, 201) and len(json.loads(answer)["records"]) == 500
    _, _, entries = served.request("GET", "/projects/demo/entries?select=records", key)
    rows = [json.loads(line) for line in entries.splitlines()][:-1]
    assert len({row["entry"] for row in rows}) == len(rows) == 999 + 500
    leaves = {row["index"]: hashlib.sha256(b"\0" + row["entry"].encode()).hexdigest() for row in rows}
    for row in json.loads(answer)["records"]:
        if not row["existing"]:
            assert leaves[row["index"]] == row["leaf_hash"]
