"""From the URL of a store to the backend that keeps it."""

from __future__ import annotations

import os
from typing import Any

from quark_trace.exceptions import _OpeningError
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.backends.json_backend import JsonBackend
from quark_trace.trace.backends.sql_backend import SqlBackend

__all__ = ["open_backend"]


def open_backend(url: str | os.PathLike[str], **options: Any) -> StorageBackend:
    """Open a store by its URL, or a folder by its path.

    =============================================  ================
    URL                                            backend
    =============================================  ================
    ``traces/``, ``file:traces/``, a ``Path``      ``JsonBackend``
    ``sqlite:trace.db``                            ``SqlBackend``
    ``postgres://user@host/database``              ``SqlBackend``
    ``https://trace.example.org``                  ``HttpBackend``
    =============================================  ================

    :param options: those of the backend: ``durability``, ``keys`` and ``read_only``, or
        ``node_id`` and ``api_key`` of a server.
    :raises ValueError: the URL names no store.
    """
    scheme, rest = _split(url)
    if scheme is None:
        return JsonBackend(url, **options)
    if scheme == "file":
        return JsonBackend(_folder(rest), **options)
    if scheme in {"sqlite", "postgres", "postgresql"}:
        return SqlBackend(str(url), **options)
    if scheme in {"http", "https"}:
        # Imported here, and with it Python's network modules.
        from quark_trace.trace.backends.http_backend import HttpBackend

        return HttpBackend(str(url), **options)
    raise _OpeningError(
        f"there is no store called {scheme!r}; give a folder, sqlite:PATH, "
        "postgres://USER@HOST/DATABASE or https://SERVER"
    )


def _split(url: str | os.PathLike[str]) -> tuple[str | None, str]:
    """The scheme in lower case, and what follows it; a plain path has none."""
    if not isinstance(url, str):
        return None, ""
    scheme, colon, rest = url.partition(":")
    # One letter is a drive of Windows.
    known = scheme.isascii() and scheme[:1].isalpha() and len(scheme) > 1
    if colon and known and all(letter.isalnum() or letter in "+.-" for letter in scheme):
        return scheme.lower(), rest
    return None, url


def _folder(rest: str) -> str:
    """The folder that a ``file:`` URL names, in any of its forms."""
    if rest.startswith("//localhost/"):
        rest = rest.removeprefix("//localhost")
    rest = rest.removeprefix("//")
    if not rest:
        raise _OpeningError("the path is empty; give a folder such as traces/")
    return rest
