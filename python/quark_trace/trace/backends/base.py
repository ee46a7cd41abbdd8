"""What a storage backend can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from quark_trace.exceptions import BackendError
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.trace.record import TraceRecord


class StorageBackend(ABC):
    """Keeps the records and fact sheets of projects.

    A backend of your own implements ``save`` and ``load_all``, and the two fact sheet methods if
    it is to be used with ``Project``.
    """

    _direct = False

    @abstractmethod
    def save(self, record: TraceRecord) -> None:
        """Store a record; when this returns, it is stored."""

    @abstractmethod
    def load_all(self, project_id: str) -> list[TraceRecord]:
        """Read all records of a project, in the order in which they were stored."""

    def save_fact_sheet(self, fact_sheet: FactSheet) -> None:
        """Store the first fact sheet of a project."""
        raise BackendError(
            f"{type(self).__name__} does not store fact sheets; implement save_fact_sheet()"
        )

    def load_fact_sheet(self, project_id: str) -> FactSheet:
        """Read the current fact sheet of a project."""
        raise BackendError(
            f"{type(self).__name__} does not store fact sheets; implement load_fact_sheet()"
        )

    def flush(self) -> None:
        """Make everything that was saved durable."""

    def close(self) -> None:
        """Flush, and free what is held; the backend can be used again."""
