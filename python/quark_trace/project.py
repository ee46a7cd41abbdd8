"""A project: its fact sheet and its log under one name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from quark_trace.exceptions import BackendError, FactSheetAlreadyExistsError
from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.fact_sheet.loader import load_fact_sheet
from quark_trace.stages import Stages
from quark_trace.trace.backends.base import StorageBackend
from quark_trace.trace.record import TraceRecord
from quark_trace.trace.trace_log import _MISSING, TraceLog

if TYPE_CHECKING:
    from datetime import datetime

    from quark_trace.query import Query


_SUMMARY_DETAILS = ("stages", "sites", "numbers", "is_cut", "schema_faults",
                    "unreadable_lines")


class Project:
    """The one object that a training program needs."""

    def __init__(self, fact_sheet: FactSheet, tracer: TraceLog) -> None:
        if fact_sheet is not None and fact_sheet.project_id != tracer.project_id:
            raise BackendError(
                f"the fact sheet is of project '{fact_sheet.project_id}', "
                f"the log of '{tracer.project_id}'"
            )
        self.fact_sheet = fact_sheet
        self._tracer = tracer
        if type(self) is Project:
            # Calls then go straight to the log, without a frame in between.
            self.log = tracer.log  # type: ignore[method-assign]

    @classmethod
    def load(cls, fact_sheet_path: str | os.PathLike[str], backend: StorageBackend) -> Project:
        """Begin a project with the fact sheet of a YAML file.

        :raises FactSheetAlreadyExistsError: it was begun before; ``open`` takes it up.
        """
        fact_sheet = load_fact_sheet(fact_sheet_path)
        backend.save_fact_sheet(fact_sheet)
        return cls(fact_sheet, TraceLog(fact_sheet.project_id, backend))

    @classmethod
    def resume(cls, project_id: str, backend: StorageBackend) -> Project:
        """Take up a project that was begun before.

        :raises FactSheetNotFoundError: it was not.
        """
        return cls(backend.load_fact_sheet(project_id), TraceLog(project_id, backend))

    @classmethod
    def open(cls, fact_sheet_path: str | os.PathLike[str], backend: StorageBackend) -> Project:
        """Begin a project, or take it up when the file says what its fact sheet says.

        So the same program can be run again and again.

        :raises FactSheetAlreadyExistsError: the fact sheet says something else; ``amend`` it.
        """
        fact_sheet = load_fact_sheet(fact_sheet_path)
        project_id = fact_sheet.project_id
        if getattr(backend, "_direct", False):
            native = backend._native_log  # type: ignore[attr-defined]
            document = fact_sheet._document()
            try:
                known = native(project_id).open_sheet(document)
            except BackendError as error:
                if error.kind == "already_exists":
                    raise _differs(project_id, error) from error
                raise
            return cls(FactSheet.from_json(json.loads(known)), TraceLog(project_id, backend))
        try:
            backend.save_fact_sheet(fact_sheet)
        except FactSheetAlreadyExistsError as error:
            known_sheet = backend.load_fact_sheet(project_id)
            if not _says_the_same(fact_sheet, known_sheet):
                raise _differs(project_id, error) from error
            fact_sheet = known_sheet
        return cls(fact_sheet, TraceLog(project_id, backend))

    @property
    def project_id(self) -> str:
        """The id of the project."""
        return self._tracer.project_id

    def log(self, stage: str = _MISSING, /, **payload: Any) -> TraceRecord:
        """Append a record and return it: ``project.log("client_round", round=1, loss=0.21)``.

        Numbers, text, lists and dictionaries are stored as JSON; numpy and torch scalars, dates,
        decimals, UUIDs, paths and enums as what they mean; ``NaN`` and infinities are kept. A
        mapping given as ``payload=`` holds members itself.

        :raises InvalidStageError: the stage is blank or no text.
        :raises StageSchemaError: the project holds the stage to a schema strictly, and the payload
            breaks it.
        :raises RecordSerializationError: a value cannot be stored; the message names it.
        :raises BackendWriteError: the record was not stored, or that is unknown.
        """
        return self._tracer.log(stage, **payload)

    def history(self, *, strict: bool = True) -> list[TraceRecord]:
        """Read all records, in the order of the log; ``query`` reads some, or a data frame.

        :param strict: whether a stored line that is no record raises
            ``RecordCorruptedError`` (which carries the others), or is left out.
        """
        backend = self._tracer.backend
        native = getattr(backend, "_native_log", None)
        if strict or native is None or not getattr(backend, "_searches", lambda: True)():
            return self._tracer.load_all()
        records: list[TraceRecord] = native(self.project_id).load_all(False)
        return records

    def query(
        self,
        query: str = "",
        *,
        stage: str | Iterable[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        where: Mapping[str, Any] | None = None,
        order: str | Iterable[str] | None = None,
        limit: int | None = None,
        after: str | None = None,
        as_of: int | datetime | str | None = None,
    ) -> Query:
        """Select records: iterate over them, or take them as a data frame, or count them.

        ::

            for record in project.query("payload.loss < 0.3", stage="client_round", limit=50):
                print(record.payload["loss"])
            frame = project.query().to_pandas()

        :param query: a filter, and ORDER BY and LIMIT if wanted: ``"payload.loss < 0.3 AND NOT
            payload.site IN ('a', 'b') ORDER BY timestamp DESC"``.
        :param stage: only this stage, or any of several.
        :param since: only from this time on; a time without a zone is taken as UTC.
        :param until: only before this time.
        :param where: values of fields, such as ``{"payload.site": "a", "payload.round": [1, 2]}``:
            equal, any of a list, or ``None`` for null.
        :param order: what stands behind ORDER BY, or a list of that; the order of the log unless
            given.
        :param limit: how many records at most.
        :param after: the ``cursor`` of the same query, to go on where its limit ended it.
        :param as_of: the log as it was: up to the entry with this index, or before the first record
            of a later time, or as a checkpoint (its whole text) covers it.
        :raises QueryError: the query cannot be understood; the message points at the place.
        """
        # Imported here, so that a program that only logs does not wait for it.
        from quark_trace.query import make

        return make(
            self.project_id,
            self._tracer.backend,
            query,
            stage=stage,
            since=since,
            until=until,
            where=where,
            order=order,
            limit=limit,
            after=after,
            as_of=as_of,
        )

    def aggregate(
        self, of: str | Iterable[str] = (), *, by: str | Iterable[str] = (), query: str = ""
    ) -> list[dict[str, Any]]:
        """Count records and numbers in groups: ``query(query).aggregate(of, by=by)``.

        ::

            project.aggregate("payload.loss", by=["stage", "payload.round"])
        """
        return self.query(query).aggregate(of, by=by)

    def summary(self, *, details: bool = False) -> dict[str, Any]:
        """Count the records by stage, and say what the project is about.

        :param details: whether to add ``stages`` (records, first and last time of each),
            ``sites`` (records by the payload's ``site``, else ``client_id``), ``numbers`` (count,
            least, greatest and last of each number in the payloads), ``is_cut`` (whether there are
            more than 1,000 sites or numbers, which are not listed), ``schema_faults`` (records that
            break the schemas of their time) and ``unreadable_lines``.
            Without it the names are those of 0.1.0, and no others.
        """
        backend: Any = self._tracer.backend
        if getattr(backend, "_direct", False) or getattr(backend, "_searches", bool)():
            counted = backend._native_log(self.project_id).summary()
        else:
            from quark_trace._core import summarize_records

            counted = summarize_records(self.project_id, self._tracer.load_all())
        more = _SUMMARY_DETAILS if details else ()
        return {
            "project_id": self.fact_sheet.project_id,
            "fact_sheet_version": self.fact_sheet.version,
            "created_at": self.fact_sheet.created_at,
            "amended_at": self.fact_sheet.amended_at,
            "purpose": self.fact_sheet.purpose,
            "domain": self.fact_sheet.domain,
            "ml_type": self.fact_sheet.ml_type,
            "total_records": counted["total_records"],
            "stages_recorded": counted["stages_recorded"],
            "first_record_at": counted["first_record_at"],
            "last_record_at": counted["last_record_at"],
            "backend": type(self._tracer.backend).__name__,
            **{name: counted[name] for name in more},
        }

    @property
    def stages(self) -> Stages:
        """The stages: their vocabulary, and the schemas that their records are held to."""
        return Stages(self._native("hold records to schemas"))

    def amend(self, fields: dict[str, Any], amended_by: str, reason: str) -> FactSheet:
        """Change the fact sheet and store the new version; the old ones stay in the ledger.

        :raises ImmutableFieldError: a field can never be changed.
        :raises InvalidAmendmentError: a field or value is not acceptable, or nothing changes.
        """
        document = self._native("amend").amend(fields, amended_by, reason)
        self.fact_sheet = FactSheet.from_json(json.loads(document))
        return self.fact_sheet

    def sheets(self) -> list[FactSheet]:
        """All versions of the fact sheet, the oldest first."""
        versions = self._native("list fact sheets").sheets()
        return [FactSheet.from_json(json.loads(document)) for _, document in versions]

    def verify(
        self,
        level: str = "L1",
        *,
        keys: list[str] | None = None,
        checkpoint: str | None = None,
    ) -> dict[str, Any]:
        """Check the whole log and say what is proven.

        :param level: what to ask for, ``"L0"`` to ``"L4"``.
        :param keys: verifier keys known from elsewhere; those beside the log unless given.
        :param checkpoint: a checkpoint known from elsewhere, which the log must contain.
        :returns: ``exit_code`` (0 verified, 1 tampered, 2 incomplete), ``level``, ``headline``,
            ``findings`` and more.
        :raises BackendReadError: the log cannot be read; also a ``ValueError`` where ``level``, a key
            or ``checkpoint`` is none.
        """
        verdict: dict[str, Any] = json.loads(
            self._native("verify").verify(level, keys or [], checkpoint)
        )
        return verdict

    def prove(self, record: TraceRecord | str) -> str:
        """Make the proof that a record stands in the log, for a third party (C2SP tlog-proof)."""
        record_id = record if isinstance(record, str) else str(record.record_id)
        made = self._native("prove").prove(record_id)
        if made is None:
            raise BackendError(f"project '{self.project_id}' has no record {record_id!r}")
        proof: str = made[2]
        return proof

    def _native(self, what: str) -> Any:
        native = getattr(self._tracer.backend, "_native_log", None)
        if native is None:
            backend = type(self._tracer.backend).__name__
            raise BackendError(
                f"{backend} keeps no ledger, so it cannot {what}; use JsonBackend or SqlBackend"
            )
        return native(self.project_id)

    def flush(self) -> None:
        """Make every record durable and sign a checkpoint over them."""
        flush = getattr(self._tracer.backend, "flush", None)
        if flush is not None:
            flush()

    def close(self) -> None:
        """Flush, and free what the backend holds."""
        close = getattr(self._tracer.backend, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"fact_sheet": self.fact_sheet, "_tracer": self._tracer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["fact_sheet"], state["_tracer"])  # type: ignore[misc]

    def __str__(self) -> str:
        return (
            f"Project(project_id={self.fact_sheet.project_id}, "
            f"backend={type(self._tracer.backend).__name__})"
        )


def _content(sheet: FactSheet) -> dict[str, Any]:
    """What a fact sheet says, without its history."""
    ignored = {"sheet_id", "version", "created_at", "amended_at", "amendment_log"}
    return {name: value for name, value in sheet.to_json().items() if name not in ignored}


def _says_the_same(sheet: FactSheet, known: FactSheet) -> bool:
    """Whether a sheet says what is known; a server fills in the institution that is left out."""
    said, kept = _content(sheet), _content(known)
    if said.get("institution_id") is None:
        said["institution_id"] = kept.get("institution_id")
    return said == kept


def _differs(project_id: str, error: Exception) -> FactSheetAlreadyExistsError:
    raised = FactSheetAlreadyExistsError(project_id)
    raised.add_note(str(error))
    return raised
