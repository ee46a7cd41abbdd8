"""Backends are opened by URL, say what they are without secrets, and survive pickling."""

import os
import pickle
from pathlib import Path

import pytest
from places import Place
from scripts import record

import quark_trace
from quark_trace import (
    BackendError,
    HttpBackend,
    JsonBackend,
    Project,
    QuarkTraceError,
    SqlBackend,
    TraceLog,
    copy_projects,
    open_backend,
)


def test_each_url_has_its_backend(
    tmp_path: Path, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("sqlite")
    monkeypatch.chdir(tmp_path)
    for url in ("traces/", "file:traces/", "FILE:traces", f"file://{tmp_path}/traces",
                f"file://localhost{tmp_path}/traces", Path("traces"), tmp_path / "traces"):
        backend = open_backend(url, durability="sync")
        assert type(backend) is JsonBackend
        assert (backend.path, backend.durability) == (tmp_path / "traces", "sync")
    assert type(open_backend("sqlite:trace.db")) is SqlBackend
    assert type(open_backend("./a:b")) is JsonBackend
    with pytest.raises(quark_trace.NodeVerificationError):
        open_backend("http://127.0.0.1:1/", node_id="n", api_key="k", delivery="strict")
    assert HttpBackend.__name__ == "HttpBackend"
    assert {path.name for path in tmp_path.iterdir()} <= {"place-1", "keys"}


@pytest.mark.parametrize("url", ["redis://me:secret@host/0", "mysql://me:secret@h/d", "file:",
                                 "postgre://me:secret@h/d", "ftp:secret"])
def test_a_url_that_names_no_store(url: str) -> None:
    for act in (open_backend, lambda url: copy_projects(url, "x")):
        with pytest.raises(ValueError, match=r"no store called|path is empty") as caught:
            act(url)
        assert isinstance(caught.value, BackendError)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://secret.db", "sqlite:///secret.db",
                                 "postgres://me:se?cret@127.0.0.1/d",
                                 "postgres://me:se@cret@127.0.0.1/d"])
def test_a_url_that_would_mean_something_else(url: str) -> None:
    for opened in (SqlBackend, open_backend):
        with pytest.raises(BackendError, match=r"sqlite:trace\.db|written with %") as caught:
            opened(url)
        assert "cret@" not in f"{caught.value!r} {caught.value}"


def test_a_url_for_a_project(place: Place) -> None:
    with pytest.raises(quark_trace.InvalidProjectIdError) as caught:
        TraceLog("postgres://me:secret@host/d", place.open())
    assert "secret" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("url", ["traces/", "file:x", "https://x", "", ":", "sqlitex:y"])
def test_a_url_that_names_no_database(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:PATH or postgres://"):
        SqlBackend(url)


@pytest.mark.parametrize("option", [{"durability": "maybe"}, {"durability": ""}])
def test_a_durability_that_is_none(place: Place, option: dict) -> None:
    with pytest.raises(ValueError, match="durability"):
        place.open(**option)


def test_an_option_that_is_none(place: Place) -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        place.open(durable=True)


def test_no_password_is_shown(place: Place) -> None:
    backend = place.open()
    for shown in (repr(backend), str(backend), repr(backend._store), repr(vars(backend)),
                  backend._store.url, repr(Project(None, TraceLog("demo", backend)))):
        assert "only-for-tests" not in shown
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert b"only-for-tests" not in pickle.dumps(backend, protocol)


def test_a_backend_survives_pickling(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "only-for-tests")
    backend = place.open(durability="sync")
    backend.save(record(1))
    again = pickle.loads(pickle.dumps(backend))
    again.save(record(2))
    assert (type(again), again.durability, repr(again)) == (type(backend), "sync", repr(backend))
    assert len(backend.load_all("demo")) == 2
    reading = pickle.loads(pickle.dumps(place.open(read_only=True)))
    with pytest.raises(QuarkTraceError, match="for reading only") as caught:
        reading.save(record(3))
    same = pickle.loads(pickle.dumps(caught.value))
    assert (type(same), str(same), same.outcome) == (
        type(caught.value), str(caught.value), "not_written")


def test_a_backend_is_a_context(place: Place) -> None:
    with place.open() as backend:
        backend.save(record(1))
    verdict = Project(None, TraceLog("demo", place.open())).verify("L2")
    assert (verdict["exit_code"], verdict["sealed"]) == (0, 2)


def test_without_a_key_the_log_is_unsigned(place: Place) -> None:
    with place.open(keys=False) as backend:
        backend.save(record(1))
    project = Project(None, TraceLog("demo", place.open(keys=False)))
    assert (project.verify("L1")["level"], project.verify("L2")["exit_code"]) == ("L1", 2)


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("sqlite")
    for url in ("traces", "sqlite:trace.db"):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        backend = open_backend(url)
        os.chdir(tmp_path / "elsewhere")
        backend.save(record(1))
        again = pickle.loads(pickle.dumps(backend))
        assert len(again.load_all("demo")) == 1
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_subclass_is_called_each_time(make) -> None:
    place = make("sqlite")

    class Counting(SqlBackend):
        saved = 0

        def save(self, record: quark_trace.TraceRecord) -> None:
            self.saved += 1
            super().save(record)

    with Counting(place.url) as backend:
        TraceLog("demo", backend).log("s")
        assert (backend.saved, len(backend.load_all("demo"))) == (1, 1)
