"""Every exception of the package.

Each says what failed and what to do. A class that is new also inherits the built-in exception that
quark-trace 0.1.0 let escape at its place, so that existing ``except`` clauses keep working. All of
them survive pickling, and with it process pools.
"""

from __future__ import annotations

from typing import Any


def _rebuild(kind: type[QuarkLensError], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    """Make an exception again without calling a constructor of its own."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class QuarkLensError(Exception):
    """The base of every exception of this package."""

    kind: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


QuarkTraceError = QuarkLensError


class FactSheetError(QuarkLensError):
    """Something about a fact sheet."""


class FactSheetAlreadyExistsError(FactSheetError):
    """The project has a fact sheet, which is changed by amendments alone."""

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"A fact sheet for project '{project_id}' already exists. Use amend() to modify it."
        )
        self.project_id = project_id


class FactSheetNotFoundError(FactSheetError):
    """The project has no fact sheet."""

    def __init__(self, project_id: str) -> None:
        super().__init__(f"No fact sheet found for project '{project_id}'.")
        self.project_id = project_id


class FactSheetFileError(FactSheetError, OSError):
    """The file of a fact sheet cannot be read.

    What is raised is also the ``FileNotFoundError``, ``IsADirectoryError`` or ``PermissionError``
    that ``open`` raised.
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class _MissingFactSheetError(FactSheetFileError, FileNotFoundError):
    """There is no such file."""


class _FactSheetFolderError(FactSheetFileError, IsADirectoryError):
    """The path is that of a folder."""


class _ForbiddenFactSheetError(FactSheetFileError, PermissionError):
    """The file may not be read."""


class FactSheetValidationError(FactSheetError, ValueError):
    """The content of a fact sheet is not acceptable; ``faults`` lists every reason."""

    faults: list[dict[str, Any]] = []


class _UnwritableFactSheetError(FactSheetValidationError, TypeError):
    """A value of the fact sheet is none that JSON has."""


class ImmutableFieldError(FactSheetError, AttributeError):
    """The field can never be changed."""

    def __init__(self, field: str) -> None:
        super().__init__(f"Field '{field}' is immutable and cannot be amended.")
        self.field = field


class InvalidAmendmentError(FactSheetError, ValueError):
    """The amendment is not acceptable; the sheet is as it was."""

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(
            "Amendment contains no valid fields. Ensure field names match FactSheet attributes."
            if reason is None
            else reason
        )


class TraceError(QuarkLensError):
    """Something about a trace record."""


class InvalidStageError(TraceError, ValueError):
    """The stage is blank, too long, or no text."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"Invalid stage value: '{stage}'. Stage must be a non-empty string.")
        self.stage = stage


class RecordSerializationError(TraceError, TypeError):
    """A value of the record cannot be written as JSON; nothing was written."""

    def __init__(self, record_id: str, reason: str) -> None:
        super().__init__(f"Failed to serialize record '{record_id}': {reason}")
        self.record_id = record_id
        self.outcome = "not_written"


class StageSchemaError(TraceError, ValueError):
    """The record breaks the schema of its stage, which the project holds to strictly.

    Nothing was written. ``faults`` lists every place: its ``path`` in the payload, what was
    ``expected`` there and what ``came``. ``record`` is the record.
    """

    outcome: str | None = None
    record: Any = None
    faults: list[dict[str, str]] = []


class InvalidSchemaError(TraceError, ValueError):
    """The schema for a stage is not acceptable, or there is none of that name."""


class InvalidProjectIdError(QuarkLensError, ValueError):
    """The project id cannot be the name of a project."""


class BackendError(QuarkLensError):
    """Something about a storage backend."""


class BackendReadError(BackendError):
    """Reading failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Backend read failed: {reason}")


class BackendWriteError(BackendError):
    """Writing failed.

    ``outcome`` is ``'not_written'`` or ``'unknown'``; ``record`` is the record, which may be
    given to ``backend.save`` again: it is stored once however often it is tried.
    """

    outcome: str | None = None
    record: Any = None

    def __init__(self, reason: str) -> None:
        super().__init__(f"Backend write failed: {reason}")


class BackendOpenError(BackendError, FileExistsError):
    """The path cannot be a folder of logs."""


class RecordConflictError(BackendWriteError, ValueError):
    """Another record has the same id and other content."""


class RecordCorruptedError(BackendReadError, ValueError):
    """A stored line is no record. ``line`` and ``offset`` say where, ``records`` are the others."""

    line: int | None = None
    offset: int | None = None
    records: list[Any] = []


class _DamagedFactSheetError(BackendReadError, ValueError, KeyError):
    """What is stored as the fact sheet cannot be read as one."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class IntegrityError(BackendWriteError, BackendReadError):
    """What is stored contradicts the ledger; ``code`` is one of the codes of ``verify``."""

    code: str | None = None

    def __init__(self, reason: str) -> None:
        Exception.__init__(self, reason)


class QueryError(QuarkLensError, ValueError):
    """A query cannot be understood or answered; the message points at the place."""


class NodeVerificationError(QuarkLensError):
    """The node could not be verified against the registry."""


class NodeAuthenticationError(QuarkLensError):
    """The server does not accept the node's key."""


class NodeScopeError(QuarkLensError):
    """The node may not touch what belongs to another institution."""


class _WriteAuthenticationError(BackendWriteError, NodeAuthenticationError):
    """The server does not accept the key for writing."""


class _ReadAuthenticationError(BackendReadError, NodeAuthenticationError):
    """The server does not accept the key for reading."""


class _WriteScopeError(BackendWriteError, NodeScopeError):
    """The node may not write this."""


class _ReadScopeError(BackendReadError, NodeScopeError):
    """The node may not read this."""


def _from_native(
    kind: str,
    message: str,
    doing: str,
    outcome: str | None,
    code: str | None,
    subject: str | None,
) -> QuarkLensError:
    """Make the exception for an error of the native module; ``kind`` decides the class."""
    error = _choose(kind, message, doing, subject)
    error.kind = kind
    if outcome is not None:
        error.outcome = outcome  # type: ignore[attr-defined]
    if code is not None:
        error.code = code  # type: ignore[attr-defined]
    return error


def _choose(kind: str, message: str, doing: str, subject: str | None) -> QuarkLensError:
    match kind:
        case "stage":
            return InvalidStageError(subject or "")
        case "stage_length":
            return _with_message(InvalidStageError(subject or ""), f"Invalid stage: {message}")
        case "project_id":
            return InvalidProjectIdError(message)
        case "serialization":
            return RecordSerializationError(subject or "new", message)
        case "schema_broken":
            return StageSchemaError(message)
        case "schema":
            return InvalidSchemaError(message)
        case "record_conflict":
            return RecordConflictError(message)
        case "integrity":
            return IntegrityError(message)
        case "corrupted" if doing == "reading":
            return RecordCorruptedError(message)
        case "sheet" | "sheet_faults":
            return FactSheetValidationError(message)
        case "immutable_field":
            return ImmutableFieldError(subject or "")
        case "query":
            return QueryError(message)
        case "empty_amendment":
            return InvalidAmendmentError()
        case "unknown_field" | "amendment":
            return InvalidAmendmentError(message)
        case "unauthenticated":
            reading = doing == "reading"
            return (_ReadAuthenticationError if reading else _WriteAuthenticationError)(message)
        case "forbidden":
            return (_ReadScopeError if doing == "reading" else _WriteScopeError)(message)
        case "invalid_input" | "unsupported" if doing == "opening":
            return _OpeningError(message)
        case "invalid_input" if doing == "reading":
            return _with_message(_WrongQuestionError(message), message)
    return BackendReadError(message) if doing == "reading" else BackendWriteError(message)


class _OpeningError(BackendError, ValueError):
    """An argument of a backend is not acceptable."""


class _WrongQuestionError(BackendReadError, ValueError):
    """What was asked for cannot be answered, whatever is stored."""


def _with_message(error: QuarkLensError, message: str) -> QuarkLensError:
    error.args = (message,)
    return error
