"""Copies between the stores of any two backends, as a program makes them."""

from itertools import product
from pathlib import Path

import pytest
from places import KINDS
from scripts import record, write_fixed

from quark_trace import (
    BackendError,
    BackendWriteError,
    HttpBackend,
    IntegrityError,
    Project,
    StorageBackend,
    TraceLog,
    TraceRecord,
    copy_projects,
)
from quark_trace._core import record_line

PAIRS = list(product(KINDS, KINDS))


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda kind: kind)
def test_the_same_root_in_both(one: str, other: str, make, sheet: Path) -> None:
    source, target = make(one), make(other)
    with source.open() as backend:
        write_fixed(backend, sheet)
        backend.save(record(1, project_id="second"))
    copied = copy_projects(source.url, target.url)
    assert sorted(copied) == ["demo", "second"]
    for project_id, (size, root) in copied.items():
        project = Project(None, TraceLog(project_id, target.open(read_only=True)))
        verdict = project.verify()
        assert (verdict["exit_code"], verdict["size"], verdict["root"]) == (0, size, root)
        there = Project(None, TraceLog(project_id, source.open(read_only=True)))
        assert there.verify()["root"] == root
        assert [record_line(each) for each in there.history()] == [
            record_line(each) for each in project.history()]
    # What came since, and nothing twice.
    with source.open() as backend, target.open() as there:
        backend.save(record(999))
        (size, root), = copy_projects(backend, there, "demo").values()
        assert size == copied["demo"][0] + 1
        assert copy_projects(backend, there, "demo") == {"demo": (size, root)}


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda kind: kind)
def test_another_history_is_refused(one: str, other: str, make) -> None:
    source, target = make(one), make(other)
    with source.open() as backend, target.open() as there:
        for number in range(5):
            backend.save(record(number))
        copy_projects(backend, there)
        backend.save(record(10))
        there.save(record(11))
        with pytest.raises(IntegrityError, match="another history") as caught:
            copy_projects(backend, there)
        assert caught.value.code == "E-FORK"
        there.save(record(12))
        with pytest.raises(BackendWriteError, match="the right way round"):
            copy_projects(backend, there)
        assert len(there.load_all("demo")) == 7


def test_a_project_that_is_not_there(make) -> None:
    source, target = make("file"), make("sqlite")
    with pytest.raises(BackendWriteError, match="there is no such project"):
        copy_projects(source.url, target.url, "nobody")
    assert copy_projects(source.url, target.url) == {}


def test_a_backend_without_a_ledger(make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(StorageBackend):
        def save(self, record: TraceRecord) -> None: ...
        def load_all(self, project_id: str) -> list[TraceRecord]:
            return []

    def called(*_arguments: object) -> None:
        raise AssertionError("a server is asked")

    monkeypatch.setattr(HttpBackend, "_verify_node", called)
    for source, target in ((Own(), make("file").url), (make("file").url, Own()),
                           ("https://h", make("file").url), (make("file").url, "https://h")):
        with pytest.raises(BackendError, match="keeps no ledger"):
            copy_projects(source, target)
