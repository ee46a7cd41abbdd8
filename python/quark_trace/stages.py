"""The stages of a project: which there are, and what their records must hold."""

from __future__ import annotations

import json
from typing import Any

from quark_trace import _core
from quark_trace.exceptions import InvalidSchemaError

ALL = "*"
"""Stands for every stage that has no schema of its own."""


class Stages:
    """What ``project.stages`` gives. A stage is free text; a schema for it is a choice.

    A schema is an entry of the project's ledger, in force for the records behind it.
    """

    def __init__(self, log: _core.Log) -> None:
        self._log = log

    def use(
        self,
        stage: str,
        schema: dict[str, Any] | str | bytes | None = None,
        *,
        mode: str | None = None,
    ) -> int:
        """Hold the records of a stage to a schema from now on, and give the index of its entry.

        :param stage: the stage; ``"*"`` is for every stage that has no schema of its own.
        :param schema: a JSON Schema (draft 2020-12) as a dictionary or text; else the one in force,
            or the vocabulary's.
        :param mode: ``"off"``, ``"warn"`` (records are kept, and ``record.faults`` tells) or
            ``"strict"`` (``StageSchemaError``, nothing is written); ``"warn"`` unless the schema
            says otherwise.
        :raises InvalidSchemaError: the schema is none, or is not acceptable; the message says where.
        """
        if isinstance(schema, dict):
            try:
                schema = json.dumps(schema)
            except (TypeError, ValueError) as error:
                raise InvalidSchemaError(f"the schema cannot be written as JSON: {error}") from error
        if not isinstance(schema, (str, bytes, type(None))):
            kind = type(schema).__name__
            raise TypeError(f"a schema is a dictionary or JSON text, not {kind}")
        text = schema.encode() if isinstance(schema, str) else schema
        return _core.use_schema(self._log, stage, text, mode)

    def in_force(self) -> dict[str, dict[str, Any]]:
        """The schemas in force by stage: ``entry``, ``mode`` and ``schema`` of each.

        One that cannot be used has the reason in ``unusable``, and nothing is checked with it.
        """
        found: dict[str, dict[str, Any]] = json.loads(_core.schemas_in_force(self._log))
        return found

    def faults(self) -> list[dict[str, Any]]:
        """The records that break the schemas of their time, counted by stage and schema."""
        found: list[dict[str, Any]] = json.loads(_core.broken_schemas(self._log))
        return found

    def coverage(self) -> dict[str, Any]:
        """Which stages of the vocabulary are ``present`` or ``lacking``, and which are ``unknown``.

        Unknown stages are legal; ``suggestion`` is the name that one may be a slip of.
        """
        found: dict[str, Any] = json.loads(_core.stage_coverage(self._log))
        return found

    def infer(self, stage: str) -> dict[str, Any]:
        """Draft a schema from the records of a stage, to look over and ``use``.

        :raises InvalidSchemaError: there are no records of that stage.
        """
        schema: dict[str, Any] = json.loads(_core.infer_schema(self._log, stage))
        return schema

    @staticmethod
    def vocabulary() -> list[dict[str, Any]]:
        """The stages that are known, each with ``aliases``, ``description`` and ``schema``."""
        known: list[dict[str, Any]] = json.loads(_core.stage_vocabulary())
        return known
