"""Reading fact sheets from YAML files."""

from __future__ import annotations

import json
import os
import warnings

from quark_trace import _core
from quark_trace.exceptions import (
    FactSheetFileError,
    _FactSheetFolderError,
    _ForbiddenFactSheetError,
    _MissingFactSheetError,
)
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.fact_sheet.schema import FactSheetSchema

__all__ = ["FactSheet", "FactSheetSchema", "load_fact_sheet"]


def load_fact_sheet(yaml_path: str | os.PathLike[str]) -> FactSheet:
    """Read and check a fact sheet.

    Unknown fields are kept, with a warning.

    :param yaml_path: a YAML 1.2 file in UTF-8.
    :raises FactSheetFileError: there is no such file, or it cannot be read.
    :raises FactSheetValidationError: with every fault at once, each with its line and column.
    """
    try:
        with open(yaml_path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise _unreadable(yaml_path, error) from error
    document, notes = _core.parse_sheet(source, os.fspath(yaml_path))
    for note in notes:
        warnings.warn(f"{os.fspath(yaml_path)}: {note}", UserWarning, stacklevel=2)
    return FactSheet.from_json(json.loads(document))


def _unreadable(path: str | os.PathLike[str], error: OSError) -> FactSheetFileError:
    kinds = {
        FileNotFoundError: (_MissingFactSheetError, "there is no such file"),
        IsADirectoryError: (_FactSheetFolderError, "it is a folder"),
        PermissionError: (_ForbiddenFactSheetError, "this user may not read it"),
    }
    other = (FactSheetFileError, error.strerror or str(error))
    kind, reason = kinds.get(type(error), other)
    return kind(
        f"cannot read the fact sheet {os.fspath(path)!r}: {reason}; "
        "`quark-trace init` makes one to begin with"
    )
