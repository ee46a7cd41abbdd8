"""A server over a backup that was put back: its key has signed more than is there."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

from served import Served, command
from wire import begin, record, wait_until

REFUSED = "no checkpoint can be signed"


def ready(served: Served) -> tuple[int, dict]:
    status, _, body = served.request("GET", "/ready")
    return status, json.loads(body)


def unsigned(served: Served) -> float:
    """What the measurements say."""
    _, _, text = served.request("GET", "/metrics")
    lines = [line.split() for line in text.decode().splitlines()]
    return float(next(words[1] for words in lines
                      if words[:1] == ["quark_trace_logs_refused_a_signature"]))


def append(served: Served, key: str, *ids: str) -> None:
    for one in ids:
        status, _, answer = served.request("POST", "/projects/demo/records", key,
                                           record("demo", one))
        assert status == 201, answer


def told(served: Served) -> list[str]:
    """The projects of which the server's log tells that they cannot be signed, one for each line."""
    lines = [line for line in served.log.read_text().splitlines() if REFUSED in line]
    assert all("ERROR" in line and "--new-epoch" in line for line in lines), lines
    # The server's own ledger is one of them when something was noted there on Tuesday.
    return [json.loads(line)["fields"]["project"] for line in lines]


def restored(served: Served) -> str:
    """Has Tuesday's records lost and Monday's backup put back; gives the key of a node."""
    key = served.key("--node", "site-1")
    wait_until(lambda: served.request("GET", "/projects/", key)[0] == 200)
    begin(served, "demo", key)
    append(served, key, "monday-1", "monday-2")
    assert served.stop() == 0
    database = Path(served.store.removeprefix("sqlite:"))
    backup = served.folder / "backup.db"
    shutil.copy(database, backup)
    served.restart()
    assert ready(served)[0] == 200
    append(served, key, "tuesday-1", "tuesday-2", "tuesday-3")
    assert served.stop() == 0
    assert served.log.read_text().rstrip().endswith("is written and sealed")
    for beside in served.folder.glob("server.db-*"):
        beside.unlink()
    shutil.copy(backup, database)
    served.restart()
    return key


def test_a_server_over_a_restored_backup_says_that_it_cannot_sign(served: Served) -> None:
    key = restored(served)
    append(served, key, "wednesday-1")
    wait_until(lambda: ready(served)[0] == 503)
    _, problem = ready(served)
    assert problem["code"] == "unavailable"
    assert re.match(r"(1 log|2 logs) cannot be signed", problem["detail"]), problem
    assert "demo" not in json.dumps(problem)
    wait_until(lambda: unsigned(served) >= 1)
    # Told once, whatever comes after, and with what to do.
    append(served, key, "wednesday-2", "wednesday-3")
    wait_until(lambda: "demo" in told(served))
    append(served, key, "wednesday-4")
    time.sleep(3)
    assert told(served).count("demo") == 1, told(served)
    assert served.request("GET", "/health")[0] == 200

    # What was acknowledged is there, also after the end, which says how it is.
    assert served.stop() != 0
    ending = served.log.read_text().splitlines()[-3:]
    assert any(re.search(r"is written but . logs? could not be signed", line) for line in ending)
    assert not any("sealed" in line for line in ending), ending
    served.restart()
    _, _, body = served.request("GET", "/projects/demo/records", key)
    assert [row["record_id"] for row in json.loads(body)] == [
        "monday-1", "monday-2", "wednesday-1", "wednesday-2", "wednesday-3", "wednesday-4"]
    # Nobody sent anything to this one; it signs what the last one left, and is refused.
    wait_until(lambda: ready(served)[0] == 503)
    wait_until(lambda: told(served).count("demo") == 2)


def test_a_new_epoch_makes_it_whole_without_a_restart(served: Served) -> None:
    key = restored(served)
    append(served, key, "wednesday-1")
    wait_until(lambda: "demo" in told(served))
    # More may turn up when somebody writes to them.
    for project in {*told(served), "demo"}:
        done = subprocess.run([command(), "seal", served.store, project, "--new-epoch",
                               "the disk failed, backup of Monday"],
                              capture_output=True, text=True, env=served.environment, timeout=60,
                              check=False)
        assert done.returncode == 0, done.stderr
    wait_until(lambda: ready(served)[0] == 200)
    wait_until(lambda: unsigned(served) == 0)
    append(served, key, "wednesday-2")
    assert served.stop() == 0
    assert served.log.read_text().rstrip().endswith("is written and sealed")
    done = subprocess.run([command(), "--json", "verify", served.store, "demo", "--level", "L2"],
                          capture_output=True, text=True, env=served.environment, timeout=60,
                          check=False)
    said = json.loads(done.stdout)
    assert done.returncode == 0 and said["sealed"] == said["size"], said


def test_what_a_killed_server_left_unsigned_is_signed_by_the_next(served: Served) -> None:
    key = served.key("--node", "site-1")
    wait_until(lambda: served.request("GET", "/projects/", key)[0] == 200)
    begin(served, "demo", key)
    status, _, head = served.request("POST", "/projects/demo/seal", key)
    assert status == 200, head
    append(served, key, "r1", "r2")
    served.kill()
    served.restart()

    def sealed() -> bool:
        _, _, head = served.request("GET", "/projects/demo/head", key)
        head = json.loads(head)
        return int(head["checkpoint"].splitlines()[1]) == head["size"] == 4

    wait_until(sealed)
