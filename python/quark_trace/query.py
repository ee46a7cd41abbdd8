"""Asking the history: which records, as records, as a data frame, or counted."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from quark_trace._core import search, search_records
from quark_trace.exceptions import QueryError

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as _pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import polars as _polars  # type: ignore[import-not-found,unused-ignore]

    from quark_trace._core import Search, Table
    from quark_trace.trace.backends.base import StorageBackend
    from quark_trace.trace.record import TraceRecord

_PAGE = 4096
"""Records that are read at once while they are iterated over, to begin with."""
_LARGEST_PAGE = 65536


class Query:
    """The records that a query selects; ``Project.query`` makes it.

    Nothing is read before somebody looks, and whoever looks again asks again::

        found = project.query("stage = 'client_round' AND payload.loss < 0.3", limit=50)
        for record in found:
            print(record.timestamp, record.payload["loss"])
        frame = found.to_pandas()

    Data frames have the columns ``record_id``, ``stage``, ``timestamp`` (microseconds, UTC) and
    ``index`` (the place in the ledger), and one for each value of the payloads, called what a query
    calls it: ``payload.loss``, ``payload.by.site``, ``payload."my metric"``. Objects are taken
    apart; lists are JSON text. A column holds integers (64 bits), floats, booleans or text; values
    that have nothing in common, and integers beyond 64 bits, become JSON text. What a record does
    not have is null, and NaN is not null.
    """

    def __init__(
        self, project_id: str, backend: StorageBackend, parts: dict[str, Any]
    ) -> None:
        self._project_id = project_id
        self._backend = backend
        self._parts = parts
        self._cursor: str | None = None
        self._ended = False
        native = getattr(backend, "_native_log", None)
        direct = getattr(backend, "_direct", False) or getattr(backend, "_searches", bool)()
        self._search = search(native(project_id), parts) if native and direct else None
        if self._search is None:
            # So that a mistake is found here, and not in the midst of a loop.
            search_records(project_id, [], parts)

    def _asked(self) -> Search:
        if self._search is not None:
            return self._search
        return search_records(
            self._project_id, self._backend.load_all(self._project_id), self._parts
        )

    def __iter__(self) -> Iterator[TraceRecord]:
        """Read the records, some thousand at a time; with an order, all at once."""
        asked = self._asked()
        limit, size, seen = asked.limit, _PAGE, 0
        after: str | None = None
        while True:
            records, after = asked.page(size, seen, after)
            seen += len(records)
            ended = after is None or seen == limit
            if ended:
                self._cursor, self._ended = after, True
            yield from records
            if ended:
                return
            size = min(4 * size, _LARGEST_PAGE)

    @property
    def cursor(self) -> str | None:
        """Where the next page begins: give it to the same query as ``after``.

        ``None`` when the limit has left nothing out.
        """
        if not self._ended:
            for _ in self:
                pass
        return self._cursor

    def count(self) -> int:
        """How many records there are, within the limit."""
        return self._asked().count()

    def aggregate(
        self, of: str | Iterable[str] = (), *, by: str | Iterable[str] = ()
    ) -> list[dict[str, Any]]:
        """Count the records, and the numbers of ``of``, in groups that are alike in ``by``.

        A group is a dictionary of the values that it is grouped by, ``records`` (how many) and, for
        one field, ``count`` (of its numbers), ``min``, ``max``, ``mean`` and ``last``; for a list of
        fields each of these stands behind the field's name: ``payload.loss.min``. Order and limit
        count for nothing. The groups come in the order in which the log first has one of theirs::

            project.query(stage="client_round").aggregate("payload.loss", by="payload.round")
        """
        fields, names = _names(of), _names(by)
        rows = []
        for values, records, statistics in self._asked().group(names, fields):
            row = dict(zip(names, values, strict=True))
            row["records"] = records
            for field, numbers in zip(fields, statistics, strict=True):
                prefix = "" if isinstance(of, str) else f"{field}."
                row.update({prefix + name: value for name, value in numbers.items()})
            rows.append(row)
        return rows

    def to_arrow(self, columns: Iterable[str] | None = None) -> Table:
        """Read the records as typed columns, for any reader of the Arrow PyCapsule interface.

        ``pyarrow.table(table)``, ``polars.DataFrame(table)``; neither is needed to make it.

        :param columns: the fields that are wanted; all of them unless given. Reading a few is
            faster.
        :raises QueryError: the payloads hold more than 1,000 different values; name ``columns``.
        """
        return self._asked().columns(None if columns is None else _names(columns))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_pandas(self, columns: Iterable[str] | None = None, **options: Any) -> _pandas.DataFrame:
        """Read the records as a pandas ``DataFrame``; pandas and pyarrow must be installed.

        In pandas' own number columns null is NaN, too, and an integer column with nulls is one of
        floats; ``types_mapper=pandas.ArrowDtype`` keeps all of it apart.

        :param columns: as in ``to_arrow``.
        :param options: given to pyarrow's ``Table.to_pandas``.
        """
        try:
            import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError as error:
            raise ImportError(
                "to_pandas() needs pandas and pyarrow: pip install pandas pyarrow"
            ) from error
        frame: _pandas.DataFrame = pyarrow.table(self.to_arrow(columns)).to_pandas(**options)
        return frame

    def to_polars(self, columns: Iterable[str] | None = None) -> _polars.DataFrame:
        """Read the records as a polars ``DataFrame``; polars must be installed.

        :param columns: as in ``to_arrow``.
        """
        try:
            import polars  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise ImportError("to_polars() needs polars: pip install polars") from error
        return polars.DataFrame(self.to_arrow(columns))

    def __repr__(self) -> str:
        return f"Query({self._project_id!r}, {self._parts['text']!r})"


def make(
    project_id: str,
    backend: StorageBackend,
    text: str,
    *,
    stage: str | Iterable[str] | None,
    since: datetime | str | None,
    until: datetime | str | None,
    where: Mapping[str, Any] | None,
    order: str | Iterable[str] | None,
    limit: int | None,
    after: str | None,
    as_of: int | datetime | str | None,
) -> Query:
    """Put a query together from what ``Project.query`` was given."""
    if not isinstance(text, str):
        raise TypeError(f"a query is text, not {_kind(text)}")
    if after is not None and not isinstance(after, str):
        raise TypeError(f"after is the cursor of a page, not {_kind(after)}")
    filters: list[tuple[str, str, Any]] = []
    if stage is not None:
        filters.append(("stage", "=", _values(stage)))
    if since is not None:
        filters.append(("timestamp", ">=", _time(since)))
    if until is not None:
        filters.append(("timestamp", "<", _time(until)))
    for name, value in (where or {}).items():
        filters.append((name, "=", _values(value)))
    parts: dict[str, Any] = {
        "text": text,
        "filters": filters,
        "order": [] if order is None else _names(order),
        "limit": None if limit is None else _limit(limit),
        "after": after,
        "as_of": None if as_of is None else _as_of(as_of),
    }
    try:
        for word in (text, after or "", parts["as_of"] or "", *parts["order"]):
            word.encode()
        for name, _, value in filters:
            for word in (name, *(value if isinstance(value, list) else [value])):
                if isinstance(word, str):
                    word.encode()
    except UnicodeEncodeError as error:
        raise QueryError(
            "the query is no text of whole characters: it holds a lone surrogate"
        ) from error
    return Query(project_id, backend, parts)


def _names(given: str | Iterable[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _time(given: Any) -> str:
    """A time as text; one without a zone is taken as UTC."""
    if isinstance(given, str):
        return given
    written = getattr(given, "isoformat", None)
    if written is None:
        raise TypeError(f"a time is a datetime or ISO 8601 text, not {_kind(given)}")
    return str(written())


def _as_of(given: Any) -> str:
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        return _time(given)
    return str(operator.index(given))


def _limit(given: Any) -> int:
    try:
        limit = operator.index(given)
    except TypeError:
        raise TypeError(f"limit is a whole number, not {_kind(given)}") from None
    if limit < 0:
        raise QueryError(f"limit is how many records there are at most, not {limit}")
    # No log has more.
    return min(limit, 2**63)


def _values(given: Any) -> Any:
    """A value, or a list of them; numpy's are taken as the Python values that they are."""
    if isinstance(given, (bytes, bytearray, memoryview)):
        raise TypeError(f"a field is compared with text or numbers, not with {_kind(given)}")
    given = _plain(given)
    if isinstance(given, (list, tuple, set, frozenset, range)):
        return [_plain(value) for value in given]
    return given


def _plain(value: Any) -> Any:
    unwrap = getattr(value, "tolist", None)
    return value if unwrap is None else unwrap()


def _kind(given: object) -> str:
    return type(given).__name__
