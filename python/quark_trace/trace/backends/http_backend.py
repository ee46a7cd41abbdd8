"""The client of a Quark Trace server."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
import weakref
from atexit import register as _at_exit
from typing import TYPE_CHECKING, Any, TypedDict

from quark_trace._core import Client, Store
from quark_trace.exceptions import (
    BackendError,
    BackendReadError,
    BackendWriteError,
    FactSheetAlreadyExistsError,
    FactSheetNotFoundError,
    NodeAuthenticationError,
    NodeScopeError,
    NodeVerificationError,
    QuarkLensError,
)
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.backends.ledger_backend import _key_folder
from quark_trace.trace.record import TraceRecord

if TYPE_CHECKING:
    from typing import Self

    from quark_trace._core import Log

_open: weakref.WeakSet[HttpBackend] = weakref.WeakSet()

_NOTICES = {
    "spooling": "the server cannot be reached, so records wait on this machine: {reason}",
    "held": "the server takes no records of project '{project}', which wait here: {reason}",
    "refused": "the server refused a record of project '{project}' for good; it is kept in the "
    "spool, and a record of stage 'delivery_gap' tells of it: {reason}",
    "refused_gap": "the server refused for good what was to tell that records of project "
    "'{project}' are missing; it is kept in the spool, and nothing else tells of them: {reason}",
    "dropping": "records of project '{project}' are left out, and a record of stage "
    "'delivery_gap' is going to tell of them: {reason}",
}


class DeliveryWarning(UserWarning):
    """Records wait on this machine, or will never reach the server."""


class DeliveryStatus(TypedDict):
    """What is left to be delivered."""

    waiting: int
    """Records that wait for the server."""
    waiting_bytes: int
    """Their size."""
    refused: int
    """Records that the server refused for good; they are kept in the spool."""
    refused_gaps: int
    """Records of stage ``delivery_gap`` that it refused for good; they are kept beside those."""
    dropped: int
    """Records that were left out because the spool was full."""
    untold: int
    """Those of them that no record of stage ``delivery_gap`` tells of yet."""
    reason: str | None
    """Why the server took nothing the last time, while records wait."""


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


class HttpBackend(StorageBackend):
    """Keeps records and fact sheets on a server.

    What is not given is taken from ``QUARK_TRACE_SERVER_URL``, ``QUARK_TRACE_NODE_ID`` and
    ``QUARK_TRACE_API_KEY`` when the backend is made. The node is verified at once; while the server
    cannot be reached, it is verified as soon as it can be.

    :param delivery: when a record counts as saved. ``"strict"``: when the server has it.
        ``"auto"``: when the server has it, or, while it cannot be reached, the spool of this
        machine. ``"background"``: when the spool has it; no call waits for the server.
    :param spool: the folder of the spool; ``QUARK_TRACE_SPOOL``, or one in the user's state folder,
        unless given.
    :param deadline: how many seconds a call may take; ``connect_timeout`` and ``read_timeout`` are
        parts of it.
    :param on_full: ``"raise"``, or ``"drop"`` to leave out records that the spool has no room for.
    :param spool_limit: most bytes that wait in the spool.
    :param drain: how many seconds ``close`` and the end of the program wait for the server.
    :param allow_plain: whether the key may cross a network over plain ``http:``.
    :param proxy: a proxy, such as ``http://proxy.example.org:8080``; no variable is looked for.
    :param roots: a file of root certificates (PEM), instead of those of the system.
    :raises ValueError: a setting is missing, or is not acceptable.
    :raises NodeVerificationError: the server does not know the node, or, with ``"strict"``, cannot be
        reached.
    :raises NodeAuthenticationError: the server does not accept the key.
    """

    def __init__(
        self,
        base_url: str | None = None,
        node_id: str | None = None,
        api_key: str | None = None,
        *,
        delivery: str = "auto",
        spool: str | os.PathLike[str] | None = None,
        deadline: float = 60.0,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        on_full: str = "raise",
        spool_limit: int = 1 << 30,
        drain: float = 5.0,
        allow_plain: bool = False,
        proxy: str | None = None,
        roots: str | os.PathLike[str] | None = None,
    ) -> None:
        url = base_url or os.environ.get("QUARK_TRACE_SERVER_URL")
        node = node_id or os.environ.get("QUARK_TRACE_NODE_ID")
        key = _Secret(api_key or os.environ.get("QUARK_TRACE_API_KEY") or "")
        # Who reports errors with the local variables of each frame must not send it.
        api_key = None
        if not (url and node and key.reveal()):
            raise _SettingsError(
                "server_url, node_id, and api_key must be provided either as arguments or via "
                "environment variables QUARK_TRACE_SERVER_URL, QUARK_TRACE_NODE_ID, "
                "QUARK_TRACE_API_KEY"
            )
        self.server_url = url.rstrip("/")
        self.node_id = node
        self.delivery = delivery
        self._key = _checked_key(key)
        self._pins = _pin_folder()
        self._options: dict[str, Any] = {
            "delivery": delivery,
            "spool": os.path.abspath(_spool_folder() if spool is None else spool),
            "deadline": deadline,
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "on_full": on_full,
            "spool_limit": spool_limit,
            "drain": drain,
            "allow_plain": allow_plain,
            "proxy": proxy,
            "roots": None if roots is None else os.path.abspath(roots),
        }
        self._client = Client(
            self.server_url,
            node,
            key.reveal(),
            pins=self._pins,
            limit=spool_limit,
            **{name: value for name, value in self._options.items() if name != "spool_limit"},
        )
        self._store: Store | None = None
        self._logs: dict[str, Log] = {}
        self._current: bool | None = None
        self.institution_id: str = ""
        self._verify_node()
        _open.add(self)

    @property
    def api_key(self) -> str:
        """The key, for programs that hand it on."""
        return self._key.reveal()

    def save(self, record: TraceRecord) -> None:
        """Store a record, or let it wait in the spool, as ``delivery`` says."""
        self._check_scope()
        if not isinstance(record, TraceRecord):
            record = TraceRecord.from_json(record.to_json())
        try:
            delivered = self._client.save(record)
        finally:
            self._tell()
        if delivered == "stored" and not self.institution_id:
            # The record is there, whatever becomes of this.
            with contextlib.suppress(QuarkLensError):
                self._verify_node()

    def load_all(self, project_id: str) -> list[TraceRecord]:
        """Read all records of a project that the server has."""
        return self._client.records(_text(project_id))

    def save_fact_sheet(self, fact_sheet: FactSheet) -> None:
        """Store the first fact sheet of a project; the server must be there."""
        if not self.institution_id:
            self._verify_node(required=True)
        self._check_scope(fact_sheet.institution_id)
        sheet = json.loads(fact_sheet._document())
        document = json.dumps({**sheet, "institution": self.institution_id}).encode("ascii")
        try:
            self._client.begin(fact_sheet.project_id, document)
        except BackendWriteError as error:
            if error.kind == "already_exists":
                raise FactSheetAlreadyExistsError(fact_sheet.project_id) from error
            raise

    def load_fact_sheet(self, project_id: str) -> FactSheet:
        """Read the current fact sheet of a project."""
        document = self._client.sheet(_text(project_id))
        if document is None:
            raise FactSheetNotFoundError(project_id)
        try:
            data = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise BackendReadError(f"the server's fact sheet is no JSON: {error}") from error
        if not isinstance(data, dict) or data.get("project_id") != project_id:
            raise BackendReadError("the server answered with the fact sheet of another project")
        try:
            return FactSheet.from_json(data)
        except (KeyError, TypeError, ValueError) as error:
            raise BackendReadError(f"the server's fact sheet cannot be read: {error!r}") from error

    def projects(self) -> list[str]:
        """The ids of the projects that the key may read."""
        return self._native_store().projects()

    def flush(self, timeout: float = 30.0) -> DeliveryStatus:  # type: ignore[override]
        """Wait until nothing waits for the server, but no longer than so many seconds.

        :returns: what is left.
        """
        status: DeliveryStatus = self._client.flush(timeout)  # type: ignore[assignment]
        self._tell()
        if not self.institution_id and not status["waiting"]:
            self._verify_node()
        return status

    def delivery_status(self) -> DeliveryStatus:
        """What waits now, without waiting for it."""
        status: DeliveryStatus = self._client.status()  # type: ignore[assignment]
        return status

    def close(self) -> None:
        """Wait ``drain`` seconds for the server at most; what is left is there for the next process."""
        self._client.close()
        self._tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _native_store(self) -> Store:
        if self._store is None:
            self._store = Store(self.server_url, api_key=self._key.reveal(), pins=self._pins)
        return self._store

    def _native_log(self, project_id: str) -> Log:
        """The log as a ledger: what is read of it is held to its checkpoints."""
        log = self._logs.get(project_id)
        if log is None:
            log = self._logs[project_id] = self._native_store().log(_text(project_id))
        return log

    def _searches(self) -> bool:
        """Whether the server has the whole API, and not only the calls of 0.1.0."""
        if self._current is None:
            self._current = self._client.is_current()
        return self._current

    def _check_scope(self, resource_institution_id: str | None = None) -> None:
        if not self.institution_id and self.delivery == "strict":
            raise NodeScopeError(
                "Node has no institution scope — pre-flight verification may not have completed."
            )
        if self.institution_id and resource_institution_id not in (None, self.institution_id):
            raise NodeScopeError(
                f"Node is scoped to institution '{self.institution_id}' "
                f"but resource belongs to '{resource_institution_id}'."
            )

    def _verify_node(self, *, required: bool = False) -> None:
        """Ask the registry about the node, now or as soon as the server is there."""
        try:
            active, institution = self._client.node(self.node_id)
        except QuarkLensError as error:
            raised = self._unverified(error)
            if raised is None and (required or self.delivery == "strict"):
                raise NodeVerificationError(
                    f"Could not connect to server at {self.server_url}"
                ) from error
            if raised is not None:
                raise raised from error
            message = f"the node could not be verified yet, and records wait here: {error}"
            warnings.warn(message, DeliveryWarning, stacklevel=3)
            return
        if not active:
            raise NodeVerificationError(f"Node '{self.node_id}' is registered but inactive")
        if not institution:
            raise NodeVerificationError("Unexpected response from registry: no institution_id")
        self.institution_id = institution

    def _unverified(self, error: QuarkLensError) -> QuarkLensError | None:
        """What a failure of the registry means; ``None`` when the server is not there."""
        status = getattr(error, "status", None)
        if status == 401:
            return NodeAuthenticationError("Invalid or inactive node credentials")
        if status == 404:
            return NodeVerificationError(f"Node '{self.node_id}' not found in registry")
        if error.kind == "unavailable" and (status is None or self.delivery != "strict"):
            return None
        told = error if status in (None, 200) else status
        return NodeVerificationError(f"Unexpected response from registry: {told}")

    def _tell(self) -> None:
        """Warn about what happened, once about each kind of it."""
        for kind, project, reason in self._client.notices():
            message = _NOTICES[kind].format(project=project, reason=reason)
            warnings.warn(message, DeliveryWarning, stacklevel=4)

    def __getstate__(self) -> dict[str, Any]:
        return {"server_url": self.server_url, "node_id": self.node_id, "options": self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(  # type: ignore[misc]
            state["server_url"], state["node_id"], **state["options"]
        )

    def __repr__(self) -> str:
        return f"HttpBackend(server_url={self.server_url!r}, node_id={self.node_id!r})"


def _text(project_id: Any) -> str:
    try:
        str(project_id).encode()
    except UnicodeEncodeError as error:
        raise _SettingsError(f"{project_id!r} cannot be part of a URL") from error
    return str(project_id)


def _checked_key(key: _Secret) -> _Secret:
    if not _is_clean(key.reveal()):
        raise _SettingsError("the API key holds characters that no key has; copy it again")
    return key


def _is_clean(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def _spool_folder() -> str:
    """Where records wait, unless it is said."""
    given = os.environ.get("QUARK_TRACE_SPOOL")
    if given:
        return given
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    else:
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "quark-trace", "spool")


def _pin_folder() -> str | None:
    keys = _key_folder()
    return os.path.join(keys, "pins") if keys else None


@_at_exit
def _close_all() -> None:
    """Wait a little for the server when the program ends; what is left is in the spool."""
    for backend in list(_open):
        try:
            backend.close()
        except Exception:  # noqa: BLE001, S110
            # Nobody is left to tell at exit; the next process ships what waits.
            pass
