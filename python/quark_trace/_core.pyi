"""The native module: what the classes of the package are made of. Use those."""

import os
from dataclasses import Field
from typing import Any, ClassVar, Self, final

from typing_extensions import disjoint_base

__all__ = [
    "Client",
    "Log",
    "Search",
    "Store",
    "Table",
    "TraceRecord",
    "__version__",
    "after_fork_in_child",
    "after_fork_in_parent",
    "amend_sheet",
    "before_fork",
    "broken_schemas",
    "check_content",
    "infer_schema",
    "parse_sheet",
    "read_sheet",
    "record_from_line",
    "record_line",
    "schemas_in_force",
    "search",
    "search_records",
    "sheet_template",
    "spooled",
    "stage_coverage",
    "stage_vocabulary",
    "summarize_records",
    "told_of_forks",
    "use_schema",
]

__version__: str

def told_of_forks() -> None:
    """Say that the other functions are called at every fork."""

def before_fork() -> None:
    """Let every store hand over what it buffers and free its locks."""

def after_fork_in_parent() -> None:
    """Let every store go on."""

def after_fork_in_child() -> None:
    """Make every handle open its store anew."""

def parse_sheet(yaml: bytes, source: str = "fact sheet") -> tuple[bytes, list[str]]:
    """Read a sheet from YAML: its JSON and warnings."""

def check_content(content: dict[str, Any]) -> bytes:
    """Check content that did not come from text; gives the sheet as JSON."""

def read_sheet(json: bytes) -> bytes:
    """Read the JSON of a stored sheet and give it in the present form."""

def amend_sheet(json: bytes, fields: dict[str, Any], amended_by: str, reason: str) -> bytes:
    """Amend a sheet in memory; gives the new version as JSON."""

def sheet_template(project_id: str) -> str:
    """The commented YAML that a new sheet begins with."""

def record_line(record: TraceRecord) -> bytes:
    """The line that a record is, or would be, stored as."""

def record_from_line(line: bytes) -> TraceRecord:
    """The record that a stored line is."""

def stage_vocabulary() -> str:
    """The stages of the vocabulary as JSON."""

def use_schema(
    log: Log, stage: str, schema: bytes | None = None, mode: str | None = None
) -> int:
    """Put a schema in force for a stage; gives the index of its entry."""

def schemas_in_force(log: Log) -> str:
    """The schemas in force as JSON, by stage."""

def stage_coverage(log: Log) -> str:
    """The stages of the log beside those of the vocabulary, as JSON."""

def infer_schema(log: Log, stage: str) -> str:
    """A draft of a schema from the records of a stage, as JSON."""

def broken_schemas(log: Log) -> str:
    """Records that break the schemas of their time, as JSON."""
def search(log: Log, parts: dict[str, Any]) -> Search:
    """A query over the log of a project."""

def search_records(
    project_id: str, records: list[TraceRecord], parts: dict[str, Any]
) -> Search:
    """A query over records that a backend without a ledger has given."""

def summarize_records(project_id: str, records: list[TraceRecord]) -> dict[str, Any]:
    """Count records that a backend without a ledger has given."""

def spooled(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """What waits in a spool: a dictionary for each server, node and project."""

@disjoint_base
class TraceRecord:
    """A single event of a project's life. It cannot be changed, and neither can its payload."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __dataclass_params__: ClassVar[Any]
    __match_args__: ClassVar[tuple[str, ...]]
    def __new__(
        cls, record_id: str, project_id: str, stage: str, timestamp: str, payload: dict[str, Any]
    ) -> Self: ...
    @classmethod
    def create(cls, project_id: str, stage: str, payload: dict[str, Any]) -> Self:
        """Make a record with a new id and the present time."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Make a record from the dictionary that `to_json` makes."""

    def to_json(self, /) -> dict[str, Any]:
        """Make a dictionary of the five fields, a copy of its own."""

    @property
    def record_id(self) -> str: ...
    @property
    def project_id(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def timestamp(self) -> str: ...
    @property
    def payload(self) -> dict[str, Any]: ...
    @property
    def faults(self) -> list[dict[str, str]]: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...
    def __delattr__(self, name: str, /) -> None: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> tuple[Any, ...]: ...
    def __copy__(self, /) -> Self: ...
    def __deepcopy__(self, _memo: Any, /) -> Self: ...

@final
class Store:
    """A store of logs: a folder, or what a URL names."""

    def __new__(
        cls,
        url: str,
        *,
        keys: str | os.PathLike[str] | None = None,
        durability: str = "os",
        file_type: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        pins: str | os.PathLike[str] | None = None,
        read_only: bool = False,
    ) -> Self: ...
    @property
    def kind(self) -> str: ...
    @property
    def url(self) -> str: ...
    def log(self, /, project_id: str) -> Log:
        """The log of a project."""

    def projects(self, /) -> list[str]:
        """The ids of the projects in the store."""

    def copy_project(self, /, target: Store, project_id: str) -> tuple[int, str]:
        """Copy what `target` does not have yet of a project: `(size, root)`, which both have."""

    def flush(self, /) -> None:
        """Make everything durable and sign checkpoints."""

    def close(self, /) -> None:
        """Make everything durable, sign checkpoints and free the locks; the store can be used again."""

@final
class Client:
    """A server, and the records that are on their way to it."""

    def __new__(
        cls,
        url: str,
        node_id: str,
        api_key: str,
        *,
        delivery: str = "auto",
        spool: str | os.PathLike[str],
        on_full: str = "raise",
        limit: int = ...,
        drain: float = 5.0,
        deadline: float = 60.0,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        allow_plain: bool = False,
        proxy: str | None = None,
        roots: str | os.PathLike[str] | None = None,
        pins: str | os.PathLike[str] | None = None,
    ) -> Self: ...
    @property
    def url(self) -> str: ...
    def node(self, /, node_id: str) -> tuple[bool, str]:
        """Ask the registry about a node: whether it is active, and its institution."""

    def is_current(self, /) -> bool:
        """Whether the server has the whole API, and not only the calls of 0.1.0."""

    def save(self, /, record: TraceRecord) -> str:
        """Deliver a record: `stored`, `spooled` or `dropped`."""

    def records(self, /, project_id: str) -> list[TraceRecord]:
        """Read all records of a project that the server has."""

    def sheet(self, /, project_id: str) -> bytes | None:
        """Read the fact sheet in force as the server gives it."""

    def begin(self, /, project_id: str, document: bytes) -> None:
        """Begin a project with its fact sheet, given as JSON."""

    def flush(self, /, timeout: float) -> dict[str, Any]:
        """Wait until nothing waits for the server, for so many seconds at most; what is left."""

    def status(self, /) -> dict[str, Any]:
        """What waits, and what became of what does not."""

    def notices(self, /) -> list[tuple[str, str, str]]:
        """What the user should be told, each once: kind, project and reason."""

    def close(self, /) -> dict[str, Any]:
        """Wait a little for the server and free what is held; what is left."""

@final
class Log:
    """The log of a project."""

    @property
    def project_id(self) -> str: ...
    def log(self, /, *args: Any, **kwargs: Any) -> TraceRecord:
        """Append a record and return it."""

    def append(self, /, record: TraceRecord) -> int:
        """Append a record that has its id already, once; gives the index of its entry."""

    def load_all(self, /, strict: bool = True) -> list[TraceRecord]:
        """All records. A line that is none raises, or is left out when `strict` is false."""

    def summary(self, /) -> dict[str, Any]:
        """What there is, counted."""

    def sheet(self, /) -> bytes | None:
        """The current fact sheet as stored."""

    def sheets(self, /) -> list[tuple[int | None, bytes]]:
        """All versions of the fact sheet with the index of their entry."""

    def save_sheet(self, /, sheet: bytes) -> None:
        """Save the first fact sheet, given as JSON."""

    def open_sheet(self, /, sheet: bytes) -> bytes:
        """Take up a project whose sheet says the same, or begin it; gives the sheet in force."""

    def amend(self, /, fields: dict[str, Any], amended_by: str, reason: str) -> bytes:
        """Amend the fact sheet; gives the new version."""

    def seal(self, /) -> tuple[int, str, str | None] | None:
        """Make everything durable and sign a checkpoint; gives `(size, root, checkpoint)`."""

    def verify(
        self, /, level: str = "L1", keys: list[str] = ..., checkpoint: str | None = None
    ) -> str:
        """The verdict over the whole log, as JSON."""

    def prove(self, /, record_id: str) -> tuple[int, str, str] | None:
        """The proof of a record's entry: `(index, entry, proof)`."""

@final
class Search:
    """A query, ready to be asked; each method asks anew."""

    @property
    def limit(self) -> int | None:
        """How many records at most."""

    def page(
        self, /, size: int, seen: int, after: str | None
    ) -> tuple[list[TraceRecord], str | None]:
        """The next records behind `after` and where more begin."""

    def count(self, /) -> int:
        """How many records there are; the limit is taken into account."""

    def columns(self, /, names: list[str] | None = None) -> Table:
        """The records as typed columns: all of them, or those that are named."""

    def group(
        self, /, by: list[str], of: list[str]
    ) -> list[tuple[list[Any], int, list[dict[str, Any]]]]:
        """Groups that are alike in `by`: `[(values, records, [statistics of each])]`."""

@final
class Table:
    """Records as typed columns. Any reader of Arrow takes it; none is needed to make it."""

    def __arrow_c_stream__(self, /, requested_schema: object = None) -> object:
        """A stream of record batches, as the Arrow PyCapsule interface has it."""

    def __arrow_c_schema__(self, /) -> object:
        """The schema, as the Arrow PyCapsule interface has it."""

    @property
    def column_names(self) -> list[str]: ...
    @property
    def num_rows(self) -> int: ...
    def __len__(self, /) -> int: ...
