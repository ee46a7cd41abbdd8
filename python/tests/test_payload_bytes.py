"""Payloads are written byte for byte as `json.dumps` writes them, save that NaN is tagged."""

import collections
import enum
import json
import math
import random
import struct
from pathlib import Path

import pytest

from quark_trace import Project

SEEDS = range(8)
ALPHABET = ["a", "Z", " ", '"', "\\", "/", "\n", "\r", "\t", "\b", "\f", "\0", "\x1f", "\x7f", "é",
            "\u2028", "\ud800", "\udfff", "\ufeff", "\uffff", "😀", "\ud83d", "\ude00", "$"]


class Number(enum.IntEnum):
    ONE = 1


class Word(str, enum.Enum):
    YES = "yes"


class Text(str):
    def __str__(self) -> str:
        return "not this"


class Amount(float):
    def __repr__(self) -> str:
        return "not this"


Point = collections.namedtuple("Point", "x y")


def text(chance: random.Random) -> str:
    return "".join(chance.choices(ALPHABET, k=chance.choice([0, 1, 3, 12])))


def number(chance: random.Random) -> float:
    return struct.unpack("<d", chance.randbytes(8))[0]


def scalar(chance: random.Random):
    return chance.choice([
        None, True, False, 0, -0.0, 1.0, 1e16, 1e-5, 123456789012345680.0, 5e-324, math.inf,
        -math.inf, math.nan, chance.randint(-(2**70), 2**70), chance.getrandbits(300),
        chance.random(), number(chance), text(chance), Number.ONE, Word.YES, Text("é"),
        Amount(0.1), -(2**63), 2**63, 2**127,
    ])


def value(chance: random.Random, depth: int = 0):
    if depth > 4 or chance.random() < 0.6:
        return scalar(chance)
    size = chance.choice([0, 1, 2, 5])
    items = [value(chance, depth + 1) for _ in range(size)]
    kind = chance.choice([list, tuple, dict, collections.OrderedDict, Point])
    if kind is Point:
        return Point(value(chance, depth + 1), 2)
    if kind in (list, tuple):
        return kind(items)
    return distinct(kind((key(chance), item) for item in items))


def key(chance: random.Random):
    return chance.choice([text(chance), text(chance), chance.randint(-5, 5), None, True, 2.5,
                          1e100, math.inf, Number.ONE, Word.YES])


def distinct(mapping: dict) -> dict:
    """Without keys that would become one name: those are refused."""
    names: dict[str, object] = {}
    for name in mapping:
        names.setdefault(json.dumps({name: 0}), name)
    return type(mapping)((name, mapping[name]) for name in names.values())


def tagged(item):
    """What stands for numbers that JSON does not have."""
    if isinstance(item, float) and not math.isfinite(item):
        name = "NaN" if math.isnan(item) else "Infinity" if item > 0 else "-Infinity"
        return {"$numberDouble": name}
    if isinstance(item, dict):
        return {name: tagged(member) for name, member in item.items()}
    if isinstance(item, (list, tuple)):
        return [tagged(member) for member in item]
    return item


def payload_bytes(project: Project, tmp_path: Path) -> list[bytes]:
    project.flush()
    lines = (tmp_path / "data" / "demo_trace_log.jsonl").read_bytes().splitlines()
    return [line.split(b'"payload": ', 1)[1][:-1] for line in lines]


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_are_those_of_json_dumps(seed: int, project: Project, tmp_path: Path) -> None:
    chance = random.Random(seed)
    payloads = [distinct({key(chance): value(chance) for _ in range(chance.randint(0, 6))})
                for _ in range(1000)]
    returned = [project.log("s", payload=payload) for payload in payloads]
    expected = [json.dumps(tagged(payload)).encode() for payload in payloads]
    assert payload_bytes(project, tmp_path) == expected
    read = project.history()
    for payload, record, again in zip(payloads, returned, read, strict=True):
        # As text, since NaN equals nothing.
        meant = json.dumps(json.loads(json.dumps(payload)))
        assert json.dumps(record.payload) == json.dumps(again.payload) == meant
        assert record.record_id == again.record_id
    assert project.verify()["exit_code"] == 0


def test_every_character_is_written_as_json_dumps_does(project: Project, tmp_path: Path) -> None:
    blocks = ["".join(map(chr, range(start, start + 4096))) for start in range(0, 0x110000, 4096)]
    for block in blocks:
        project.log("s", text=block)
    assert payload_bytes(project, tmp_path) == [
        json.dumps({"text": block}).encode() for block in blocks
    ]
    # Two surrogates in a row are one character to every reader of JSON.
    assert [record.payload["text"] for record in project.history()] == [
        json.loads(json.dumps(block)) for block in blocks
    ]


@pytest.mark.parametrize("exponent", [4299, 4300, 5000, 12001])
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_of_any_size(exponent: int, sign: int, project: Project, tmp_path: Path) -> None:
    for number in (10**exponent, 10**exponent - 1, 10**exponent + 7):
        project.log("s", number=sign * number)
    written = payload_bytes(project, tmp_path)
    minus = b"-" * (sign < 0)
    assert written[0] == b'{"number": ' + minus + b"1" + b"0" * exponent + b"}"
    assert written[1] == b'{"number": ' + minus + b"9" * exponent + b"}"
    assert [record.payload["number"] for record in project.history()] == [
        sign * (10**exponent), sign * (10**exponent - 1), sign * (10**exponent + 7)]


def test_what_is_not_a_number_comes_back(project: Project) -> None:
    record = project.log("s", up=math.inf, down=-math.inf, nan=math.nan, in_list=[math.nan])
    for payload in (record.payload, project.history()[0].payload):
        assert (payload["up"], payload["down"]) == (math.inf, -math.inf)
        assert math.isnan(payload["nan"]) and math.isnan(payload["in_list"][0])
