"""The trace record: one event of a project's life, frozen."""

from __future__ import annotations

from typing import Any

from quark_trace._core import TraceRecord

_FIELDS = {
    "record_id": "str",
    "project_id": "str",
    "stage": "str",
    "timestamp": "str",
    "payload": "dict[str, Any]",
}


class _FromDataclass:
    """What ``dataclasses`` is told of a record, which was a dataclass in 0.1.0.

    It is made when somebody asks: importing ``dataclasses`` takes longer than importing this
    package.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, record: object, owner: type | None = None) -> Any:
        from dataclasses import make_dataclass

        told = getattr(make_dataclass("TraceRecord", _FIELDS.items(), frozen=True), self.name)
        # Kept in place of this, so that every look finds the same.
        setattr(TraceRecord, self.name, told)
        return told


for _name in ("__dataclass_fields__", "__dataclass_params__"):
    _told = _FromDataclass()
    _told.__set_name__(TraceRecord, _name)
    setattr(TraceRecord, _name, _told)
for _name, _value in (("__match_args__", tuple(_FIELDS)), ("__annotations__", dict(_FIELDS))):
    setattr(TraceRecord, _name, _value)

__all__ = ["TraceRecord"]
