"""A database, SQLite or PostgreSQL, that keeps the same ledger as a folder does."""

from __future__ import annotations

import os
from typing import Any

from quark_trace.exceptions import _OpeningError
from quark_trace.trace.backends.ledger_backend import LedgerBackend

__all__ = ["SqlBackend"]

_SCHEMES = ("sqlite", "postgres", "postgresql")


class SqlBackend(LedgerBackend):
    """Keeps projects in a SQLite file (``sqlite:trace.db``) or in a PostgreSQL database
    (``postgres://user@host/database``).

    The entries, objects and roots are those that a folder would have, so a log can be copied from
    one to the other and back. Nothing is made and nobody is called before the first use.

    A password that the URL does not hold is taken from ``PGPASSWORD``. It is shown nowhere and not
    pickled: processes that get the backend by pickling need the variable.

    :param url: where the database is.
    :param durability: when ``save`` and ``log`` return: ``"sync"`` (on the medium of the database),
        ``"os"`` (default: survives the death of this process) or ``"buffered"``, which a database
        treats as ``"os"``.
    :param keys: folder of the key that signs checkpoints; the user's configuration folder unless
        given. ``False`` leaves the log unsigned.
    :param read_only: whether every write is refused.
    :raises ValueError: the URL names no database.
    """

    def __init__(
        self,
        url: str,
        *,
        durability: str = "os",
        keys: str | os.PathLike[str] | bool | None = None,
        read_only: bool = False,
    ) -> None:
        scheme = url.partition(":")[0].lower()
        if ":" not in url or scheme not in _SCHEMES:
            raise _OpeningError(
                "a database is sqlite:PATH or postgres://USER@HOST/DATABASE; JsonBackend keeps "
                "folders, and open_backend takes the URL of any store"
            )
        self.durability = durability
        self.read_only = read_only
        self._keys = keys
        self._open_database(_lasting(url))

    def _open_database(self, url: str) -> None:
        self._connect(
            url,
            durability=self.durability,
            keys=self._keys,
            read_only=self.read_only,
            password=os.environ.get("PGPASSWORD"),
        )
        self.url: str = _without_password(url)
        """The URL without its password."""

    def __getstate__(self) -> dict[str, Any]:
        names = ("url", "durability", "read_only", "_keys")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_database(state["url"])

    def __repr__(self) -> str:
        return f"SqlBackend({self._store.url!r})"


def _lasting(url: str) -> str:
    """The URL with a path that means the same wherever the program goes, as with JsonBackend."""
    scheme, _, path = url.partition(":")
    if scheme.lower() != "sqlite" or not path or path.startswith((":", "/")):
        return url
    return f"sqlite:{os.path.abspath(path)}"


def _without_password(url: str) -> str:
    """What names the same database, but lets nobody in."""
    before, separator, rest = url.partition("://")
    if not separator:
        return url
    address, question, query = rest.partition("?")
    authority, slash, database = address.partition("/")
    names, at, host = authority.rpartition("@")
    options = [pair for pair in query.split("&") if not pair.startswith("password=")]
    query = "&".join(options)
    kept = f"{names.partition(':')[0]}{at}{host}{slash}{database}"
    return f"{before}://{kept}{question if query else ''}{query}"
