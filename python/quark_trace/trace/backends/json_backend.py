"""A folder of JSON lines with a verifiable ledger beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark_trace.exceptions import (
    BackendOpenError,
    BackendReadError,
    BackendWriteError,
    FactSheetAlreadyExistsError,
    FactSheetNotFoundError,
)
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.backends.ledger_backend import LedgerBackend
from quark_trace.trace.record import TraceRecord

if TYPE_CHECKING:
    import os
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


class JsonBackend(LedgerBackend):
    """Keeps each project as a file of JSON lines, a fact sheet in JSON, and a ledger.

    :param path: the folder; it is made when something is written.
    :param file_type: ending of the record files, ``jsonl`` unless given.
    :param durability: when ``save`` and ``log`` return: ``"os"`` (default: survives the death of
        the process at once, a power cut after 50 ms), ``"sync"`` (on the disk) or ``"buffered"``.
    :param keys: folder of the key that signs checkpoints; the user's configuration folder unless
        given. ``False`` leaves the log unsigned.
    :param read_only: whether every write is refused.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        file_type: str = "jsonl",
        *,
        durability: str = "os",
        keys: str | os.PathLike[str] | bool | None = None,
        read_only: bool = False,
    ) -> None:
        # Imported here, since it takes as long as the rest of the package.
        from pathlib import Path

        self.path: Path = Path(path).resolve()
        self.file_type = file_type
        self.durability = durability
        self.read_only = read_only
        self._keys = keys
        if self.path.exists() and not self.path.is_dir():
            raise BackendOpenError(f"{self.path} is a file; give the path of a folder")
        self._open_folder()

    def _open_folder(self) -> None:
        self._connect(
            str(self.path),
            durability=self.durability,
            keys=self._keys,
            read_only=self.read_only,
            file_type=self.file_type,
        )

    def __getstate__(self) -> dict[str, Any]:
        names = ("path", "file_type", "durability", "read_only", "_keys")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_folder()

    def __repr__(self) -> str:
        return f"JsonBackend({str(self.path)!r})"
