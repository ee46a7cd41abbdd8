"""The same operations give the same log in every store: size, root, entries, objects, answers."""

import json
from pathlib import Path

import pytest
from places import Place
from scripts import PAYLOADS, fixed_sheet, record, refusals, write_fixed

from quark_trace import (
    FactSheet,
    FactSheetNotFoundError,
    JsonBackend,
    Project,
    copy_projects,
)

# Of the log that `write_fixed` makes. It changes when the format does, and never otherwise.
SIZE = 313
ROOT = "af4068208d9687f704a04d2a507a6278cbf6e1573025331116b8d49661fa5147"


def as_files(place: Place, folder: Path) -> dict[str, bytes]:
    """Every byte of the log, as the folder that it is copied to has it."""
    copy_projects(place.url, folder, "demo")
    kept = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in {"lock", "wait", "state"}:
            kept[str(path.relative_to(folder))] = path.read_bytes()
    return kept


def test_the_same_size_root_entries_and_objects(
    place: Place, make, sheet: Path, tmp_path: Path, keys: Path
) -> None:
    folder = make("file")
    for each in (place, folder):
        # Under one key, so that the checkpoints are the same, too.
        with each.open(keys=keys) as backend:
            write_fixed(backend, sheet)
            assert backend._store.kind == each.kind
    project = Project.resume("demo", place.open(read_only=True))
    verdict = project.verify("L2")
    assert verdict["exit_code"] == 0, verdict
    assert (verdict["size"], verdict["sealed"], verdict["root"]) == (SIZE, SIZE, ROOT)
    copied = as_files(place, tmp_path / "one")
    assert copied == as_files(folder, tmp_path / "other")
    shown = json.loads(copied["demo_fact_sheet.json"])
    assert FactSheet.from_json(shown) == fixed_sheet(sheet)


def test_what_was_written_comes_back(place: Place, sheet: Path) -> None:
    with place.open() as backend:
        write_fixed(backend, sheet)
    backend = place.open(read_only=True)
    records = backend.load_all("demo")
    assert len(records) == SIZE - 2
    for number, payload in enumerate(PAYLOADS):
        assert repr(records[number].payload) == repr(record(number, payload).payload)
        assert records[number].to_json().keys() == record(number).to_json().keys()
    assert [found.timestamp for found in records[8:308]] == [
        record(number).timestamp for number in range(100, 400)]
    assert backend.load_fact_sheet("demo") == fixed_sheet(sheet)
    assert backend.projects() == ["demo"]


def test_the_same_answers(place: Place, make, sheet: Path) -> None:
    answers = []
    for each in (place, make("file")):
        with each.open() as backend:
            write_fixed(backend, sheet)
            project = Project.resume("demo", backend)
            amended = project.amend({"purpose": "find more"}, "Jane", "scope")
            project.flush()
            said = project.summary()
            said.pop("backend"), said.pop("amended_at")
            verdict = project.verify()
            for about in ("root", "findings", "origin", "keys"):
                verdict.pop(about)
            index = json.dumps([sheet.version for sheet in project.sheets()])
            answers.append((said, verdict, index, amended.version, amended.purpose,
                            project.prove(record(1)).splitlines()[:2],
                            [found.stage for found in project.history(strict=False)]))
    assert answers[0] == answers[1]


def test_the_same_refusals(place: Place, make, sheet: Path) -> None:
    found = []
    for each in (place, make("file")):
        with each.open() as backend:
            write_fixed(backend, sheet)
            found.append(refusals(backend, sheet))
            assert len(backend.load_all("demo")) == SIZE - 2, "nothing was written"
            shown = repr(found[-1])
            assert "only-for-tests" not in shown, "a password is shown"
    where = place.url
    for what, expected in found[1].items():
        assert without_place(found[0][what]) == without_place(expected), (what, where)


def without_place(answer: object) -> str:
    """The answer without the URL of the store, which some messages rightly name."""
    import re

    named = re.sub(r" in \S*(traces|trace\.db|/qt_\w+)\S*", " in STORE", repr(answer))
    named = re.sub(r" \((postgres|sqlite):[^)]*\)", "", named)
    named = re.sub(r'the record id "[-\w]+"', "the same record id", named)
    return named.replace("append a record", "append to the log")


def test_saved_once_however_often_it_is_tried(place: Place) -> None:
    with place.open() as first, place.open() as second:
        for backend in (first, second, first):
            backend.save(record(1))
        second.save(record(2))
        first.save(record(2))
        found = [each.record_id for each in place.open().load_all("demo")]
    assert found == [record(1).record_id, record(2).record_id]


def test_another_record_of_the_same_id_is_a_conflict(place: Place) -> None:
    with place.open() as first, place.open() as second:
        first.save(record(1))
        with pytest.raises(ValueError, match="with other content") as caught:
            second.save(record(1, {"n": "another"}))
        assert caught.value.outcome == "not_written"
        assert caught.value.record.payload == {"n": "another"}
        second.save(record(2))
    assert [each.payload["n"] for each in place.open().load_all("demo")] == [1, 2]


def test_a_project_in_every_store(place: Place, sheet: Path) -> None:
    for number in range(3):
        with Project.open(sheet, place.open()) as project:
            project.log("run", number=number)
    with pytest.raises(Exception, match="already exists"):
        Project.load(sheet, place.open())
    assert [each.payload["number"] for each in project.history()] == [0, 1, 2]
    assert project.verify("L2")["exit_code"] == 0
    assert Project.resume("demo", place.open()).fact_sheet == project.fact_sheet
    assert project.summary()["backend"] == type(place.open()).__name__


def test_projects_do_not_touch_one_another(place: Place) -> None:
    names = ["a", "A", "a.b", "ä", "per%cent", "it's; --", "x" * 200, "NUL", "über 名前"]
    with place.open() as backend:
        for round_number in range(2):
            for name in names:
                backend.save(record(round_number, project_id=name))
        assert sorted(backend.projects()) == sorted(names)
        for name in names:
            assert [each.payload["n"] for each in backend.load_all(name)] == [0, 1]
            assert {each.project_id for each in backend.load_all(name)} == {name}


def test_reading_makes_nothing(place: Place, tmp_path: Path) -> None:
    for backend in (place.open(), place.open(read_only=True)):
        assert backend.projects() == []
        assert backend.load_all("demo") == []
        with pytest.raises(FactSheetNotFoundError, match="No fact sheet"):
            backend.load_fact_sheet("demo")
        backend.flush()
        backend.close()
    assert [path.name for path in tmp_path.glob("place-[0-9]/*")] == []


def test_a_read_only_backend_refuses_every_write(place: Place, sheet: Path) -> None:
    with place.open() as writing:
        writing.save(record(1))
    reading = place.open(read_only=True)
    for write in (lambda: reading.save(record(2)),
                  lambda: reading.save_fact_sheet(fixed_sheet(sheet))):
        with pytest.raises(Exception, match="for reading only") as caught:
            write()
        assert (caught.value.kind, caught.value.outcome) == ("read_only", "not_written")
    assert len(reading.load_all("demo")) == 1


def test_the_folder_that_others_know(make, sheet: Path, tmp_path: Path) -> None:
    """What a copy in a folder is, JsonBackend and 0.1.0 read by its path alone."""
    with make("file").open() as backend:
        write_fixed(backend, sheet)
        copy_projects(backend, tmp_path / "copy")
    assert len(JsonBackend(tmp_path / "copy").load_all("demo")) == SIZE - 2
