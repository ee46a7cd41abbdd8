"""When a key was last used, as the command line, the API and the page show it."""

import json
import time
from datetime import datetime, timedelta, timezone

from served import Served
from wire import wait_until


def listed(served: Served) -> dict[str, str | None]:
    """By node, as the command line reads it in the store."""
    return {key["node_id"]: key["last_used_at"] for key in served.registry("list")["keys"]}


def test_the_first_use_is_noted_at_once_and_the_last_at_the_end(served: Served) -> None:
    used, _ = served.key("--node", "site-1"), served.key("--node", "site-2")
    operator = served.key("--operator")
    assert set(listed(served).values()) == {None}
    before = datetime.now(timezone.utc) - timedelta(minutes=1)
    wait_until(lambda: served.request("GET", "/projects/", used)[0] == 200)
    wait_until(lambda: listed(served)["site-1"] is not None)
    noted = datetime.fromisoformat(listed(served)["site-1"])
    assert before <= noted <= datetime.now(timezone.utc) and noted.second == 0
    assert listed(served)["site-2"] is None

    # A use in the next minute is known here at once, and to the store when the server ends.
    time.sleep(60 - time.time() % 60 + 0.5)
    assert served.request("GET", "/projects/", used)[0] == 200
    _, _, answer = served.request("GET", "/registry/keys", operator)
    told = {key["node_id"]: key["last_used_at"] for key in json.loads(answer)["keys"]}
    assert datetime.fromisoformat(told["site-1"]) > noted and told["site-2"] is None
    assert datetime.fromisoformat(listed(served)["site-1"]) == noted
    assert served.stop() == 0
    assert listed(served)["site-1"] == told["site-1"]
