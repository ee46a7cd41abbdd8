"""The fact sheet: what a project is about, and who changed it when."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timezone
from typing import Any

from quark_trace import _core
from quark_trace.exceptions import (
    ImmutableFieldError,
    InvalidAmendmentError,
    _UnwritableFactSheetError,
)
from quark_trace.frozen import freeze, thaw

__all__ = ["FactSheet", "ImmutableFieldError", "InvalidAmendmentError"]

_CONTENT = (
    "purpose",
    "domain",
    "ml_type",
    "algorithm",
    "input",
    "output",
    "performance_metrics",
    "bias",
    "stakeholders",
)
_KEYS = frozenset(
    ("sheet_id", "project_id", "version", "created_at", "amended_at", "amendment_log")
    + _CONTENT
    + ("institution_id",)
)


class FactSheet:
    """What a project is about. It is read from YAML and changed by ``amend`` alone.

    Attributes are read-only; lists and dictionaries in them cannot be changed either.
    """

    project_id: str
    institution_id: str | None
    version: int
    created_at: str
    amended_at: str | None
    amendment_log: list[dict[str, Any]]
    purpose: str
    domain: str
    ml_type: str
    algorithm: list[dict[str, Any]]
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]
    performance_metrics: list[str]
    bias: dict[str, Any]
    stakeholders: list[dict[str, Any]]
    extra: dict[str, Any]

    def __init__(
        self,
        project_id: str,
        purpose: str,
        domain: str,
        ml_type: str,
        algorithm: list[dict[str, Any]],
        input: list[dict[str, Any]],  # noqa: A002
        output: list[dict[str, Any]],
        performance_metrics: list[str],
        bias: dict[str, Any],
        stakeholders: list[dict[str, Any]],
        institution_id: str | None = None,
    ) -> None:
        given = locals()
        self._set(
            project_id=project_id,
            institution_id=institution_id,
            version=1,
            created_at=datetime.now(timezone.utc).isoformat(),
            amended_at=None,
            amendment_log=[],
            extra={},
            **{name: given[name] for name in _CONTENT},
        )

    def _set(self, **fields: Any) -> None:
        self.__dict__.update({name: freeze(value) for name, value in fields.items()})

    def __setattr__(self, name: str, value: Any) -> None:
        raise ImmutableFieldError(name)

    def __delattr__(self, name: str) -> None:
        raise ImmutableFieldError(name)

    @property
    def sheet_id(self) -> str:
        """The project and the version: ``my-project-v2``."""
        return f"{self.project_id}-v{self.version}"

    def amend(self, fields: dict[str, Any], amended_by: str, reason: str) -> None:
        """Change content fields of this object: all of them, or none if one is refused.

        The change is in memory only; ``Project.amend`` stores it.

        :raises ImmutableFieldError: a field can never be changed.
        :raises InvalidAmendmentError: a field is unknown, a value is not acceptable, nothing
            changes, or ``amended_by`` or ``reason`` is missing.
        """
        amended = _core.amend_sheet(self._document(), fields, amended_by, reason)
        self.__dict__.update(FactSheet.from_json(json.loads(amended)).__dict__)

    def to_json(self) -> dict[str, Any]:
        """Make a dictionary of all fields, a copy of its own."""
        data = {
            "sheet_id": self.sheet_id,
            "project_id": self.project_id,
            "version": self.version,
            "created_at": self.created_at,
            "amended_at": self.amended_at,
            "amendment_log": self.amendment_log,
        }
        data.update((name, getattr(self, name)) for name in _CONTENT)
        if self.institution_id is not None:
            data["institution_id"] = self.institution_id
        data.update(self.extra)
        copied: dict[str, Any] = thaw(data)
        return copied

    def _document(self) -> bytes:
        """The sheet as JSON, before anything is written."""
        try:
            return json.dumps(self.to_json(), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise _UnwritableFactSheetError(
                f"the fact sheet cannot be written as JSON: {error}; "
                "use text, numbers, lists and dictionaries"
            ) from error

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FactSheet:
        """Make a sheet from a dictionary such as ``to_json`` makes; unknown keys are kept.

        :raises KeyError: a required field is missing.
        """
        sheet = cls.__new__(cls)
        institution_id = data.get("institution_id", data.get("institution"))
        sheet._set(
            project_id=str(data["project_id"]),
            purpose=str(data["purpose"]),
            domain=str(data["domain"]),
            ml_type=str(data["ml_type"]),
            algorithm=data.get("algorithm", []),
            input=data.get("input", []),
            output=data.get("output", []),
            performance_metrics=data.get("performance_metrics", []),
            bias=data.get("bias", {}),
            stakeholders=data.get("stakeholders", []),
            institution_id=None if institution_id is None else str(institution_id),
            version=int(data.get("version", 1)),
            created_at=str(data.get("created_at", "")),
            amended_at=data.get("amended_at"),
            amendment_log=data.get("amendment_log", []),
            extra={name: value for name, value in data.items() if name not in _KEYS},
        )
        return sheet

    def validate(self) -> None:
        """Check the content by the rules for YAML sheets.

        :raises FactSheetValidationError: with every fault at once.
        """
        content = {name: thaw(getattr(self, name)) for name in _CONTENT}
        content["project_id"] = self.project_id
        _core.check_content(content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FactSheet):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.project_id, self.version))

    def __copy__(self) -> FactSheet:
        return self.__deepcopy__({})

    def __deepcopy__(self, _memo: Any) -> FactSheet:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(copy.copy(self.__dict__))
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return self.to_json()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(FactSheet.from_json(state).__dict__)

    def __str__(self) -> str:
        return (
            f"FactSheet(sheet_id={self.sheet_id}, project_id={self.project_id}, "
            f"version={self.version})"
        )

    __repr__ = __str__
