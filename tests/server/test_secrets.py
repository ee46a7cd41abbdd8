"""Keys appear where they are given out, and nowhere else."""

import base64
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import time
import traceback
import urllib.parse
from pathlib import Path

import pytest
from served import Served
from wire import begin, exchange, head, record


@pytest.fixture
def traced(tmp_path: Path):
    """A server that logs all it can."""
    made = Served(tmp_path, None, "--log", "trace", "--address-rate", "0")
    made.populate()
    yield made
    made.close()


def shapes(key: str) -> list[bytes]:
    """The secret of a key as somebody might write it; its id is public."""
    secret = key.split("_")[2]
    whole = [key, secret, secret[:20], secret[-20:]]
    coded = [key.encode().hex().upper(), base64.b64encode(key.encode()).decode(), key.encode().hex(),
             urllib.parse.quote(key, safe=""), key.encode("utf-16-le").hex()]
    return [text.encode() for text in whole + coded]


def assert_absent(place: str, content: bytes, keys: list[str]) -> None:
    for number, key in enumerate(keys):
        for shape in shapes(key):
            at = content.find(shape)
            assert at < 0, f"{place}: key {number} near {content[max(0, at - 80):at]!r}"


def wrong_places(key: str, foreign: str) -> list[bytes]:
    """Requests with a key in each place that there is."""
    body = record("demo", key, {"key": key})[:-1]
    path = "/projects/demo/records"
    json_kind = "Content-Type: application/json"
    mine = f"X-API-Key: {key}"

    def sent(method: str, where: str, *lines: str, content: bytes = b"") -> bytes:
        return head(method, where, *lines, f"Content-Length: {len(content)}") + content

    made = [sent("GET", f"/projects/demo?key={key}&X-API-Key={key}"),
            sent("GET", f"/projects/{key}", mine), sent("GET", f"/registry/nodes/{key}", mine),
            sent("GET", f"/{key}"), sent("GET", f"/tlog/{key}/checkpoint", mine),
            sent("GET", f"{path}/{key}", mine), sent("GET", f"{path}?filter={key}", mine),
            sent("GET", f"{path}?limit={key}", mine), sent("GET", f"{path}?after={key}", mine),
            sent("GET", f"{path}?as_of={key}&limit=1", mine), sent(key, "/health"),
            sent("GET", "/health", f"Cookie: qt-session={key}"),
            sent("GET", "/health", f"Host: {key}"), head("GET", "/health", host=key),
            sent("GET", "/projects/demo", f"X-API-Key: {key}x"),
            sent("GET", "/projects/demo", mine, f"X-API-Key: {foreign}"),
            sent("GET", "/projects/demo", f"Authorization: Basic {key}"),
            sent("GET", "/projects/demo", f"Authorization: Bearer {key}"),
            sent("GET", "/projects/other", mine), sent("GET", path, f"Accept: {key}", mine),
            sent("GET", "/projects/demo/stream", mine, f"Last-Event-ID: {key}")[:-4],
            sent("POST", path, mine, f"Content-Type: {key}", content=b"{}"),
            sent("POST", path, mine, json_kind, f"Origin: https://{key}", content=b"{}"),
            sent("POST", path, mine, json_kind, content=body),
            sent("POST", path, mine, json_kind, content=key.encode()),
            sent("POST", path, mine, "Content-Type: application/x-ndjson", content=body + b"\n"),
            sent("POST", path, mine, json_kind, f"Content-Encoding: {key}", content=b"{}"),
            sent("POST", f"{path}?expected={key}", mine, json_kind, content=b"{}"),
            sent("POST", f"{path}?receipt={key}", mine, json_kind, content=b"{}"),
            sent("POST", f"/registry/keys/{key}/revoke", mine),
            sent("POST", f"/registry/keys/{key}/rotate", mine, json_kind, content=b"{}"),
            sent("POST", "/registry/keys", mine, json_kind, content=key.encode()),
            sent("PATCH", "/projects/demo", mine, json_kind, content=json.dumps({"open": key}).encode()),
            sent("POST", "/projects/", mine, json_kind, content=json.dumps({key: key}).encode()),
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + key.encode() + b"\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + key.encode()
            + b"x" * 70_000 + b"\r\n\r\n"]
    return made


def test_keys_are_nowhere_but_with_their_holders(traced: Served) -> None:
    operator = traced.key("--operator")
    node, foreign = traced.key("--node", "site-1"), traced.key("--node", "site-2")
    auditor, admin = traced.key("--auditor-of", "hospital"), traced.key("--admin-of", "hospital")
    keys = [operator, node, foreign, auditor, admin]
    traced.start()
    begin(traced, "demo", node)
    begin(traced, "other", foreign)
    said: list[bytes] = []
    for key in keys:
        for sent in wrong_places(key, foreign):
            answer = exchange(traced, sent, wait_s=3)
            said.append(answer.raw)
    # A key that is made over the network is in its answer, this once, and in no other.
    status, _, answer = traced.request("POST", "/registry/keys", admin,
                                       json.dumps({"role": "node", "node_id": "site-1"}).encode())
    assert status in (200, 201), answer
    keys.append(json.loads(answer)["key"])
    status, _, answer = traced.request("POST", f"/registry/keys/{node.split('_')[1]}/rotate", node,
                                       b'{"overlap_s": 1}')
    assert status in (200, 201), answer
    keys.append(json.loads(answer)["key"])
    for key, path in [(admin, "/registry/keys"), (admin, "/registry/nodes"), (operator, "/metrics"),
                      (operator, "/projects/quark-trace.server/records"), (operator, "/metrics")]:
        status, _, answer = traced.request("GET", path, key)
        assert status == 200
        said.append(answer)
    time.sleep(1.5)
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout
    environment = Path(f"/proc/{traced.process.pid}/environ").read_bytes()
    assert traced.stop() == 0
    log = traced.log.read_bytes()
    assert log.count(b"answered") > 100, "the log is not at TRACE"
    assert_absent("the log", log, keys)
    assert_absent("the process list", processes, keys)
    assert_absent("the environment", environment, keys)
    assert_absent("an answer", b"\n".join(said), keys)
    for file in sorted(traced.folder.rglob("*")):
        if file.is_file():
            assert_absent(str(file), file.read_bytes(), keys)
    database = sqlite3.connect(traced.store.removeprefix("sqlite:"))
    dump = "\n".join(database.iterdump()).encode()
    database.close()
    assert dump.count(b"INSERT INTO") > 20, "this is no dump of the registry"
    assert_absent("a dump of the database", dump, keys)




@pytest.mark.filterwarnings("ignore:the node could not be verified yet")
def test_the_client_shows_its_key_to_nobody(traced: Served, monkeypatch) -> None:
    backend_module = pytest.importorskip("quark_trace.trace.backends.http_backend")
    key = traced.key("--node", "site-1")
    traced.start()
    monkeypatch.setenv("QUARK_TRACE_API_KEY", "")
    monkeypatch.setenv("QUARK_TRACE_SPOOL", str(traced.folder / "spool"))
    backend = backend_module.HttpBackend(traced.url, "site-1", key)
    said = [repr(backend), str(backend), repr(vars(backend)), f"{backend!r}"]
    with pytest.raises(Exception):
        pickle.loads(pickle.dumps(backend)).load_all("demo")
    said.append(pickle.dumps(backend).decode("latin-1"))
    for broken in [lambda: backend.load_all("demo"), lambda: backend.load_fact_sheet("absent"),
                   lambda: backend_module.HttpBackend(traced.url, "site-2", key),
                   lambda: backend_module.HttpBackend(traced.url, "site-1", key + "x"),
                   lambda: backend_module.HttpBackend("http://127.0.0.1:1", "site-1", key)]:
        try:
            broken()
        except Exception as error:
            said.append(frames(error))
            said.append(repr(error) + str(error.__cause__) + repr(error.args))
    assert_absent("the client", "\n".join(said).encode(), [key])
    for file in (traced.folder / "spool").rglob("*"):
        if file.is_file():
            assert_absent(str(file), file.read_bytes(), [key])
    assert len(said) > 10


def frames(error: BaseException) -> str:
    """A traceback with the locals of the library, as error reporters send them."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain, text = [told], ""
    while chain:
        one = chain.pop()
        for frame in one.stack:
            if f"quark_trace{os.sep}" in frame.filename:
                text += f"{frame.name} {frame.locals}\n"
        chain += [it for it in (one.__cause__, one.__context__) if it]
        text += str(one)
    return text


def test_keys_are_not_given_as_arguments(traced: Served) -> None:
    """No verb of the command line takes a key as an argument, where everybody could read it."""
    from served import command
    for verb in ["serve", "registry"]:
        shown = subprocess.run([command(), verb, "--help"], capture_output=True, text=True,
                               check=True).stdout
        assert "--key " not in shown and "--api-key" not in shown
    assert sys.version_info >= (3, 11)
