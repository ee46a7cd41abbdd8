"""Programs that are run on every store, and what they observed."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quark_trace import FactSheet, Project, StorageBackend, TraceLog, TraceRecord

AT = "2026-01-02T03:04:05.{:06}+00:00"

PAYLOADS: list[dict[str, Any]] = [
    {},
    {"loss": 0.21, "round": 1, "site": "north"},
    {"nan": math.nan, "most": math.inf, "least": -math.inf, "zero": -0.0, "small": 5e-324},
    {"large": 2**63, "larger": 10**400, "negative": -(2**200)},
    {"text": "\0 \x1b[31m \u2028 \U0001f600 ä", "lone": "caf\udce9.csv", "quote": "'\"; DROP --"},
    {"deep": json.loads("[" * 100 + "]" * 100), "\udce9 key": {"": None}},
    {"same": True, "list": [1, 1.0, "1", None, []]},
    {"big": "x" * 300_000},
]


def record(number: int, payload: dict[str, Any] | None = None, **other: str) -> TraceRecord:
    """A record whose every byte is fixed."""
    return TraceRecord(**{
        "record_id": f"00000000-0000-4000-8000-{number:012}", "project_id": "demo",
        "stage": "client_round", "timestamp": AT.format(number),
        "payload": {"n": number} if payload is None else payload, **other})


def fixed_sheet(sheet: Path) -> FactSheet:
    """The fact sheet of the tests, with an id and times that do not change."""
    from quark_trace import load_fact_sheet

    said = load_fact_sheet(sheet).to_json()
    return FactSheet.from_json({**said, "sheet_id": "00000000-0000-4000-8000-00000000000a",
                                "created_at": AT.format(0)})


def write_fixed(backend: StorageBackend, sheet: Path) -> None:
    """The same operations on every backend: a sheet, records of every sort, some of them twice."""
    backend.save_fact_sheet(fixed_sheet(sheet))
    for number, payload in enumerate(PAYLOADS):
        backend.save(record(number, payload))
    backend.save(record(3, PAYLOADS[3]))
    for number in range(100, 400):
        backend.save(record(number))
    for text in ("x" * 200, "evaluation \0", "ä \u2028"):
        backend.save(record(500 + len(text), stage=text))
    backend.flush()


def observed(act: Callable[[], Any]) -> Any:
    """What came back, or what was raised: class, message and what the program may branch on."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001
        told = {name: getattr(error, name, None) for name in ("kind", "outcome", "code")}
        return type(error).__name__, str(error), told


def refusals(backend: StorageBackend, sheet: Path) -> dict[str, Any]:
    """Everything that a backend must refuse, on a log that `write_fixed` made."""
    project = Project.resume("demo", backend)
    log = TraceLog("demo", backend)
    other = FactSheet.from_json({**fixed_sheet(sheet).to_json(), "purpose": "another"})
    tried: dict[str, Callable[[], Any]] = {
        "an id that is taken": lambda: backend.save(record(3, {"other": 1})),
        "a stage that is blank": lambda: log.log(" "),
        "a stage that is long": lambda: log.log("x" * 201),
        "a value that is none": lambda: log.log("s", value={1}),
        "a record that is large": lambda: log.log("s", value="x" * (17 << 20)),
        "a record of a strange id": lambda: backend.save(record(9, project_id="../x")),
        "a stage that is half": lambda: backend.save(record(9, stage="\udce9")),
        "a project that is none": lambda: backend.load_all("a/b"),
        "a sheet that is there": lambda: backend.save_fact_sheet(other),
        "a sheet that is not there": lambda: backend.load_fact_sheet("nobody"),
        "records that are not there": lambda: backend.load_all("nobody"),
        "an amendment of nothing": lambda: project.amend({}, "Jane", "why"),
        "an amendment of an id": lambda: project.amend({"project_id": "x"}, "Jane", "why"),
        "a proof of nothing": lambda: project.prove("nobody"),
        "a level that is none": lambda: project.verify("L9"),
        "a verification of nothing": lambda: Project(None, TraceLog("nobody", backend)).verify(),
    }
    return {what: observed(act) for what, act in tried.items()}
