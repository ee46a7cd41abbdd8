"""The words that fact sheets choose from, and the schema under the name that 0.1.0 gave it.

The rules themselves are native; these classes exist for code that names them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, Self

from quark_trace import _core
from quark_trace.exceptions import FactSheetValidationError


class MLType(str, Enum):
    """How the model learns."""

    SUPERVISED = "supervised"
    UNSUPERVISED = "unsupervised"
    SEMI_SUPERVISED = "semi-supervised"
    SELF_SUPERVISED = "self-supervised"
    REINFORCEMENT = "reinforcement"


class BiasSeverity(str, Enum):
    """How severe a known bias is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class InputType(str, Enum):
    """What goes into the model."""

    IMAGE = "image"
    TEXT = "text"
    TABULAR = "tabular"
    TIME_SERIES = "time_series"
    AUDIO = "audio"
    OTHER = "other"


class OutputType(str, Enum):
    """What comes out of the model."""

    LABEL = "label"
    SCORE = "score"
    EMBEDDING = "embedding"
    SEQUENCE = "sequence"
    OTHER = "other"


class _Content:
    """Fields as attributes, checked when they are given."""

    _required: ClassVar[dict[str, type]] = {}
    _optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **content: Any) -> None:
        for name, kind in self._required.items():
            if name not in content:
                raise FactSheetValidationError(f"`{name}` is missing")
            self.__dict__[name] = _read(name, content[name], kind)
        for name in self._optional:
            value = content.get(name)
            self.__dict__[name] = None if value is None else _read(name, value, str)

    @classmethod
    def model_validate(cls, content: Any) -> Self:
        """Check a dictionary.

        :raises FactSheetValidationError: a field is missing or not acceptable.
        """
        if not isinstance(content, Mapping):
            raise FactSheetValidationError("the content must be a mapping of fields to values")
        return cls(**content)

    def model_dump(self) -> dict[str, Any]:
        """Make a dictionary of the content, every word of it plain text."""
        return {name: _dumped(value) for name, value in self.__dict__.items()}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({shown})"


class AlgorithmSchema(_Content):
    """One algorithm of a fact sheet."""

    name: str
    variant: str | None
    _required = {"name": str}
    _optional = ("variant",)


class InputSchema(_Content):
    """One input of the model."""

    name: str
    type: InputType
    description: str | None
    _required = {"name": str, "type": InputType}
    _optional = ("description",)


class OutputSchema(_Content):
    """One output of the model."""

    name: str
    type: OutputType
    description: str | None
    _required = {"name": str, "type": OutputType}
    _optional = ("description",)


class BiasSchema(_Content):
    """What is known about bias."""

    type: str
    affected_group: str
    severity: BiasSeverity
    notes: str | None
    _required = {"type": str, "affected_group": str, "severity": BiasSeverity}
    _optional = ("notes",)


class StakeholderSchema(_Content):
    """Somebody with an interest in the project."""

    name: str
    role: str
    contact: str | None
    _required = {"name": str, "role": str}
    _optional = ("contact",)


class FactSheetSchema(_Content):
    """Checked content of a fact sheet, its fields as attributes."""

    project_id: str
    purpose: str
    domain: str
    ml_type: MLType
    algorithm: list[AlgorithmSchema]
    input: list[InputSchema]
    output: list[OutputSchema]
    performance_metrics: list[str]
    bias: BiasSchema
    stakeholders: list[StakeholderSchema]

    def __init__(self, **content: Any) -> None:
        checked = json.loads(_core.check_content(content))
        self.__dict__.update(
            project_id=checked["project_id"],
            purpose=checked["purpose"],
            domain=checked["domain"],
            ml_type=MLType(checked["ml_type"]),
            algorithm=[AlgorithmSchema(**part) for part in checked["algorithm"]],
            input=[InputSchema(**part) for part in checked["input"]],
            output=[OutputSchema(**part) for part in checked["output"]],
            performance_metrics=checked["performance_metrics"],
            bias=BiasSchema(**checked["bias"]),
            stakeholders=[StakeholderSchema(**part) for part in checked["stakeholders"]],
        )


def _read(name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, str):
        raise FactSheetValidationError(f"`{name}` must be text, not {type(value).__name__}")
    if kind is str:
        return str(value)
    try:
        return kind(value)
    except ValueError as error:
        raise FactSheetValidationError(f"`{name}`: {error}") from error


def _dumped(value: Any) -> Any:
    if isinstance(value, _Content):
        return value.model_dump()
    if isinstance(value, list):
        return [_dumped(item) for item in value]
    return value.value if isinstance(value, Enum) else value
