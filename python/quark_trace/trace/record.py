"""The trace record: one event of a project's life, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quark_trace._core import TraceRecord


@dataclass(frozen=True)
class _Fields:
    """What ``dataclasses`` is told of a record, which was a dataclass in 0.1.0."""

    record_id: str
    project_id: str
    stage: str
    timestamp: str
    payload: dict[str, Any]


for _name in ("__dataclass_fields__", "__dataclass_params__", "__match_args__"):
    setattr(TraceRecord, _name, getattr(_Fields, _name))
TraceRecord.__annotations__ = dict(_Fields.__annotations__)

__all__ = ["TraceRecord"]
