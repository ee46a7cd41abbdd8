"""What cannot be logged: one sentence that names the value, and nothing is written."""

import datetime
import os
from pathlib import Path
from unittest.mock import MagicMock

import numpy
import pytest

from quark_trace import InvalidStageError, JsonBackend, Project, RecordSerializationError, TraceLog
from quark_trace.trace import TraceRecord


def cycle():
    held: dict = {}
    held["again"] = held
    return held


def nested(depth: int):
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


class Hostile:
    def __getattr__(self, name):
        raise RuntimeError("never")


class Turns(datetime.date):
    """Stands for itself, again and again."""

    def isoformat(self):
        return self


class Changes:
    """Changes the dictionary that it stands in when it is read."""

    dtype = "float64"

    def __init__(self, held, how):
        self.held, self.how = held, how

    def tolist(self):
        self.how(self.held)
        return 1.0


REFUSED = {
    "mock": ({"loss": MagicMock()}, r"payload\.loss is of type MagicMock"),
    "mock of a date": ({"day": MagicMock(spec=datetime.date)}, r"payload\.day is of type MagicMock"),
    "stands for itself": ({"day": Turns(2026, 1, 2)}, r"payload\.day is nested deeper than 128"),
    "set": ({"members": {1}}, r"payload\.members is of type set.*sorted\(\)"),
    "bytes": ({"raw": b"x"}, r"payload\.raw is of type bytes.*hex"),
    "bytearray": ({"raw": bytearray()}, r"payload\.raw is of type bytearray"),
    "object": ({"thing": object()}, r"payload\.thing is of type object.*convert it"),
    "hostile": ({"thing": Hostile()}, r"payload\.thing (is of type Hostile|cannot be read)"),
    "class": ({"thing": int}, r"payload\.thing is of type type"),
    "function": ({"thing": len}, r"payload\.thing is of type builtin"),
    "complex": ({"z": 1j}, r"payload\.z is of type complex.*real and imaginary"),
    "numpy complex": ({"z": numpy.complex64(1)}, r"payload\.z is of type complex"),
    "generator": ({"g": (n for n in [1])}, r"payload\.g is of type generator.*list\(\)"),
    "in a list": ({"a": [0, {"b": {1}}]}, r"payload\.a\[1\]\.b is of type set"),
    "odd name": ({"a b": {1}}, r'payload\["a b"\] is of type set'),
    "odd letters": ({"a\n\x1b[0m": {1}}, r'payload\["a\\n\\u\{1b\}\[0m"\] is of type set'),
    "long name": ({"x" * 10_000: {1}}, r'payload\["x{60}"…\] is of type set'),
    "surrogate name": ({"\ud800": {1}}, r"payload\S+ is of type set"),
    "key": ({"a": {(1, 2): 3}}, r"payload\.a has a key of type tuple"),
    "key bytes": ({"a": {b"x": 3}}, r"payload\.a has a key of type bytes"),
    "keys twice": ({"a": {1: "x", "1": "y"}}, r"payload\.a\.1 would be written twice"),
    "keys twice, mixed": ({"a": {True: "x", "true": "y"}}, r"payload\.a\.true would be written"),
    "cycle": (cycle(), r"payload\.again\.again.* is nested deeper than 128.*holds itself"),
    "10,000 deep": ({"deep": nested(10_000)}, r"payload\.deep\[0\].* is nested deeper than 128"),
    "17 MiB text": ({"text": "x" * (17 << 20)}, r"payload\.text makes the record larger.*16 MiB"),
    "17 MiB in pieces": ({"texts": ["x" * (1 << 20)] * 17}, r"payload\.texts\[1[56]\] makes the"),
    "17 MiB of numbers": ({"list": [1] * (6 << 20)}, r"payload\.list makes the record larger"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_value_is_named_and_nothing_is_written(
    name: str, project: Project, tmp_path: Path
) -> None:
    payload, message = REFUSED[name]
    project.log("before")
    project.flush()
    before = contents(tmp_path / "data")
    with pytest.raises((RecordSerializationError, ValueError, TypeError)) as caught:
        project.log("s", payload=payload)
    assert isinstance(caught.value, RecordSerializationError)
    assert caught.match(message)
    said = str(caught.value)
    assert len(said) < 400 and "\n" not in said, said
    assert caught.value.outcome == "not_written"
    project.flush()
    assert contents(tmp_path / "data") == before
    project.log("after")
    assert [record.stage for record in project.history()] == ["before", "after"]
    assert project.verify()["exit_code"] == 0


@pytest.mark.parametrize(
    "how", [dict.clear, lambda held: held.update(dict.fromkeys(map(str, range(99))))]
)
def test_a_dictionary_that_changes_while_it_is_read_is_refused(how, project: Project) -> None:
    held: dict = {"a": 1}
    held.update(b=Changes(held, how), c=2)
    with pytest.raises(RecordSerializationError, match=r"payload\.metrics was changed while"):
        project.log("s", payload={"metrics": held})
    assert project.history() == []


def contents(folder: Path) -> dict[str, bytes]:
    """Every file except the lock and the cache."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            if name not in {"lock", "state"}:
                path = Path(root, name)
                found[str(path)] = path.read_bytes()
    return found


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in {"cycle", "10,000 deep"}])
def test_the_same_through_save(name: str, tmp_path: Path) -> None:
    payload, message = REFUSED[name]
    backend = JsonBackend(tmp_path / "data")
    record = TraceRecord("r", "p", "s", "2026-01-02T03:04:05+00:00", payload)
    with pytest.raises(RecordSerializationError, match=message) as caught:
        backend.save(record)
    assert caught.value.record_id == "r"
    assert not (tmp_path / "data").exists() or backend.load_all("p") == []


@pytest.mark.parametrize("payload", [cycle(), {"deep": nested(10_000)}], ids=["cycle", "deep"])
def test_a_record_by_hand_is_not_nested_without_end(payload: dict) -> None:
    with pytest.raises((RecordSerializationError, RecursionError, ValueError)):
        TraceRecord("r", "p", "s", "t", payload)


@pytest.mark.parametrize("stage", ["", " ", "\t\n", "\u3000"])
def test_a_blank_stage_is_refused_in_the_words_of_the_original(
    stage: str, project: Project
) -> None:
    with pytest.raises(InvalidStageError) as caught:
        project.log(stage)
    assert str(caught.value) == f"Invalid stage value: '{stage}'. Stage must be a non-empty string."
    assert caught.value.stage == stage
    assert project.history() == []


@pytest.mark.parametrize("stage", [None, 5, b"s", ["s"], object(), "\ud800"])
def test_a_stage_is_text(stage: object, project: Project) -> None:
    with pytest.raises(InvalidStageError) as caught:
        project.log(stage)
    assert caught.value.stage is stage
    assert isinstance(caught.value, ValueError)


def test_a_stage_has_a_length(project: Project) -> None:
    with pytest.raises(InvalidStageError, match="Invalid stage: "):
        project.log("s" * 100_000)


@pytest.mark.parametrize("key", ["stage", "self", "payload", "args", "kwargs", "record", "py", ""])
def test_any_name_can_be_in_a_payload(key: str, project: Project) -> None:
    for log in (project, TraceLog("demo", project._tracer.backend)):
        assert log.log("s", **{key: 5}).payload == {key: 5}
        assert log.log("s", payload={key: 5}).payload == {key: 5}


def test_payload_as_a_mapping_and_as_a_member(project: Project) -> None:
    assert project.log("s", payload={"a": 1}, b=2).payload == {"a": 1, "b": 2}
    assert project.log("s", payload=[1]).payload == {"payload": [1]}
    assert project.log(stage="s", payload={"stage": 1}).payload == {"stage": 1}
    with pytest.raises(TypeError, match="a both in payload= and as a keyword"):
        project.log("s", payload={"a": 1}, a=2)
    for arguments in [(), ("s", "t")]:
        with pytest.raises(TypeError):
            project.log(*arguments)
    assert len(project.history()) == 3


def test_the_keywords_of_the_caller_stay_as_they_were(project: Project) -> None:
    given = {"stage": "s", "a": 1}
    project.log(**given)
    assert given == {"stage": "s", "a": 1}
