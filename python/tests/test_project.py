"""Projects: opened twice, amended, verified, proven, closed."""

import gc
import hashlib
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quark_trace import (
    BackendError,
    FactSheetAlreadyExistsError,
    FactSheetNotFoundError,
    ImmutableFieldError,
    InvalidAmendmentError,
    JsonBackend,
    Project,
    StorageBackend,
    TraceLog,
)


def test_the_same_program_runs_again_and_again(sheet: Path, tmp_path: Path) -> None:
    for number in range(3):
        with Project.open(sheet, JsonBackend(tmp_path / "data")) as project:
            project.log("run", number=number)
    assert [record.payload["number"] for record in project.history()] == [0, 1, 2]
    assert len(project.sheets()) == 1
    assert project.verify("L2")["exit_code"] == 0


def test_open_takes_up_what_load_began(sheet: Path, tmp_path: Path) -> None:
    Project.load(sheet, JsonBackend(tmp_path / "data")).log("s")
    assert len(Project.open(sheet, JsonBackend(tmp_path / "data")).history()) == 1
    with pytest.raises(FactSheetAlreadyExistsError):
        Project.load(sheet, JsonBackend(tmp_path / "data"))


def test_open_with_another_sheet_says_what_to_do(project: Project, sheet: Path) -> None:
    sheet.write_text(sheet.read_text().replace("find fraud", "something else"))
    with pytest.raises(FactSheetAlreadyExistsError, match="amend") as caught:
        Project.open(sheet, project._tracer.backend)
    assert caught.value.project_id == "demo"
    assert project.fact_sheet.purpose == "find fraud"
    assert len(project.sheets()) == 1


def test_resume(project: Project) -> None:
    again = Project.resume("demo", project._tracer.backend)
    assert again.fact_sheet == project.fact_sheet
    assert again.project_id == "demo"
    with pytest.raises(FactSheetNotFoundError) as caught:
        Project.resume("nobody", project._tracer.backend)
    assert caught.value.project_id == "nobody"


def test_amendments_are_stored(project: Project, tmp_path: Path) -> None:
    project.log("before")
    amended = project.amend({"purpose": "find more", "domain": "health"}, "Jane", "scope")
    project.log("after")
    assert amended is project.fact_sheet and amended.version == 2
    again = Project.resume("demo", JsonBackend(tmp_path / "data"))
    assert again.fact_sheet == amended
    assert [(found.version, found.purpose) for found in again.sheets()] == [
        (1, "find fraud"), (2, "find more")]
    entry = again.fact_sheet.amendment_log[0]
    assert (entry["amended_by"], entry["reason"]) == ("Jane", "scope")
    assert sorted(entry["fields_changed"]) == ["domain", "purpose"]
    assert project.verify()["exit_code"] == 0
    assert project.verify()["sheets"] == 2
    with pytest.raises(ImmutableFieldError) as caught:
        project.amend({"project_id": "x"}, "Jane", "why")
    assert caught.value.field == "project_id"


@pytest.mark.parametrize("arguments", [
    ({}, "Jane", "why"),
    ({"purpose": "find fraud"}, "Jane", "why"),
    ({"purpos": "x"}, "Jane", "why"),
    ({"ml_type": "magic"}, "Jane", "why"),
    ({"bias": None}, "Jane", "why"),
    ({"purpose": "x"}, "", "why"),
    ({"purpose": "x"}, "Jane", " "),
    ({"purpose": "x", "version": 9}, "Jane", "why"),
    ({"purpose": "x", "output": [{"name": "a", "type": "magic"}]}, "Jane", "why"),
])
def test_a_refused_amendment_changes_nothing(arguments: tuple, project: Project) -> None:
    before = project.fact_sheet.to_json()
    for amend in (project.amend, project.fact_sheet.amend):
        with pytest.raises((InvalidAmendmentError, ImmutableFieldError)):
            amend(*arguments)
    assert project.fact_sheet.to_json() == before
    assert len(project.sheets()) == 1


def test_two_who_amend_do_not_overwrite_each_other(project: Project, tmp_path: Path) -> None:
    other = Project.resume("demo", JsonBackend(tmp_path / "data"))
    project.amend({"purpose": "mine"}, "Jane", "why")
    other.amend({"domain": "theirs"}, "Joe", "why")
    assert [sheet.version for sheet in project.sheets()] == [1, 2, 3]
    assert (other.fact_sheet.purpose, other.fact_sheet.domain) == ("mine", "theirs")


def test_the_verdict_names_what_was_found(project: Project, tmp_path: Path) -> None:
    for number in range(5):
        project.log("s", number=number)
    project.close()
    verdict = project.verify("L2")
    assert (verdict["exit_code"], verdict["level"], verdict["size"]) == (0, "L2", 7)
    assert verdict["headline"].startswith("VERIFIED at level L2")
    assert project.verify("L3")["exit_code"] == 2
    log = tmp_path / "data" / "demo_trace_log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"number": 3', b'"number": 4'))
    tampered = Project(project.fact_sheet, TraceLog("demo", JsonBackend(tmp_path / "data")))
    verdict = tampered.verify()
    assert verdict["exit_code"] == 1
    assert "E-ALTERED" in {finding["code"] for finding in verdict["findings"]}


@pytest.mark.parametrize(
    "arguments", [{"level": "L9"}, {"keys": ["no key"]}, {"checkpoint": "no checkpoint"}]
)
def test_a_wrong_question_is_not_an_answer(arguments: dict, project: Project) -> None:
    project.log("s")
    with pytest.raises(BackendError, match="no level|not a verifier key|checkpoint") as caught:
        project.verify(**arguments)
    assert isinstance(caught.value, ValueError)
    assert "read failed" not in str(caught.value)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)


def test_a_pinned_key_and_checkpoint(project: Project, tmp_path: Path) -> None:
    project.log("s")
    project.close()
    folder = tmp_path / "data" / "demo.qtlog"
    keys = (folder / "log.vkey").read_text().split()
    checkpoint = (folder / "checkpoint").read_text()
    project.log("after")
    verdict = project.verify("L2", keys=keys, checkpoint=checkpoint)
    assert (verdict["exit_code"], verdict["keys_pinned"]) == (0, True)


def test_a_proof_is_of_the_record(project: Project) -> None:
    records = [project.log("s", number=number) for number in range(9)]
    project.flush()
    for record in records:
        proof = project.prove(record)
        assert proof.startswith("c2sp.org/tlog-proof@v1\n")
        assert proof == project.prove(record.record_id)
    index = int(proof.split("\n")[1].removeprefix("index "))
    assert index == 10
    with pytest.raises(BackendError, match="has no record 'nobody'"):
        project.prove("nobody")


def test_the_ledger_names_the_digest_of_each_line(project: Project, tmp_path: Path) -> None:
    project.log("s", text="é")
    project.close()
    line = (tmp_path / "data" / "demo_trace_log.jsonl").read_bytes().splitlines()[-1]
    entry = (tmp_path / "data" / "demo.qtlog" / "ledger").read_bytes().splitlines()[-1]
    assert entry.split()[1] == b"sha256:" + hashlib.sha256(line).hexdigest().encode()


def test_closing_keeps_the_project_usable(project: Project) -> None:
    with project as same:
        assert same is project
        project.log("s")
    project.close()
    project.log("s")
    project.flush()
    assert len(project.history()) == 2
    assert project.verify("L2")["exit_code"] == 0


def test_an_error_inside_with_is_not_hidden(project: Project) -> None:
    with pytest.raises(RuntimeError, match="mine"), project:
        project.log("s")
        raise RuntimeError("mine")
    assert len(project.history()) == 1


def test_a_project_survives_pickle(project: Project) -> None:
    project.log("s", number=1)
    again = pickle.loads(pickle.dumps(project))
    again.log("s", number=2)
    assert [record.payload["number"] for record in again.history()] == [1, 2]
    assert again.fact_sheet == project.fact_sheet


@pytest.mark.parametrize("durability", ["os", "sync", "buffered"])
def test_eight_threads_log(durability: str, sheet: Path, tmp_path: Path) -> None:
    project = Project.open(sheet, JsonBackend(tmp_path / "data", durability=durability))
    count = 40 if durability == "sync" else 500

    def run(thread: int) -> None:
        for number in range(count):
            project.log(f"thread {thread}", number=number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found: dict[str, list[int]] = {}
    for record in project.history():
        found.setdefault(record.stage, []).append(record.payload["number"])
    assert found == {f"thread {number}": list(range(count)) for number in range(8)}
    project.close()
    assert project.verify("L2")["exit_code"] == 0
    assert project.summary()["stages_recorded"] == dict.fromkeys(found, count)


@pytest.mark.parametrize(("durability", "survives"), [("os", True), ("sync", True)])
def test_what_was_logged_survives_the_death_of_the_process(
    durability: str, survives: bool, sheet: Path, tmp_path: Path
) -> None:
    program = (
        "import os, signal, sys; from quark_trace import JsonBackend, Project\n"
        "project = Project.open(sys.argv[1], JsonBackend(sys.argv[2], durability=sys.argv[3]))\n"
        "for number in range(50): project.log('s', number=number)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    data = tmp_path / "data"
    ran = subprocess.run([sys.executable, "-c", program, sheet, data, durability], timeout=60)
    assert ran.returncode == -9
    project = Project.open(sheet, JsonBackend(data))
    assert len(project.history()) == 50
    assert project.verify()["exit_code"] == 0


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'sync', 'os' or 'buffered'"):
        JsonBackend(tmp_path, durability="maybe")


def test_without_keys_the_log_is_unsigned_and_verify_says_so(sheet: Path, tmp_path: Path) -> None:
    project = Project.open(sheet, JsonBackend(tmp_path / "data", keys=False))
    project.log("s")
    project.close()
    assert project.verify("L1")["exit_code"] == 0
    assert project.verify("L2")["exit_code"] == 2
    assert not (tmp_path / "data" / "demo.qtlog" / "checkpoint").exists()


def test_a_backend_without_ledger_says_so() -> None:
    class Own(StorageBackend):
        def save(self, record) -> None: ...
        def load_all(self, project_id):
            return []

    project = Project(None, TraceLog("p", Own()))
    for call in (project.verify, project.sheets, lambda: project.amend({}, "a", "b")):
        with pytest.raises(BackendError, match="Own keeps no ledger"):
            call()
    project.close()


def test_a_subclass_of_the_backend_sees_what_is_saved(sheet: Path, tmp_path: Path) -> None:
    class Counting(JsonBackend):
        saved = 0

        def save(self, record) -> None:
            self.saved += 1
            super().save(record)

    backend = Counting(tmp_path / "data")
    project = Project.open(sheet, backend)
    project.log("s", a=1)
    assert backend.saved == 1
    assert len(project.history()) == 1


def test_a_subclass_of_the_project_sees_what_is_logged(sheet: Path, tmp_path: Path) -> None:
    class Own(Project):
        def log(self, stage, **payload):
            return super().log(stage, **payload, site="a")

    assert Own.open(sheet, JsonBackend(tmp_path / "data")).log("s").payload == {"site": "a"}


def test_private_files_are_private(project: Project, tmp_path: Path) -> None:
    project.log("s")
    project.close()
    for path in (tmp_path / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert os.stat(tmp_path / "data").st_mode & 0o077 == 0


def test_the_sheet_file_is_in_the_form_of_the_original(project: Project, tmp_path: Path) -> None:
    text = (tmp_path / "data" / "demo_fact_sheet.json").read_text()
    assert text == json.dumps(project.fact_sheet.to_json(), indent=2)


@pytest.mark.parametrize("enabled", [True, False])
def test_reading_leaves_the_garbage_collector_as_it_was(project: Project, enabled: bool) -> None:
    project.log("s")
    try:
        if not enabled:
            gc.disable()
        assert len(project.history()) == 1
        assert gc.isenabled() == enabled
        log_file = next(Path(project._tracer.backend.path).glob("*_trace_log.jsonl"))
        log_file.write_text(log_file.read_text() + "no record\n")
        with pytest.raises(BackendError):
            project.history()
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
