"""`HttpBackend` of this version against the server as it is shipped."""

import json
import os
import pickle
import subprocess
import time
import warnings
from pathlib import Path

import pytest
from served import Served, command
from test_seed_client import SHEET

from quark_trace import (
    FactSheetAlreadyExistsError,
    HttpBackend,
    IntegrityError,
    NodeAuthenticationError,
    NodeVerificationError,
    Project,
    RecordConflictError,
    TraceRecord,
    open_backend,
)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARK_TRACE_KEYS", str(tmp_path / "client-keys"))
    monkeypatch.setenv("QUARK_TRACE_SPOOL", str(tmp_path / "spool"))


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.yaml"
    path.write_text(SHEET, encoding="utf-8")
    return path


@pytest.fixture
def key(served: Served) -> str:
    return served.key("--node", "site-1")


def rounds(project: Project) -> list[int]:
    return [record.payload["round"] for record in project.history()]


def test_a_project_from_beginning_to_end(served: Served, key: str, sheet: Path) -> None:
    backend = open_backend(served.url, node_id="site-1", api_key=key)
    assert isinstance(backend, HttpBackend) and backend.institution_id == "hospital"
    with Project.open(sheet, backend) as project:
        for number in range(5):
            project.log("client_round", round=number, loss=1 / (number + 1))
        assert rounds(project) == [0, 1, 2, 3, 4]
        chosen = project.query("payload.loss < 0.3")
        assert [record.payload["round"] for record in chosen] == [3, 4]
        assert project.summary()["total_records"] == 5
        assert len(project.sheets()) == 1
        verdict = project.verify()
        assert verdict["exit_code"] == 0, verdict
        assert project.prove(project.history()[0]).startswith("c2sp.org/tlog-proof@v1")
    with pytest.raises(FactSheetAlreadyExistsError):
        Project.load(sheet, backend)
    assert backend.projects() == ["demo"]


def test_the_administrator_amends(served: Served, key: str, sheet: Path) -> None:
    Project.open(sheet, HttpBackend(served.url, "site-1", key))
    admin = HttpBackend(served.url, "site-1", served.key("--admin-of", "hospital"))
    project = Project.resume("demo", admin)
    project.amend({"purpose": "find it sooner"}, "Jane Doe", "asked by the board")
    assert [sheet.version for sheet in project.sheets()] == [1, 2]
    assert Project.resume("demo", admin).fact_sheet.purpose == "find it sooner"


def test_a_record_is_stored_once(served: Served, key: str, sheet: Path) -> None:
    backend = HttpBackend(served.url, "site-1", key)
    project = Project.open(sheet, backend)
    record = project.log("s", round=1)
    backend.save(record)
    assert rounds(project) == [1]
    other = TraceRecord(record.record_id, "demo", "s", record.timestamp, {"round": 2})
    with pytest.raises(RecordConflictError):
        backend.save(other)


def test_an_outage_is_bridged(served: Served, key: str, sheet: Path) -> None:
    backend = HttpBackend(served.url, "site-1", key)
    project = Project.open(sheet, backend)
    project.log("s", round=0)
    served.kill()
    with pytest.warns(UserWarning, match="cannot be reached") as told:
        for number in range(1, 200):
            project.log("s", round=number)
    assert len(told) == 1
    assert backend.delivery_status()["waiting"] == 199
    served.restart()
    assert backend.flush(30)["waiting"] == 0
    assert rounds(project) == list(range(200))
    assert project.verify()["exit_code"] == 0


def test_another_process_ships_what_was_left(served: Served, key: str, sheet: Path,
                                             tmp_path: Path) -> None:
    backend = HttpBackend(served.url, "site-1", key)
    project = Project.open(sheet, backend)
    backend.close()
    served.kill()
    program = (
        "import os, sys, warnings; warnings.simplefilter('ignore')\n"
        "from quark_trace import HttpBackend, TraceLog\n"
        "log = TraceLog('demo', HttpBackend(*sys.argv[1:]))\n"
        "for number in range(50): log.log('s', round=number)\n"
        "os._exit(0)\n"
    )
    interpreter = os.environ.get("QUARK_TRACE_PYTHON") or __import__("sys").executable
    subprocess.run([interpreter, "-c", program, served.url, "site-1", key], check=True, timeout=60)
    served.restart()
    environment = os.environ | {"QUARK_TRACE_API_KEY": key}
    listed = json.loads(subprocess.run([command(), "--json", "spool"], env=environment, check=True,
                                       capture_output=True, text=True).stdout)
    assert [(row["records"], row["in_use"]) for row in listed["waiting"]] == [(50, False)]
    sent = subprocess.run([command(), "spool", "--send"], env=environment, check=False,
                          capture_output=True, text=True, timeout=60)
    assert sent.returncode == 0, sent.stderr
    assert rounds(project) == list(range(50))


def test_a_server_that_comes_late(served: Served, key: str, sheet: Path) -> None:
    Project.open(sheet, HttpBackend(served.url, "site-1", key))
    served.kill()
    with pytest.raises(NodeVerificationError):
        HttpBackend(served.url, "site-1", key, delivery="strict")
    with pytest.warns(UserWarning, match="could not be verified yet"):
        backend = HttpBackend(served.url, "site-1", key, delivery="background")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backend.save(TraceRecord("r1", "demo", "s", "2026-01-02T03:04:05+00:00", {"round": 7}))
        served.restart()
        assert backend.flush(30)["waiting"] == 0
    assert rounds(Project.resume("demo", backend)) == [7]


def test_background_does_not_wait(served: Served, key: str, sheet: Path) -> None:
    backend = HttpBackend(served.url, "site-1", key, delivery="background")
    project = Project.open(sheet, backend)
    begun = time.perf_counter()
    for number in range(2000):
        project.log("s", round=number)
    took = time.perf_counter() - begun
    print(f"2,000 records in {took:.2f} s")
    assert backend.flush(60)["waiting"] == 0
    assert rounds(project) == list(range(2000))


def test_a_fork_has_a_spool_of_its_own(served: Served, key: str, sheet: Path) -> None:
    backend = HttpBackend(served.url, "site-1", key, delivery="background")
    project = Project.open(sheet, backend)
    project.log("s", round=0)
    child = os.fork()
    if child == 0:
        project.log("s", round=1)
        os._exit(0 if backend.flush(30)["waiting"] == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    project.log("s", round=2)
    assert backend.flush(30)["waiting"] == 0
    assert sorted(rounds(project)) == [0, 1, 2]


def test_a_key_that_ended_is_typed(served: Served, key: str, sheet: Path) -> None:
    Project.open(sheet, HttpBackend(served.url, "site-1", key))
    with pytest.raises(NodeAuthenticationError):
        HttpBackend(served.url, "site-1", "qt_no-key-of-anybody")


def test_pickled_without_the_key(served: Served, key: str, monkeypatch) -> None:
    backend = HttpBackend(served.url, "site-1", key, delivery="background", drain=1.0)
    pickled = pickle.dumps(backend)
    assert key.encode() not in pickled
    monkeypatch.setenv("QUARK_TRACE_API_KEY", key)
    again = pickle.loads(pickled)
    assert (again.delivery, again.institution_id) == ("background", "hospital")


def test_the_command_line_reads_from_a_server(served: Served, key: str, sheet: Path) -> None:
    with Project.open(sheet, HttpBackend(served.url, "site-1", key)) as project:
        project.log("client_round", round=1, loss=0.5)
    environment = os.environ | {"QUARK_TRACE_API_KEY": key}
    for words in (["history"], ["query"], ["verify"], ["summary"], ["sheets"]):
        done = subprocess.run([command(), *words, served.url, "demo"], env=environment, check=False,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (words, done.stderr)
        assert "qt_" not in done.stdout + done.stderr
    done = subprocess.run([command(), "log", served.url, "demo", "s", "round=2"], env=environment,
                          check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_server_that_was_set_back_is_found_out(served: Served, key: str, sheet: Path,
                                                 tmp_path: Path) -> None:
    backend = HttpBackend(served.url, "site-1", key)
    project = Project.open(sheet, backend)
    project.log("s", round=0)
    project._native("seal").seal()
    served.stop()
    kept = {path: path.read_bytes() for path in tmp_path.glob("server.db*")}
    served.restart()
    for number in range(1, 5):
        project.log("s", round=number)
    project._native("seal").seal()
    served.stop()
    for path in tmp_path.glob("server.db*"):
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    served.restart()
    with pytest.raises(IntegrityError) as caught:
        project.verify()
    assert caught.value.code == "E-FORK"
    assert list((tmp_path / "client-keys" / "pins").glob("*.fork-*"))
