"""Trace records and the log they belong to."""

from quark_trace.trace.record import TraceRecord
from quark_trace.trace.trace_log import TraceLog

__all__ = ["TraceLog", "TraceRecord"]
