"""The flight recorder of machine learning.

    from quark_trace import JsonBackend, Project

    with Project.open("fact_sheet.yaml", JsonBackend("traces/")) as project:
        project.log("client_round", round=1, client_id="site-a", loss=0.21)
"""

import os as _os
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from quark_trace import _core
from quark_trace.exceptions import (
    BackendError,
    BackendReadError,
    BackendWriteError,
    FactSheetAlreadyExistsError,
    FactSheetError,
    FactSheetFileError,
    FactSheetNotFoundError,
    FactSheetValidationError,
    ImmutableFieldError,
    IntegrityError,
    InvalidAmendmentError,
    InvalidProjectIdError,
    InvalidSchemaError,
    InvalidStageError,
    NodeAuthenticationError,
    NodeScopeError,
    NodeVerificationError,
    QuarkLensError,
    QuarkTraceError,
    QueryError,
    RecordConflictError,
    RecordCorruptedError,
    RecordSerializationError,
    StageSchemaError,
    TraceError,
)
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.fact_sheet.loader import load_fact_sheet
from quark_trace.project import Project
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.backends.by_url import open_backend
from quark_trace.trace.backends.copying import copy_projects
from quark_trace.trace.backends.json_backend import JsonBackend
from quark_trace.trace.backends.sql_backend import SqlBackend
from quark_trace.trace.record import TraceRecord
from quark_trace.trace.trace_log import TraceLog

if _TYPE_CHECKING:
    from quark_trace.trace.backends.http_backend import HttpBackend

__version__ = _core.__version__

# Training frameworks fork. Before that every log lets go of its locks, and the child opens anew. The
# parent does so once more: another thread may have taken a lock in between.
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(
        before=_core.before_fork,
        after_in_parent=_core.after_fork_in_parent,
        after_in_child=_core.after_fork_in_child,
    )
    _core.told_of_forks()


def __getattr__(name: str) -> _Any:
    """Load the HTTP client, and with it Python's network modules, when it is asked for."""
    if name != "HttpBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from quark_trace.trace.backends.http_backend import HttpBackend

    globals()[name] = HttpBackend
    return HttpBackend


__all__ = [
    "BackendError",
    "BackendReadError",
    "BackendWriteError",
    "FactSheet",
    "FactSheetAlreadyExistsError",
    "FactSheetError",
    "FactSheetFileError",
    "FactSheetNotFoundError",
    "FactSheetValidationError",
    "HttpBackend",
    "ImmutableFieldError",
    "IntegrityError",
    "InvalidAmendmentError",
    "InvalidProjectIdError",
    "InvalidSchemaError",
    "InvalidStageError",
    "JsonBackend",
    "NodeAuthenticationError",
    "NodeScopeError",
    "NodeVerificationError",
    "Project",
    "QuarkLensError",
    "QuarkTraceError",
    "QueryError",
    "RecordConflictError",
    "RecordCorruptedError",
    "RecordSerializationError",
    "SqlBackend",
    "StageSchemaError",
    "StorageBackend",
    "TraceError",
    "TraceLog",
    "TraceRecord",
    "__version__",
    "copy_projects",
    "load_fact_sheet",
    "open_backend",
]
