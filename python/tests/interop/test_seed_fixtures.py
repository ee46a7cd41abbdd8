"""Files that 0.1.0 wrote: read, sealed, verified and continued."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from quark_trace import FactSheet, JsonBackend, Project, TraceLog

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "seed-0.1.0"
MANIFEST = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))
PROJECTS = MANIFEST["projects"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "data", tmp_path / "data"))


def texts(records) -> list[str]:
    """As text, since NaN equals nothing."""
    return [json.dumps(record.to_json()) for record in records]


def leaves(data: Path, project: str) -> list[bytes]:
    """The entries that FORMAT.md asks of a seal, from the files alone."""
    header = json.dumps({"format": "quark-trace-log/1", "project_id": project})
    objects = [("log", header.encode())]
    sheet, log = data / f"{project}_fact_sheet.json", data / f"{project}_trace_log.jsonl"
    if sheet.exists():
        objects.append(("sheet-adopted", sheet.read_bytes()))
    if log.exists():
        lines = log.read_bytes().replace(b"\r\n", b"\n").split(b"\n")[:-1]
        objects += [("record-adopted", line) for line in lines if line.strip()]
    return [f"{kind} sha256:{hashlib.sha256(content).hexdigest()}".encode()
            for kind, content in objects]


def root(entries: list[bytes]) -> bytes:
    """The tree head of RFC 6962."""
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    half = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(entries[:half]) + root(entries[half:])).digest()


def test_the_fixtures_are_what_they_were() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
             for path in (FIXTURES / "data").iterdir()}
    assert found == MANIFEST["files"]


def test_the_original_still_writes_and_reads_them_so(seed_python: str, tmp_path: Path) -> None:
    command = [seed_python, "-B", FIXTURES / "write.py", tmp_path / "again"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    described = json.loads(ran.stdout)
    assert described["files"] == MANIFEST["files"]
    read = {project: known["records"] for project, known in PROJECTS.items() if known["records"]}
    assert {project: known["records"] for project, known in described["projects"].items()} == read


@pytest.mark.parametrize("project", PROJECTS)
def test_every_value_is_what_the_original_read(project: str, data: Path) -> None:
    assert texts(JsonBackend(data).load_all(project)) == PROJECTS[project]["records"]


def test_every_project_is_found(data: Path) -> None:
    assert sorted(JsonBackend(data).projects()) == sorted(PROJECTS)


def test_reading_changes_nothing(data: Path) -> None:
    backend = JsonBackend(data)
    for project in PROJECTS:
        backend.load_all(project)
    backend.close()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
             for path in data.iterdir() if path.is_file()}
    assert found == MANIFEST["files"]


@pytest.mark.parametrize("project", PROJECTS)
def test_a_seal_gives_the_root_that_anyone_can_compute(project: str, data: Path) -> None:
    expected = leaves(FIXTURES / "data", project)
    size, sealed, checkpoint = JsonBackend(data)._native_log(project).seal()
    assert (data / f"{project}.qtlog" / "ledger").read_bytes().splitlines() == expected
    assert (size, sealed) == (len(expected), PROJECTS[project]["root"])
    assert sealed == root(expected).hex()
    assert f"\n{size}\n" in checkpoint




@pytest.mark.parametrize("project", PROJECTS)
def test_a_sealed_project_verifies_and_goes_on(project: str, data: Path) -> None:
    backend = JsonBackend(data)
    log = TraceLog(project, backend)
    before = texts(log.load_all())
    log.log("after", value=float("nan"))
    assert texts(log.load_all())[:-1] == before
    backend.close()
    verdict = json.loads(backend._native_log(project).verify())
    assert verdict["exit_code"] == 0, verdict
    codes = {finding["code"] for finding in verdict["findings"]}
    assert ("W-ADOPTED" in codes) == bool(before)


def test_line_ends_make_no_difference(data: Path) -> None:
    log = data / "crlf_trace_log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"\r\n", b"\n"))
    assert JsonBackend(data)._native_log("crlf").seal()[1] == PROJECTS["crlf"]["root"]


def test_what_was_torn_is_kept_aside(data: Path) -> None:
    torn = (data / "torn_trace_log.jsonl").read_bytes().split(b"\n")[-1]
    JsonBackend(data)._native_log("torn").seal()
    kept = list((data / "torn.qtlog").glob("torn-*"))
    assert [path.read_bytes() for path in kept] == [torn]


def test_sheets_are_taken_up(data: Path) -> None:
    project = Project.resume("run", JsonBackend(data))
    stored = json.loads((FIXTURES / "data" / "run_fact_sheet.json").read_text())
    assert project.fact_sheet.to_json() == stored
    project.amend({"purpose": "find fraud"}, amended_by="Jane", reason="shorter")
    assert [sheet.version for sheet in project.sheets()] == [1, 2]
    assert project.verify()["exit_code"] == 0


def test_a_sheet_amended_by_the_original_is_taken_up(data: Path) -> None:
    sheet = JsonBackend(data).load_fact_sheet("amended")
    assert (sheet.version, sheet.purpose) == (2, "find fraud")
    assert sheet.amendment_log[0]["amended_by"] == "Jane Doe"
    assert FactSheet.from_json(sheet.to_json()) == sheet
