"""The append-only log of one project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark_trace.exceptions import InvalidStageError
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.record import TraceRecord

# Stands for a stage given by keyword: so a payload may have members called `stage` and `self`.
_MISSING: Any = type("_Missing", (), {"__repr__": lambda self: "<required>"})()


class TraceLog:
    """Writes records of a project to a backend, and reads them back."""

    def __init__(self, project_id: str, backend: StorageBackend) -> None:
        self.project_id = project_id
        self.backend = backend
        if getattr(backend, "_direct", False) and type(self) is TraceLog:
            # Calls of log() then go straight to the native method.
            native: Any = getattr(backend, "_native_log")  # noqa: B009
            self.log = native(project_id).log  # type: ignore[method-assign]

    def log(self, stage: str = _MISSING, /, **payload: Any) -> TraceRecord:
        """Append a record and return it: ``log(stage, **payload)``.

        A mapping given as ``payload=`` holds members itself; names that are no identifiers, or that
        come from elsewhere, go there.

        :raises InvalidStageError: the stage is blank or no text.
        :raises RecordSerializationError: a value cannot be written as JSON.
        :raises BackendWriteError: it was not stored, or that is unknown; see ``outcome``.
        """
        if stage is _MISSING:
            if "stage" not in payload:
                raise TypeError("log() missing 1 required positional argument: 'stage'")
            stage = payload.pop("stage")
        if not isinstance(stage, str) or not stage.strip():
            raise InvalidStageError(stage)
        record = TraceRecord.create(self.project_id, stage, _members(payload))
        self.backend.save(record)
        return record

    def load_all(self) -> list[TraceRecord]:
        """Read all records, in the order of the log."""
        return self.backend.load_all(self.project_id)

    def __getstate__(self) -> dict[str, Any]:
        return {"project_id": self.project_id, "backend": self.backend}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["project_id"], state["backend"])  # type: ignore[misc]

    def __str__(self) -> str:
        return f"TraceLog(project_id={self.project_id}, backend={type(self.backend).__name__})"


def _members(payload: dict[str, Any]) -> dict[str, Any]:
    """The keywords of log() as a payload."""
    given = payload.get("payload")
    if not isinstance(given, Mapping):
        return payload
    members = dict(given)
    for name, value in payload.items():
        if name == "payload":
            continue
        if name in members:
            raise TypeError(f"log() got {name} both in payload= and as a keyword")
        members[name] = value
    return members
