"""The HTTP client where 0.1.0 went wrong: keys, redirects, connections, answers."""

import pickle
import sys
import traceback
from pathlib import Path

import pytest

from quark_trace import BackendError, BackendReadError, BackendWriteError, HttpBackend, Project
from quark_trace import NodeAuthenticationError, NodeScopeError, RecordSerializationError
from quark_trace import TraceLog, TraceRecord

sys.path.insert(0, str(Path(__file__).parent / "compat"))

from server import Server  # noqa: E402

RECORD = TraceRecord("r1", "p", "s", "2026-01-02T03:04:05+00:00", {"a": 1})
KEY = "the-secret-key"


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def backend(server: Server) -> HttpBackend:
    return HttpBackend(server.url, "active", KEY)


def test_the_key_is_shown_nowhere(backend: HttpBackend, server: Server) -> None:
    assert KEY not in repr(vars(backend)) + repr(backend) + str(backend)
    assert KEY.encode() not in pickle.dumps(backend)
    server.answers["/projects/p/records"] = (500, {"detail": "why"})
    with pytest.raises(BackendWriteError) as caught:
        backend.save(RECORD)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert backend.api_key == KEY


@pytest.mark.parametrize("key", ["a\nb", "a\r\nX-Other: 1", "é", " the key", "a\0"])
def test_a_key_that_is_none(key: str, server: Server) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        HttpBackend(server.url, "active", key)
    assert isinstance(caught.value, BackendError)
    assert key not in str(caught.value) and server.requests == []


@pytest.mark.parametrize("url", ["ftp://host", "host:80", "http://", "http://host/?a=b",
                                 "http://user:word@host", "http://host/#a"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        HttpBackend(url, "active", KEY)


@pytest.mark.parametrize("project_id", ["../registry/nodes/active#", "a/b", "a?x=1", "%2e%2e"])
def test_an_id_names_no_other_path(project_id: str, backend: HttpBackend, server: Server) -> None:
    with pytest.raises(BackendReadError):
        backend.load_all(project_id)
    path = server.requests[-1][1]
    assert path.startswith("/projects/") and path.endswith("/records")
    assert path.count("/") == 3 and "?" not in path and "#" not in path


@pytest.fixture
def strict(server: Server) -> HttpBackend:
    return HttpBackend(server.url, "active", KEY, delivery="strict")


def test_a_record_is_posted_once(strict: HttpBackend, server: Server) -> None:
    """Whether it arrived is unknown, so it is not sent again by itself; the caller may."""
    server.answers["/projects/p/records"] = (503, {"detail": "later"})
    with pytest.raises(BackendWriteError) as caught:
        strict.save(RECORD)
    assert caught.value.outcome == "unknown"
    assert len([request for request in server.requests if request[0] == "POST"]) == 1


def test_a_redirect_is_no_success(backend: HttpBackend, server: Server) -> None:
    server.answers["/projects/p/records"] = (302, {})
    with pytest.raises(BackendWriteError, match="302"):
        backend.save(RECORD)


@pytest.mark.parametrize(("status", "kind"), [(401, NodeAuthenticationError),
                                              (403, NodeScopeError)])
def test_a_refusal_is_typed(status: int, kind: type, backend: HttpBackend, server: Server) -> None:
    server.answers["/projects/p/records"] = (status, {"detail": "why"})
    with pytest.raises(kind, match="why") as caught:
        backend.save(RECORD)
    assert isinstance(caught.value, BackendWriteError) and caught.value.outcome == "not_written"


def test_a_page_of_html_does_not_hide_the_status(strict: HttpBackend, server: Server) -> None:
    server.answers["/projects/p/records"] = (502, b"<html>" + b"x" * 100_000)
    for call in (lambda: strict.save(RECORD), lambda: strict.load_all("p")):
        with pytest.raises(BackendError, match="502") as caught:
            call()
        assert len(str(caught.value)) < 300


def test_what_a_value_is_over_http(backend: HttpBackend, server: Server) -> None:
    server.answers["POST /projects/p/records"] = (201, {})
    TraceLog("p", backend).log("s", loss=0.5, nested={"a": [1, None]})
    assert b'"payload": {"loss": 0.5, "nested": {"a": [1, null]}}}' in server.requests[-1][4]


def test_nan_and_numpy_over_http(backend: HttpBackend, server: Server) -> None:
    numpy = pytest.importorskip("numpy")
    server.answers["POST /projects/p/records"] = (201, {})
    TraceLog("p", backend).log("s", loss=float("nan"), rate=numpy.float32(0.5))
    body = server.requests[-1][4]
    assert body.endswith(b'"payload": {"loss": {"$numberDouble": "NaN"}, "rate": 0.5}}')
    server.answers["GET /projects/p/records"] = (200, b"[" + body + b"]")
    loss = backend.load_all("p")[0].payload["loss"]
    assert loss != loss


def test_history_of_any_backend(backend: HttpBackend, server: Server) -> None:
    server.answers["GET /projects/p/records"] = (200, [RECORD.to_json()])
    project = Project(None, TraceLog("p", backend))
    assert project.history() == project.history(strict=False) == [RECORD]


def test_what_cannot_be_logged_is_not_sent(backend: HttpBackend, server: Server) -> None:
    sent = len(server.requests)
    with pytest.raises(RecordSerializationError, match=r"payload\.members is of type set"):
        TraceLog("p", backend).log("s", members={1})
    assert len(server.requests) == sent
