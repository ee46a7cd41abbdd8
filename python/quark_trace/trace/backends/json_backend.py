"""A folder of JSON lines with a verifiable ledger beside them."""

from __future__ import annotations

import json
import os
import weakref
from atexit import register as _at_exit
from typing import TYPE_CHECKING, Any

from quark_trace._core import Log, Store
from quark_trace.exceptions import (
    BackendOpenError,
    BackendReadError,
    BackendWriteError,
    FactSheetAlreadyExistsError,
    FactSheetNotFoundError,
    InvalidProjectIdError,
)
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.record import TraceRecord

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BackendReadError",
    "BackendWriteError",
    "FactSheet",
    "FactSheetAlreadyExistsError",
    "FactSheetNotFoundError",
    "JsonBackend",
    "StorageBackend",
    "TraceRecord",
]

_open: weakref.WeakSet[JsonBackend] = weakref.WeakSet()


class JsonBackend(StorageBackend):
    """Keeps each project as a file of JSON lines, a fact sheet in JSON, and a ledger.

    :param path: the folder; it is made when something is written.
    :param file_type: ending of the record files, ``jsonl`` unless given.
    :param durability: when ``save`` and ``log`` return: ``"os"`` (default: survives the death of
        the process at once, a power cut after 50 ms), ``"sync"`` (on the disk) or ``"buffered"``.
    :param keys: folder of the key that signs checkpoints; the user's configuration folder unless
        given. ``False`` leaves the log unsigned.
    """

    _direct = True
    """Whether a project may go past the methods of this class, straight to the native log."""

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass that changes how something is stored or read is called each time."""
        super().__init_subclass__(**options)
        stored = ("save", "load_all", "save_fact_sheet", "load_fact_sheet")
        if any(name in vars(cls) for name in stored):
            cls._direct = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        file_type: str = "jsonl",
        *,
        durability: str = "os",
        keys: str | os.PathLike[str] | bool | None = None,
    ) -> None:
        # Imported here, since it takes as long as the rest of the package.
        from pathlib import Path

        self.path: Path = Path(path).resolve()
        self.file_type = file_type
        self.durability = durability
        self._keys = keys
        if self.path.exists() and not self.path.is_dir():
            raise BackendOpenError(f"{self.path} is a file; give the path of a folder")
        self._connect()

    def _connect(self) -> None:
        folder = _key_folder() if self._keys in (None, True) else self._keys
        self._store = Store(
            str(self.path),
            keys=str(folder) if folder else None,
            durability=self.durability,
            file_type=self.file_type,
        )
        self._logs: dict[str, Log] = {}
        _open.add(self)

    def _native_log(self, project_id: str) -> Log:
        """The native log of a project, which Project and TraceLog call directly."""
        log = self._logs.get(project_id)
        if log is None:
            try:
                log = self._logs[project_id] = self._store.log(project_id)
            except (TypeError, UnicodeEncodeError) as error:
                raise InvalidProjectIdError(
                    f"a project id is text of whole characters, not {project_id!r}"
                ) from error
        return log

    def save(self, record: TraceRecord) -> None:
        """Store a record, once: saving it again changes nothing."""
        if not isinstance(record, TraceRecord):
            record = TraceRecord.from_json(record.to_json())
        self._native_log(str(record.project_id)).append(record)

    def load_all(self, project_id: str, *, strict: bool = True) -> list[TraceRecord]:
        """Read all records. A line that is none raises, or is left out when not ``strict``."""
        return self._native_log(project_id).load_all(strict)

    def save_fact_sheet(self, fact_sheet: FactSheet) -> None:
        """Store the first fact sheet of a project."""
        document = fact_sheet._document()
        try:
            self._native_log(fact_sheet.project_id).save_sheet(document)
        except BackendWriteError as error:
            if getattr(error, "kind", None) == "already_exists":
                raise FactSheetAlreadyExistsError(fact_sheet.project_id) from error
            raise

    def load_fact_sheet(self, project_id: str) -> FactSheet:
        """Read the current fact sheet of a project."""
        document = self._native_log(project_id).sheet()
        if document is None:
            raise FactSheetNotFoundError(project_id)
        return FactSheet.from_json(json.loads(document))

    def projects(self) -> list[str]:
        """The ids of the projects in the folder."""
        return self._store.projects()

    def flush(self) -> None:
        """Make everything durable and sign a checkpoint over it."""
        self._store.flush()

    def close(self) -> None:
        """Flush and free the locks; the backend can be used again."""
        self._store.close()

    def __getstate__(self) -> dict[str, Any]:
        names = ("path", "file_type", "durability", "_keys")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._connect()

    def __repr__(self) -> str:
        return f"JsonBackend({str(self.path)!r})"


def _key_folder() -> str | None:
    """The user's folder for keys, or ``None`` where there is no such place."""
    given = os.environ.get("QUARK_TRACE_KEYS")
    if given:
        return given
    if os.name == "nt":
        base = os.environ.get("APPDATA")
        return os.path.join(base, "quark-trace") if base else None
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(base, "quark-trace") if os.path.isabs(base) else None


@_at_exit
def _close_all() -> None:
    """Seal what was logged when the program ends; every record is with the system already."""
    for backend in list(_open):
        try:
            backend.close()
        except Exception:  # noqa: BLE001, S110
            # Nobody is left to tell at exit; verify reports what is not sealed.
            pass
