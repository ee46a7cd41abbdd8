"""The types are complete, and the stubs say what is there."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

PROGRAM = """
import dataclasses
from quark_trace import (
    JsonBackend, Project, SqlBackend, StorageBackend, TraceLog, TraceRecord, copy_projects,
    open_backend,
)
from quark_trace.exceptions import BackendWriteError

with Project.open("sheet.yaml", JsonBackend("traces/", durability="sync")) as project:
    record = project.log("client_round", round=1, loss=0.21)
    same = project.log(stage="client_round", payload={"self": 1})
    changed = dataclasses.replace(record, stage="other")
    stages: list[str] = [found.stage for found in project.history(strict=False)]
    payload: dict[str, object] = record.payload
    code: object = project.verify("L2")["exit_code"]
    proof: str = project.prove(record)
    found = project.query("payload.loss < 0.3", stage=["a", "b"], where={"payload.a": [1, None]})
    losses: list[object] = [one.payload["loss"] for one in found]
    cursor: str | None = found.cursor
    means: list[dict[str, object]] = project.aggregate("payload.loss", by=["stage"])
    rows: int = found.to_arrow(["stage"]).num_rows


class Own(StorageBackend):
    def save(self, record: TraceRecord) -> None: ...
    def load_all(self, project_id: str) -> list[TraceRecord]:
        return []


with SqlBackend("sqlite:trace.db", durability="sync", read_only=True) as backend:
    names: list[str] = backend.projects()
anywhere: StorageBackend = open_backend("postgres://user@host/database", keys=False)
size, root = copy_projects("traces/", anywhere, "demo")["demo"]
both: tuple[int, str] = (size, root)

try:
    TraceLog("p", Own()).log("s", a=1)
except BackendWriteError as error:
    outcome: str | None = error.outcome
"""


def run(*command: str, cwd: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
def test_the_package_is_typed_throughout(tmp_path: Path) -> None:
    run("mypy", "--strict", "--no-incremental", "-p", "quark_trace", cwd=tmp_path)


@pytest.mark.slow
def test_the_stubs_say_what_is_there(tmp_path: Path) -> None:
    allowed = Path(__file__).with_name("stubtest-allowed.txt")
    run("mypy.stubtest", "quark_trace", "--allowlist", str(allowed), cwd=tmp_path)


@pytest.mark.slow
def test_a_program_that_uses_it_is_checked(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    run("mypy", "--strict", "--no-incremental", "program.py", cwd=tmp_path)


@pytest.mark.slow
def test_a_wrong_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(
        "from quark_trace import JsonBackend, Project\nProject.open(1, JsonBackend())\n"
    )
    with pytest.raises(AssertionError, match="Missing positional argument"):
        run("mypy", "--strict", "--no-incremental", "wrong.py", cwd=tmp_path)
