"""Values that people who train models log without thinking of JSON."""

import collections
import datetime
import decimal
import enum
import math
import pathlib
import types
import uuid

import numpy
import pytest

from quark_trace import Project


class Colour(enum.Enum):
    RED = "red"
    DEEP = ("a", 1)


class Level(enum.IntEnum):
    LOW = 1


class Flags(enum.Flag):
    A = 1
    B = 2


class Tensor:
    """As much of a torch tensor as is looked at: torch itself is too large for a test."""

    def __init__(self, values, nbytes=8) -> None:
        self.values, self.dtype, self.nbytes = values, "float32", nbytes

    def tolist(self):
        return self.values

    def item(self):
        return self.values

    def __iter__(self):
        raise AssertionError("a tensor of no dimensions cannot be iterated")


UTC = datetime.timezone.utc
VALUES = {
    "numpy float64": (numpy.float64(0.1), 0.1),
    "numpy float32": (numpy.float32(0.5), 0.5),
    "numpy float16": (numpy.float16(0.5), 0.5),
    "numpy longdouble": (numpy.longdouble(0.5), 0.5),
    "numpy int64": (numpy.int64(-7), -7),
    "numpy uint64": (numpy.uint64(2**64 - 1), 2**64 - 1),
    "numpy int8": (numpy.int8(-1), -1),
    "numpy bool": (numpy.bool_(True), True),
    "numpy str": (numpy.str_("é"), "é"),
    "numpy array": (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    "numpy array of none": (numpy.array([]), []),
    "numpy array of no dimensions": (numpy.array(3.5), 3.5),
    "numpy array not contiguous": (numpy.arange(6)[::2], [0, 2, 4]),
    "numpy datetime": (numpy.datetime64("2026-01-02T03:04:05"), "2026-01-02T03:04:05"),
    "numpy infinity": (numpy.float32("inf"), math.inf),
    "tensor": (Tensor([1.0, 2.0]), [1.0, 2.0]),
    "tensor of no dimensions": (Tensor(0.25), 0.25),
    "datetime": (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
    "datetime without zone": (datetime.datetime(2026, 1, 2), "2026-01-02T00:00:00"),
    "date": (datetime.date(2026, 1, 2), "2026-01-02"),
    "time": (datetime.time(3, 4, 5), "03:04:05"),
    "decimal": (decimal.Decimal("1.10"), "1.10"),
    "uuid": (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    "path": (pathlib.PurePosixPath("a/b"), "a/b"),
    "enum": (Colour.RED, "red"),
    "enum of tuple": (Colour.DEEP, ["a", 1]),
    "int enum": (Level.LOW, 1),
    "flag": (Flags.A | Flags.B, 3),
    "counter": (collections.Counter("aab"), {"a": 2, "b": 1}),
    "mapping proxy": (types.MappingProxyType({"a": 1}), {"a": 1}),
    "user dict": (collections.UserDict({"a": numpy.int32(1)}), {"a": 1}),
    "nested": ({"a": [(numpy.float64(1.5), datetime.date(2026, 1, 2))]},
               {"a": [[1.5, "2026-01-02"]]}),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_stored_as_what_it_means(name: str, project: Project) -> None:
    given, meant = VALUES[name]
    record = project.log("s", value=given)
    assert record.payload["value"] == meant
    assert project.history()[0].payload["value"] == meant
    assert type(record.to_json()["payload"]["value"]) is type(meant)


def test_nan_of_numpy(project: Project) -> None:
    payload = project.log("s", one=numpy.float32("nan"), many=numpy.array([1.0, numpy.nan])).payload
    assert math.isnan(payload["one"]) and math.isnan(payload["many"][1])


def test_numpy_scalars_as_keys(project: Project) -> None:
    payload = project.log("s", payload={"counts": {numpy.str_("a"): 1, numpy.float64(2.5): 3}})
    assert payload.payload["counts"] == {"a": 1, "2.5": 3}


def test_an_array_too_large_for_a_record_is_never_made_a_list(project: Project) -> None:
    huge = Tensor(None, nbytes=17 << 20)
    with pytest.raises(TypeError, match="payload.weights is of type Tensor.*digest, a path"):
        project.log("s", weights=huge)
    assert project.history() == []
