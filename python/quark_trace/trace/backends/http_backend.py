"""The client of a Quark Trace server."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from typing import Any
from urllib.parse import quote, urlsplit

from quark_trace._core import record_from_line, record_line
from quark_trace.exceptions import (
    BackendError,
    BackendReadError,
    BackendWriteError,
    FactSheetAlreadyExistsError,
    FactSheetNotFoundError,
    NodeAuthenticationError,
    NodeScopeError,
    NodeVerificationError,
)
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.record import TraceRecord

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_RECORD_KEYS = ("record_id", "project_id", "stage", "timestamp")
_ANSWER_LIMIT = 256 * 1024 * 1024


class _SettingsError(BackendError, ValueError):
    """A setting of the client is missing or not acceptable."""


class _Secret:
    """A key that no repr, pickle or traceback shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled; set QUARK_TRACE_API_KEY where it is needed")


class _Answer:
    """Status and body of an answer."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise _TransportError(f"the answer ({self.status}) is no JSON: {error}") from error

    def reason(self) -> str:
        """The status, and what a server of ours says about it."""
        detail: Any = None
        try:
            detail = json.loads(self.body[:4096]).get("detail")
        except (ValueError, AttributeError, RecursionError):
            pass
        shown = f": {str(detail)[:200]!r}" if detail else ""
        phrase = http.client.responses.get(self.status, "")
        return f"the server answered {self.status} {phrase}{shown}"


class _TransportError(Exception):
    """No usable answer came."""


class HttpBackend(StorageBackend):
    """Keeps records and fact sheets on a server.

    What is not given is taken from ``QUARK_TRACE_SERVER_URL``, ``QUARK_TRACE_NODE_ID`` and
    ``QUARK_TRACE_API_KEY`` when the backend is made. The node is verified at once.

    :raises ValueError: a setting is missing, or the URL is not acceptable.
    :raises NodeVerificationError: the server cannot be reached or does not know the node.
    :raises NodeAuthenticationError: the server does not accept the key.
    """

    def __init__(
        self,
        base_url: str | None = None,
        node_id: str | None = None,
        api_key: str | None = None,
    ) -> None:
        url = base_url or os.environ.get("QUARK_TRACE_SERVER_URL")
        node = node_id or os.environ.get("QUARK_TRACE_NODE_ID")
        key = api_key or os.environ.get("QUARK_TRACE_API_KEY")
        if not (url and node and key):
            raise _SettingsError(
                "server_url, node_id, and api_key must be provided either as arguments or via "
                "environment variables QUARK_TRACE_SERVER_URL, QUARK_TRACE_NODE_ID, "
                "QUARK_TRACE_API_KEY"
            )
        self.server_url = url.rstrip("/")
        self.node_id = node
        self._key = _Secret(_checked_key(key))
        self._parts = _checked_url(self.server_url)
        self._connection: http.client.HTTPConnection | None = None
        self._process = os.getpid()
        self.institution_id: str = ""
        self._verify_node()

    @property
    def api_key(self) -> str:
        """The key, for programs that hand it on."""
        return self._key.reveal()

    def save(self, record: TraceRecord) -> None:
        """Store a record; the server has it when this returns."""
        self._check_scope()
        path = f"/projects/{_segment(str(record.project_id))}/records"
        if not isinstance(record, TraceRecord):
            record = TraceRecord.from_json(record.to_json())
        self._write(path, record_line(record), str(record.project_id))

    def load_all(self, project_id: str) -> list[TraceRecord]:
        """Read all records of a project."""
        answer = self._read(f"/projects/{_segment(project_id)}/records")
        if answer.status != 200:
            raise BackendReadError(answer.reason())
        rows = self._parsed(answer)
        if not isinstance(rows, list):
            raise BackendReadError("the server did not answer with a list of records")
        records = []
        for row in rows:
            if not isinstance(row, dict) or row.get("project_id") != project_id:
                raise BackendReadError("the server answered with a record of another project")
            missing = [name for name in _RECORD_KEYS if name not in row]
            if missing:
                raise BackendReadError(f"the server answered with a record without {missing[0]!r}")
            records.append(record_from_line(json.dumps(row).encode("ascii")))
        return records

    def save_fact_sheet(self, fact_sheet: FactSheet) -> None:
        """Store the first fact sheet of a project."""
        self._check_scope(fact_sheet.institution_id)
        sheet = json.loads(fact_sheet._document())
        document = json.dumps({**sheet, "institution": self.institution_id}).encode("ascii")
        self._write("/projects/", document, fact_sheet.project_id)

    def load_fact_sheet(self, project_id: str) -> FactSheet:
        """Read the current fact sheet of a project."""
        answer = self._read(f"/projects/{_segment(project_id)}")
        if answer.status == 404:
            raise FactSheetNotFoundError(project_id)
        if answer.status != 200:
            raise BackendReadError(answer.reason())
        data = self._parsed(answer)
        if not isinstance(data, dict) or data.get("project_id") != project_id:
            raise BackendReadError("the server answered with the fact sheet of another project")
        try:
            return FactSheet.from_json(data)
        except (KeyError, TypeError, ValueError) as error:
            raise BackendReadError(f"the server's fact sheet cannot be read: {error!r}") from error

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None

    def _check_scope(self, resource_institution_id: str | None = None) -> None:
        if not self.institution_id:
            raise NodeScopeError(
                "Node has no institution scope — pre-flight verification may not have completed."
            )
        if resource_institution_id not in (None, self.institution_id):
            raise NodeScopeError(
                f"Node is scoped to institution '{self.institution_id}' "
                f"but resource belongs to '{resource_institution_id}'."
            )

    def _verify_node(self) -> None:
        try:
            answer = self._request("GET", f"/registry/nodes/{_segment(self.node_id)}")
        except (OSError, http.client.HTTPException, _TransportError) as error:
            raise NodeVerificationError(
                f"Could not connect to server at {self.server_url}"
            ) from error
        if answer.status == 401:
            raise NodeAuthenticationError("Invalid or inactive node credentials")
        if answer.status == 404:
            raise NodeVerificationError(f"Node '{self.node_id}' not found in registry")
        if answer.status != 200:
            raise NodeVerificationError(f"Unexpected response from registry: {answer.status}")
        try:
            data = answer.json()
        except _TransportError as error:
            raise NodeVerificationError(f"Unexpected response from registry: {error}") from error
        if not isinstance(data, dict) or data.get("status") != "active":
            raise NodeVerificationError(f"Node '{self.node_id}' is registered but inactive")
        institution = data.get("institution_id")
        if not isinstance(institution, str) or not institution:
            raise NodeVerificationError("Unexpected response from registry: no institution_id")
        self.institution_id = institution

    def _write(self, path: str, document: bytes, project_id: str) -> None:
        try:
            answer = self._request("POST", path, document)
        except (OSError, http.client.HTTPException, _TransportError) as error:
            raised = BackendWriteError(_described(error))
            refused = isinstance(error, (ConnectionRefusedError, socket.gaierror))
            raised.outcome = "not_written" if refused else "unknown"
            raise raised from error
        if 200 <= answer.status < 300:
            return
        if answer.status == 409 and path == "/projects/":
            raise FactSheetAlreadyExistsError(project_id)
        raised = _write_error(answer)
        raised.outcome = "unknown" if answer.status >= 500 else "not_written"
        raise raised

    def _read(self, path: str) -> _Answer:
        try:
            return self._request("GET", path)
        except (OSError, http.client.HTTPException, _TransportError) as error:
            raise BackendReadError(_described(error)) from error

    def _parsed(self, answer: _Answer) -> Any:
        try:
            return answer.json()
        except _TransportError as error:
            raise BackendReadError(str(error)) from error

    def _request(self, method: str, path: str, document: bytes | None = None) -> _Answer:
        """Send one request on the kept connection; redirects are answers like any other."""
        headers = {"X-API-Key": self._key.reveal(), "Accept": "application/json"}
        if document is not None:
            headers["Content-Type"] = "application/json"
        reused = self._connection is not None and self._process == os.getpid()
        connection = self._connect() if not reused else self._connection
        assert connection is not None
        try:
            connection.request(method, self._parts.path + path, body=document, headers=headers)
            response = connection.getresponse()
            body = response.read(_ANSWER_LIMIT + 1)
        except (OSError, http.client.HTTPException):
            self.close()
            # A kept connection that the server closed meanwhile; reading again is harmless.
            if reused and method == "GET":
                return self._request(method, path, document)
            raise
        if len(body) > _ANSWER_LIMIT:
            self.close()
            raise _TransportError(f"the answer is larger than {_ANSWER_LIMIT} bytes")
        return _Answer(response.status, body)

    def _connect(self) -> http.client.HTTPConnection:
        self._process = os.getpid()
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                host, port, timeout=_CONNECT_SECONDS, context=ssl.create_default_context()
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        self._connection.connect()
        self._connection.sock.settimeout(_READ_SECONDS)
        return self._connection

    def __getstate__(self) -> dict[str, Any]:
        return {"server_url": self.server_url, "node_id": self.node_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["server_url"], state["node_id"])  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"HttpBackend(server_url={self.server_url!r}, node_id={self.node_id!r})"


class _WriteAuthenticationError(BackendWriteError, NodeAuthenticationError):
    """The server does not accept the key."""


class _WriteScopeError(BackendWriteError, NodeScopeError):
    """The node may not write this."""


def _write_error(answer: _Answer) -> BackendWriteError:
    if answer.status == 401:
        return _WriteAuthenticationError(answer.reason())
    if answer.status == 403:
        return _WriteScopeError(answer.reason())
    return BackendWriteError(answer.reason())


def _described(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    return str(error) or type(error).__name__


def _segment(text: str) -> str:
    """A part of a path, so that no id can name another path."""
    if text in {"", ".", ".."}:
        raise _SettingsError(f"{text!r} cannot be part of a URL")
    return quote(text, safe="")


def _checked_key(key: str) -> str:
    if not key.isascii() or not key.isprintable() or key != key.strip():
        raise _SettingsError("the API key holds characters that no key has; copy it again")
    return key


def _checked_url(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _SettingsError("the server URL must be like https://trace.example.org")
    if parts.query or parts.fragment or parts.username:
        raise _SettingsError("the server URL must not hold a user, a query or a fragment")
    return parts
