"""Trace records by themselves, and logs over backends of one's own."""

import copy
import dataclasses
import json

from quark_trace.trace import TraceLog, TraceRecord
from quark_trace.trace.backends import StorageBackend

FIELDS = ("r-1", "p", "stage one", "2026-01-02T03:04:05+00:00")


class TwoMethods(StorageBackend):
    """All that 0.1.0 asks of a backend."""

    def __init__(self):
        self.records = []

    def save(self, record):
        self.records.append(record)

    def load_all(self, project_id):
        return [record for record in self.records if record.project_id == project_id]


def run(observer):
    construction(observer)
    immutability(observer)
    equality(observer)
    conversions(observer)
    logging(observer)


def construction(observer):
    observer.call("record/positional", TraceRecord, *FIELDS, {"a": 1})
    keywords = dict(zip(("record_id", "project_id", "stage", "timestamp"), FIELDS))
    observer.call("record/keywords", TraceRecord, payload={"a": 1}, **keywords)
    observer.call("record/payload missing", lambda: _told(TraceRecord, *FIELDS))
    observer.call("record/create", TraceRecord.create, "p", "s", {"a": [1, 2.5, None, True, "é"]})
    observer.call("record/create by keyword", TraceRecord.create, project_id="p", stage="s",
                  payload={})
    observer.call("record/create with blank stage", TraceRecord.create, "p", " ", {})
    observer.call("record/any types", TraceRecord, 1, None, 2.5, True, "text")
    first, second = TraceRecord.create("p", "s", {}), TraceRecord.create("p", "s", {})
    observer.value("record/ids differ", first.record_id != second.record_id)
    observer.value("record/id length", len(first.record_id))
    observer.value("record/time parses", _parses(first.timestamp))


def _told(function, *arguments):
    try:
        return function(*arguments)
    except TypeError:
        return "a TypeError"


def _parses(text):
    from datetime import datetime

    return datetime.fromisoformat(text).utcoffset().total_seconds()


def immutability(observer):
    record = TraceRecord(*FIELDS, {"a": 1})
    observer.call("record/assign", setattr, record, "stage", "x")
    observer.call("record/assign new", setattr, record, "other", "x")
    observer.call("record/delete", delattr, record, "stage")
    observer.call("record/change payload", record.payload.__setitem__, "a", 2)
    observer.value("record/payload afterwards", record.payload)
    given = {"list": [1]}
    record = TraceRecord(*FIELDS, given)
    given["list"].append(2)
    observer.value("record/after the given dictionary changed", record)
    record.to_json()["payload"]["x"] = 1
    observer.value("record/after to_json() was changed", record)
    observer.value("record/payload is dict", isinstance(record.payload, dict))


def equality(observer):
    one, same = TraceRecord(*FIELDS, {"a": 1}), TraceRecord(*FIELDS, {"a": 1})
    other = TraceRecord(*FIELDS, {"a": 2})
    observer.value("record/equal", one == same)
    observer.value("record/unequal", one != other)
    observer.value("record/equal to tuple", one == (*FIELDS, {"a": 1}))
    observer.call("record/hash", lambda: hash(one) == hash(same))
    observer.value("record/copy", copy.copy(one) == one)
    observer.value("record/deepcopy", copy.deepcopy(one) == one)
    observer.call("record/ordered", lambda: _told(one.__lt__, other))


def conversions(observer):
    record = TraceRecord(*FIELDS, {"a": 1, "b": {"c": [1, 2]}})
    observer.value("record/str", str(record))
    observer.value("record/repr", repr(record))
    observer.value("record/to_json", record.to_json())
    observer.value("record/key order", list(record.to_json()))
    observer.value("record/asdict", dataclasses.asdict(record))
    observer.value("record/astuple", dataclasses.astuple(record))
    observer.call("record/replace", dataclasses.replace, record, stage="other")
    observer.value("record/json text", json.dumps(record.to_json()))
    match record:
        case TraceRecord(record_id, _, stage):
            observer.value("record/match", (record_id, stage))
    complete = record.to_json()
    observer.call("record/from_json", TraceRecord.from_json, complete)
    for name in complete:
        without = {key: value for key, value in complete.items() if key != name}
        observer.call(f"record/from_json without {name}", TraceRecord.from_json, without)
    coerced = {"record_id": 1, "project_id": None, "stage": True, "timestamp": 2.5, "payload": []}
    observer.call("record/from_json converts", TraceRecord.from_json, coerced)
    observer.call("record/from_json by keyword", TraceRecord.from_json, data=complete)
    observer.call("record/from_json more keys", TraceRecord.from_json, {**complete, "more": 1})
    observer.call("record/from_json of None", lambda: _told(TraceRecord.from_json, None))


def logging(observer):
    backend = TwoMethods()
    log = TraceLog("p", backend)
    observer.value("log/attributes", (log.project_id, log.backend is backend))
    observer.call("log/plain", log.log, "s", a=1, b="x")
    observer.call("log/stage by keyword", log.log, stage="s", a=1)
    observer.call("log/no payload", log.log, "s")
    observer.call("log/stage kept as given", log.log, "  s ")
    for name, stage in {"empty": "", "blank": " \t\n", "None": None, "number": 5}.items():
        observer.call(f"log/stage {name}", log.log, stage)
    observer.call("log/no stage", lambda: _told(log.log))
    observer.call("log/two positional", lambda: _told(log.log, "s", "t"))
    observer.call("log/key stage", lambda: log.log("s", **{"stage": 1}))
    observer.call("log/key self", lambda: log.log("s", **{"self": 1}))
    observer.call("log/key payload", log.log, "s", payload=5)
    observer.call("log/key args", log.log, "s", args=5, kwargs=6, record=7, backend=8)
    observer.call("log/key not identifier", lambda: log.log("s", **{"a b": 1, "": 2, "1": 3}))
    observer.call("log/nothing refused by a backend of one's own", log.log, "s", a={1})
    observer.value("log/loaded is saved", log.load_all() == backend.records)
    observer.value("log/str", str(log))
    keyword = TraceLog(project_id="q", backend=backend)
    observer.call("log/other project", keyword.load_all)
    observer.call("backend/abstract", lambda: _told(StorageBackend))
