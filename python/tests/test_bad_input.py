"""Bad input gets one clear sentence and a typed error, and nothing is half written."""

from pathlib import Path

import pytest

import quark_trace
from quark_trace import (
    BackendReadError,
    BackendWriteError,
    FactSheetValidationError,
    InvalidProjectIdError,
    JsonBackend,
    Project,
    QuarkTraceError,
    RecordCorruptedError,
    TraceLog,
)

IDS = ["../x", "a/b", "..", ".hidden", "", "a\\b", "a\0b", "a\nb", "x" * 201, "/etc/passwd", "\ud800",
       None, 5]
GOOD = b'{"record_id": "%d", "project_id": "demo", "stage": "s", "timestamp": "t", "payload": {}}\n'


@pytest.mark.parametrize("project_id", IDS)
def test_an_id_that_cannot_name_a_project(project_id: str, sheet: Path, tmp_path: Path) -> None:
    backend = JsonBackend(tmp_path / "data")
    calls = (
        lambda: TraceLog(project_id, backend).log("s"),
        lambda: backend.load_all(project_id),
        lambda: backend.load_fact_sheet(project_id),
        lambda: Project.resume(project_id, backend),
    )
    for call in calls:
        with pytest.raises(InvalidProjectIdError) as caught:
            call()
        assert isinstance(caught.value, ValueError)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert not (tmp_path / "data").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet.yaml"]


SHEETS = {
    "broken": ("project_id: [1\n", "1"),
    "empty": ("", "empty"),
    "list": ("- a\n", "but this is a list"),
    "id": ("project_id: ../x\n", "project_id"),
    "nothing but an id": ("project_id: demo\n", "purpose"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_a_bad_sheet_is_drawn_with_its_fault(name: str, sheet: Path, tmp_path: Path) -> None:
    text, shown = SHEETS[name]
    sheet.write_text(text)
    with pytest.raises(FactSheetValidationError, match=shown) as caught:
        Project.open(sheet, JsonBackend(tmp_path / "data"))
    assert isinstance(caught.value, ValueError)
    assert caught.value.faults and all(fault["message"] for fault in caught.value.faults)
    assert not (tmp_path / "data").exists()


def test_a_sheet_that_is_no_text(sheet: Path, tmp_path: Path) -> None:
    sheet.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FactSheetValidationError):
        Project.open(sheet, JsonBackend(tmp_path / "data"))


def test_a_missing_sheet(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.yaml.*there is no such file"):
        Project.open(tmp_path / "none.yaml", JsonBackend(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_a_file(sheet: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is a file; give the path of a folder") as caught:
        JsonBackend(tmp_path / "file")
    assert isinstance(caught.value, QuarkTraceError)
    with pytest.raises(QuarkTraceError):
        Project.open(sheet, JsonBackend(tmp_path / "file" / "below"))


@pytest.mark.parametrize("file_type", ["../x", "a/b", "", "x" * 40, "JSONL", "a b"])
def test_a_file_type_that_cannot_be_an_ending(file_type: str, tmp_path: Path) -> None:
    with pytest.raises(QuarkTraceError):
        JsonBackend(tmp_path / "data", file_type).load_all("demo")
    assert not (tmp_path / "data").exists()


def test_a_link_in_place_of_the_log_is_not_followed(project: Project, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "data" / "other_trace_log.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(BackendWriteError):
        TraceLog("other", project._tracer.backend).log("s")
    assert (tmp_path / "target").read_text() == ""


DAMAGE = {
    "garbage": b"garbage\n",
    "no record": b'{"a": 1}\n',
    "not utf-8": GOOD.replace(b"{}", b'{"a": "\xff"}') % 9,
    "half": (GOOD % 9)[:40] + b"\n",
    "list": b"[1]\n",
    "deep": GOOD.replace(b"{}", b"[" * 100_000) % 9,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_yields_what_is_readable(damage: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "demo_trace_log.jsonl").write_bytes(GOOD % 1 + DAMAGE[damage] + GOOD % 2)
    backend = JsonBackend(data)
    with pytest.raises(RecordCorruptedError, match="line 2") as caught:
        backend.load_all("demo")
    assert isinstance(caught.value, (BackendReadError, ValueError))
    assert (caught.value.line, caught.value.offset) == (2, len(GOOD % 1))
    assert [record.record_id for record in caught.value.records] == ["1", "2"]
    lenient = backend.load_all("demo", strict=False)
    assert [record.record_id for record in lenient] == ["1", "2"]
    TraceLog("demo", backend).log("after")
    assert len(backend.load_all("demo", strict=False)) == 3


DAMAGED_SHEETS = {
    "empty": ("", "is not JSON"),
    "rubbish": ("rubbish", "is not JSON"),
    "half": ('{"sheet_id": "demo-v1", "project_id": "de', "is not JSON"),
    "null": ("null", "is not a JSON object"),
    "list": ("[]", "is not a JSON object"),
    "no members": ("{}", "has no `project_id`"),
    "one member": ('{"project_id": "demo"}', "has no `purpose`"),
    "deep": ("[" * 100_000, "is not JSON|too deep|nested"),
}


@pytest.mark.parametrize("damage", DAMAGED_SHEETS)
def test_a_damaged_fact_sheet_is_told_in_one_sentence(damage: str, tmp_path: Path) -> None:
    text, reason = DAMAGED_SHEETS[damage]
    data = tmp_path / "data"
    data.mkdir()
    (data / "demo_fact_sheet.json").write_text(text)
    for call in (JsonBackend(data).load_fact_sheet, lambda id: Project.resume(id, JsonBackend(data))):
        with pytest.raises(BackendReadError, match=reason) as caught:
            call("demo")
        # What 0.1.0 let escape here.
        assert isinstance(caught.value, ValueError) and isinstance(caught.value, KeyError)
        said = str(caught.value)
        assert said.startswith("Backend read failed: the stored fact sheet of project 'demo'"), said
        assert "quark-trace verify" in said and "\n" not in said
    assert (data / "demo_fact_sheet.json").read_text() == text


def test_history_of_a_damaged_project(project: Project, tmp_path: Path) -> None:
    project.log("s", number=1)
    project.close()
    with (tmp_path / "data" / "demo_trace_log.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    with pytest.raises(RecordCorruptedError):
        project.history()
    assert [record.payload for record in project.history(strict=False)] == [{"number": 1}]


def test_a_folder_that_may_not_be_written(sheet: Path, tmp_path: Path) -> None:
    """A file in the place of the ledger's folder stops everyone, also the superuser."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "demo.qtlog").touch()
    with pytest.raises(BackendWriteError) as caught:
        Project.open(sheet, JsonBackend(data))
    assert caught.value.outcome != "written" and "demo.qtlog" in str(caught.value)
    assert sorted(path.name for path in data.iterdir()) == ["demo.qtlog"]


def test_no_error_shows_internals(project: Project, sheet: Path, tmp_path: Path) -> None:
    said = []
    for call in (
        lambda: project.log(""),
        lambda: project.log("s", a={1}),
        lambda: JsonBackend(sheet),
        lambda: Project.resume("nobody", JsonBackend(tmp_path / "data")),
        lambda: quark_trace.load_fact_sheet(tmp_path),
        lambda: TraceLog("../x", JsonBackend(tmp_path / "data")),
    ):
        with pytest.raises(QuarkTraceError) as caught:
            call()
        said.append(str(caught.value))
    for text in said:
        for internal in (".rs", "panic", "unwrap", "Error {", "Some(", "None:", "os error"):
            assert internal not in text, text
