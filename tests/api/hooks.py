"""What schemathesis cannot know of the API: its little languages, and what must not be called.

Loaded by schemathesis in a process of its own; tests/api/run names in the environment what it made.
"""

import json
import os
import uuid

import schemathesis
from hypothesis import strategies as st

PROJECT = os.environ["QUARK_TRACE_API_PROJECT"]
RECORDS = json.loads(os.environ["QUARK_TRACE_API_RECORDS"])
# Keys, nodes and institutions that the run itself needs.
NEEDED = set(json.loads(os.environ["QUARK_TRACE_API_NEEDED"]))
ENDS = {"revokeKey", "rotateKey", "changeNode", "changeInstitution"}

# Any text but lone surrogates, which no UTF-8 can hold.
text = st.text(st.characters(codec="utf-8"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2**70, 2**70) | text
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


# --- the query language ---

def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


values = (st.integers(-10**30, 10**30).map(str) | text.map(quoted) | st.sampled_from(["TRUE", "FALSE"])
          | st.floats(allow_nan=False, allow_infinity=False).map(repr))
texts = st.sampled_from(["stage", "record_id", "project_id"])
payload_fields = st.sampled_from(["payload.loss", "payload.a.b", "payload.a[0]", "metrics.val.loss",
                                  "params.lr"]) | text.filter(str.strip).map(
    lambda name: 'payload."' + name.replace('"', '""') + '"')
fields = texts | payload_fields
signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "<>", "=="])
comparisons = st.tuples(payload_fields, signs, values) | st.tuples(texts, signs, text.map(quoted))
conditions = (comparisons.map(" ".join)
              | fields.map(lambda field: f"{field} IS NOT NULL")
              | st.tuples(payload_fields, st.lists(values, min_size=1, max_size=3)).map(
                  lambda both: f"{both[0]} IN ({', '.join(both[1])})")
              | st.sampled_from(["stage LIKE 'client%'", "payload.model ~ '^res(net)?'",
                                 "timestamp > now() - 1d", "payload.loss BETWEEN 0.1 AND 0.3"]))
filters = st.recursive(
    conditions,
    lambda inner: inner.map(lambda one: f"NOT ({one})") | st.tuples(
        inner, st.sampled_from(["AND", "OR"]), inner).map(lambda three: f"({' '.join(three)})"),
    max_leaves=4,
)
orders = st.lists(st.tuples(fields, st.sampled_from(["", " ASC", " DESC"])).map("".join), min_size=1,
                  max_size=3).map(", ".join)
times = st.datetimes().map(lambda time: time.isoformat() + "Z")

schemathesis.openapi.format("quark-trace-filter", filters)
schemathesis.openapi.format("quark-trace-order", orders)
schemathesis.openapi.format("quark-trace-as-of", times | st.integers(0, 2**64 - 1).map(str))
schemathesis.openapi.format("quark-trace-cursor", text)


# --- bodies that are more than JSON ---

def record(payload: object, stage: str) -> bytes:
    fields = {"record_id": str(uuid.uuid4()), "project_id": PROJECT, "stage": stage,
              "timestamp": "2026-01-02T03:04:05+00:00", "payload": payload}
    return json.dumps(fields, ensure_ascii=False).encode()


payloads = st.dictionaries(text, json_values, max_size=4)
batches = st.lists(st.builds(record, payloads, st.sampled_from(["client_round", "aggregation"])),
                   min_size=1, max_size=5).map(b"\n".join)


def sheet(project: str, purpose: str) -> bytes:
    """A first version in the form of {project}_fact_sheet.json."""
    fields = {
        "sheet_id": f"{project}-v1", "project_id": project, "version": 1,
        "created_at": "2026-01-02T03:04:05+00:00", "amended_at": None, "amendment_log": [],
        "purpose": purpose, "domain": "Radiology", "ml_type": "supervised",
        "algorithm": [{"name": "FedAvg", "variant": ""}],
        "input": [{"name": "scan", "type": "image", "description": ""}],
        "output": [{"name": "finding", "type": "label", "description": ""}],
        "performance_metrics": ["accuracy"],
        "bias": {"type": "none", "affected_group": "none", "severity": "low", "notes": ""},
        "stakeholders": [{"name": "Jane Doe", "role": "lead", "contact": "jane@example.org"}],
    }
    return json.dumps(fields, indent=2).encode()


sheets = st.builds(sheet, st.uuids().map(str), text)
schemathesis.openapi.media_type("application/x-ndjson", batches)
schemathesis.openapi.media_type("application/vnd.quark-trace.sheet+json", sheets)


# --- where calls lead ---

@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Two of three calls are about the project that is there; else all would find nothing."""
    if path_parameters and "project" in path_parameters:
        if hash(repr(path_parameters)) % 3:
            path_parameters["project"] = PROJECT
            if "record" in path_parameters and hash(repr(path_parameters)) % 2:
                path_parameters["record"] = RECORDS[0]
    return path_parameters


@schemathesis.hook
def filter_case(context, case):
    """The run must not end its own keys."""
    named = {str(value) for value in (case.path_parameters or {}).values()}
    return not (case.operation.definition.raw.get("operationId") in ENDS and named & NEEDED)
