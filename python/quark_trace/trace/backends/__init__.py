"""Where records and fact sheets are kept."""

from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.backends.by_url import open_backend
from quark_trace.trace.backends.json_backend import JsonBackend
from quark_trace.trace.backends.sql_backend import SqlBackend

__all__ = ["JsonBackend", "SqlBackend", "StorageBackend", "open_backend"]
