"""Somebody who works while others attack: a process of its own, so that only the server is shared.

    somebody.py PORT FIRST    reads its key, then appends records, each over a connection of its
                              own, until its input ends; prints the seconds of each and what
                              failed, as JSON
"""

import http.client
import json
import sys
import threading
import time

from wire import record


def append(port: int, key: str, number: int) -> str | None:
    """Appends a record; gives what went wrong."""
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/projects/demo/records", record("demo", f"healthy-{number}"),
                           headers)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    return None if answer.status == 201 else f"{answer.status} {said!r}"


def main(port: int, number: int) -> None:
    key = sys.stdin.readline().strip()
    ending = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
    seconds, failed = [], []
    while not ending.wait(0.005):
        number += 1
        started = time.monotonic()
        fault = append(port, key, number)
        seconds.append(time.monotonic() - started)
        if fault:
            failed.append(fault)
    print(json.dumps({"seconds": seconds, "failed": failed}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
