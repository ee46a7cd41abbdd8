"""Floods of requests that are too large, too deep or too long, from several connections at a time.

    flooder.py HOST PORT SECONDS    reads a key; prints how often each kind was sent and which
                                    statuses came back, as JSON

A process of its own that gives way to all others, see `wire.give_way`.
"""

import gzip
import json
import socket
import sys
import threading
import time

from wire import give_way

MEBIBYTE = 1024 * 1024
AT_A_TIME = 8


def requests(key: str) -> dict[str, tuple[bytes, bytes, int]]:
    """Of each kind the beginning, what is sent again and again behind it, and how often."""
    def post(*lines: str) -> bytes:
        wanted = ["POST /projects/demo/records HTTP/1.1", "Host: localhost", f"X-API-Key: {key}",
                  "Content-Type: application/json", *lines]
        return "\r\n".join(wanted).encode() + b"\r\n\r\n"
    bomb = gzip.compress(b" " * (64 * MEBIBYTE), 9)
    deep = b"[" * 1_000_000
    return {
        "1 GB in chunks": (post("Transfer-Encoding: chunked"),
                           b"100000\r\n" + b" " * MEBIBYTE + b"\r\n", 1024),
        "1 GB announced": (post(f"Content-Length: {1024 * MEBIBYTE}"), b" " * MEBIBYTE, 1024),
        "gzip bomb": (post(f"Content-Length: {len(bomb)}", "Content-Encoding: gzip"), bomb, 1),
        "1 M levels": (post(f"Content-Length: {len(deep)}"), deep, 1),
        "headers": (b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"X-Flood: 1\r\n" * 100, 1000),
    }


def send(host: str, port: int, beginning: bytes, part: bytes, times: int) -> str:
    """The status of the answer, or that there was none."""
    with socket.create_connection((host, port), timeout=30) as stream:
        try:
            stream.sendall(beginning)
            for _ in range(times):
                stream.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It was refused before it was sent whole.
        try:
            said = stream.recv(4096)
        except OSError:
            return "closed"
    return said[9:12].decode("ascii", "replace") or "closed"


def main(host: str, port: int, seconds: float) -> None:
    give_way()
    kinds = requests(sys.stdin.readline().strip())
    counts: dict[str, dict[str, int]] = {name: {} for name in kinds}
    lock, end = threading.Lock(), time.monotonic() + seconds

    def flood(first: int) -> None:
        names = list(kinds)[first % len(kinds):] + list(kinds)[:first % len(kinds)]
        while time.monotonic() < end:
            for name in names:
                status = send(host, port, *kinds[name])
                with lock:
                    counts[name][status] = counts[name].get(status, 0) + 1
    threads = [threading.Thread(target=flood, args=(number,)) for number in range(AT_A_TIME)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
