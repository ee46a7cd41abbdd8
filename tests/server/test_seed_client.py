"""The unmodified client of quark-trace 0.1.0 against our server."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from served import Served

SHEET = """\
project_id: "demo"
purpose: "find fraud – early"
domain: "finance"
ml_type: "supervised"
algorithm:
  - name: "XGBoost"
input:
  - name: "features"
    type: "tabular"
output:
  - name: "fraud"
    type: "label"
performance_metrics:
  - "accuracy"
bias:
  type: "historical"
  affected_group: "some"
  severity: "medium"
stakeholders:
  - name: "Jane Doe"
    role: "engineer"
"""

# Each step says what came of it, so that one failure does not hide the others.
CLIENT = """
import json, sys
from quark_trace import Project
from quark_trace.trace.backends.http_backend import HttpBackend

url, node, key, sheet = sys.argv[1:5]
said = {}

def step(name, function):
    try:
        said[name] = function()
    except Exception as error:
        said[name] = type(error).__name__

def made():
    global backend
    backend = HttpBackend(url, node, key)
    return backend.institution_id

def loaded():
    global project
    project = Project.load(sheet, backend)
    return project.fact_sheet.purpose

def logged():
    return [project.log("client_round", round=number, loss=1 / (number + 1), note="é").record_id
            for number in range(5)]

step("institution", made)
if "institution" in said and said["institution"] == "hospital":
    step("load", loaded)
    step("load again", lambda: Project.load(sheet, backend) and None)
    if "project" in globals():
        step("log", logged)
    step("history", lambda: [record.to_json() for record in
                             Project.resume("demo", backend).history()])
    step("sheet", lambda: Project.resume("demo", backend).fact_sheet.to_json())
    step("summary", lambda: Project.resume("demo", backend).summary()["total_records"])
print("SAID " + json.dumps(said))
"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "fact_sheet.yaml"
    path.write_text(SHEET, encoding="utf-8")
    return path


def original(seed_python: str, served: Served, node: str, key: str, sheet: Path) -> dict:
    done = subprocess.run([seed_python, "-c", CLIENT, served.url, node, key, str(sheet)],
                          capture_output=True, text=True, timeout=120, cwd=served.folder,
                          check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.split("SAID ", 1)[1])


def test_the_original_logs_and_is_read_back(seed_python: str, served: Served, sheet: Path) -> None:
    key = served.key("--node", "site-1")
    time.sleep(1.5)  # A server takes up what the command line changed within a second.
    said = original(seed_python, served, "site-1", key, sheet)
    assert said["institution"] == "hospital"
    assert said["load"] == "find fraud – early"
    assert said["load again"] == "FactSheetAlreadyExistsError"
    assert len(said["log"]) == 5
    # It sends no key when it reads: nobody reads a project that was not opened.
    assert said["history"] == "BackendReadError"

    status, _, _ = served.request("GET", "/projects/demo/records")
    assert status == 401
    status, _, body = served.request("GET", "/projects/demo/records", key)
    assert status == 200
    assert [record["record_id"] for record in json.loads(body)] == said["log"]

    served.registry("open", "demo", "records")
    time.sleep(1.5)
    again = original(seed_python, served, "site-1", key, sheet)
    assert again["load"] == "FactSheetAlreadyExistsError"
    assert again["history"] == json.loads(body)
    assert again["sheet"]["created_at"] and again["sheet"]["version"] == 1
    assert again["summary"] == 5


@pytest.mark.parametrize("case", ["a wrong key", "another node's key", "no such node"])
def test_the_original_is_refused_in_its_own_words(
    case: str, seed_python: str, served: Served, sheet: Path
) -> None:
    key = served.key("--node", "site-1")
    time.sleep(1.5)
    node, sent, expected = {
        "a wrong key": ("site-1", "qt_wrong", "NodeAuthenticationError"),
        "another node's key": ("site-2", key, "NodeVerificationError"),
        "no such node": ("nobody", key, "NodeVerificationError"),
    }[case]
    assert original(seed_python, served, node, sent, sheet) == {"institution": expected}


def test_what_the_original_wrote_verifies(seed_python: str, served: Served, sheet: Path) -> None:
    key = served.key("--node", "site-1")
    time.sleep(1.5)
    original(seed_python, served, "site-1", key, sheet)
    assert served.stop() == 0
    from served import command
    for project in ["demo", "quark-trace.server"]:
        done = subprocess.run([command(), "--json", "verify", served.store, project, "--level",
                               "L2"], capture_output=True, text=True, env=served.environment,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
