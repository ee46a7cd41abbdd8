"""A server with a run to look at, a hostile project, and browsers to look with."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))

from browser import Visitor, chromium, launched  # noqa: E402
from hostile import HOSTILE  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from served import Served  # noqa: E402


@dataclass
class Site:
    """A server that runs, and the keys to it."""

    served: Served
    admin: str
    node: str
    operator: str
    hostile: list[str] = field(default_factory=list)

    def log(self, project: str, stage: str, payload: dict, number: int) -> str:
        """Sends a record; gives its id."""
        record = {"record_id": f"{project}-{number}", "project_id": project, "stage": stage,
                  "timestamp": f"2026-03-02T07:{number // 60 % 60:02}:{number % 60:02}+00:00", "payload": payload}
        status, _, body = self.served.request("POST", f"/projects/{project}/records", self.node,
                                              json.dumps(record).encode())
        assert status == 201, body
        return record["record_id"]


def sheet(project: str, text: str = "find pneumothorax early") -> bytes:
    return json.dumps({
        "project_id": project, "purpose": text, "domain": text, "ml_type": "supervised",
        "algorithm": [{"name": text}], "input": [{"name": text, "type": "image", "description": text}],
        "output": [{"name": text, "type": "label"}], "performance_metrics": [text],
        "bias": {"type": text, "affected_group": text, "severity": "medium", "notes": text},
        "stakeholders": [{"name": text, "role": text, "contact": text}]}).encode()


def federated(site: Site) -> None:
    """A run of ten rounds at three sites, an amended sheet, and a NaN."""
    assert site.served.request("POST", "/projects/", site.node, sheet("federation"))[0] == 201
    number = 0
    for round_number in range(1, 11):
        for at, name in enumerate(["north", "south", "west"]):
            number += 1
            loss = math.exp(-round_number / (4 + at))
            payload = {"round": round_number, "site": name, "loss": loss, "metrics": {"auc": 1 - loss / 3}}
            if (round_number, name) == (4, "south"):
                payload["loss"] = {"$numberDouble": "NaN"}
            site.log("federation", "client_round", payload, number)
        number += 1
        site.log("federation", "aggregation", {"round": round_number, "loss": math.exp(-round_number / 5)}, number)
    for at in range(30):
        site.log("federation", "note", {"text": f"remark {at}"}, 100 + at)
    change = {"changes": {"domain": "radiology of the chest"}, "amended_by": "Dr. Haddad", "reason": "said better"}
    status, _, body = site.served.request("POST", "/projects/federation/amendments", site.admin, json.dumps(change).encode())
    assert status == 201, body


def hostile_projects(site: Site) -> None:
    """Ten projects in which every text is hostile, all 200 strings among them."""
    for part in range(10):
        texts = [text for text in HOSTILE[part::10] if "\ud7ff" not in text]
        project = f"hostile-{part}"
        status, _, body = site.served.request("POST", "/projects/", site.node, sheet(project, texts[0]))
        assert status == 201, body
        for number, text in enumerate(texts):
            stage = "".join(c for c in text[:150] if c.isprintable()) or "stage"
            payload = {"round": number, "site": text, "loss": 1 / (number + 1), text or "empty": {text: number, "text": text},
                       "list": [text, text], "long": text * 20}
            site.log(project, stage, payload, number)
        site.hostile.append(project)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    served = Served(tmp_path_factory.mktemp("pages"), None, "--address-rate", "0", "--key-rate", "0")
    served.populate()
    for at, text in enumerate(HOSTILE[:20]):
        served.registry("add-node", f"hostile-{at}", "--institution", "hospital", "--name", "".join(c for c in text[:150] if c.isprintable()))
    admin = served.registry("issue-key", "--admin-of", "hospital", "--name", "<script>alert(1)</script>")["key"]
    site = Site(served, admin, served.key("--node", "site-1"), served.key("--operator"))
    served.start()
    time.sleep(1.5)
    federated(site)
    hostile_projects(site)
    yield site
    served.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("there is no Chromium; QUARK_TRACE_CHROMIUM names one")
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, and looks at the end that nothing went wrong for any of them."""
    visitors: list[Visitor] = []

    def make(**how: object) -> Visitor:
        visitor = Visitor(browser, site.served.url, **how)
        visitor.scripted = how.get("java_script_enabled", True) is not False
        visitors.append(visitor)
        return visitor

    yield make
    for visitor in visitors:
        faults = visitor.faults
        visitor.close()
        assert not faults, faults


@pytest.fixture
def shots() -> Path | None:
    """Where pictures go, if they are wanted."""
    asked = os.environ.get("QUARK_TRACE_SHOTS")
    return Path(asked) if asked else None
