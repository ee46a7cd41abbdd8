"""How often somebody may call, and that nobody pays for another."""

import json
import threading
import time
from pathlib import Path

import pytest
from served import Served
from wire import begin, exchange, head, record, wait_until

RATE = 20


@pytest.fixture
def limited(tmp_path: Path):
    """A server that allows each key 20 requests in a second, and each address 5 without one."""
    made = Served(tmp_path, None, "--key-rate", str(RATE), "--address-rate", "5")
    made.populate()
    made.keys = [made.key("--node", node) for node in ("site-1", "site-2")]
    made.start()
    for key, project in zip(made.keys, ("demo", "other"), strict=True):
        begin(made, project, key)
    yield made
    made.close()


def test_who_calls_too_often_waits_and_others_do_not(limited: Served) -> None:
    greedy, modest = limited.keys
    answers: list[tuple[int, dict]] = []
    ending = time.monotonic() + 5

    def call() -> None:
        while time.monotonic() < ending:
            status, headers, _ = limited.request("GET", "/projects/demo", greedy)
            answers.append((status, headers))
            time.sleep(0.01)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    served_to_the_other = 0
    while time.monotonic() < ending:
        status, _, answer = limited.request("POST", "/projects/other/records", modest,
                                            record("other", f"m{served_to_the_other}"))
        assert status == 201, answer
        served_to_the_other += 1
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    waits = [headers for status, headers in answers if status == 429]
    assert {status for status, _ in answers} == {200, 429}
    assert all(1 <= int(headers["retry-after"]) <= 2 for headers in waits)
    granted = len(answers) - len(waits)
    # A burst of two seconds, and five seconds at the rate; a slow machine may get less.
    assert granted <= 2 * RATE + 6 * RATE + 5, granted
    print(f"{len(answers)} calls at once: {granted} granted, {len(waits)} told to wait; the other "
          f"key was served {served_to_the_other} times of {served_to_the_other}")


def test_wrong_keys_are_slowed_down_and_lock_out_nobody(limited: Served) -> None:
    good = limited.keys[0]
    # The victim's own key with another secret: its public part is known to many.
    wrong = good[:20] + ("a" if good[20] != "a" else "b") + good[21:]
    statuses = [limited.request("GET", "/projects/demo", wrong)[0] for _ in range(60)]
    assert statuses[0] == 401 and statuses.count(429) > 20, statuses
    status, headers, _ = limited.request("GET", "/projects/demo", wrong)
    assert status == 429 and int(headers["retry-after"]) >= 1
    # From the same address, at the same time.
    assert limited.request("GET", "/projects/demo", good)[0] == 200
    anonymous = [limited.request("GET", "/projects/demo")[0] for _ in range(60)]
    assert anonymous[0] == 401 and anonymous.count(429) > 20, anonymous
    assert limited.request("GET", "/projects/demo", good)[0] == 200
    assert limited.request("GET", "/health")[0] == 200


def test_two_keys_are_none(limited: Served) -> None:
    one, other = limited.keys
    for lines in [(f"X-API-Key: {one}", f"X-API-Key: {other}"),
                  (f"X-API-Key: {one}", f"Authorization: Bearer {other}"),
                  (f"X-API-Key: {one}", f"X-API-Key: {one}")]:
        answer = exchange(limited, head("GET", "/projects/demo", *lines))
        assert answer.status in (401, 429), answer.raw
        assert b"demo" not in answer.body


def test_refusals_are_counted_not_heaped(limited: Served) -> None:
    """A thousand refusals are a few records of the server's own ledger."""
    operator = limited.key("--operator")
    wait_until(lambda: limited.request("GET", "/registry/institutions", operator)[0] == 200)
    for _ in range(1000):
        limited.request("GET", "/projects/demo", "qt_wrong")
    time.sleep(1.5)
    _, _, answer = limited.request("GET", "/projects/quark-trace.server/head", operator)
    assert json.loads(answer)["size"] < 200
    status, _, body = limited.request(
        "GET", "/projects/quark-trace.server/records?filter=stage%20%3D%20%22access_refused%22",
        operator)
    assert status == 200, body
    counted = [row["payload"] for row in json.loads(body)]
    # That of the operator was refused, too, before it was known here; it has the form of a key.
    wrong = [row["times"] for row in counted
             if row["reason"] == "unknown key" and row["key_id"] is None]
    assert sum(wrong) == 1000
