"""Copying projects from one store to another, to the same root."""

from __future__ import annotations

import os

from quark_trace.exceptions import BackendError
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.backends.by_url import open_backend
from quark_trace.trace.backends.ledger_backend import LedgerBackend

__all__ = ["copy_projects"]

_Place = StorageBackend | str | os.PathLike[str]


def copy_projects(source: _Place, target: _Place, *project_ids: str) -> dict[str, tuple[int, str]]:
    """Copy projects, every entry and object as it is, and give size and root of each.

    The source is verified first, nothing is handed over that was not, and the copy is read back.
    What the target has of a project must be the beginning of what the source has; a copy that was
    interrupted goes on where it stopped.

    :param source: a backend with a ledger, or the URL of a store, which is opened for reading.
    :param target: a backend with a ledger, or the URL of a store.
    :param project_ids: which projects; all of them unless given.
    :raises IntegrityError: something was changed, or the target has another history.
    :raises BackendWriteError: a project is not there, or the target cannot be written.
    """
    copied = {}
    with _Opened(source, read_only=True) as one, _Opened(target) as other:
        for project_id in project_ids or one.projects():
            copied[project_id] = one._store.copy_project(other._store, project_id)
    return copied


class _Opened:
    """A backend that was given, or one that is opened here and closed in the end."""

    def __init__(self, place: _Place, *, read_only: bool = False) -> None:
        self._own = not isinstance(place, StorageBackend)
        backend = place if isinstance(place, StorageBackend) else _open(place, read_only)
        if not isinstance(backend, LedgerBackend):
            kind = type(backend).__name__
            raise BackendError(f"{kind} keeps no ledger, so nothing can be copied from or to it")
        self._backend = backend

    def __enter__(self) -> LedgerBackend:
        return self._backend

    def __exit__(self, *_exception: object) -> None:
        if self._own:
            self._backend.close()


def _open(place: str | os.PathLike[str], read_only: bool) -> StorageBackend:
    if str(place).lower().startswith(("http:", "https:")):
        raise BackendError("HttpBackend keeps no ledger, so nothing can be copied from or to it")
    return open_backend(place, read_only=True) if read_only else open_backend(place)
