"""What the backends with a verifiable ledger have in common: all but opening it."""

from __future__ import annotations

import json
import os
import weakref
from atexit import register as _at_exit
from typing import TYPE_CHECKING, Any

from quark_trace._core import Store, read_sheet
from quark_trace.exceptions import (
    BackendWriteError,
    FactSheetAlreadyExistsError,
    FactSheetNotFoundError,
    InvalidProjectIdError,
    QuarkLensError,
    _DamagedFactSheetError,
)
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.record import TraceRecord

if TYPE_CHECKING:
    from typing import Self

    from quark_trace._core import Log

_open: weakref.WeakSet[LedgerBackend] = weakref.WeakSet()


class LedgerBackend(StorageBackend):
    """A backend over a store of the native module; ``JsonBackend`` and ``SqlBackend`` are such."""

    _direct = True
    """Whether a project may go past the methods of this class, straight to the native log."""

    _store: Store
    _logs: dict[str, Log]

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass that changes how something is stored or read is called each time."""
        super().__init_subclass__(**options)
        stored = ("save", "load_all", "save_fact_sheet", "load_fact_sheet")
        if any(name in vars(cls) for name in stored):
            cls._direct = False

    def _connect(
        self,
        url: str,
        *,
        durability: str,
        keys: str | os.PathLike[str] | bool | None,
        read_only: bool,
        file_type: str | None = None,
        password: str | None = None,
    ) -> None:
        """Open the store that ``url`` names; nothing is written."""
        folder = _key_folder() if keys in (None, True) else keys
        self._store = Store(
            url,
            keys=str(folder) if folder else None,
            durability=durability,
            file_type=file_type,
            password=password,
            read_only=read_only,
        )
        self._logs = {}
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
        try:
            return FactSheet.from_json(json.loads(document))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise _damaged(project_id, document, error) from error

    def projects(self) -> list[str]:
        """The ids of the projects that are kept here."""
        return self._store.projects()

    def flush(self) -> None:
        """Make everything durable and sign a checkpoint over it."""
        self._store.flush()

    def close(self) -> None:
        """Flush, and free locks and connections; the backend can be used again."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _damaged(project_id: str, document: bytes, error: Exception) -> _DamagedFactSheetError:
    """What is wrong with a stored fact sheet, in the words of whoever knows best."""
    reason = f"{type(error).__name__}: {error}"
    try:
        read_sheet(document)
    except QuarkLensError as fault:
        reason = str(fault)
    return _DamagedFactSheetError(
        f"the stored fact sheet of project '{project_id}' is damaged: {reason}; "
        "`quark-trace verify` says whether the ledger has it, restore it from there or a backup"
    )


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
