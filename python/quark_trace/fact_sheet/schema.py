"""The words that fact sheets choose from, and the schema under the name that 0.1.0 gave it.

The rules themselves are native; these classes exist for code that names them.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from quark_trace import _core
from quark_trace.frozen import thaw


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


class FactSheetSchema:
    """Checked content of a fact sheet, its fields as attributes."""

    def __init__(self, **content: Any) -> None:
        document: dict[str, Any] = json.loads(_core.check_content(content))
        self.__dict__.update(document)

    @classmethod
    def model_validate(cls, content: Any) -> FactSheetSchema:
        """Check a dictionary.

        :raises FactSheetValidationError: with every fault at once.
        """
        return cls(**content)

    def model_dump(self) -> dict[str, Any]:
        """Make a dictionary of the content."""
        content: dict[str, Any] = thaw(dict(self.__dict__))
        return content
