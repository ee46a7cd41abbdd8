"""The HTTP backend against a server on this machine."""

import contextlib
import io
import json
import os
import socket

from quark_trace.project import Project
from quark_trace.trace import TraceRecord
from quark_trace.trace.backends import http_backend
from quark_trace.trace.backends.http_backend import HttpBackend

import server
import sheets

VARIABLES = ("QUARK_TRACE_SERVER_URL", "QUARK_TRACE_NODE_ID", "QUARK_TRACE_API_KEY")
RECORD = TraceRecord("r1", "p", "s", "2026-01-02T03:04:05+00:00", {"a": 1, "é": [1.0, None]})


def run(observer):
    for name in VARIABLES:
        os.environ.pop(name, None)
    running = server.Server()
    observer.replacements[running.url] = "<server>"
    observer.replacements[running.url.removeprefix("http://")] = "<server>"
    settings(observer, running)
    nodes(observer, running)
    backend = HttpBackend(running.url, "active", "key")
    records(observer, running, backend)
    fact_sheets(observer, running, backend)
    projects(observer, running, backend)
    running.close()


def settings(observer, running):
    observer.call("http/no settings", HttpBackend)
    observer.call("http/no key", HttpBackend, running.url, "active")
    observer.call("http/no node", HttpBackend, running.url, None, "key")
    observer.call("http/no url", HttpBackend, node_id="active", api_key="key")
    observer.call("http/empty", HttpBackend, "", "", "")
    os.environ.update(zip(VARIABLES, (running.url, "active", "from environment")))
    made = HttpBackend()
    observer.value("http/environment", (made.server_url, made.node_id, made.institution_id))
    observer.value("http/environment key sent", running.requests[-1][2])
    given = HttpBackend(running.url + "/", api_key="given")
    observer.value("http/arguments win", (given.server_url, given.node_id, given.institution_id))
    observer.value("http/argument key sent", running.requests[-1][2])
    observer.value("http/api_key", given.api_key)
    for name in VARIABLES:
        del os.environ[name]
    observer.value("http/imported without effects", sorted(
        name for name in vars(http_backend) if name == "load_dotenv"))


def nodes(observer, running):
    for node in server.NODES:
        observer.call(f"http/node {node}", _institution, running.url, node)
    observer.call("http/node not there", _institution, running.url, "nobody")
    observer.call("http/node with slash", _institution, running.url, "../nodes/active")
    observer.value("http/node request", running.requests[-1][:2])
    running.answers["/registry/nodes/text"] = (200, b"no json")
    observer.call("http/node answers text", _without_message, _institution, running.url, "text")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    observer.replacements[f"127.0.0.1:{port}"] = "<nobody>"
    observer.call("http/nobody listens", _institution, f"http://127.0.0.1:{port}", "active")


def _institution(url, node):
    return HttpBackend(url, node, "key").institution_id


def _without_message(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        error.args = ("(message)",)
        raise


def _quietly(observer, name, function, *arguments):
    """Calls, and also observes what was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            outcome = ("value", function(*arguments))
        except Exception as error:  # noqa: BLE001
            outcome = ("error", error)
    kind, found = outcome
    if kind == "error":
        observer.raised(name, found)
    else:
        observer.value(name, found if found is not None else "None")
    observer.value(f"{name}, printed", printed.getvalue())


def _last(running):
    method, path, key, content_type, body = running.requests[-1]
    return method, path, key, content_type, body.decode()


def records(observer, running, backend):
    path = "/projects/p/records"
    running.answers[f"POST {path}"] = (201, {"record_id": "r1"})
    observer.call("http/save", backend.save, RECORD)
    observer.value("http/save request", _last(running))
    observer.call("http/save by keyword", backend.save, record=RECORD)
    for status in (400, 401, 403, 404, 409, 500):
        running.answers[f"POST {path}"] = (status, {"detail": "why"})
        _quietly(observer, f"http/save {status}", backend.save, RECORD)
    running.answers[f"GET {path}"] = (200, [RECORD.to_json()])
    observer.call("http/load_all", backend.load_all, "p")
    observer.value("http/load_all request", _last(running)[:3])
    observer.call("http/load_all by keyword", backend.load_all, project_id="p")
    running.answers[f"GET {path}"] = (200, [])
    observer.call("http/load_all empty", backend.load_all, "p")
    for status in (401, 403, 404, 500):
        running.answers[f"GET {path}"] = (status, {"detail": "why"})
        _quietly(observer, f"http/load_all {status}", backend.load_all, "p")
    running.answers[f"GET {path}"] = (200, b"no json")
    observer.call("http/load_all text", _without_message, backend.load_all, "p")
    foreign = {**RECORD.to_json(), "project_id": "q"}
    running.answers[f"GET {path}"] = (200, [foreign])
    observer.call("http/load_all of another project", backend.load_all, "p")
    running.answers[f"GET {path}"] = (200, [{"project_id": "p"}])
    observer.call("http/load_all no record", backend.load_all, "p")


def fact_sheets(observer, running, backend):
    sheet = sheets.made()
    running.answers["POST /projects/"] = (201, {})
    observer.call("http/save sheet", backend.save_fact_sheet, sheet)
    method, path, key, content_type, body = _last(running)
    observer.value("http/save sheet request", (method, path, key, content_type))
    sent = json.loads(body)
    for name in ("project_id", "sheet_id", "institution", *sheets.CONTENT):
        observer.value(f"http/save sheet sends {name}", sent.pop(name))
    observer.value("http/save sheet sends more", sorted(sent))
    observer.call("http/save own sheet", backend.save_fact_sheet,
                  fact_sheet=sheets.made(institution_id="hospital"))
    observer.call("http/save foreign sheet", backend.save_fact_sheet,
                  sheets.made(institution_id="clinic"))
    for status in (401, 403, 409, 422, 500):
        running.answers["POST /projects/"] = (status, {"detail": "why"})
        _quietly(observer, f"http/save sheet {status}", backend.save_fact_sheet, sheet)
    running.answers["/projects/p"] = (200, sheet.to_json())
    observer.call("http/load sheet", backend.load_fact_sheet, "p")
    observer.value("http/load sheet request", _last(running)[:3])
    observer.call("http/load sheet by keyword", backend.load_fact_sheet, project_id="p")
    for status in (401, 404, 500):
        running.answers["/projects/p"] = (status, {"detail": "why"})
        _quietly(observer, f"http/load sheet {status}", backend.load_fact_sheet, "p")


def projects(observer, running, backend):
    sheet = sheets.made()
    running.answers["/projects/p"] = (200, sheet.to_json())
    running.answers["/projects/p/records"] = running.answers["POST /projects/p/records"] = (201, {})
    project = Project.resume("p", backend)
    observer.value("http/project", str(project))
    observer.call("http/project log", project.log, "s", a=1)
    running.answers["GET /projects/p/records"] = (200, [RECORD.to_json()])
    observer.call("http/project history", project.history)
    observer.call("http/project summary", project.summary)
    running.answers["/projects/q"] = (200, sheet.to_json())
    observer.call("http/project answered with another", lambda: str(Project.resume("q", backend)))
