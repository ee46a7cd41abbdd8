"""Where records and fact sheets are kept."""

from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.backends.json_backend import JsonBackend

__all__ = ["JsonBackend", "StorageBackend"]
