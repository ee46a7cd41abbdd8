"""Trace records: what they say was said, and nobody can make them say something else."""

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from quark_trace import JsonBackend, Project, TraceRecord
from quark_trace.frozen import FrozenDict, FrozenList

FIELDS = ("r-1", "p", "s", "2026-01-02T03:04:05+00:00")
PAYLOAD = {"a": {"b": [1, {"c": 2}]}, "é": None}


@pytest.fixture(params=["logged", "read", "made"])
def record(request: pytest.FixtureRequest, project: Project) -> TraceRecord:
    """A record from each of the places that records come from."""
    if request.param == "made":
        return TraceRecord(*FIELDS, PAYLOAD)
    logged = project.log("s", payload=PAYLOAD)
    return logged if request.param == "logged" else project.history()[0]


CHANGES = {
    "set": lambda payload: payload.__setitem__("a", 1),
    "set new": lambda payload: payload.__setitem__("new", 1),
    "delete": lambda payload: payload.__delitem__("a"),
    "update": lambda payload: payload.update(a=1),
    "merge": lambda payload: payload.__ior__({"a": 1}),
    "pop": lambda payload: payload.pop("a"),
    "popitem": lambda payload: payload.popitem(),
    "clear": lambda payload: payload.clear(),
    "setdefault": lambda payload: payload.setdefault("new", 1),
    "inner set": lambda payload: payload["a"].__setitem__("b", 1),
    "list set": lambda payload: payload["a"]["b"].__setitem__(0, 9),
    "list append": lambda payload: payload["a"]["b"].append(9),
    "list extend": lambda payload: payload["a"]["b"].extend([9]),
    "list add": lambda payload: payload["a"]["b"].__iadd__([9]),
    "list times": lambda payload: payload["a"]["b"].__imul__(2),
    "list insert": lambda payload: payload["a"]["b"].insert(0, 9),
    "list remove": lambda payload: payload["a"]["b"].remove(1),
    "list pop": lambda payload: payload["a"]["b"].pop(),
    "list delete": lambda payload: payload["a"]["b"].__delitem__(0),
    "list clear": lambda payload: payload["a"]["b"].clear(),
    "list sort": lambda payload: payload["a"]["b"].sort(),
    "list reverse": lambda payload: payload["a"]["b"].reverse(),
    "in the list": lambda payload: payload["a"]["b"][1].__setitem__("c", 9),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_payload_cannot_be_changed(change: str, record: TraceRecord) -> None:
    with pytest.raises(TypeError, match="cannot be changed; make a copy"):
        CHANGES[change](record.payload)
    assert record.payload == PAYLOAD


@pytest.mark.parametrize("name", ["record_id", "project_id", "stage", "timestamp", "payload", "x"])
def test_a_record_cannot_be_changed(name: str, record: TraceRecord) -> None:
    before = record.to_json()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, "other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(record, name)
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(record, name, "other")
    assert record.to_json() == before


def test_copies_are_plain_and_their_own(record: TraceRecord) -> None:
    for plain in (record.to_json()["payload"], record.payload.copy(), copy.copy(record.payload),
                  copy.deepcopy(record.payload)):
        assert type(plain) is dict and type(plain["a"]["b"]) is list
        plain["a"]["b"].append(3)
        plain["new"] = 1
    assert record.payload == PAYLOAD


def test_a_payload_is_an_ordinary_dictionary_to_readers(record: TraceRecord) -> None:
    assert json.dumps(record.payload) == json.dumps(PAYLOAD)
    assert record.payload == PAYLOAD and PAYLOAD == record.payload
    assert {**record.payload} == PAYLOAD and dict(record.payload) == PAYLOAD
    assert isinstance(record.payload, dict) and isinstance(record.payload["a"]["b"], list)
    assert repr(record.payload) == repr(PAYLOAD)
    assert record.payload | {"new": 1} == {**PAYLOAD, "new": 1}
    assert record.payload["a"]["b"] + [3] == [1, {"c": 2}, 3]
    assert record.payload is record.payload


def test_records_survive_pickle_and_copy(record: TraceRecord) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(record, protocol))
        assert again == record and hash(again) == hash(record)
        with pytest.raises(TypeError, match="cannot be changed"):
            again.payload["a"]["b"].append(1)
    assert copy.copy(record) == copy.deepcopy(record) == record
    frozen = pickle.loads(pickle.dumps(record.payload))
    assert (type(frozen), type(frozen["a"]["b"])) == (FrozenDict, FrozenList)


def test_records_are_equal_by_content_and_hashed_by_id(record: TraceRecord) -> None:
    same = TraceRecord.from_json(record.to_json())
    other = dataclasses.replace(record, payload={})
    assert same == record and hash(same) == hash(record)
    assert other != record and hash(other) == hash(record)
    assert len({record, same, other}) == 2
    assert record != "text" and record != (*FIELDS, PAYLOAD)


def test_dataclasses_work(record: TraceRecord) -> None:
    assert dataclasses.asdict(record) == record.to_json()
    assert dataclasses.astuple(record)[4] == PAYLOAD
    assert dataclasses.replace(record, stage="other").stage == "other"
    assert [field.name for field in dataclasses.fields(record)] == list(record.to_json())


def test_subclasses_work() -> None:
    class Own(TraceRecord):
        def stage_and_id(self) -> str:
            return f"{self.stage}/{self.record_id}"

    made = Own.create("p", "s", {"a": 1})
    assert type(made) is Own and made.stage_and_id().startswith("s/")
    assert type(Own.from_json(made.to_json())) is Own
    assert Own.from_json(made.to_json()) == made


def test_a_repr_shows_no_payload(record: TraceRecord) -> None:
    for shown in (str(record), repr(record)):
        assert "é" not in shown and "payload=<2 items>" in shown


def test_what_was_given_can_be_changed_afterwards(project: Project) -> None:
    inner = [1]
    record = project.log("s", values=inner)
    made = TraceRecord(*FIELDS, {"values": inner})
    inner.append(2)
    assert record.payload == made.payload == project.history()[0].payload == {"values": [1]}


def test_saving_again_is_once_and_another_record_of_the_id_is_refused(tmp_path: Path) -> None:
    backend = JsonBackend(tmp_path / "data")
    record = TraceRecord("one", "p", "s", "2026-01-02T03:04:05+00:00", {"a": 1})
    for _ in range(3):
        backend.save(record)
    assert backend.load_all("p") == [record]
    with pytest.raises(ValueError, match="one") as caught:
        backend.save(dataclasses.replace(record, payload={"a": 2}))
    assert type(caught.value).__name__ == "RecordConflictError"
    assert backend.load_all("p") == [record]
